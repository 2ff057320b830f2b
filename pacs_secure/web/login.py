"""Logs people in and out by their browser: a backend for frontends, so that no script holds a token (RFC 10017)."""

import hmac
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import orjson
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pacs_secure.archive import Archive
from pacs_secure.core.errors import Denied, Malformed, OverLimit, TooOften, Unauthenticated, Unavailable
from pacs_secure.ports import LoginProvider
from pacs_secure.web.api import CREDENTIALS
from pacs_secure.web.identity import SESSION_COOKIE, Identification, address_of
from pacs_secure.web.limits import Throttle
from pacs_secure.web.problems import described

ATTEMPT_COOKIE = "__Host-pacs-login"
SECONDS_OF_AN_ATTEMPT = 600
LONGEST_FORM = 32 * 1024
LOGINS_AT_ONCE, SECONDS_A_LOGIN = 60, 1.0
"""How many steps of logins an address may take at once, and how long the next waits then."""

_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]{0,1023}", re.ASCII)
"""A path of this archive: no host, no backslash that a browser would read as a slash, no control character."""


def _asked(**named: dict[str, object]) -> dict[str, Any]:
    """Describe query parameters for OpenAPI; the handlers read them by hand."""
    return {"parameters": [{"name": name, "in": "query", "schema": schema} for name, schema in named.items()]}


_LOGIN = _asked(next={"type": "string"}, fresh={"type": "string", "enum": ["0", "1"]})
_CALLBACK = _asked(code={"type": "string"}, state={"type": "string"}, error={"type": "string"})
_FORM = {"type": "object", "required": ["logout_token"], "properties": {"logout_token": {"type": "string"}}}
_LOGGED_OUT = {"requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": _FORM}}}}


@dataclass(frozen=True, slots=True)
class LoginDoor:
    """The login routes; every one answers at once and keeps nothing in the process."""

    archive: Archive
    identification: Identification
    provider: LoginProvider
    throttle: Throttle = field(default_factory=lambda: Throttle(LOGINS_AT_ONCE, SECONDS_A_LOGIN), repr=False)

    def login(self, request: Request) -> Response:
        """Send the browser to the identity provider; with ``fresh=1`` it has to log in anew."""
        self._slow_down(address_of(request))
        asked = request.query_params
        next_path = asked.get("next", "/")
        if not _LOCAL.fullmatch(next_path) or next_path.startswith("/auth/"):
            raise Malformed("next must be a path of this archive")
        fresh = asked.get("fresh", "0") == "1"
        of = self.identification.institution
        attempt, kept = self.archive.sessions.attempts.begin(of, next_path, fresh=fresh)
        answer = _see_other(self.provider.authorization_url(attempt))
        _set(answer, ATTEMPT_COOKIE, kept, SECONDS_OF_AN_ATTEMPT)
        return answer

    def callback(self, request: Request) -> Response:
        """Take the browser back from the identity provider and begin its session."""
        address = address_of(request)
        self._slow_down(address)
        sessions = self.archive.sessions
        try:
            attempt = sessions.attempts.resume(self.identification.institution, request.cookies.get(ATTEMPT_COOKIE, ""))
            code = _code(request, attempt.state)
            opened = sessions.open(
                self.identification.institution, attempt, self.provider.redeem(code, attempt, address)
            )
        except Unauthenticated as error:
            self.identification.refuse(address, error)
            raise
        self._end_former(request, address)
        answer = _see_other(attempt.next_path)
        _set(answer, ATTEMPT_COOKIE, "", 0)
        _set(answer, SESSION_COOKIE, opened.secret, None)
        return answer

    def logout(self, request: Request) -> Response:
        """End the browser's session; when the provider has a place to end its own, the browser is sent there."""
        address = address_of(request)
        try:
            self.identification.demand_own_page(request)
        except Denied as error:
            self.identification.refuse(address, error)
            raise
        self._end_former(request, address)
        try:
            url = self.provider.logout_url()
        except Unavailable:
            url = None  # here it is over in any case
        answer = Response(status_code=HTTPStatus.NO_CONTENT) if url is None else _see_other(url)
        answer.headers["Clear-Site-Data"] = '"cache", "storage"'
        _set(answer, SESSION_COOKIE, "", 0)
        return answer

    def session(self, request: Request) -> Response:
        """Say who is logged in and until when; asking does not put off the end."""
        caller = self.identification.identify(request, used=False)
        subject, session = caller.subject, caller.session
        at = subject.assurance.logged_in_at
        told = {
            "subject": subject.identifier,
            "role": subject.role,
            "institution": subject.institution,
            "department": subject.department,
            "second_factor": subject.assurance.second_factor,
            "logged_in_at": at,
            "idle_ends_at": session.idle_ends_at if session else None,
            "ends_at": session.ends_at if session else None,
        }
        return Response(orjson.dumps(told), media_type="application/json")

    async def backchannel_logout(self, request: Request) -> Response:
        """Hear from the provider that a login is over, and end it here (OpenID Connect Back-Channel Logout 2.5)."""
        form = await _form(request)
        return await run_in_threadpool(self._heard, request, form)

    def _heard(self, request: Request, form: dict[str, str]) -> Response:
        address = address_of(request)
        self._slow_down(address)
        try:
            over = self.provider.logged_out(form.get("logout_token", ""))
        except Unauthenticated as error:
            self.identification.refuse(address, error)
            raise Malformed("the logout token is not valid") from None
        self.archive.sessions.end_at_provider(self.identification.institution, over, address)
        return Response(status_code=HTTPStatus.OK)

    def _slow_down(self, address: str) -> None:
        """Let an address take a step of a login, or count that it may not; raises `TooOften`."""
        try:
            self.throttle.take(address)
        except TooOften:
            self.identification.count()
            raise

    def _end_former(self, request: Request, address: str) -> None:
        secret = request.cookies.get(SESSION_COOKIE)
        if secret:
            try:
                self.archive.sessions.end(secret, address)
            except Unauthenticated:
                return  # it was over already


