"""Puts on record what a known caller is refused for before the Guard was asked (LOG-01)."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.exceptions import HTTPException

from pacs_secure.archive.guard import Guard
from pacs_secure.core.access import AccessRequest, Action
from pacs_secure.core.errors import ArchiveError
from pacs_secure.web.identity import Caller


@contextmanager
def on_record(guard: Guard, caller: Caller, action: Action, details: dict[str, str]) -> Iterator[None]:
    """Record every refusal that the body raises, then let it go on; raise `Unavailable` when that cannot be done."""
    try:
        yield
    except (ArchiveError, HTTPException) as error:
        name = type(error).__name__ if isinstance(error, ArchiveError) else f"HTTP {error.status_code}"
        guard.refuse(AccessRequest(caller.subject, action, caller.purpose, details=details), {"error": name})
        raise
