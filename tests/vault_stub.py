"""A vault that answers what a test tells it to, over real TLS, so that its failures can be chosen."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pacs_secure.adapters.loopback_certificate import ensure_certificate


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    token: str | None
    body: object


Answer = tuple[int, object]


@dataclass
class StubVault:
    """``answer`` decides what comes back; bytes are sent as they are, None closes without an answer."""

    address: str
    ca_file: Path
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], Answer | None] = lambda _: (200, {"data": {"value": "42"}})
    login: Callable[[int], Answer | None] = lambda number: (
        200,
        {"auth": {"client_token": f"token-{number}", "lease_duration": 1200}},
    )
    logins: int = 0
    delay: float = 0.0

    def respond(self, asked: Asked) -> Answer | None:
        time.sleep(self.delay)
        if asked.path == "/v1/auth/approle/login":
            self.logins += 1
            return self.login(self.logins)
        self.asked.append(asked)
        return self.answer(asked)


@contextmanager
def stub_vault(directory: Path) -> Iterator[StubVault]:
    ca, certificate, key = (directory / name for name in ("ca.pem", "server.pem", "server.key"))
    ensure_certificate(ca, certificate, key)
    stub = StubVault("", ca)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(content) if content else None
            answer = stub.respond(Asked(self.command, self.path, self.headers.get("X-Vault-Token"), body))
            if answer is None:
                self.close_connection = True
                return
            status, value = answer
            # A 204 has no content: whatever followed would be read as the beginning of the next answer.
            out = b"" if status == 204 else value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", str(len(out)))
            if status in {301, 307}:
                self.send_header("Location", "https://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(out)

        do_GET = do_POST = do_LIST = do_DELETE = handle_any  # noqa: N815 - the names http.server looks for

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            """Clients that give up are what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    stub.address = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
