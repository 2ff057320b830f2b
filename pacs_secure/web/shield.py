"""The outermost layer: safe headers on every answer, and no failure that tells or logs more than its kind."""

import logging
import traceback

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pacs_secure.web import problems

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""On every answer that does not bring its own."""

_log = logging.getLogger(__name__)


class Shield:
    """Wraps the application; registered as its outermost middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and see to how its answer leaves."""
        started = False

        async def send_on(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except Exception as error:  # noqa: BLE001 - the last resort: the server would log the message and its values
            _log.error("%s at %s", type(error).__name__, _place(error))
            if not started:
                await problems.unexpected()(scope, receive, send_on)
            # An answer already begun is cut off: the client sees that it is incomplete.


def _place(error: Exception) -> str:
    """Say where an error came from, without what it says."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].name}:{frames[-1].lineno}" if frames else "nowhere"
