"""What the ledger no longer keeps, over HTTP: the certificates, for whoever may read the ledger."""

from base64 import b64encode
from datetime import datetime
from hashlib import sha256

from fastapi import APIRouter
from pydantic import ConfigDict

from pacs_secure.archive import Archive
from pacs_secure.core.access import Action, Role
from pacs_secure.web.api import Api, Asked, Body
from pacs_secure.web.identity import Identification

NOTE = {"protocol": "API"}


class RetentionCertificate(Body):
    """That a range of entries expired, signed under the log's key (C2SP signed-note)."""

    # A note ends with the end of its last line.
    model_config = ConfigDict(str_strip_whitespace=False)

    number: int
    start: int
    horizon: int
    """The entries from the start until before the horizon went."""
    root: str
    """Of the tree up to the horizon, in base64; its leaf hashes stay."""
    cutoff: datetime
    """Every entry that went is older."""
    keys: int
    """Ledger keys that were to be forgotten with it."""
    by: Role
    at: datetime
    note: str
    sha256: str
    """Of the note, as the ledger's own entry says it."""


class Retention(Body):
    """What is kept, and what went."""

    keep_months: int
    horizon: int
    """Entries below have expired."""
    certificates: list[RetentionCertificate]


def routes(archive: Archive, identification: Identification) -> APIRouter:
    """Return the endpoints."""
    api, verb = Api(archive, identification, "Ledger"), archive.ledger_retention

    def show_ledger_retention(asked: Asked[None, None]) -> Retention:
        """Show which entries have expired, and the certificates of it."""
        kept = verb.show(asked.caller.subject, asked.caller.purpose, details=NOTE)
        certificates = [
            RetentionCertificate(
                number=one.number,
                start=one.start,
                horizon=one.horizon,
                root=b64encode(one.root).decode(),
                cutoff=one.cutoff,
                keys=one.keys,
                by=one.role,
                at=one.at,
                note=note.decode(),
                sha256=sha256(note).hexdigest(),
            )
            for one, note in kept.certificates
        ]
        return Retention(keep_months=kept.months, horizon=kept.horizon, certificates=certificates)

    api.add("GET", "/ledger/retention", show_ledger_retention, action=Action.LEDGER_READ, answer=Retention)
    return api.router
