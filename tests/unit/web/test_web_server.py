"""The web door on a real socket: TLS, limits on the head, and an end that loses nothing."""

import asyncio
import datetime as dt
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from fastapi import FastAPI, Request

from pacs_secure.core.errors import Unavailable
from pacs_secure.web import server as server_module
from pacs_secure.web.server import LONGEST_HEAD, Certificate, Server, serve
from pacs_secure.web.shield import Shield

HOST = "127.0.0.1"


def certify(directory: Path, name: str) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    chain = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    certificate = Certificate(directory / f"{name}.pem", directory / f"{name}-key.pem")
    certificate.chain_file.write_bytes(chain.public_bytes(Encoding.PEM))
    certificate.key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate


def application() -> FastAPI:
    app = FastAPI()
    app.add_middleware(Shield)

    def slow() -> str:
        time.sleep(0.5)
        return "done"

    async def length(request: Request) -> str:
        octets = len(await request.body())
        await asyncio.sleep(0.1)
        return f"{octets} {request.headers}"

    app.add_api_route("/slow", slow)
    app.add_api_route("/length", length, methods=["POST"])
    app.add_api_route("/", lambda: "here")
    return app


@contextmanager
def served(certificate: Certificate | None = None) -> Iterator[Server]:
    door = serve(application(), HOST, 0, certificate)
    door.start()
    try:
        yield door
    finally:
        door.stop()


def peer(port: int, trusted: Path, **settings: ssl.TLSVersion) -> str:
    """Return the name on the certificate that the door shows."""
    context = ssl.create_default_context(cafile=trusted)
    for name, value in settings.items():
        setattr(context, name, value)
    with socket.create_connection((HOST, port), 5) as raw, context.wrap_socket(raw, server_hostname=HOST) as wrapped:
        shown = wrapped.getpeercert(binary_form=True)
        assert shown is not None
        return str(x509.load_der_x509_certificate(shown).subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def test_the_door_answers_over_tls_and_does_not_say_what_it_is(tmp_path: Path) -> None:
    certificate = certify(tmp_path, "first")
    with served(certificate) as door:
        context = ssl.create_default_context(cafile=certificate.chain_file)
        answer = httpx.get(f"https://{HOST}:{door.port}/", verify=context)

    assert answer.json() == "here"
    assert "server" not in answer.headers


def test_tls_below_1_2_is_refused_and_1_2_has_forward_secrecy(tmp_path: Path) -> None:
    certificate = certify(tmp_path, "first")
    with served(certificate) as door:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            assert peer(door.port, certificate.chain_file, maximum_version=version) == "first"
        context = ssl.create_default_context(cafile=certificate.chain_file)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AES128-GCM-SHA256:AES256-SHA")
        with (
            socket.create_connection((HOST, door.port), 5) as raw,
            pytest.raises(ssl.SSLError),
            context.wrap_socket(raw, server_hostname=HOST),
        ):
            pass


def test_a_renewed_certificate_is_shown_without_a_restart(tmp_path: Path) -> None:
    first, second = certify(tmp_path, "first"), certify(tmp_path, "second")
    with served(first) as door:
        assert peer(door.port, first.chain_file) == "first"
        door.renew(second)
        assert peer(door.port, second.chain_file) == "second"


def test_a_broken_new_certificate_leaves_the_one_of_before(tmp_path: Path) -> None:
    first, second = certify(tmp_path, "first"), certify(tmp_path, "second")
    with served(first) as door:
        for broken in (Certificate(second.chain_file, first.key_file), Certificate(tmp_path / "none", first.key_file)):
            with pytest.raises(Unavailable):
                door.renew(broken)
            assert peer(door.port, first.chain_file) == "first"
    with served() as plain:
        plain.renew(second)


def test_an_endless_head_is_cut_off() -> None:
    with served() as door, socket.create_connection((HOST, door.port), 5) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX-Endless: ")
        with pytest.raises(OSError, match=r"reset|pipe"):
            _flood(client, 512 * LONGEST_HEAD)


def _flood(client: socket.socket, octets: int) -> None:
    for _ in range(octets // 65_536):
        client.sendall(b"a" * 65_536)


def test_a_client_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "SECONDS_FOR_HEAD", 0.3)
    with served() as door:
        for words in (b"", b"GET / HTTP/1.1\r\nHost: x\r\n"):
            with socket.create_connection((HOST, door.port), 5) as client:
                client.sendall(words)
                assert _closed(client)


def _closed(client: socket.socket) -> bool:
    try:
        return client.recv(100) == b""
    except ConnectionResetError:
        return True


POST = b"POST /nowhere HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    "octets",
    [b"0\r\n" + b"X-Field: y\r\n" * 20_000, b"0\r\nX-Endless: " + b"y" * 200_000, b"1;" + b"y" * 200_000],
    ids=["trailers", "one trailer", "a chunk extension"],
)
def test_trailers_of_a_chunked_body_are_limited_as_the_head_is(octets: bytes) -> None:
    with served() as door, socket.create_connection((HOST, door.port), 5) as client:
        client.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        assert b"404" in client.recv(4096)
        with pytest.raises(OSError, match=r"reset|pipe"):
            _say(client, octets, 0.02)


