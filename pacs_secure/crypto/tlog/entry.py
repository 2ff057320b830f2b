"""One ledger entry as bytes: what its writer said, in an envelope that names its place and its predecessor.

    {"at":…,"index":…,"mac":…,"prev":…,"said":{…},"seq":…,"v":2,"writer":…}

The whole is RFC 8785 JSON, and so is ``said``. Whoever gives places need not read what was said, only set it
between two pieces of text; and whoever verifies cuts it out as it was written. ``mac``, ``seq`` and ``writer``
are missing together where nobody could sign.
"""

import json
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import rfc8785

from pacs_secure.core.access import Action, Door, Purpose, Role
from pacs_secure.core.audit import Authorship, Draft, LedgerEntry, Outcome, SealedDetails, Statement
from pacs_secure.core.errors import Malformed, OverLimit
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.crypto.box import tampered
from pacs_secure.crypto.tlog.tree import leaf_hash

LONGEST_ENTRY = 0xFFFF
"""Bytes: a bundle writes the length of an entry in 16 bits (C2SP tlog-tiles)."""

NO_ENTRY = bytes(32)
"""What the first entry names as its predecessor's leaf hash."""

VERSION = 2

_ENVELOPE = re.compile(
    rb'\{"at":"(?P<at>[0-9T:.\-]{26}Z)","index":(?P<index>0|[1-9][0-9]{0,18}),(?:"mac":"(?P<mac>[0-9a-f]{32})",)?'
    rb'"prev":"(?P<prev>[0-9a-f]{64})","said":(?P<said>\{.*\})(?:,"seq":(?P<seq>0|[1-9][0-9]{0,18}))?,"v":2'
    rb'(?:,"writer":"(?P<writer>[0-9a-f\-]{36})")?\}',
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class ParsedEntry:
    """An entry taken apart: its place, and what was said there."""

    index: int
    prev_hash: bytes
    statement: Statement


def state(draft: Draft) -> Statement:
    """Write down what a draft says, for a writer to sign and for a sequencer to give its place.

    Raises:
        Malformed: a fact cannot be written as canonical JSON, or the time has no offset.
    """
    content = {
        "act": str(draft.act),
        "action": draft.action.value,
        "outcome": draft.outcome.value,
        "institution": draft.institution,
        "actor": draft.actor,
        "role": draft.role.value,
        "department": draft.department,
        "door": draft.door.value,
        "address": draft.address,
        "rule": draft.rule,
        "policy": draft.policy_version,
        "facts": draft.facts,
        **_present(draft),
    }
    try:
        return Statement(_instant(draft.at), rfc8785.dumps(content))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        raise Malformed("a ledger entry holds a value that canonical JSON cannot") from None


def compose_entry(statement: Statement, index: int, prev_hash: bytes) -> LedgerEntry:
    """Give a statement its place: dense index, and the leaf hash of the entry before.

    Raises:
        OverLimit: the entry is longer than `LONGEST_ENTRY`.
    """
    by = statement.authorship
    mac, seq, writer = (
        (b"", b"", b"")
        if by is None
        else (
            b'"mac":"%s",' % by.mac.hex().encode(),
            b',"seq":%d' % by.number,
            b',"writer":"%s"' % str(by.writer).encode(),
        )
    )
    written = b'{"at":"%s","index":%d,%s"prev":"%s","said":%s%s,"v":2%s}' % (
        statement.at.encode(),
        index,
        mac,
        prev_hash.hex().encode(),
        statement.said,
        seq,
        writer,
    )
    if len(written) > LONGEST_ENTRY:
        raise OverLimit("a ledger entry is too long")
    return LedgerEntry(index, written, leaf_hash(written), prev_hash)


def parse_entry(content: bytes) -> ParsedEntry:
    """Take an entry apart; its bytes stay the only thing that is ever verified.

    Raises:
        Tampered: the bytes are no entry of a version that is known.
    """
    found = _ENVELOPE.fullmatch(content) if len(content) <= LONGEST_ENTRY else None
    if found is None:
        raise tampered()
    at, index, mac, prev, said, seq, writer = found.groups()
    authorship = None
    if mac is not None and seq is not None and writer is not None:
        try:
            authorship = Authorship(_writer(writer), int(seq), bytes.fromhex(mac.decode()))
        except ValueError:
            raise tampered() from None
    elif mac is not None or seq is not None or writer is not None:
        raise tampered()
    return ParsedEntry(int(index), bytes.fromhex(prev.decode()), Statement(at.decode(), said, authorship))


@lru_cache(maxsize=1024)
def _writer(written: bytes) -> KeyId:
    """Read who wrote; a ledger has few writers and many entries of each."""
    return KeyId(UUID(written.decode()))


def read_draft(content: bytes) -> Draft:
    """Read back the draft whose statement got its place here.

    Raises:
        Tampered: the bytes are no entry, or hold a word this build does not know.
    """
    return draft_of(parse_entry(content).statement)


def draft_of(statement: Statement) -> Draft:
    """Read back the draft that a statement was written from.

    Raises:
        Tampered: it is none that this build knows.
    """
    try:
        said: dict[str, Any] = json.loads(statement.said, object_pairs_hook=_once_each)
        return Draft(
            at=datetime.fromisoformat(statement.at),
            act=UUID(said["act"]),
            action=Action(said["action"]),
            outcome=Outcome(said["outcome"]),
            institution=Institution(said["institution"]),
            actor=said["actor"],
            role=Role(said["role"]),
            department=said["department"],
            door=Door(said["door"]),
            address=said["address"],
            purpose=Purpose(said["purpose"]) if "purpose" in said else None,
            rule=said["rule"],
            policy_version=said["policy"],
            study_alias=UUID(said["study"]) if "study" in said else None,
            patient_alias=UUID(said["patient"]) if "patient" in said else None,
            facts=dict(said["facts"]),
            details=_read_details(said["details"]) if "details" in said else None,
        )
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        raise tampered() from None


def _read_details(written: dict[str, str]) -> SealedDetails:
    box, proof = (b64decode(written.get(name, ""), validate=True) for name in ("box", "proof"))
    return SealedDetails(KeyId(UUID(written["key"])), box, proof)


def _present(draft: Draft) -> dict[str, str | dict[str, str]]:
    """Return the fields that are there; those that are not are left out."""
    present: dict[str, str | dict[str, str]] = {}
    if draft.purpose is not None:
        present["purpose"] = draft.purpose.value
    if draft.study_alias is not None:
        present["study"] = str(draft.study_alias)
    if draft.patient_alias is not None:
        present["patient"] = str(draft.patient_alias)
    if draft.details is not None:
        present["details"] = _written_details(draft.details)
    return present


def _written_details(details: SealedDetails) -> dict[str, str]:
    written = {"key": str(details.key_id), "box": b64encode(details.box).decode()}
    return written | ({"proof": b64encode(details.proof).decode()} if details.proof else {})


def _instant(at: datetime) -> str:
    """Write UTC with microseconds always, so that texts sort as times do."""
    if at.tzinfo is None:
        raise Malformed("the time of a ledger entry needs its offset from UTC")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    parsed = dict(pairs)
    if len(parsed) != len(pairs):
        raise ValueError("a name stands twice")
    return parsed
