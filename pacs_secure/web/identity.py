"""Asks every caller who they are and why they come, before anything else is looked at."""

from dataclasses import dataclass, field

from starlette.requests import Request

from pacs_secure.archive.guard import Guard
from pacs_secure.archive.refusals import Refusals
from pacs_secure.archive.sessions import Session, Sessions
from pacs_secure.core.access import AccessRequest, Action, Door, Purpose, Role, Subject
from pacs_secure.core.errors import ArchiveError, Denied, Malformed, Unauthenticated, Unavailable
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import Authenticator, Identified
from pacs_secure.web.limits import Throttle

PURPOSE_HEADER = "x-purpose-of-use"
SESSION_COOKIE = "__Host-pacs-session"
"""Sent by browsers over TLS only, to this host only, and set by nobody else (RFC 6265bis 4.1.3.2)."""
LONGEST_TOKEN = 8 * 1024
LONGEST_SECRET = 256
FAILURES_AT_ONCE, SECONDS_A_FAILURE = 30, 2.0
"""How many bad credentials an address may show before it hears 429; a good one always passes."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({"same-origin", "none"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and the purpose they named."""

    subject: Subject
    purpose: Purpose | None
    """None when neither header nor token names one: the Guard takes the role's default or refuses."""
    session: Session | None = None
    """The browser's session, when that is what proved who they are."""


@dataclass(frozen=True, slots=True)
class Identification:
    """Turns a request's bearer token (RFC 6750 2.1) or session cookie into a caller."""

    guard: Guard
    authenticator: Authenticator
    institution: Institution
    """Whose ledger hears of callers that are nobody's yet."""
    sessions: Sessions
    origin: str | None = None
    """Where browsers reach the archive; None: nobody logs in by a browser, and no cookie counts."""
    failures: Throttle = field(default_factory=lambda: Throttle(FAILURES_AT_ONCE, SECONDS_A_FAILURE), repr=False)
    _refusals: Refusals = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Let no flood of strangers become a flood of the ledger."""
        object.__setattr__(self, "_refusals", Refusals(self.guard))

    def identify(self, request: Request, *, used: bool = True) -> Caller:
        """Return who asks; a failed attempt is recorded, or counted in a flood, before the caller hears of it. Blocks.

        ``used`` is false when the request itself is no use of a session that would put off its end.

        Raises:
            Unauthenticated: there is no valid credential.
            TooOften: there is none, and this address has shown too many that were none.
            Denied: another site's page sent the request with this archive's cookie.
            Malformed: the purpose is no HL7 PurposeOfUse code of the archive's list.
            Unavailable: the attempt could not be recorded.
        """
        address = address_of(request)
        try:
            identified, session = self._proven(request, address, used=used)
        except (Unauthenticated, Denied) as error:
            shown = bool(request.headers.get("authorization") or request.cookies.get(SESSION_COOKIE))
            self.refuse(address, error, slow_down=shown)
            raise
        try:
            return Caller(identified.subject, _purpose(request) or identified.purpose, session)
        except Malformed:
            asked = AccessRequest(identified.subject, Action.SESSION_AUTHENTICATE, None, details={"protocol": "HTTP"})
            self.guard.refuse(asked, {"error": Malformed.__name__})
            raise

    def refuse(self, address: str, error: ArchiveError, *, slow_down: bool = True) -> None:
        """Record that nobody came in, and slow down an address from which that happens often.

        Who shows no credential at all guesses none, and is not slowed down.

        Raises:
            TooOften: it does so too often; counted, and recorded with the next that is.
            Unavailable: it could not be recorded.
        """
        stranger = Subject("unknown", Role.STRANGER, self.institution, "", Door.WEB, address)
        request = AccessRequest(stranger, Action.SESSION_AUTHENTICATE, None, details={"protocol": "HTTP"})
        if not self._refusals.record(request, {"error": type(error).__name__}):
            raise Unavailable("a failed attempt could not be recorded")
        if slow_down:
            self.failures.take(address)

    def count(self) -> None:
        """Count somebody who was turned away unheard into the ledger's next entry about such."""
        self._refusals.count()

    def _proven(self, request: Request, address: str, *, used: bool) -> tuple[Identified, Session | None]:
        secret = request.cookies.get(SESSION_COOKIE, "")
        if request.headers.getlist("authorization") or self.origin is None or not 0 < len(secret) <= LONGEST_SECRET:
            return self.authenticator.authenticate(_bearer(request), address), None
        self.demand_own_page(request)
        session = self.sessions.identify(secret, address, used=used)
        return session.identified, session

    def demand_own_page(self, request: Request) -> None:
        """Refuse what another site's page makes a browser send (RFC 10017; Fetch Metadata).

        Raises:
            Denied: the request changes something and does not come from this archive's own pages, or it
                is read into another site's page.
        """
        site = request.headers.get("sec-fetch-site")
        if request.method in _SAFE:
            navigates = request.headers.get("sec-fetch-mode") == "navigate"
            allowed = site is None or site in _OWN_SITES or navigates
        else:
            origin = request.headers.get("origin")
            # A browser that sends neither is too old to tell what other pages make it do.
            allowed = (site in _OWN_SITES or site is None) and (
                origin == self.origin if origin is not None else site == "same-origin"
            )
        if not allowed:
            raise Denied("another site's page may not act with this archive's session")


def address_of(request: Request) -> str:
    """Return the network address that a request came from."""
    return request.client.host if request.client else ""


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
