"""Login attempts: begun in one browser, kept there sealed, and worth nothing in another.

Nothing is written for them here: a stranger who begins a thousand logins leaves no row behind.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import orjson

from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.core.errors import Tampered, Unauthenticated
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import Attempt

LONGEST_ATTEMPT = timedelta(minutes=10)
LONGEST_KEPT = 4096
"""Characters of what a browser keeps."""
_ENTROPY = 32
_KIND = b"login attempt"
"""Of what a browser keeps of an attempt, so that nothing else that is sealed can pass for one."""
_ID = 16


class Attempts:
    """Begins logins and finds them again."""

    def __init__(self, seals: InstitutionSeals, now: Callable[[], datetime]) -> None:
        self._seals = seals
        self._now = now

    def begin(self, of: Institution, next_path: str, *, fresh: bool) -> tuple[Attempt, str]:
        """Begin a login; return it, and what the browser keeps of it meanwhile, sealed by ``of``."""
        state, nonce, verifier = (random_text() for _ in range(3))
        attempt = Attempt(uuid4(), state, nonce, verifier, next_path, fresh, self._now())
        told = {
            "state": state,
            "nonce": nonce,
            "verifier": verifier,
            "next": next_path,
            "fresh": fresh,
            "begun_at": attempt.begun_at.isoformat(),
        }
        box = self._seals.details(of).seal(attempt.attempt_id, orjson.dumps(told), _KIND)
        return attempt, urlsafe_b64encode(attempt.attempt_id.bytes + box).decode()

    def resume(self, of: Institution, kept: str) -> Attempt:
        """Return the login that the browser began; raises `Unauthenticated` when it is none, or too old."""
        try:
            raw = urlsafe_b64decode(kept[:LONGEST_KEPT].encode("ascii"))
            attempt_id = UUID(bytes=raw[:_ID])
            told = orjson.loads(self._seals.details(of).open(attempt_id, raw[_ID:], _KIND))
        except (ValueError, Tampered):
            raise Unauthenticated("no login was begun in this browser") from None
        begun_at = datetime.fromisoformat(told["begun_at"])
        if self._now() - begun_at > LONGEST_ATTEMPT:
            raise Unauthenticated("the login took too long")
        return Attempt(
            attempt_id, told["state"], told["nonce"], told["verifier"], told["next"], told["fresh"], begun_at
        )


def random_text() -> str:
    """Return 256 random bits in 43 characters of base64url (RFC 7636 4.1)."""
    return urlsafe_b64encode(os.urandom(_ENTROPY)).rstrip(b"=").decode()
