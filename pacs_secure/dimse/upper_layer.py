"""The DICOM upper layer as this archive runs it: nothing announced is believed, nothing is polled.

Three things are changed in the library's provider. PDU lengths are capped before anything is
allocated (PS3.8 9.3); the reactor sleeps until the socket or the archive has something to say,
instead of waking a thousand times a second; and P-DATA goes straight to `Messages`.
"""

import contextlib
import logging
import select
import socket
import time
from collections.abc import Callable
from typing import Any

from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import StateMachine
from pynetdicom.pdu import A_ABORT_RQ
from pynetdicom.pdu_primitives import A_P_ABORT

from pacs_secure.core.errors import Malformed
from pacs_secure.dimse.budget import Budget
from pacs_secure.dimse.commands import Request, response
from pacs_secure.dimse.connection import CONNECTION_CLOSED, LINGER, ArchiveSocket
from pacs_secure.dimse.contexts import check_proposal
from pacs_secure.dimse.messages import Messages, Serve
from pacs_secure.dimse.statuses import Status

LOGGER = logging.getLogger(__name__)

MAXIMUM_PDU = 128 * 1024
"""What is negotiated (PS3.8 D.1): DCMTK sends no more, and larger ones measured no faster."""

ASSOCIATE_LIMIT = 256 * 1024
"""128 contexts of 60 transfer syntaxes each still fit."""
_SMALL_LIMIT = 1024
HEADER = 6
P_DATA_TF = 0x04
_ASSOCIATE_RQ = 0x01
_LIMITS = {
    _ASSOCIATE_RQ: ASSOCIATE_LIMIT,
    0x02: ASSOCIATE_LIMIT,
    0x03: _SMALL_LIMIT,
    P_DATA_TF: MAXIMUM_PDU + HEADER,
    0x05: _SMALL_LIMIT,
    0x06: _SMALL_LIMIT,
    0x07: _SMALL_LIMIT,
}
PATIENCE = 0.5
"""Seconds after which a sleeping reactor looks at its timers."""
_FOREVER = 3600.0
_PART = 64 * 1024

_IDLE, _ESTABLISHED, _CLOSING = "Sta1", "Sta6", "Sta13"
_INVALID_PDU = "Evt19"
_BY_PROVIDER = 0x02


