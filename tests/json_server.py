"""A small server of JSON over TLS on loopback, for what is fetched from other servers."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

from tests.certificates import Authority


@dataclass
class JsonServer:
    """Answers each path with what it was told to; counts what it was asked."""

    authority: Path
    port: int
    answers: dict[str, object] = field(default_factory=dict)
    """Path to an object, raw bytes, an HTTP status, a status and an object, or what makes one of these of a form."""
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


@contextmanager
def json_server(directory: Path) -> Iterator[JsonServer]:
    """Serve until the block ends."""
    directory.mkdir(exist_ok=True)
    authority = Authority(directory, "server-authority")
    pair = authority.issue("json")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = dict(parse_qsl(body))
            told.forms.append(form)
            self._answer(form)

        def _answer(self, form: dict[str, str] | None = None) -> None:
            told.asked.append(self.path)
            told.headers.append(dict(self.headers.items()))
            answer = told.answers.get(self.path, 404)
            if callable(answer):
                make: Callable[[dict[str, str]], object] = answer
                answer = make(form or {})
            status, answer = answer if isinstance(answer, tuple) else (200, answer)
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(answer if isinstance(answer, int) else status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    told = JsonServer(authority.file, server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
