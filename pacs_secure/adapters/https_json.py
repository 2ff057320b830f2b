"""Asks another server for JSON: https only, bounded in time and size, no redirect, no proxy, no cookie."""

import json
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import cast
from urllib.parse import quote_plus, urlencode, urlsplit

from pacs_secure.adapters.in_time import SECONDS_IN_ALL, in_time
from pacs_secure.core.errors import Malformed, Unavailable

LARGEST_ANSWER = 256 * 1024
SECONDS_OF_SILENCE = 3.0
_DONE = 200

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Answered:
    """What a server answered: its status and the JSON object in its body."""

    status: int
    body: Json

    @property
    def done(self) -> bool:
        """Whether the server did what was asked."""
        return self.status == _DONE

    def text(self, name: str) -> str:
        """Return a text member; raise `Unavailable` when there is none."""
        value = self.body.get(name)
        if not isinstance(value, str) or not value:
            raise Unavailable("another server's answer is not understood")
        return value


class HttpsJson:
    """Trusts one authority when given its file, else those that the system trusts."""

    def __init__(self, ca_file: Path | None = None, seconds: float = SECONDS_IN_ALL) -> None:
        self._seconds = seconds
        try:
            # A named file is the only trust there is: the system's own list is then not loaded.
            self._tls = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
        except OSError:
            raise Unavailable("the authority of another server cannot be read") from None
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2

    def get(self, url: str) -> Answered:
        """Fetch a JSON object; raises `Unavailable` when the server is out of reach or answers anything else."""
        return self._ask("GET", url, None, {})

    def post(self, url: str, form: Mapping[str, str], user: tuple[str, str] | None = None) -> Answered:
        """Send a form, as a client of name and secret when ``user`` is given (RFC 6749 2.3.1)."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if user is not None:
            pair = ":".join(quote_plus(one) for one in user)
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        return self._ask("POST", url, urlencode(form).encode(), headers)

    def _ask(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answered:
        parts = urlsplit(https_url(url))
        target = parts.path or "/"
        if parts.query:
            target += f"?{parts.query}"
        connection = HTTPSConnection(
            cast("str", parts.hostname), parts.port, timeout=SECONDS_OF_SILENCE, context=self._tls
        )
        try:
            with in_time(connection, self._tls, self._seconds):
                connection.request(method, target, body, {"Accept": "application/json", **headers})
                with connection.getresponse() as response:
                    return Answered(response.status, _object(_whole(response)))
        except (OSError, HTTPException, ValueError, RecursionError):
            # What failed may carry a secret in its arguments, so nothing of it goes on.
            raise Unavailable("another server is out of reach, or its answer is not understood") from None


def https_url(url: str) -> str:
    """Return the URL when it is an absolute https one that holds no password or fragment; else raise `Malformed`."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme == "https" and parts.hostname and not parts.fragment and "@" not in parts.netloc
        _ = parts.port
    except ValueError:
        sound = False
    if not sound or not url.isascii() or not url.isprintable() or " " in url:
        raise Malformed("another server is asked by an absolute https URL only")
    return url


def _object(body: bytes) -> Json:
    value = json.loads(body)
    if not isinstance(value, dict):
        raise ValueError("no object")  # noqa: TRY004 - read as any other answer that is not understood
    return value


def _whole(response: HTTPResponse) -> bytes:
    """Read the body; one that does not end is not waited for."""
    whole = response.read(LARGEST_ANSWER + 1)
    if len(whole) > LARGEST_ANSWER:
        raise ValueError("too much")
    return whole