class UpperLayer(DULServiceProvider):
    """The library's provider with capped PDUs and a reactor that sleeps until it is woken."""

    def __init__(self, assoc: Association) -> None:
        super().__init__(assoc)
        self.state_machine = _Machine(self)
        self._run_loop_delay = 0  # the reactor sleeps in `_awaited`
        self._messages: Messages | None = None
        self._violated: Callable[[str], None] = lambda _reason: None
        self._body = memoryview(b"")
        self._busy = False
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)

    def serve(self, serve: Serve, data_set_limit: int, budget: Budget, violated: Callable[[str], None]) -> None:
        """Serve requests by ``serve`` in this provider's own thread; ``violated`` hears what breaks PS3.8."""
        self._messages = Messages(serve, self._respond, data_set_limit, budget)
        self._violated = violated

    def wake(self) -> None:
        """Let the reactor look at its queues now."""
        with contextlib.suppress(OSError):  # full: it is awake already; closed: it has ended
            self._waker.send(b"\0")

    def run_reactor(self) -> None:
        """Run until the association ends, and tell its user whatever ended it."""
        try:
            super().run_reactor()
        finally:
            if self._messages:
                self._messages.close()
            self._waker.close()
            self._woken.close()
            self.to_user_queue.put(A_P_ABORT())

    def send_pdu(self, primitive: Any) -> None:
        """Queue a primitive for the peer and wake the reactor."""
        super().send_pdu(primitive)
        self.wake()

    def kill_dul(self) -> None:
        """End the reactor."""
        super().kill_dul()
        self.wake()

    def stop_dul(self) -> bool:
        """End the reactor if it is idle, and say whether it was."""
        if self.state_machine.current_state != _IDLE:
            return False
        self.kill_dul()
        self.join()
        return True

    def idle_timer_expired(self) -> bool:
        """Say whether the peer was silent too long; the time the archive itself takes does not count."""
        return not self._busy and super().idle_timer_expired()

    def give_up(self) -> None:
        """Abort and end where the state machine knows no further way."""
        abort = A_ABORT_RQ()
        abort.source, abort.reason_diagnostic = _BY_PROVIDER, 0x00
        self._send(abort)
        if isinstance(self.socket, ArchiveSocket):
            self.socket.drain(ASSOCIATE_LIMIT, LINGER)
            self.socket.close()
        self.kill_dul()

    def _is_transport_event(self) -> bool:
        connection = self.socket
        if not isinstance(connection, ArchiveSocket):
            return False
        if self.state_machine.current_state == _CLOSING:
            connection.drain(ASSOCIATE_LIMIT, LINGER)
            connection.close()
            return True
        return self._read_what_comes(connection)

    def _read_what_comes(self, connection: ArchiveSocket) -> bool:
        """Read PDU after PDU until one is an event or there is other work; say whether there was any.

        The library's own loop would give the processor away after each.
        """
        read = False
        while self._awaited(connection):
            self._read_pdu_data()
            read = True
            if self._has_work():
                break
        return read

    def _has_work(self) -> bool:
        return self._kill_thread or not (self.event_queue.empty() and self.to_provider_queue.empty())

    def _awaited(self, connection: ArchiveSocket) -> bool:
        """Sleep until there is input or other work; say whether it is input."""
        if connection.usable and connection.pending:
            return True
        poller = select.poll()
        poller.register(self._woken, select.POLLIN)
        place = -1
        if connection.usable and connection.socket is not None:
            place = connection.socket.fileno()
            poller.register(place, select.POLLIN)
        ready = dict(poller.poll(0 if self._has_work() else PATIENCE * 1000))
        if self._woken.fileno() in ready:
            with contextlib.suppress(BlockingIOError):
                self._woken.recv(4096)
        return place in ready

    def _read_pdu_data(self) -> None:
        try:
            event = self._read_pdu()
        except OSError:
            event = CONNECTION_CLOSED
        except Malformed as error:
            self._violated(str(error))
            event = _INVALID_PDU
        if event:
            self.event_queue.put(event)

    def _read_pdu(self) -> str | None:
        """Read one PDU; return the event it is for the state machine, None when it was taken care of."""
        connection = self.socket
        if not isinstance(connection, ArchiveSocket):
            return CONNECTION_CLOSED
        established = self.state_machine.current_state == _ESTABLISHED
        patience = self.network_timeout if established else self.assoc.acse_timeout
        deadline = time.monotonic() + (patience or _FOREVER)
        header = bytearray(HEADER)
        if not connection.fill(memoryview(header), deadline):
            return CONNECTION_CLOSED
        kind, length = header[0], int.from_bytes(header[2:], "big")
        if length > _LIMITS.get(kind, -1):
            raise Malformed("a PDU is unknown, or longer than any may be")
        if kind == P_DATA_TF and self._messages and established:
            return self._read_data(self._messages, connection, length, deadline)
        return self._read_control(connection, header, length, deadline)

    def _read_data(self, messages: Messages, connection: ArchiveSocket, length: int, deadline: float) -> str | None:
        if not self._body:
            self._body = memoryview(bytearray(_LIMITS[P_DATA_TF]))
        body = self._body[:length]
        if not connection.fill(body, deadline):
            return CONNECTION_CLOSED
        self._busy = True
        try:
            messages.feed(body)
        finally:
            self._idle_timer.restart()
            self._busy = False
        return None

    def _read_control(self, connection: ArchiveSocket, header: bytearray, length: int, deadline: float) -> str | None:
        encoded = header
        while length:
            part = bytearray(min(length, _PART))  # nothing is allocated for what was only announced
            if not connection.fill(memoryview(part), deadline):
                return CONNECTION_CLOSED
            encoded += part
            length -= len(part)
        if header[0] == _ASSOCIATE_RQ:
            check_proposal(encoded)
        try:
            pdu, event = self._decode_pdu(encoded)
            pdu.to_primitive()  # the state machine does so again, and may no longer fail
        except Exception as error:
            raise Malformed("a PDU cannot be decoded") from error
        self._recv_pdu.put(pdu)
        return event

    def _respond(self, request: Request, status: Status) -> None:
        if self.socket is not None:
            self.socket.send(response(request, status))


class _Machine(StateMachine):
    """The library's state machine; what it has no way out of ends the association instead of a thread.

    Such are an abort of our own before anything was asked for, and one that crosses the peer's.
    """

    def __init__(self, provider: UpperLayer) -> None:
        super().__init__(provider)
        self._provider = provider

    def do_action(self, event: str) -> None:
        try:
            super().do_action(event)
        except Exception as error:  # noqa: BLE001 - whatever it was, this association is over
            LOGGER.warning("an association ended out of turn: %s", type(error).__name__)
            self._provider.give_up()
            self.current_state = _IDLE
