"""Bounds a whole exchange with another server in time: hands, head and body, however little it sends at a time."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection

SECONDS_IN_ALL = 8.0


@contextmanager
def in_time(connection: HTTPConnection, tls: ssl.SSLContext | None, seconds: float = SECONDS_IN_ALL) -> Iterator[None]:
    """Connect, under TLS when given, and cut the connection off when the block takes longer; closed in the end.

    Raises:
        OSError: the server is out of reach, or was cut off: what was read then may only be a part.
    """
    over = threading.Event()
    raw = socket.create_connection((connection.host, connection.port), connection.timeout)
    # TLS takes the socket over while it shakes hands; a second descriptor reaches the connection all the while.
    with raw.dup() as twin:

        def end() -> None:
            over.set()
            with suppress(OSError):
                twin.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            connection.sock = raw if tls is None else tls.wrap_socket(raw, server_hostname=connection.host)
            yield
        finally:
            timer.cancel()
            connection.close()
            raw.close()
    if over.is_set():
        raise TimeoutError
