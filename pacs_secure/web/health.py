"""Says whether the process lives and whether it can do its work: two questions, never one."""

from collections.abc import Callable

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from pacs_secure.web.problems import described


def routes(ready: Callable[[], None]) -> APIRouter:
    """Return the liveness and readiness routes; ``ready`` raises `Unavailable` when it is not."""
    router = APIRouter(tags=["Health"])

    def alive() -> Response:
        """Say that the process answers."""
        return _ok()

    def prepared() -> Response:
        """Say that keys, ledger and index really work."""
        ready()
        return _ok()

    router.add_api_route("/healthz", alive, methods=["GET"], response_class=PlainTextResponse)
    router.add_api_route(
        "/readyz", prepared, methods=["GET"], response_class=PlainTextResponse, responses=described(503)
    )
    return router


def _ok() -> Response:
    return Response(b"ok\n", media_type="text/plain")
