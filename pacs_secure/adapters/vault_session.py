"""One role's way to the vault: bounded in time, failing fast, and silent about what passed.

The errors of hvac and requests carry whole requests and answers, keys included. So none of them is
ever the cause or context of an error raised here.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

import hvac
import requests
from hvac.adapters import RawAdapter
from hvac.exceptions import VaultError
from requests.adapters import HTTPAdapter

from pacs_secure.adapters.breaker import Breaker
from pacs_secure.core.errors import Unavailable

Json: TypeAlias = Mapping[str, object]

TIMEOUT = (0.5, 2.0)
"""Seconds to connect and to wait for an answer."""
CONNECTIONS = 32
"""Kept open at most."""
FRESH = 5.0
"""Seconds after a login in which a refusal is taken as meant: logging in again would change nothing."""
_PIECE = 1 << 20
_DONE = range(200, 300)
_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 400, 401, 403, 404


@dataclass(frozen=True, slots=True)
class AppRole:
    """What a process logs in with."""

    role_id: str
    secret_id: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was given, not earned by a login: the root token of an initialisation."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the vault: done (2xx), refused as input (400), or not there (404)."""

    status: int
    body: Json = field(repr=False)

    @property
    def done(self) -> bool:
        """Whether the vault did what was asked."""
        return self.status in _DONE

    @property
    def absent(self) -> bool:
        """Whether the thing asked for is not there."""
        return self.status == _NOT_FOUND

    def demand_done(self) -> "Reply":
        """Return the reply itself, or raise `Unavailable` when the vault did not do it."""
        if not self.done:
            raise Unavailable("the vault did not do what was asked")
        return self

    def find(self, *path: str) -> object:
        """Return the value below ``path``, or None."""
        value: object = self.body
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    def text(self, *path: str) -> str:
        """Return the string below ``path``; raise `Unavailable` when there is none."""
        value = self.find(*path)
        if not isinstance(value, str):
            raise Unavailable("the vault's answer is not understood")
        return value

    def mapping(self, *path: str) -> Json:
        """Return the object below ``path``; raise `Unavailable` when there is none."""
        value = self.find(*path)
        if not isinstance(value, Mapping):
            raise Unavailable("the vault's answer is not understood")
        return cast("Json", value)

    def items(self, *path: str) -> Sequence[Json]:
        """Return the list of objects below ``path``; raise `Unavailable` when there is none."""
        value = self.find(*path)
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            raise Unavailable("the vault's answer is not understood")
        return cast("Sequence[Json]", value)


@dataclass(frozen=True, slots=True)
class _Login:
    token: str = field(repr=False)
    since: float
    renew_at: float