def routes(archive: Archive, identification: Identification, provider: LoginProvider) -> APIRouter:
    """Return the routes below ``/auth``."""
    door = LoginDoor(archive, identification, provider)
    router = APIRouter(prefix="/auth", tags=["Login"])
    for method, path, endpoint, status, others, extra in (
        ("GET", "/login", door.login, HTTPStatus.SEE_OTHER, (400, 429, 503), _LOGIN),
        ("GET", "/callback", door.callback, HTTPStatus.SEE_OTHER, (401, 403, 429, 503), _CALLBACK),
        ("POST", "/logout", door.logout, HTTPStatus.NO_CONTENT, (303, 403, 429, 503), {"security": [{"session": []}]}),
        ("GET", "/session", door.session, HTTPStatus.OK, (400, 401, 403, 429, 503), CREDENTIALS),
        ("POST", "/backchannel-logout", door.backchannel_logout, HTTPStatus.OK, (400, 413, 429, 503), _LOGGED_OUT),
    ):
        router.add_api_route(
            path,
            endpoint,
            methods=[method],
            status_code=status,
            response_class=JSONResponse if path == "/session" else Response,
            responses=described(*others),
            response_model=None,
            openapi_extra=extra,
        )
    return router


def _code(request: Request, state: str) -> str:
    """Return the code that the browser came back with, when the answer is to its own attempt (RFC 6749 10.12)."""
    answered = request.query_params
    if not hmac.compare_digest(answered.get("state", "").encode(), state.encode()):
        raise Unauthenticated("the answer belongs to another login")
    if "error" in answered or "code" not in answered:
        raise Unauthenticated("the identity provider did not log anybody in")
    return answered["code"]


def _see_other(url: str) -> Response:
    return Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": url})


def _set(answer: Response, name: str, value: str, seconds: int | None) -> None:
    """Set a cookie that scripts cannot read and other sites cannot send but by leading the browser here."""
    answer.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")


async def _form(request: Request) -> dict[str, str]:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST_FORM:
            raise OverLimit("the form is too long")
    try:
        return dict(parse_qsl(body.decode("ascii"), max_num_fields=16))
    except ValueError:
        raise Malformed("the form cannot be read") from None
