"""Carries notices to a web server: one signed POST over https, nothing followed, and a receiver trusted by name only.

What is sent names no person. A receiver checks the signature over the timestamp and the very bytes of
the body, refuses old timestamps, and keeps the ids it has seen: a notice may come twice.
"""

import hmac
import ssl
import stat
import time
from collections.abc import Callable, Sequence
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import orjson

from pacs_secure.adapters.https_json import https_url
from pacs_secure.adapters.in_time import in_time
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.notices import KeptNotice

TIMESTAMP, SIGNATURE = "X-Pacs-Secure-Timestamp", "X-Pacs-Secure-Signature"
SHORTEST_SECRET = 32
"""Bytes of the shared secret, at least."""
SECONDS_OF_SILENCE = 5.0
_DONE = range(200, 300)


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return what proves that this body was sent at this time by whoever knows the secret (RFC 2104)."""
    return "sha256=" + hmac.digest(secret, timestamp.encode() + b"." + body, "sha256").hex()


class WebhookMessenger:
    """`pacs_secure.ports.Messenger` by https; trusts one authority when given its file, else the system's.

    Raises:
        Malformed: the URL is no https one.
        Unavailable: the authority cannot be read.
    """

    channel = "webhook"

    def __init__(
        self, url: str, secret_file: Path, ca_file: Path | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self._url = urlsplit(https_url(url))
        self._secret_file = secret_file
        self._now = now
        try:
            # A named file is the only trust there is: the system's own list is then not loaded.
            self._tls = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
        except OSError:
            raise Unavailable("the authority of the webhook cannot be read") from None
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2

    def send(self, notices: Sequence[KeptNotice]) -> None:
        """Deliver notices; raise `Unavailable` unless the receiver said 2xx."""
        body = orjson.dumps({"version": 1, "notices": [kept.outline() for kept in notices]})
        timestamp = str(int(self._now()))
        headers = {
            "Content-Type": "application/json",
            TIMESTAMP: timestamp,
            SIGNATURE: signature(secret(self._secret_file), timestamp, body),
        }
        if self._post(body, headers) not in _DONE:
            raise Unavailable("the webhook did not take the notices")

    def _post(self, body: bytes, headers: dict[str, str]) -> int:
        target = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        connection = HTTPSConnection(
            cast("str", self._url.hostname), self._url.port, timeout=SECONDS_OF_SILENCE, context=self._tls
        )
        try:
            with in_time(connection, self._tls):
                connection.request("POST", target, body, headers)
                with connection.getresponse() as response:
                    return response.status
        except (OSError, HTTPException, ValueError):
            raise Unavailable("the webhook is out of reach") from None


def secret(file: Path) -> bytes:
    """Read a shared secret, anew each time so that it can be replaced; raise `Unavailable` when it is none."""
    try:
        if stat.S_IMODE(file.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
            raise Unavailable("the secret of the webhook must be readable by its owner only")
        found = file.read_bytes().strip()
    except OSError:
        raise Unavailable("the secret of the webhook cannot be read") from None
    if len(found) < SHORTEST_SECRET:
        raise Unavailable("the secret of the webhook is too short")
    return found
