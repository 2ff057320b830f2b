"""The DICOM upper layer as this archive runs it: nothing announced is believed, nothing is polled.

Two things are changed in the library's provider. PDU lengths are capped before anything is
allocated (PS3.8 9.3), and the reactor sleeps until the socket or the archive has something to
say, instead of waking a thousand times a second; P-DATA goes straight to `Messages`.
"""

import contextlib
import logging
import select
import socket
import time
from typing import Any

from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import P_DATA

from pacs_secure.core.errors import Malformed
from pacs_secure.dimse.commands import StoreRequest, store_response
from pacs_secure.dimse.connection import CONNECTION_CLOSED, ArchiveSocket
from pacs_secure.dimse.messages import Messages, Store
from pacs_secure.dimse.statuses import Status

LOGGER = logging.getLogger(__name__)

MAXIMUM_PDU = 128 * 1024
"""What is negotiated (PS3.8 D.1): DCMTK sends no more, and larger ones measured no faster."""

_ASSOCIATE_LIMIT = 1024 * 1024
_SMALL_LIMIT = 1024
_HEADER = 6
_P_DATA = 0x04
_LIMITS = {
    0x01: _ASSOCIATE_LIMIT,
    0x02: _ASSOCIATE_LIMIT,
    0x03: _SMALL_LIMIT,
    _P_DATA: MAXIMUM_PDU + _HEADER,
    0x05: _SMALL_LIMIT,
    0x06: _SMALL_LIMIT,
    0x07: _SMALL_LIMIT,
}
PATIENCE = 0.5
"""Seconds after which a sleeping reactor looks at its timers."""
_LINGER = 0.1
_FOREVER = 3600.0
_PART = 64 * 1024

_ESTABLISHED = "Sta6"
_CLOSING = "Sta13"
_INVALID_PDU = "Evt19"


class UpperLayer(DULServiceProvider):
    """The library's provider with capped PDUs and a reactor that sleeps until it is woken."""

    def __init__(self, assoc: Association) -> None:
        super().__init__(assoc)
        self._run_loop_delay = 0  # the reactor sleeps in `_awaited`
        self._messages: Messages | None = None
        self._body = memoryview(b"")
        self._busy = False
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)

    def receive_stores(self, store: Store, data_set_limit: int) -> None:
        """Serve C-STORE requests by ``store``, in this provider's own thread."""
        self._messages = Messages(store, self._respond, self._forward, data_set_limit)

    def wake(self) -> None:
        """Let the reactor look at its queues now."""
        with contextlib.suppress(OSError):  # full: it is awake already; closed: it has ended
            self._waker.send(b"\0")

    def run_reactor(self) -> None:
        """Run until the association ends."""
        try:
            super().run_reactor()
        finally:
            self._waker.close()
            self._woken.close()

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
        if self.state_machine.current_state != "Sta1":
            return False
        self.kill_dul()
        self.join()
        return True

    def idle_timer_expired(self) -> bool:
        """Say whether the peer was silent too long; the time the archive itself takes does not count."""
        return not self._busy and super().idle_timer_expired()

    def _is_transport_event(self) -> bool:
        connection = self.socket
        if not isinstance(connection, ArchiveSocket):
            return False
        if self.state_machine.current_state == _CLOSING:
            connection.drain(_ASSOCIATE_LIMIT, _LINGER)
            connection.close()
            return True
        if not self._awaited(connection):
            return False
        self._read_pdu_data()
        return True

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
        idle = self.event_queue.empty() and self.to_provider_queue.empty()
        ready = dict(poller.poll(PATIENCE * 1000 if idle else 0))
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
            LOGGER.warning("association aborted: %s", error)
            event = _INVALID_PDU
        if event:
            self.event_queue.put(event)

    def _read_pdu(self) -> str | None:
        """Read one PDU; return the event it is for the state machine, None when it was taken care of."""
        connection = self.socket
        if not isinstance(connection, ArchiveSocket):
            return CONNECTION_CLOSED
        deadline = time.monotonic() + (self.network_timeout or _FOREVER)
        header = bytearray(_HEADER)
        if not connection.fill(memoryview(header), deadline):
            return CONNECTION_CLOSED
        kind, length = header[0], int.from_bytes(header[2:], "big")
        if length > _LIMITS.get(kind, -1):
            raise Malformed("an unknown PDU, or one longer than negotiated")
        if kind == _P_DATA and self._messages and self.state_machine.current_state == _ESTABLISHED:
            return self._read_data(self._messages, connection, length, deadline)
        return self._read_control(connection, header, length, deadline)

    def _read_data(self, messages: Messages, connection: ArchiveSocket, length: int, deadline: float) -> str | None:
        if not self._body:
            self._body = memoryview(bytearray(_LIMITS[_P_DATA]))
        body = self._body[:length]
        if not connection.fill(body, deadline):
            return CONNECTION_CLOSED
        self._busy = True
        try:
            messages.feed(body)
        finally:
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
        try:
            pdu, event = self._decode_pdu(encoded)
        except Exception as error:
            raise Malformed("a PDU that cannot be decoded") from error
        self._recv_pdu.put(pdu)
        return event

    def _respond(self, request: StoreRequest, status: Status) -> None:
        if self.socket is not None:
            self.socket.send(store_response(request, status))

    def _forward(self, context_id: int, value: bytes) -> None:
        primitive = P_DATA()
        primitive.presentation_data_value_list.append((context_id, value))
        self.assoc.dimse.receive_primitive(primitive)
