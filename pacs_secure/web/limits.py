"""Slows down whoever asks too often: a bucket for each address or proven person, and memory for so many of them.

No bucket belongs to an account that somebody only names, so nobody can lock somebody else out.
"""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from pacs_secure.core.errors import TooOften

MOST_ADDRESSES = 10_000
_IPV6_NETWORK = 64
"""Bits of an IPv6 address that name a customer; the rest is theirs to change."""


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Throttle:
    """Lets an address do ``burst`` things at once, and one more every ``seconds`` after that."""

    def __init__(
        self,
        burst: int,
        seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
        most_addresses: int = MOST_ADDRESSES,
    ) -> None:
        self._burst = burst
        self._seconds = seconds
        self._monotonic = monotonic
        self._most = most_addresses
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, address: str) -> None:
        """Count one thing that an address does; raise `TooOften` when it is one too many."""
        key = network(address)
        with self._lock:
            now = self._monotonic()
            bucket = self._buckets.pop(key, None) or _Bucket(float(self._burst), now)
            bucket.left = min(float(self._burst), bucket.left + (now - bucket.at) / self._seconds)
            bucket.at = now
            self._buckets[key] = bucket
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)  # who has been silent for the longest is forgotten
            if bucket.left < 1:
                raise TooOften(seconds=ceil((1 - bucket.left) * self._seconds))
            bucket.left -= 1


def network(address: str) -> str:
    """Return what an address is counted under: itself, or the network of an IPv6 customer."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6:  # noqa: PLR2004 - the protocol's own number
        return str(ipaddress.ip_network((parsed, _IPV6_NETWORK), strict=False))
    return address
