"""One ledger entry as bytes: canonical JSON that names its place and its predecessor."""

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import rfc8785

from pacs_secure.core.access import Action, Door, Purpose, Role
from pacs_secure.core.audit import Draft, LedgerEntry, Outcome, SealedDetails
from pacs_secure.core.errors import Malformed, OverLimit
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.crypto.box import tampered
from pacs_secure.crypto.tlog.tree import leaf_hash

LONGEST_ENTRY = 0xFFFF
"""Bytes: a bundle writes the length of an entry in 16 bits (C2SP tlog-tiles)."""

NO_ENTRY = bytes(32)
"""What the first entry names as its predecessor's leaf hash."""

VERSION = 1


def compose_entry(draft: Draft, index: int, prev_hash: bytes) -> LedgerEntry:
    """Give a draft its place: RFC 8785 bytes with dense index and the leaf hash of the entry before.

    Raises:
        Malformed: a fact cannot be written as canonical JSON, or the time has no offset.
        OverLimit: the entry is longer than `LONGEST_ENTRY`.
    """
    content = {
        "v": VERSION,
        "index": index,
        "prev": prev_hash.hex(),
        "at": _instant(draft.at),
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
        written = rfc8785.dumps(content)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        raise Malformed("a ledger entry holds a value that canonical JSON cannot") from None
    if len(written) > LONGEST_ENTRY:
        raise OverLimit("a ledger entry is too long")
    return LedgerEntry(index, written, leaf_hash(written), prev_hash)


def parse_entry(content: bytes) -> dict[str, object]:
    """Read an entry's fields from its bytes, which stay the only thing that is ever verified.

    Raises:
        Tampered: the bytes are no entry of a version that is known.
    """
    if len(content) > LONGEST_ENTRY:
        raise tampered()
    try:
        parsed = json.loads(content, object_pairs_hook=_once_each)
    except (ValueError, RecursionError):
        raise tampered() from None
    if not isinstance(parsed, dict) or parsed.get("v") != VERSION:
        raise tampered()
    return parsed


def read_draft(content: bytes) -> Draft:
    """Read back the draft that `compose_entry` gave its place, so that a later entry may continue its act.

    Raises:
        Tampered: the bytes are no entry, or hold a word this build does not know.
    """
    parsed: dict[str, Any] = parse_entry(content)
    try:
        return Draft(
            at=datetime.fromisoformat(parsed["at"]),
            act=UUID(parsed["act"]),
            action=Action(parsed["action"]),
            outcome=Outcome(parsed["outcome"]),
            institution=Institution(parsed["institution"]),
            actor=parsed["actor"],
            role=Role(parsed["role"]),
            department=parsed["department"],
            door=Door(parsed["door"]),
            address=parsed["address"],
            purpose=Purpose(parsed["purpose"]) if "purpose" in parsed else None,
            rule=parsed["rule"],
            policy_version=parsed["policy"],
            study_alias=UUID(parsed["study"]) if "study" in parsed else None,
            patient_alias=UUID(parsed["patient"]) if "patient" in parsed else None,
            facts=dict(parsed["facts"]),
            details=_read_details(parsed["details"]) if "details" in parsed else None,
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        raise tampered() from None


def _read_details(written: dict[str, str]) -> SealedDetails:
    return SealedDetails(KeyId(UUID(written["key"])), b64decode(written["box"], validate=True))


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
        present["details"] = {"key": str(draft.details.key_id), "box": b64encode(draft.details.box).decode()}
    return present


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
