"""Frames over TLS: taken only when the receiver read them all, closed in peace and lives on."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pacs_secure.adapters.syslog_repository import SyslogRepository
from pacs_secure.core.errors import Unavailable
from tests.certificates import Authority

FRAMES = [b"5 first", b"6 second" + b"x" * 100_000]
Ending = Callable[[ssl.SSLSocket], None]


@dataclass
class Receiver:
    """Reads so many connections to their end, and closes each as it was told."""

    authority: Authority
    port: int
    received: bytearray = field(default_factory=bytearray)


def read_all(tls: ssl.SSLSocket) -> bytes:
    found = bytearray()
    while piece := tls.recv(1 << 16):
        found += piece
    return bytes(found)


def says_goodbye(tls: ssl.SSLSocket) -> None:
    with suppress(OSError):
        tls.unwrap()


def just_closes(tls: ssl.SSLSocket) -> None:
    tls.shutdown(socket.SHUT_RDWR)


def resets(tls: ssl.SSLSocket) -> None:
    tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextmanager
def receiver(
    folder: Path, ending: Ending, *, reads: bool = True, demands: bool = False, lives_for: int = 2
) -> Iterator[Receiver]:
    authority = Authority(folder)
    pair = authority.issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    if demands:
        context.load_verify_locations(authority.file)
        context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as door:
        running = Receiver(authority, door.getsockname()[1])

        def serve() -> None:
            with suppress(OSError):
                for _ in range(lives_for):
                    connection, _ = door.accept()
                    with connection, context.wrap_socket(connection, server_side=True) as tls:
                        if reads:
                            running.received += read_all(tls)
                        ending(tls)
            door.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield running
        finally:
            with suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def to(running: Receiver) -> SyslogRepository:
    return SyslogRepository("127.0.0.1", running.port, running.authority.file)


@pytest.mark.parametrize("ending", [says_goodbye, just_closes])
def test_frames_are_taken_in_order_when_the_receiver_closes_in_peace(tmp_path: Path, ending: Ending) -> None:
    with receiver(tmp_path, ending) as running:
        to(running).send(FRAMES)

    assert bytes(running.received) == b"".join(FRAMES)


def test_a_receiver_that_does_not_live_on_has_taken_nothing(tmp_path: Path) -> None:
    """It read everything and closed in peace, as a kernel does for a process that was killed before it wrote."""
    with receiver(tmp_path, just_closes, lives_for=1) as running, pytest.raises(Unavailable):
        to(running).send(FRAMES)


@pytest.mark.parametrize("reads", [True, False])
def test_a_receiver_that_breaks_off_has_taken_nothing(tmp_path: Path, *, reads: bool) -> None:
    with receiver(tmp_path, resets, reads=reads) as running, pytest.raises(Unavailable):
        to(running).send(FRAMES)


def test_a_receiver_that_demands_a_certificate_gets_one(tmp_path: Path) -> None:
    with receiver(tmp_path, says_goodbye, demands=True) as running:
        client = running.authority.issue("client")
        shown = SyslogRepository("127.0.0.1", running.port, running.authority.file, client.certificate, client.key)
        shown.send(FRAMES)
    assert bytes(running.received) == b"".join(FRAMES)


def test_without_the_certificate_it_demands_nothing_counts_as_taken(tmp_path: Path) -> None:
    with receiver(tmp_path, says_goodbye, demands=True) as running, pytest.raises(Unavailable):
        to(running).send(FRAMES)
    assert not running.received


def test_a_receiver_that_another_authority_vouches_for_hears_nothing(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")

    with receiver(tmp_path, says_goodbye) as running, pytest.raises(Unavailable):
        SyslogRepository("127.0.0.1", running.port, other.file).send(FRAMES)
    assert not running.received


def test_nobody_there_and_no_certificates_are_said_as_out_of_reach(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]

    with pytest.raises(Unavailable, match="out of reach"):
        SyslogRepository("127.0.0.1", port, authority.file).send(FRAMES)
    with pytest.raises(Unavailable, match="cannot be read"):
        SyslogRepository("127.0.0.1", port, tmp_path / "none.pem").send(FRAMES)


def test_every_receiver_has_a_name_of_its_own() -> None:
    one, other = (SyslogRepository("127.0.0.1", port, Path("ca.pem")) for port in (6514, 6515))

    assert (one.channel, other.channel) == ("syslog:127.0.0.1:6514", "syslog:127.0.0.1:6515")