def _say(client: socket.socket, octets: bytes, pause: float) -> None:
    for start in range(0, len(octets), 8_192):
        client.sendall(octets[start : start + 8_192])
        time.sleep(pause)


def _heard(client: socket.socket, words: bytes) -> bytes:
    """Return what the door says up to the piece with these words; the test's own timeout ends the wait."""
    heard = b""
    while words not in heard:
        piece = client.recv(4096)
        assert piece, heard
        heard += piece
    return heard


def test_a_body_in_small_chunks_may_be_longer_than_a_head() -> None:
    with served() as door, socket.create_connection((HOST, door.port), 5) as client:
        client.sendall(POST.replace(b"nowhere", b"length") + b"Transfer-Encoding: chunked\r\n\r\n")
        _say(client, b"1\r\nx\r\n" * 40_000 + b"0\r\n\r\n", 0)
        assert b"40000" in _heard(client, b"Headers(")


def test_a_trailer_passes_for_no_field_of_the_head() -> None:
    with served() as door, socket.create_connection((HOST, door.port), 5) as client:
        client.sendall(POST.replace(b"nowhere", b"length") + b"Transfer-Encoding: chunked\r\n\r\n")
        client.sendall(b"0\r\nX-Late: trailer\r\nX-Other: trailer\r\n\r\n")
        assert b"trailer" not in _heard(client, b"Headers(")


@pytest.mark.parametrize(
    ("head", "then"),
    [
        (POST + b"Content-Length: 1000000\r\n\r\n", b"x"),
        (POST + b"Content-Length: 0\r\n\r\n", b"\r\n"),
        (POST + b"Content-Length: 1\r\n\r\n", b"x" + POST),
    ],
    ids=["in the body", "between requests", "in the next head"],
)
def test_a_caller_who_was_answered_and_falls_silent_in_the_body_is_hung_up_on(
    head: bytes, then: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "SECONDS_FOR_HEAD", 0.5)
    with served() as door, socket.create_connection((HOST, door.port), 3) as client:
        client.sendall(head)
        assert b"404" in client.recv(4096)
        client.sendall(then)  # any byte ends the keep-alive timer
        while not _closed(client):
            pass


def test_an_answer_and_a_body_may_take_longer_than_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "SECONDS_FOR_HEAD", 0.2)
    with served() as door, socket.create_connection((HOST, door.port), 3) as client:
        client.sendall(POST.replace(b"nowhere", b"length") + b"Content-Length: 1\r\n\r\n")
        time.sleep(0.5)
        client.sendall(b"x" + b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"1 Headers" in _heard(client, b'"done"')


def test_a_client_that_never_shakes_hands_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "SECONDS_FOR_HANDSHAKE", 0.3)
    with served(certify(tmp_path, "first")) as door, socket.create_connection((HOST, door.port), 3) as client:
        assert _closed(client)


@pytest.mark.parametrize("limit", ["MOST_CONNECTIONS", "MOST_CONNECTIONS_OF_AN_ADDRESS"])
def test_there_are_only_so_many_connections_until_one_ends(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, limit, 2)
    with served() as door:
        first, second, third = (socket.create_connection((HOST, door.port), 5) for _ in range(3))
        with first, second, third:
            assert _closed(third)
            for client in (first, second):
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert b"200" in client.recv(4096)
            first.close()
            time.sleep(0.1)
            assert httpx.get(f"http://{HOST}:{door.port}/").json() == "here"


def test_one_address_leaves_room_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MOST_CONNECTIONS_OF_AN_ADDRESS", 1)
    with served() as door, socket.create_connection((HOST, door.port), 5):
        time.sleep(0.1)
        with socket.create_connection((HOST, door.port), 5, ("127.0.0.2", 0)) as other:
            other.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200" in other.recv(4096)


def test_many_requests_use_one_connection() -> None:
    with served() as door, httpx.Client(base_url=f"http://{HOST}:{door.port}") as client:
        assert [client.get("/").status_code for _ in range(20)] == [200] * 20


def test_stopping_lets_a_running_answer_end() -> None:
    answers: list[httpx.Response] = []
    with served() as door:
        url = f"http://{HOST}:{door.port}/slow"
        asking = threading.Thread(target=lambda: answers.append(httpx.get(url)))
        asking.start()
        time.sleep(0.2)
    asking.join(5)

    assert answers[0].json() == "done"


def test_a_door_that_cannot_be_bound_or_certified_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    with served() as door, pytest.raises(Unavailable):
        serve(application(), HOST, door.port, None)
    with pytest.raises(Unavailable):
        serve(application(), HOST, 0, Certificate(tmp_path / "empty.pem", tmp_path / "none.pem"))


def test_several_processes_may_share_a_port() -> None:
    first = serve(application(), HOST, 0, None, shared_port=True)
    second = serve(application(), HOST, first.port, None, shared_port=True)
    for door in (first, second):
        door.start()
    for door in (first, second):
        door.stop()

    assert first.port == second.port
