"""Where a bucket is and who may use it: address, authority, and credentials that are read from a file, never kept."""

import json
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pacs_secure.adapters.small_http import safe_url
from pacs_secure.core.errors import Malformed, Unavailable

_LEAST_KEY = 8


@dataclass(frozen=True, slots=True)
class S3Credentials:
    """Who asks."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        """Show nothing: this may stand in a traceback."""
        return "S3Credentials(…)"


@dataclass(frozen=True, slots=True)
class S3Place:
    """One bucket, or a part of it."""

    bucket: str
    prefix: str
    """What keys begin with, without a slash at either end; may be ""."""
    endpoint: str
    """https, or http on this machine."""
    region: str
    credentials_file: Path
    """JSON, mode 0600: access_key_id, secret_access_key and perhaps session_token."""
    ca_file: Path | None = None
    seconds: float = 30.0
    """How long one request may last."""

    def credentials(self) -> S3Credentials:
        """Read who asks, anew each time, so that changed credentials need no restart.

        Raises:
            Unavailable: the file cannot be read, is for others too, or holds no credentials.
        """
        try:
            if stat.S_IMODE(self.credentials_file.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
                raise Unavailable("the file of the object store's credentials is for its owner only")
            told = json.loads(self.credentials_file.read_text(encoding="utf-8"))
            read = S3Credentials(**told)
            if not (read.access_key_id and len(read.secret_access_key) >= _LEAST_KEY):
                raise Unavailable("the object store's credentials are too short")
        except (OSError, ValueError, TypeError):
            raise Unavailable("the object store's credentials cannot be read") from None
        return read

    def authority(self) -> bytes | None:
        """Return the authority that vouches for the endpoint beside those the system trusts, or None (PEM).

        Raises:
            Unavailable: it cannot be read.
        """
        try:
            return None if self.ca_file is None else self.ca_file.read_bytes()
        except OSError:
            raise Unavailable("the authority of the object store cannot be read") from None

    @property
    def plain(self) -> bool:
        """Whether it speaks http, which `s3_place` allows on this machine only."""
        return self.endpoint.startswith("http://")

    def key(self, *names: str) -> str:
        """Return the key of something below this place."""
        return "/".join([self.prefix, *names] if self.prefix else names)


def s3_place(
    url: str, endpoint: str, region: str, credentials_file: Path, ca_file: Path | None = None, seconds: float = 30.0
) -> S3Place:
    """Read ``s3://bucket/prefix``.

    Raises:
        Malformed: it is no such address, or the endpoint is neither https nor on this machine.
    """
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
        raise Malformed("an object store is named as s3://bucket/prefix")
    place = safe_url(endpoint).rstrip("/")
    return S3Place(parts.netloc, parts.path.strip("/"), place, region, credentials_file, ca_file, seconds)
