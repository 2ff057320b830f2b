"""Certificates of what the ledger no longer keeps: a C2SP signed note under the log's key and a name of its own.

    <origin>/retention
    number 2
    entries 256 1024
    root <base64>
    cutoff <UTC>
    keys 132
    by <pseudonym> <role>
    at <UTC>
    writer <id> <next number>

The last line is repeated for each writer, in the order of ids. The name of the key parts a certificate from every
checkpoint: neither can pass for the other.
"""

import re
from base64 import b64decode, b64encode
from datetime import datetime
from uuid import UUID

from pacs_secure.core.access import Role
from pacs_secure.core.identifiers import KeyId
from pacs_secure.core.retention import Certificate
from pacs_secure.crypto.box import tampered
from pacs_secure.crypto.tlog.note import verify_note

_NUMBER = r"(0|[1-9][0-9]{0,18})"
_TIME = r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z)"
_TEXT = re.compile(
    rf"[^\n]+\nnumber {_NUMBER}\nentries {_NUMBER} {_NUMBER}\nroot ([A-Za-z0-9+/]{{43}}=)\ncutoff {_TIME}\n"
    rf"keys {_NUMBER}\nby ([0-9a-f]*) ([a-z]+)\nat {_TIME}\n((?:writer [0-9a-f-]{{36}} {_NUMBER}\n)*)",
    re.ASCII,
)
_INSTANT = "%Y-%m-%dT%H:%M:%S.%fZ"


def certifier(origin: str) -> str:
    """Return the key name that certificates of a log are signed in."""
    return f"{origin}/retention"


def certificate_text(origin: str, certificate: Certificate) -> bytes:
    """Write a certificate down, for its signature."""
    lines = [
        certifier(origin),
        f"number {certificate.number}",
        f"entries {certificate.start} {certificate.horizon}",
        f"root {b64encode(certificate.root).decode()}",
        f"cutoff {certificate.cutoff.strftime(_INSTANT)}",
        f"keys {certificate.keys}",
        f"by {certificate.actor} {certificate.role}",
        f"at {certificate.at.strftime(_INSTANT)}",
        *(f"writer {writer} {number}" for writer, number in sorted(certificate.writers.items())),
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def read_certificate(note: bytes, origin: str, public_key: bytes) -> Certificate:
    """Verify a certificate and read it.

    Raises:
        Tampered: the log did not sign it, or it is none.
    """
    text = verify_note(note, certifier(origin), public_key)
    read = _TEXT.fullmatch(text.decode())
    try:
        certificate = None if read is None else _certificate(read)
    except ValueError:
        raise tampered() from None
    # What is signed is read in one way only: as it would be written again.
    if certificate is None or certificate_text(origin, certificate) != text:
        raise tampered()
    return certificate


def _certificate(read: re.Match[str]) -> Certificate:
    writers = [line.split(" ") for line in read[10].splitlines()]
    return Certificate(
        number=int(read[1]),
        start=int(read[2]),
        horizon=int(read[3]),
        root=b64decode(read[4]),
        cutoff=datetime.fromisoformat(read[5]),
        keys=int(read[6]),
        actor=read[7],
        role=Role(read[8]),
        at=datetime.fromisoformat(read[9]),
        writers={KeyId(UUID(writer)): int(number) for _, writer, number in writers},
    )
