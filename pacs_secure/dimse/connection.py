"""The bytes of one connection: read into place, sent whole, never more at once than was asked for."""

import contextlib
import select
import socket
import ssl
import time

from pynetdicom.transport import AssociationSocket

CONNECTION_CLOSED = "Evt17"
"""Transport connection closed indication (PS3.8 Table 9-6)."""

LINGER = 0.1
"""Seconds for which bytes that still come are read and dropped: closing on them would destroy what we said last."""
_LEAST = 0.001


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
            OSError: the connection broke, or not all came before the deadline.
        """
        connection = self.socket
        filled, whole = 0, len(view)
        while filled < whole:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if connection is None:
                return False
            connection.settimeout(left)
            received = connection.recv_into(view[filled:])
            if not received:
                return False
            filled += received
        return True

    def drain(self, limit: int, seconds: float) -> None:
        """Read and drop what the peer still sends."""
        scratch = memoryview(bytearray(64 * 1024))
        deadline = time.monotonic() + seconds
        with contextlib.suppress(OSError):
            while limit > 0 and (left := deadline - time.monotonic()) > 0:
                if self.socket is None or not (self.pending or self._poller().poll(left * 1000)):
                    return
                self.socket.settimeout(max(left, _LEAST))
                received = self.socket.recv_into(scratch)
                if not received:
                    return
                limit -= received

    def send(self, bytestream: bytes) -> None:
        """Send all of it; a broken connection becomes Evt17, as in the library."""
        if self.socket is None:
            return
        try:
            self.socket.settimeout(self.assoc.network_timeout)
            self.socket.sendall(bytestream)
        except OSError:
            self.event_queue.put(CONNECTION_CLOSED)

    def cut(self) -> None:
        """End the connection under whoever waits for it, from any thread."""
        connection = self.socket
        if connection is not None:
            sever(connection)

    def _shutdown_socket(self) -> None:
        """Close in any case: the library leaves a socket open whose peer was faster."""
        if self.socket is not None:
            sever(self.socket)
            self.socket.close()

    def _poller(self) -> select.poll:
        poller = select.poll()
        if self.socket is not None:
            poller.register(self.socket, select.POLLIN)
        return poller


def part(connection: socket.socket) -> None:
    """Close after what was said last, an alert of TLS perhaps, had a moment to be heard."""
    deadline = time.monotonic() + LINGER
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_WR)
        while (left := deadline - time.monotonic()) > 0:
            connection.settimeout(max(left, _LEAST))
            if not socket.socket.recv(connection, 64 * 1024):
                break
    connection.close()


def sever(connection: socket.socket) -> None:
    """Shut a connection down both ways, so that a thread that waits for it wakes."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