class VaultSession:
    """Speaks to the vault for one role, from any number of threads.

    An `AppRole` logs in when first needed and again at two thirds of its token's life: batch
    tokens cannot be renewed. Without an identity only what needs none can be asked (initialise, unseal).
    """

    def __init__(
        self,
        address: str,
        ca_file: Path,
        identity: AppRole | Token | None,
        *,
        timeout: tuple[float, float] = TIMEOUT,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not address.startswith("https://"):
            raise ValueError("the vault is reached by https only")
        self._identity = identity
        self._monotonic = monotonic
        self._breaker = Breaker(monotonic, "the vault")
        self._logging_in = threading.Lock()
        self._login: _Login | None = None
        self._session = requests.Session()
        # Variables of the environment could replace the CA, name a proxy or add a password.
        self._session.trust_env = False
        self._session.verify = str(ca_file)
        self._session.mount("https://", HTTPAdapter(pool_connections=1, pool_maxsize=CONNECTIONS))
        connect: Callable[..., hvac.Client] = hvac.Client
        self._client = connect(
            url=address,
            token="",  # hvac would look for one in the environment
            adapter=RawAdapter,
            session=self._session,
            timeout=timeout,
            allow_redirects=False,
            ignore_exceptions=True,
        )

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def get(self, path: str) -> Reply:
        """Read a path, given without ``/v1/``; `Unavailable` when the vault is out of reach or refuses the role."""
        return self._request("get", path, None)

    def list(self, path: str) -> Reply:
        """List the names below a path; errors as for `get`."""
        return self._request("list", path, None)

    def post(self, path: str, body: Json) -> Reply:
        """Write to a path; errors as for `get`. What was asked may have been done although no answer came."""
        return self._request("post", path, body)

    def post_wrapped(self, path: str, body: Json, seconds: int) -> str:
        """Write to a path and return the token that opens the answer, once and in that time; errors as for `get`."""
        reply = self._request("post", path, body, {"X-Vault-Wrap-TTL": f"{seconds}s"})
        return reply.demand_done().text("wrap_info", "token")

    def delete(self, path: str) -> Reply:
        """Remove what is at a path; errors as for `get`."""
        return self._request("delete", path, None)

    def receive(self, path: str, stream: BinaryIO) -> None:
        """Write the bytes at a path to a stream, piece by piece; errors as for `get`. A full disk is `OSError`."""
        login = self._current()
        self._breaker.admit()
        try:
            sent = {"headers": _headers(login), "stream": True}
            with self._client.adapter.request("get", f"/v1/{path}", **sent) as answer:
                if answer.status_code not in _DONE:
                    raise Unavailable("the vault refuses this role, or cannot give what was asked")
                pieces = answer.iter_content(_PIECE)
                while piece := next(pieces, b""):
                    stream.write(piece)
        except (VaultError, requests.RequestException):
            self._breaker.failed()
            raise Unavailable("the vault is out of reach") from None
        self._breaker.worked()

    def send(self, path: str, stream: BinaryIO) -> Reply:
        """Write the bytes of a stream to a path; errors as for `get`."""
        login = self._current()

        def send() -> requests.Response:
            answer: requests.Response = self._client.adapter.request(
                "post", f"/v1/{path}", headers=_headers(login), data=stream
            )
            return answer

        reply = self._exchange(send)
        if reply is None:
            raise Unavailable("the vault refuses this role")
        return reply

    def _request(self, method: str, path: str, body: Json | None, more: Mapping[str, str] | None = None) -> Reply:
        login = self._current()
        reply = self._send(method, path, body, login, more)
        if reply is None and self._outdated(login):
            reply = self._send(method, path, body, self._current(), more)
        if reply is None:
            raise Unavailable("the vault refuses this role")
        return reply

    def _send(
        self, method: str, path: str, body: Json | None, login: _Login | None, more: Mapping[str, str] | None
    ) -> Reply | None:
        headers = {**(more or {}), **_headers(login)}
        return self._exchange(lambda: self._client.adapter.request(method, f"/v1/{path}", headers=headers, json=body))

    def _current(self) -> _Login | None:
        """Return the login to use now, made or renewed by one thread while the others wait."""
        login, now = self._login, self._monotonic()
        if self._identity is None or (login and now < login.renew_at):
            return login
        with self._logging_in:
            if self._login is None or self._login is login:
                self._login = self._log_in(now)
            return self._login

    def _log_in(self, now: float) -> _Login:
        if isinstance(self._identity, Token):
            return _Login(self._identity.value, now, inf)
        role = cast("AppRole", self._identity)
        reply = self._exchange(lambda: self._client.auth.approle.login(role.role_id, role.secret_id, use_token=False))
        if reply is None or not reply.done:
            raise Unavailable("the vault did not accept this role's credentials")
        life = reply.find("auth", "lease_duration")
        return _Login(
            reply.text("auth", "client_token"), now, now + life * 2 / 3 if isinstance(life, int) and life else inf
        )

    def _outdated(self, login: _Login | None) -> bool:
        """Drop a login that was refused although it is not fresh; say whether another may do better."""
        if not isinstance(self._identity, AppRole) or login is None or self._monotonic() < login.since + FRESH:
            return False
        with self._logging_in:
            if self._login is login:
                self._login = None
        return True

    def _exchange(self, send: Callable[[], requests.Response]) -> Reply | None:
        """Send once and read the answer; None when the token or role was refused."""
        self._breaker.admit()
        answer: requests.Response | None = None
        body: object = None
        try:
            answer = send()
            body = answer.json() if answer.content else {}
        except (VaultError, requests.RequestException, ValueError, OSError):
            answer = None
        return self._judge(answer, body)

    def _judge(self, answer: requests.Response | None, body: object) -> Reply | None:
        if answer is None or not isinstance(body, Mapping):
            self._breaker.failed()
            raise Unavailable("the vault is out of reach")
        if answer.status_code in {_UNAUTHORIZED, _FORBIDDEN}:
            # A refusal comes at once and may concern one institution: it must not stop the others.
            self._breaker.worked()
            return None
        # A missing mount is 404 too, but says so: nothing under it may pass for forgotten.
        lost = answer.status_code == _NOT_FOUND and body.get("errors")
        # Redirects are not followed: they would take the token along.
        if lost or not (answer.status_code in _DONE or answer.status_code in {_BAD_REQUEST, _NOT_FOUND}):
            self._breaker.failed()
            raise Unavailable("the vault is sealed or failing")
        self._breaker.worked()
        return Reply(answer.status_code, body)


def _headers(login: _Login | None) -> dict[str, str]:
    return {"X-Vault-Token": login.token} if login else {}
