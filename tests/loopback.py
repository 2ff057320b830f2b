"""Keeps every test on this machine: a socket to or on any other address is a failure.

An audit hook sees sockets that a patched class would miss; it lasts as long as the process.
"""

import ipaddress
import sys

_WATCHED = {"socket.bind", "socket.connect", "socket.sendto", "socket.sendmsg"}


class BeyondLoopbackError(RuntimeError):
    """A test tried to reach, or to be reached from, another machine."""


def _on_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def watch(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse an address beyond loopback; Unix sockets and netlink have no host."""
    if event in _WATCHED:
        address = arguments[1]
        if isinstance(address, tuple) and isinstance(address[0], str) and not _on_this_machine(address[0]):
            raise BeyondLoopbackError(f"{event} beyond loopback")
    elif event == "socket.getaddrinfo":
        host = arguments[0]
        name = host.decode() if isinstance(host, bytes) else host
        if isinstance(name, str) and not _on_this_machine(name):
            raise BeyondLoopbackError("a name beyond loopback was looked up")


def pytest_configure() -> None:
    sys.addaudithook(watch)
