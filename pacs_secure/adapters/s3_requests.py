"""The few requests to a bucket that the library has no words for: locks, and what the bucket itself promises.

Signed as AWS Signature Version 4 has it: every header that begins with ``x-amz-``, and the digest of the body.
"""

import hashlib
import hmac
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import quote, urlencode, urlsplit

from pacs_secure.adapters.in_time import in_time
from pacs_secure.adapters.s3_place import S3Credentials, S3Place
from pacs_secure.core.errors import Unavailable

LARGEST_ANSWER = 64 << 20
"""Bytes read of an answer: what is asked for so are notes, tiles and listings."""
SECONDS_OF_SILENCE = 5.0

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the store said."""

    status: int
    headers: Mapping[str, str]
    """Their names in lower case."""
    body: bytes


class S3Requests:
    """Asks one place for one thing at a time.

    Raises:
        Unavailable: authority cannot be read.
    """

    def __init__(self, place: S3Place) -> None:
        self._place = place
        self._at = urlsplit(place.endpoint)
        try:
            # A named file is the only trust there is: the system's own list is then not loaded.
            self._tls = ssl.create_default_context(cafile=None if place.ca_file is None else str(place.ca_file))
        except OSError:
            raise Unavailable("the authority of the object store cannot be read") from None
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2

    def ask(
        self,
        method: str,
        key: str = "",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Send one signed request about a key of the bucket, or about the bucket itself.

        Raises:
            Unavailable: the store is out of reach, or says too much; what it answers is the caller's to judge.
        """
        path = quote(f"/{self._place.bucket}/{key}" if key else f"/{self._place.bucket}", safe="/-_.~")
        asked = _encoded(query or {})
        told = {"host": self._at.netloc, **(headers or {})}
        sent = signed(self._place.credentials(), self._place.region, method, path, asked, told, body, datetime.now(UTC))
        connection, tls = self._connection()
        try:
            with in_time(connection, tls, self._place.seconds):
                connection.request(method, f"{path}?{asked}" if asked else path, body or None, sent)
                with connection.getresponse() as response:
                    return Answer(response.status, _headers(response), _whole(response))
        except (OSError, HTTPException, ValueError):
            raise Unavailable("the object store is out of reach, or its answer is not understood") from None

    def _connection(self) -> tuple[HTTPConnection, ssl.SSLContext | None]:
        host, port = self._at.hostname or "", self._at.port
        if self._place.plain:
            return HTTPConnection(host, port, timeout=SECONDS_OF_SILENCE), None
        return HTTPSConnection(host, port, timeout=SECONDS_OF_SILENCE, context=self._tls), self._tls


def signed(
    credentials: S3Credentials,
    region: str,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    at: datetime,
) -> dict[str, str]:
    """Return the headers with date, digest and signature (AWS Signature Version 4)."""
    digest = hashlib.sha256(body).hexdigest()
    when = f"{at:%Y%m%dT%H%M%SZ}"
    told = {name.lower(): value.strip() for name, value in headers.items()}
    told |= {"x-amz-content-sha256": digest, "x-amz-date": when}
    if credentials.session_token is not None:
        told["x-amz-security-token"] = credentials.session_token
    names = ";".join(sorted(told))
    lines = "".join(f"{name}:{told[name]}\n" for name in sorted(told))
    request = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{digest}"
    scope = f"{when[:8]}/{region}/s3/aws4_request"
    text = f"{_ALGORITHM}\n{when}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret_access_key}".encode()
    for word in scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    said = f"Credential={credentials.access_key_id}/{scope},SignedHeaders={names},Signature={signature}"
    return {**told, "authorization": f"{_ALGORITHM} {said}"}


def _encoded(query: Mapping[str, str]) -> str:
    return urlencode(sorted(query.items()), quote_via=quote, safe="-_.~")


def _headers(response: HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _whole(response: HTTPResponse) -> bytes:
    whole = response.read(LARGEST_ANSWER + 1)
    if len(whole) > LARGEST_ANSWER:
        raise ValueError("too much")
    return whole
