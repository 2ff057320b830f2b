"""Putting messages together from their fragments, and having each served as soon as it is whole.

A sender waits for each response, so the thread that read the last fragment serves the request and
answers at once: no queue, no second thread, and a slow store holds its sender back by itself.
"""

from collections.abc import Callable
from typing import Protocol

from pacs_secure.core.errors import Malformed, OverLimit
from pacs_secure.dimse.budget import Budget
from pacs_secure.dimse.commands import C_CANCEL_RQ, C_STORE_RQ, Request, parse_request
from pacs_secure.dimse.statuses import OUT_OF_RESOURCES, Status, store_status

_COMMAND = 0x01
_LAST = 0x02
_ITEM_HEAD = 6
_COMMAND_LIMIT = 16 * 1024


class Serve(Protocol):
    """Carries out one request and says how it went."""

    def __call__(self, request: Request, data_set: bytearray | None) -> Status:
        """Return the status of the response; never raise. Only a C-STORE brings its Data Set."""


Respond = Callable[[Request, Status], None]


class Messages:
    """Assembles the messages of one association from P-DATA-TF bodies (PS3.8 9.3.5, Annex E)."""

    def __init__(self, serve: Serve, respond: Respond, data_set_limit: int, budget: Budget) -> None:
        self._serve = serve
        self._respond = respond
        self._limit = data_set_limit
        self._budget = budget
        self._context_id: int | None = None
        self._command = bytearray()
        self._request: Request | None = None
        self._gathered: bytearray | None = None
        self._refused: Status | None = None

    def feed(self, body: memoryview) -> None:
        """Take the presentation data values of one PDU.

        Raises:
            Malformed: the values break PS3.8 Annex E; the association cannot go on.
        """
        place, end = 0, len(body)
        if not end:
            raise Malformed("a P-DATA-TF PDU without a presentation data value")
        while place < end:
            length = int.from_bytes(body[place : place + 4], "big")
            if not _ITEM_HEAD - 4 <= length <= end - place - 4:
                raise Malformed("a presentation data value has a wrong length")
            value_end = place + 4 + length
            self._take(body[place + 4], body[place + 5], body[place + _ITEM_HEAD : value_end])
            place = value_end

    def close(self) -> None:
        """Give back what a message that never came to its end has taken."""
        self._drop()

    def _take(self, context_id: int, control: int, fragment: memoryview) -> None:
        if self._context_id not in (None, context_id):
            raise Malformed("a message changes its presentation context")
        self._context_id = context_id
        if bool(control & _COMMAND) is (self._request is not None):
            raise Malformed("a command where a Data Set was due, or the other way round")
        last = bool(control & _LAST)
        if self._request is not None:
            self._gather(self._request, fragment, last=last)
        else:
            self._take_command(context_id, fragment, last=last)

    def _take_command(self, context_id: int, fragment: memoryview, *, last: bool) -> None:
        if len(self._command) + len(fragment) > _COMMAND_LIMIT:
            raise Malformed("a command is too long")
        self._command += fragment
        if not last:
            return
        command, self._command = self._command, bytearray()
        request = parse_request(context_id, command)
        if not request.has_data_set:
            self._finish(request)
            return
        self._request = request
        self._gathered = bytearray() if request.command_field == C_STORE_RQ else None

    def _gather(self, request: Request, fragment: memoryview, *, last: bool) -> None:
        """Take a fragment of a Data Set; one that is refused is read to its end, so that the sender hears why."""
        if self._gathered is not None:
            if len(self._gathered) + len(fragment) > self._limit:
                self._refuse(store_status(OverLimit()))
            elif not self._budget.take(len(fragment)):
                self._refuse(OUT_OF_RESOURCES)
            else:
                self._gathered += fragment
        if last:
            self._finish(request)

    def _refuse(self, status: Status) -> None:
        self._drop()
        self._refused = status

    def _finish(self, request: Request) -> None:
        try:
            if request.command_field != C_CANCEL_RQ:  # nothing that runs can be cancelled, and it has no response
                self._respond(request, self._refused or self._serve(request, self._gathered))
        finally:
            self._drop()
            self._request = self._context_id = self._refused = None

    def _drop(self) -> None:
        gathered, self._gathered = self._gathered, None
        if gathered:
            self._budget.give(len(gathered))
