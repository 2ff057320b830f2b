"""Serves the application over TLS in a thread of its own or in the foreground, and stops without losing an answer."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pacs_secure.core.errors import Unavailable

TLS_1_2_CIPHERS = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
)
"""Forward secrecy and AEAD only (RFC 9325, PS3.15 B.12)."""

LONGEST_HEAD = 64 * 1024
"""Bytes of request line and headers, and of what surrounds a body; the parser itself knows no limit."""
MOST_CONNECTIONS = 512
MOST_CONNECTIONS_OF_AN_ADDRESS = 128
SECONDS_FOR_HANDSHAKE = 3.0
SECONDS_FOR_HEAD = 15.0
"""Also from an answer to the next whole head: what the last body still lacks has to come meanwhile."""
SECONDS_TO_START = 10.0
SECONDS_TO_STOP = 10


@dataclass(frozen=True, slots=True)
class Certificate:
    """The server's certificate chain and key, as PEM files."""

    chain_file: Path
    key_file: Path


class BoundedHttp(HttpToolsProtocol):
    """HTTP/1.1 for callers who say too much or nothing: either costs little, and not for long.

    A deadline runs whenever neither a body is awaited nor an answer is owed.
    """

    _in_head = True
    _octets = 0  # since the last whole head or piece of a body
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base does
        """Begin to wait for the first head, unless there are enough who do."""
        super().connection_made(transport)
        if self._is_one_too_many():
            transport.abort()
        else:
            self._await_head(transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._settle()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what is neither a whole head nor a body: endless fields, trailers, chunk extensions, empty lines."""
        self._octets += len(data)
        super().data_received(data)
        if self._octets > LONGEST_HEAD and not self.transport.is_closing():
            if self._in_head:
                self.send_400_response("The request head is too long.")
            else:  # an answer may have begun
                self.transport.abort()

    def on_message_begin(self) -> None:
        """Begin to wait for the head of the next request on the connection."""
        self._in_head = True
        self._await_head(self.transport.abort)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head; a trailer is dropped, for it must not pass for one (RFC 9110 6.5.1)."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop waiting: the head is whole."""
        self._in_head = False
        self._settle()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._octets = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Begin to wait for the rest of the body and the next head, when nothing else is to be answered."""
        super().on_response_complete()
        if self.cycle.response_complete and not self._in_head:
            self._await_head(self.transport.close)  # an abort would cut the answer off that a slow reader still reads

    def _is_one_too_many(self) -> bool:
        others = cast("set[HttpToolsProtocol]", self.connections)
        return len(others) > MOST_CONNECTIONS or (
            sum(_address(other) == _address(self) for other in others) > MOST_CONNECTIONS_OF_AN_ADDRESS
        )

    def _await_head(self, hang_up: Callable[[], None]) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(SECONDS_FOR_HEAD, hang_up)

    def _settle(self) -> None:
        self._octets = 0
        self._stop_waiting()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _address(connection: HttpToolsProtocol) -> str | None:
    return connection.client[0] if connection.client else None


class PromptLoop(asyncio.SelectorEventLoop):
    """The event loop, but a TLS handshake may take seconds and not a minute; uvicorn has no setting for it."""

    async def create_server(self, *args: Any, **settings: Any) -> asyncio.Server:
        """Listen as asked."""
        if settings.get("ssl"):
            settings["ssl_handshake_timeout"] = SECONDS_FOR_HANDSHAKE
        return await super().create_server(*args, **settings)


class Server:
    """One listening door. `start` and `stop` it around other work, or `run` it until a signal comes.

    ``port`` is the one it listens on, also when port 0 was asked for.
    """

    def __init__(self, app: FastAPI, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        self._listener = listener
        self.port: int = listener.getsockname()[1]
        self._tls = tls
        self._server = uvicorn.Server(_config(app, tls))
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM."""
        self._server.run(sockets=[self._listener])

    def start(self) -> None:
        """Serve in a thread; requests are accepted when this returns.

        Raises:
            Unavailable: it did not come up in time.
        """
        self._thread = threading.Thread(target=self.run, name="web", daemon=True)
        self._thread.start()
        limit = time.monotonic() + SECONDS_TO_START
        while not self._server.started:
            if time.monotonic() > limit or not self._thread.is_alive():
                raise Unavailable("the web door did not open")
            time.sleep(0.01)

    def stop(self) -> None:
        """Take no new requests, let running answers end (ten seconds at most), and return."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(SECONDS_TO_STOP + 5)
            self._thread = None

    def renew(self, certificate: Certificate) -> None:
        """Present another certificate to every connection from now on, without a restart.

        Raises:
            Unavailable: it cannot be used; the one of before goes on.
        """
        if self._tls is None:
            return
        try:
            _tls(certificate)  # loading half of a broken pair would leave the live context with neither
            self._tls.load_cert_chain(certificate.chain_file, certificate.key_file)
        except (OSError, ValueError):
            raise Unavailable("the web door's certificate or key cannot be used") from None


def serve(app: FastAPI, host: str, port: int, certificate: Certificate | None, *, shared_port: bool = False) -> Server:
    """Bind a door and return it, not yet serving.

    Without a certificate it speaks plain HTTP: only for loopback behind something that ends TLS.
    ``shared_port`` lets several processes listen on one port (SO_REUSEPORT).

    Raises:
        Unavailable: the address cannot be bound, or the certificate cannot be read.
    """
    try:
        tls = None if certificate is None else _tls(certificate)
        return Server(app, _bound(host, port, shared_port=shared_port), tls)
    except OSError:
        raise Unavailable("the web door's address or certificate cannot be used") from None


def _bound(host: str, port: int, *, shared_port: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sets TCP_NODELAY only on sockets that say they are TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if shared_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _tls(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(TLS_1_2_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.load_cert_chain(certificate.chain_file, certificate.key_file)
    return context


def _config(app: FastAPI, tls: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedHttp,
        ws="none",
        lifespan="off",
        loop=f"{__name__}:{PromptLoop.__name__}",
        log_config=None,
        access_log=False,  # identifiers of patients stand in URLs
        proxy_headers=False,  # a forged X-Forwarded-For would stand in the ledger
        server_header=False,
        timeout_graceful_shutdown=SECONDS_TO_STOP,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
    )
