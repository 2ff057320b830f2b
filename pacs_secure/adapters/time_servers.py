"""Asks NTP servers for the time (RFC 5905), only to compare: nothing here sets a clock."""

from collections.abc import Sequence
from statistics import median
from urllib.parse import urlsplit

import ntplib

from pacs_secure.core.errors import Malformed, Unavailable

SECONDS_OF_SILENCE = 2.0
_PORT = 123
_VERSION = 4
_SERVER, _UNSYNCHRONISED, _STRATA = 4, 3, range(1, 16)


class TimeServers:
    """`pacs_secure.ports.Clocks` over NTP; the median of those that answer, so that one liar of three moves nothing.

    Raises:
        Malformed: an address is none.
    """

    def __init__(self, servers: Sequence[str]) -> None:
        self._servers = [_address(server) for server in servers]
        self._client = ntplib.NTPClient()  # type: ignore[no-untyped-call]

    def drift(self) -> float:
        """Return how many seconds our clock is ahead; raises `Unavailable` when no server answers."""
        offsets = [offset for server in self._servers if (offset := self._offset(*server)) is not None]
        if not offsets:
            raise Unavailable("no time server answers")
        return -median(offsets)

    def _offset(self, host: str, port: int) -> float | None:
        """Return how far a server's clock is ahead of ours, or None when it does not know itself."""
        try:
            told = self._client.request(host, _VERSION, port, SECONDS_OF_SILENCE)  # type: ignore[no-untyped-call]
        except (ntplib.NTPException, OSError):
            return None
        sound = told.mode == _SERVER and told.leap != _UNSYNCHRONISED and told.stratum in _STRATA
        return float(told.offset) if sound else None


def _address(server: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{server}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.path or parts.query or "@" in server:
        raise Malformed("a time server is a host, or a host and a port")
    return host, port or _PORT
