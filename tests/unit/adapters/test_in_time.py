"""Whoever drips holds nobody: not while hands are shaken, not in the head and not in the body of an answer."""

import ssl
import time
from http.client import HTTPConnection

import pytest

from pacs_secure.adapters.in_time import in_time
from pacs_secure.adapters.small_http import SmallHttp
from pacs_secure.core.errors import Unavailable
from tests.dripping import dripping

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "begins",
    [b"", HEAD + b"X: ", HEAD + b"Content-Length: 99\r\n\r\n", HEAD + b"\r\n"],
    ids=["status", "head", "body", "body without a length"],
)
def test_a_server_that_drips_is_cut_off_wherever_it_is(begins: bytes) -> None:
    with dripping(begins, 0.05) as port:
        begun = time.monotonic()
        with pytest.raises(Unavailable):
            SmallHttp(f"http://127.0.0.1:{port}", seconds=0.5).post("", b"x", {})
        assert 0.4 < time.monotonic() - begun < 3


def test_a_server_that_drips_while_hands_are_shaken_is_cut_off_too() -> None:
    # The head of a TLS record that announces more than ever comes.
    with dripping(b"\x16\x03\x03\x40\x00", 0.05) as port:
        begun = time.monotonic()
        with pytest.raises(Unavailable):
            SmallHttp(f"https://127.0.0.1:{port}", seconds=0.5).post("", b"x", {})
        assert 0.4 < time.monotonic() - begun < 3


def test_a_block_that_ends_too_late_has_not_ended_well() -> None:
    with dripping(b"", 9.0) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=3)
        with pytest.raises(TimeoutError), in_time(connection, None, 0.05):
            time.sleep(0.2)
        with in_time(connection, None, 9.0):
            assert connection.sock is not None
        assert connection.sock is None


def test_nobody_at_the_address_is_an_error_at_once() -> None:
    connection = HTTPConnection("127.0.0.1", 1, timeout=3)
    with pytest.raises(OSError, match="refused"), in_time(connection, ssl.create_default_context(), 9.0):
        pass
