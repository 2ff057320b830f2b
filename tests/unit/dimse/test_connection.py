"""Reading into place and before a deadline, and closing in any case."""

import socket
import time
from collections.abc import Iterator

import pytest
from pynetdicom import AE
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.association import Association

from pacs_secure.dimse.connection import CONNECTION_CLOSED, ArchiveSocket, sever


@pytest.fixture
def ends() -> Iterator[tuple[ArchiveSocket, socket.socket]]:
    ours, theirs = socket.socketpair()
    entity = AE()
    entity.network_timeout = 0.2
    connection = ArchiveSocket(_association(entity), client_socket=ours)
    yield connection, theirs
    ours.close()
    theirs.close()


def _association(entity: AE) -> Association:
    return Association(entity, MODE_ACCEPTOR)


def soon() -> float:
    return time.monotonic() + 0.2


def test_what_comes_in_pieces_is_filled_in(ends: tuple[ArchiveSocket, socket.socket]) -> None:
    connection, theirs = ends
    theirs.sendall(b"abc")
    theirs.sendall(b"def")
    buffer = bytearray(6)

    assert connection.ready
    assert connection.fill(memoryview(buffer), soon())
    assert buffer == b"abcdef"
    assert not connection.ready


def test_what_does_not_come_in_time_is_a_timeout(ends: tuple[ArchiveSocket, socket.socket]) -> None:
    connection, theirs = ends
    theirs.sendall(b"abc")

    with pytest.raises(TimeoutError):
        connection.fill(memoryview(bytearray(6)), soon())


def test_an_end_before_all_has_come_is_said(ends: tuple[ArchiveSocket, socket.socket]) -> None:
    connection, theirs = ends
    theirs.sendall(b"abc")
    theirs.close()

    assert not connection.fill(memoryview(bytearray(6)), soon())


def test_what_is_drained_has_a_limit_in_bytes_and_in_time(ends: tuple[ArchiveSocket, socket.socket]) -> None:
    connection, theirs = ends
    theirs.sendall(bytes(100_000))
    began = time.monotonic()

    connection.drain(1, 5)
    assert connection.ready
    connection.drain(1 << 20, 0.1)

    assert not connection.ready
    assert time.monotonic() - began < 1


def test_sending_to_nobody_ends_the_connection(ends: tuple[ArchiveSocket, socket.socket]) -> None:
    connection, theirs = ends
    theirs.close()
    connection.event_queue.get(block=False)

    connection.send(b"x")

    assert connection.event_queue.get(block=False) == CONNECTION_CLOSED


def test_whoever_waits_wakes_when_the_connection_is_cut(ends: tuple[ArchiveSocket, socket.socket]) -> None:
    connection, _ = ends
    connection.cut()

    assert not connection.fill(memoryview(bytearray(1)), soon())


def test_a_socket_is_closed_even_when_its_peer_was_faster(ends: tuple[ArchiveSocket, socket.socket]) -> None:
    connection, _ = ends
    ours = connection.socket
    assert ours is not None
    sever(ours)
    connection.close()

    assert ours.fileno() == -1
    connection.send(b"x")
    connection.drain(1, 1)
    connection.cut()
    connection.close()
    assert not connection.fill(memoryview(bytearray(1)), soon())
