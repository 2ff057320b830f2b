"""Sends small bodies to another server: https, or http on this machine; bounded in time and size, no redirect."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from pacs_secure.adapters.https_json import https_url
from pacs_secure.adapters.in_time import SECONDS_IN_ALL, in_time
from pacs_secure.core.errors import Malformed, Unavailable

LARGEST_ANSWER = 64 * 1024
SECONDS_OF_SILENCE = 3.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Said:
    """What a server answered."""

    status: int
    kind: str
    """Media type, without parameters."""
    body: bytes


class SmallHttp:
    """Speaks to one server; trusts one authority when given its file, else those that the system trusts.

    Raises:
        Malformed: the URL is neither https nor http on this machine.
        Unavailable: the authority cannot be read.
    """

    def __init__(self, url: str, ca_file: Path | None = None, seconds: float = SECONDS_IN_ALL) -> None:
        self._url = urlsplit(safe_url(url))
        self._seconds = seconds
        try:
            # A named file is the only trust there is: the system's own list is then not loaded.
            self._tls = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
        except OSError:
            raise Unavailable("the authority of another server cannot be read") from None
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Said:
        """Post a body below the server's URL; raises `Unavailable` when it is out of reach or says too much."""
        connection, tls = self._connection()
        try:
            target = self._url.path.rstrip("/") + path if path else self._url.path or "/"
            with in_time(connection, tls, self._seconds):
                connection.request("POST", target, body, dict(headers))
                with connection.getresponse() as response:
                    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                    return Said(response.status, kind, _whole(response))
        except (OSError, HTTPException, ValueError):
            raise Unavailable("another server is out of reach, or its answer is not understood") from None

    def _connection(self) -> tuple[HTTPConnection, ssl.SSLContext | None]:
        host, port = cast("str", self._url.hostname), self._url.port
        if self._url.scheme == "http":
            return HTTPConnection(host, port, timeout=SECONDS_OF_SILENCE), None
        return HTTPSConnection(host, port, timeout=SECONDS_OF_SILENCE, context=self._tls), self._tls


def safe_url(url: str) -> str:
    """Return the URL when it is https without a query, or http on this machine; else raise `Malformed`."""
    plain = url.startswith("http://")
    https_url("https://" + url.removeprefix("http://") if plain else url)
    parts = urlsplit(url)
    if parts.query or (plain and parts.hostname not in _LOOPBACK):
        raise Malformed("another server is asked by https, or on this machine")
    return url


def _whole(response: HTTPResponse) -> bytes:
    """Read the body; one that does not end is not waited for."""
    whole = response.read(LARGEST_ANSWER + 1)
    if len(whole) > LARGEST_ANSWER:
        raise ValueError("too much")
    return whole
