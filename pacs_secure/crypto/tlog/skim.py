"""Reads many entries fast, for those who count them: no details, and nothing is parsed twice."""

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from pacs_secure.core.access import Action, Door, Purpose, Role
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.identifiers import Institution
from pacs_secure.crypto.box import tampered
from pacs_secure.crypto.tlog.entry import VERSION

_ACTIONS = {one.value: one for one in Action}
_DOORS = {one.value: one for one in Door}
_OUTCOMES = {one.value: one for one in Outcome}
_PURPOSES: dict[str | None, Purpose | None] = {None: None, **{one.value: one for one in Purpose}}
_ROLES = {one.value: one for one in Role}


def skim(content: bytes) -> Draft:
    """Read a draft without its details from the bytes of an entry: what `read_draft` reads, several times as fast.

    It does not verify: whoever relies on what it reads has the bytes verified too.

    Raises:
        Tampered: the bytes are no entry, or hold a word this build does not know.
    """
    try:
        parsed: dict[str, Any] = orjson.loads(content)
        if parsed["v"] != VERSION:
            raise tampered()
        said: dict[str, Any] = parsed["said"]
        return Draft(
            datetime.fromisoformat(parsed["at"]),
            UUID(said["act"]),
            _ACTIONS[said["action"]],
            _OUTCOMES[said["outcome"]],
            Institution(said["institution"]),
            said["actor"],
            _ROLES[said["role"]],
            said["department"],
            _DOORS[said["door"]],
            said["address"],
            _PURPOSES[said.get("purpose")],
            said["rule"],
            said["policy"],
            _alias(said.get("study")),
            _alias(said.get("patient")),
            said["facts"],
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        raise tampered() from None


def _alias(written: str | None) -> UUID | None:
    return None if written is None else UUID(written)
