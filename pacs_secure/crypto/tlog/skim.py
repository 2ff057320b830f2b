"""Reads many entries fast, for those who count them: no details, and nothing is parsed twice."""

from datetime import datetime
from functools import lru_cache
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
            _named(said["act"]),
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
            None if (study := said.get("study")) is None else _named(study),
            None if (patient := said.get("patient")) is None else _named(patient),
            said["facts"],
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        raise tampered() from None


@lru_cache(maxsize=1 << 16)
def _named(written: str) -> UUID:
    """Read a random name; the same one comes again soon, at the end of an act or in the next act about a patient."""
    return UUID(written)
