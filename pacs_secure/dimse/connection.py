"""The bytes of one connection: read into place, sent whole, never more at once than was asked for."""

import select
import socket
import ssl
import time

from pynetdicom.transport import T_CONNECT, AddressInformation, AssociationSocket

CONNECTION_CLOSED = "Evt17"
"""Transport connection closed indication (PS3.8 Table 9-6)."""


class ArchiveSocket(AssociationSocket):
    """The library's socket without its 4 KiB reads, its copies and its limit of 1,024 descriptors."""

    @property
    def ready(self) -> bool:
        """Say whether there is something to read right now."""
        return self.usable and (self.pending or bool(self._poller().poll(0)))

    @property
    def usable(self) -> bool:
        """Say whether the connection stands."""
        return self.socket is not None and self._is_connected

    @property
    def pending(self) -> bool:
        """Say whether TLS has decrypted more than was read."""
        return isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0

    def fill(self, view: memoryview, deadline: float) -> bool:
        """Read until ``view`` is full; say False when the peer closes before.

        Raises:
            OSError: the connection broke, or nothing came in time.
        """
        filled = 0
        while filled < len(view):
            if self.socket is None:
                return False
            received = self.socket.recv_into(view[filled:])
            if not received:
                return False
            filled += received
            if filled < len(view) and time.monotonic() > deadline:
                raise TimeoutError
        return True

    def drain(self, limit: int, seconds: float) -> None:
        """Read and drop what the peer still sends: closing on unread bytes would destroy our last PDU."""
        scratch = memoryview(bytearray(64 * 1024))
        deadline = time.monotonic() + seconds
        try:
            while self.usable and limit > 0 and (left := deadline - time.monotonic()) > 0:
                if not (self.pending or self._poller().poll(left * 1000)):
                    return
                received = self.socket.recv_into(scratch) if self.socket is not None else 0
                if not received:
                    return
                limit -= received
        except OSError:
            return

    def send(self, bytestream: bytes) -> None:
        """Send all of it; a broken connection becomes Evt17, as in the library."""
        if self.socket is None:
            return
        try:
            self.socket.sendall(bytestream)
        except OSError:
            self.event_queue.put(CONNECTION_CLOSED)

    def _poller(self) -> select.poll:
        poller = select.poll()
        if self.socket is not None:
            poller.register(self.socket, select.POLLIN)
        return poller


class CallingSocket(ArchiveSocket):
    """The calling end: any free local port, no delayed segments, no endless silence."""

    def connect(self, primitive: T_CONNECT) -> None:
        """Connect, and shake hands when TLS is asked for."""
        super().connect(primitive)
        if self.socket is not None:
            self.socket.settimeout(self.assoc.network_timeout)

    def _create_socket(self, address: AddressInformation) -> socket.socket:
        connection = socket.socket(address.address_family, socket.SOCK_STREAM)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
