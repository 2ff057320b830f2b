"""Real receivers of notices on loopback: an https server and an SMTP server, each with certificates of their own."""

import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.certificates import Authority


@dataclass
class Posted:
    """One request that a webhook received."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class WebhookReceiver:
    """Keeps what it is sent and answers with the status that it was told."""

    authority: Path
    port: int
    status: int = 204
    location: str = ""
    posted: list[Posted] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/hooks/dpo?house=north"


@dataclass
class MailReceiver:
    """Keeps what it is sent; what it offers and refuses can be changed."""

    authority: Path
    port: int = 0
    offers_tls: bool = True
    takes: bool = True
    accepts: Callable[[str], bool] = lambda _: True
    messages: list[Message] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    said_in_clear: list[str] = field(default_factory=list)


@contextmanager
def webhook_receiver(directory: Path) -> Iterator[WebhookReceiver]:
    directory.mkdir(exist_ok=True)
    authority = Authority(directory, "webhook-authority")
    context = _context(authority, "webhook")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.posted.append(Posted(self.path, dict(self.headers.items()), body))
            self.send_response(told.status)
            if told.location:
                self.send_header("Location", told.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    told = WebhookReceiver(authority.file, server.server_address[1])
    with _serving(server):
        yield told


class MailServer(socketserver.ThreadingTCPServer):
    """As much of RFC 5321 as a client needs, with STARTTLS or with TLS from the first byte on."""

    daemon_threads = True

    def __init__(self, told: MailReceiver, context: ssl.SSLContext, *, implicit_tls: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.told, self.context, self.implicit_tls = told, context, implicit_tls

    def handle_error(self, *_: object) -> None:
        pass


class _Conversation(socketserver.StreamRequestHandler):
    server: MailServer

    def setup(self) -> None:
        self.secure = False
        super().setup()
        if self.server.implicit_tls:
            self.secured()

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        # The server closes the socket that it accepted, not the one around it.
        self.connection.close()

    def handle(self) -> None:
        self.say("220 mail.example")
        while line := self.rfile.readline().decode().strip():
            if not self.secure:
                self.server.told.said_in_clear.append(line)
            verb = line.partition(" ")[0].upper()
            answer = {"EHLO": self.ehlo, "STARTTLS": self.starttls, "AUTH": self.auth, "RCPT": self.rcpt}.get(verb)
            if answer is not None:
                answer(line)
            elif verb == "DATA":
                self.data()
            else:
                self.say("221 bye" if verb == "QUIT" else "250 fine")
                if verb == "QUIT":
                    return

    def ehlo(self, _: str) -> None:
        self.say("250-mail.example")
        if self.server.told.offers_tls and not self.secure:
            self.say("250-STARTTLS")
        self.say("250 AUTH PLAIN")

    def starttls(self, _: str) -> None:
        self.say("220 go ahead")
        self.secured()

    def auth(self, line: str) -> None:
        self.server.told.logins.append(line)
        self.say("235 welcome")

    def rcpt(self, line: str) -> None:
        fine = self.server.told.accepts(line)
        self.server.told.recipients += [line] if fine else []
        self.say("250 fine" if fine else "550 nobody of that name")

    def data(self) -> None:
        self.say("354 go on")
        message = message_from_bytes(b"".join(iter(self.rfile.readline, b".\r\n")), policy=default)
        if self.server.told.takes:
            self.server.told.messages.append(message)
        self.say("250 taken" if self.server.told.takes else "452 no room")

    def secured(self) -> None:
        self.rfile.close()
        self.wfile.close()
        self.connection = self.request = self.server.context.wrap_socket(self.connection, server_side=True)
        self.secure = True
        super().setup()

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def mail_receiver(directory: Path, *, implicit_tls: bool = False) -> Iterator[MailReceiver]:
    """Serve until the block ends."""
    directory.mkdir(exist_ok=True)
    authority = Authority(directory, "mail-authority")
    told = MailReceiver(authority.file)
    server = MailServer(told, _context(authority, "mail"), implicit_tls=implicit_tls)
    told.port = server.server_address[1]
    with _serving(server):
        yield told


def _context(authority: Authority, name: str) -> ssl.SSLContext:
    pair = authority.issue(name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
