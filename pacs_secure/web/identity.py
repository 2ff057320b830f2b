"""Asks every caller who they are and why they come, before anything else is looked at."""

from dataclasses import dataclass, field

from starlette.requests import Request

from pacs_secure.archive.guard import Guard
from pacs_secure.archive.refusals import Refusals
from pacs_secure.core.access import AccessRequest, Action, Door, Purpose, Role, Subject
from pacs_secure.core.errors import Malformed, Unauthenticated, Unavailable
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import Authenticator

PURPOSE_HEADER = "x-purpose-of-use"
LONGEST_TOKEN = 8 * 1024


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and the purpose they named."""

    subject: Subject
    purpose: Purpose | None
    """None when neither header nor token names one: the Guard takes the role's default or refuses."""


@dataclass(frozen=True, slots=True)
class Identification:
    """Turns a request's bearer token into a caller (RFC 6750 2.1)."""

    guard: Guard
    authenticator: Authenticator
    institution: Institution
    """Whose ledger hears of callers that are nobody's yet."""
    _refusals: Refusals = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Let no flood of strangers become a flood of the ledger."""
        object.__setattr__(self, "_refusals", Refusals(self.guard))

    def identify(self, request: Request) -> Caller:
        """Return who asks; a failed attempt is recorded, or counted in a flood, before the caller hears of it. Blocks.

        Raises:
            Unauthenticated: there is no valid bearer token.
            Malformed: the purpose is no HL7 PurposeOfUse code of the archive's list.
            Unavailable: the attempt could not be recorded.
        """
        address = request.client.host if request.client else ""
        try:
            identified = self.authenticator.authenticate(_bearer(request), address)
        except Unauthenticated:
            self._record(address)
            raise
        try:
            return Caller(identified.subject, _purpose(request) or identified.purpose)
        except Malformed:
            asked = AccessRequest(identified.subject, Action.SESSION_AUTHENTICATE, None, details={"protocol": "HTTP"})
            self.guard.refuse(asked, {"error": Malformed.__name__})
            raise

    def _record(self, address: str) -> None:
        stranger = Subject("unknown", Role.STRANGER, self.institution, "", Door.WEB, address)
        request = AccessRequest(stranger, Action.SESSION_AUTHENTICATE, None, details={"protocol": "HTTP"})
        if not self._refusals.record(request, {"error": Unauthenticated.__name__}):
            raise Unavailable("a failed attempt could not be recorded")


def _bearer(request: Request) -> str:
    credentials = request.headers.getlist("authorization")
    if len(credentials) != 1:
        raise Unauthenticated("one Authorization header is needed")
    scheme, _, token = credentials[0].partition(" ")
    token = token.strip(" ")
    if scheme.lower() != "bearer" or not 0 < len(token) <= LONGEST_TOKEN:
        raise Unauthenticated("a bearer token is needed")
    return token


def _purpose(request: Request) -> Purpose | None:
    named = set(request.headers.getlist(PURPOSE_HEADER))
    if not named:
        return None
    if len(named) > 1 or (code := named.pop().strip()) not in set(Purpose):
        raise Malformed("X-Purpose-Of-Use must be one known HL7 PurposeOfUse code")
    return Purpose(code)
