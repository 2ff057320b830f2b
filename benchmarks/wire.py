"""The one HTTP client for both sides: a raw socket that does as little as can be done.

It keeps connections alive, sets TCP_NODELAY, and reads into one buffer; a richer client would
itself be what is measured.
"""

import socket
import ssl
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a DICOMweb service is, and what every request to it carries."""

    host: str
    port: int
    root: str
    headers: dict[str, str] = field(default_factory=dict)
    ca_file: str | None = None
    """Trust anchor; None for plain HTTP."""


class RefusedError(RuntimeError):
    """The service answered with another status than a success."""


class Connection:
    """One connection to an endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        plain = socket.create_connection((endpoint.host, endpoint.port), timeout=120)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = plain
        if endpoint.ca_file:
            context = ssl.create_default_context(cafile=endpoint.ca_file)
            self._socket = context.wrap_socket(plain, server_hostname=endpoint.host)
        self._buffer = bytearray(PIECE)
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def get(self, path: str, accept: str) -> int:
        """Read a resource and return how many bytes its body had."""
        return self._exchange("GET", path, {"Accept": accept}, b"")

    def post(self, path: str, content_type: str, body: bytes) -> int:
        """Send a body and return how many bytes the answer had."""
        sent = {"Content-Type": content_type, "Content-Length": str(len(body)), "Accept": "application/dicom+json"}
        return self._exchange("POST", path, sent, body)

    def _exchange(self, method: str, path: str, headers: dict[str, str], body: bytes) -> int:
        lines = [f"{method} {self._endpoint.root}{path} HTTP/1.1", f"Host: {self._endpoint.host}:{self._endpoint.port}"]
        lines += [f"{name}: {value}" for name, value in {**self._endpoint.headers, **headers}.items()]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        if body:
            self._socket.sendall(body)
        status, answered = self._head()
        if answered.get("transfer-encoding") == "chunked":
            read = self._chunks()
        elif "content-length" in answered or status == 204:
            read = self._skip(int(answered.get("content-length", "0")))
        else:
            read = self._to_the_end()
        if not 200 <= status < 300:
            raise RefusedError(f"{method} {path} was answered {status}")
        return read

    def _more(self) -> bytes:
        received = self._socket.recv_into(self._buffer)
        if not received:
            raise RefusedError("the connection was closed in the middle of an answer")
        return bytes(self._buffer[:received])

    def _head(self) -> tuple[int, dict[str, str]]:
        while b"\r\n\r\n" not in self._rest:
            self._rest += self._more()
        head, self._rest = self._rest.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return int(first.split()[1]), headers

    def _chunks(self) -> int:
        total = 0
        while True:
            while b"\r\n" not in self._rest:
                self._rest += self._more()
            line, self._rest = self._rest.split(b"\r\n", 1)
            size = int(line.split(b";")[0], 16)
            self._skip(size + 2)
            total += size
            if not size:
                return total

    def _to_the_end(self) -> int:
        """Read until the service closes the connection, which then cannot be used again."""
        total = len(self._rest)
        while received := self._socket.recv_into(self._buffer):
            total += received
        return total

    def _skip(self, length: int) -> int:
        """Read that many bytes and drop them, without copying what is dropped."""
        missing = length - len(self._rest)
        self._rest = self._rest[length:]
        while missing > 0:
            received = self._socket.recv_into(self._buffer)
            if not received:
                raise RefusedError("the connection was closed in the middle of an answer")
            if received > missing:
                self._rest = bytes(self._buffer[missing:received])
            missing -= received
        return length
