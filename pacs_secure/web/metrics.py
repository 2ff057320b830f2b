"""Tells the machine's watchers how the archive is, as Prometheus text: to this machine or a token, and nobody else."""

import ipaddress
import re
from collections.abc import Callable, Iterable
from hmac import compare_digest
from threading import Lock

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from pacs_secure.core.errors import ArchiveError, Malformed, Unauthenticated
from pacs_secure.web.identity import address_of
from pacs_secure.web.problems import described

PREFIX = "pacs_secure_"
UNKNOWN = float("nan")
_NAME = re.compile(r"^[a-z]+(_[a-z]+)*$")
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-real-ip")
"""Who comes through a proxy on this machine is not on this machine."""


class PrometheusGauges(Collector):
    """`pacs_secure.ports.Gauges`, read out as Prometheus text; nothing is collected that nobody named here."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._reading: dict[str, Callable[[], float]] = {}
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def set(self, name: str, value: float) -> None:
        """Keep the newest value of a gauge."""
        self.watch(name, lambda: value)

    def watch(self, name: str, read: Callable[[], float]) -> None:
        """Ask ``read`` whenever somebody looks."""
        if not _NAME.match(name):
            raise Malformed("a gauge's name is lower-case words joined by underscores")
        with self._lock:
            self._reading[name] = read

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Say nothing before the first look."""
        return []

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Yield every gauge as it is now."""
        with self._lock:
            reading = sorted(self._reading.items())
        for name, read in reading:
            yield GaugeMetricFamily(PREFIX + name, name.replace("_", " "), value=_now(read))

    def text(self) -> bytes:
        """Return Prometheus text, version 0.0.4."""
        return generate_latest(self._registry)


def routes(gauges: PrometheusGauges, token: Callable[[], bytes | None]) -> APIRouter:
    """Return the route; ``token`` is what a watcher from elsewhere has to bring, None: nobody comes from elsewhere."""
    router = APIRouter(tags=["Health"])

    def metrics(request: Request) -> Response:
        """Say how the archive is, in numbers that name nobody."""
        if not (_from_this_machine(request) or _brings(request, token())):
            raise Unauthenticated("metrics are for this machine, or for a token")
        return Response(gauges.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    router.add_api_route(
        "/metrics", metrics, methods=["GET"], response_class=PlainTextResponse, responses=described(401, 503)
    )
    return router


def _now(read: Callable[[], float]) -> float:
    try:
        return float(read())
    except ArchiveError:
        return UNKNOWN


def _from_this_machine(request: Request) -> bool:
    try:
        at_home = ipaddress.ip_address(address_of(request)).is_loopback
    except ValueError:
        return False
    return at_home and not any(name in request.headers for name in _FORWARDED)


def _brings(request: Request, token: bytes | None) -> bool:
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    return token is not None and scheme.lower() == "bearer" and compare_digest(shown.strip().encode(), token)
