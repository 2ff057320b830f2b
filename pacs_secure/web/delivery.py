"""Sends what a Retrieval yields and tells it truly how that ended, even when the client goes away."""

from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import ExitStack
from types import TracebackType

from anyio import CancelScope
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from pacs_secure.archive.retrieve import Retrieval

BATCH = 1 << 20
"""Bytes gathered before the event loop is woken: small pieces would cost a thread switch each."""


class Delivery(StreamingResponse):
    """A streamed answer whose Retrieval is left exactly once, completed only after the last byte.

    It takes over what ``stack`` holds as soon as its first piece is open.
    """

    def __init__(
        self,
        stack: ExitStack,
        retrieval: Retrieval,
        pieces: Generator[bytes, None, None],
        media_type: str,
        headers: Mapping[str, str],
    ) -> None:
        self._retrieval = retrieval
        self._pieces = pieces
        # The first piece is opened before the status line: what fails at once fails with a status of its own,
        # and is still the caller's to leave.
        self._first = next(pieces, b"")
        self._stack = stack.pop_all()
        super().__init__(self._content(), headers=headers, media_type=media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; whatever happens, the pieces are closed and the outcome is recorded."""
        try:
            await super().__call__(scope, receive, send)
        except BaseException as error:
            await self._leave(type(error), error, error.__traceback__)
            raise
        await self._leave(None, None, None)

    async def _content(self) -> AsyncIterator[bytes]:
        yield self._first
        while batch := await run_in_threadpool(self._batch):
            for piece in batch:
                yield piece
        self._retrieval.complete()

    def _batch(self) -> list[bytes]:
        batch: list[bytes] = []
        gathered = 0
        for piece in self._pieces:
            batch.append(piece)
            gathered += len(piece)
            if gathered >= BATCH:
                break
        return batch

    async def _leave(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with CancelScope(shield=True):
            await run_in_threadpool(self._pieces.close)
            await run_in_threadpool(self._stack.__exit__, kind, error, traceback)
