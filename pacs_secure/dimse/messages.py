"""Putting messages together: C-STORE from its fragments in one place, everything else for the library.

A sender waits for each C-STORE response, so the thread that read the last fragment stores it and
answers at once: no queue, no second thread, and a slow store holds its sender back by itself.
"""

from collections.abc import Callable
from typing import Protocol

from pacs_secure.core.errors import Malformed, OverLimit
from pacs_secure.dimse.commands import StoreRequest, command_elements, has_data_set, store_request
from pacs_secure.dimse.statuses import CANNOT_UNDERSTAND, Status, store_status

_COMMAND = 0x01
_LAST = 0x02
_ITEM_HEAD = 6
_COMMAND_LIMIT = 16 * 1024
_IDENTIFIER_LIMIT = 16 * 1024 * 1024


class Store(Protocol):
    """Stores one instance of a C-STORE request and says how it went."""

    def __call__(self, request: StoreRequest, data_set: bytearray) -> Status:
        """Return the status of the response; never raise."""


Respond = Callable[[StoreRequest, Status], None]
Forward = Callable[[int, bytes], None]
"""Takes the context id and one presentation data value, control header first."""


class _DataSet(Protocol):
    """Where the Data Set of the message goes whose command has come."""

    def take(self, fragment: memoryview, *, last: bool) -> None:
        """Take the next fragment."""


class Messages:
    """Assembles the messages of one association from P-DATA-TF bodies (PS3.8 9.3.5, Annex E)."""

    def __init__(self, store: Store, respond: Respond, forward: Forward, data_set_limit: int) -> None:
        self._store = store
        self._respond = respond
        self._forward = forward
        self._limit = data_set_limit
        self._context_id: int | None = None
        self._command = bytearray()
        self._data_set: _DataSet | None = None

    def feed(self, body: memoryview) -> None:
        """Take the presentation data values of one PDU.

        Raises:
            Malformed: the values break PS3.8 Annex E; the association cannot go on.
        """
        place, end = 0, len(body)
        while place < end:
            length = int.from_bytes(body[place : place + 4], "big")
            if not _ITEM_HEAD - 4 <= length <= end - place - 4:
                raise Malformed("a presentation data value has a wrong length")
            value_end = place + 4 + length
            self._take(body[place + 4], body[place + 5], body[place + _ITEM_HEAD : value_end])
            place = value_end

    def _take(self, context_id: int, control: int, fragment: memoryview) -> None:
        if self._context_id not in (None, context_id):
            raise Malformed("a message changes its presentation context")
        self._context_id = context_id
        if bool(control & _COMMAND) is (self._data_set is not None):
            raise Malformed("a command where a Data Set was due, or the other way round")
        last = bool(control & _LAST)
        if self._data_set is not None:
            self._data_set.take(fragment, last=last)
            over = last
        else:
            over = self._take_command(context_id, fragment, last=last)
        if over:
            self._context_id = self._data_set = None

    def _take_command(self, context_id: int, fragment: memoryview, *, last: bool) -> bool:
        """Take a command fragment; say whether the message ends with it."""
        if len(self._command) + len(fragment) > _COMMAND_LIMIT:
            raise Malformed("a command is too long")
        self._command += fragment
        if not last:
            return False
        command, self._command = self._command, bytearray()
        elements = command_elements(command)
        request = store_request(context_id, elements)
        follows = has_data_set(elements)
        if request is None:
            self._forward(context_id, bytes((_COMMAND | _LAST,)) + command)
            self._data_set = _Forwarded(context_id, self._forward)
        elif follows:
            self._data_set = _Stored(request, self._store, self._respond, self._limit)
        else:
            self._respond(request, CANNOT_UNDERSTAND)
        return not follows


class _Stored:
    """The Data Set of a C-STORE: gathered whole, stored, answered."""

    def __init__(self, request: StoreRequest, store: Store, respond: Respond, limit: int) -> None:
        self._request = request
        self._store = store
        self._respond = respond
        self._limit = limit
        self._gathered = bytearray()
        self._over_limit = False

    def take(self, fragment: memoryview, *, last: bool) -> None:
        if len(self._gathered) + len(fragment) > self._limit:
            # What follows is read and dropped, so that the sender hears why.
            self._over_limit = True
            self._gathered = bytearray()
        if not self._over_limit:
            self._gathered += fragment
        if last:
            self._respond(self._request, self._outcome())

    def _outcome(self) -> Status:
        if self._over_limit:
            return store_status(OverLimit())
        return self._store(self._request, self._gathered)


class _Forwarded:
    """The Data Set of any other message: passed on to the library fragment by fragment, up to a limit."""

    def __init__(self, context_id: int, forward: Forward) -> None:
        self._context_id = context_id
        self._forward = forward
        self._passed = 0

    def take(self, fragment: memoryview, *, last: bool) -> None:
        self._passed += len(fragment)
        if self._passed > _IDENTIFIER_LIMIT:
            raise Malformed("an identifier is too long")
        self._forward(self._context_id, bytes((_LAST if last else 0,)) + fragment)
