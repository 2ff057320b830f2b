"""How a PostgreSQL elsewhere is spoken to: nothing is said before the other side has proven who it is."""

import socket
import ssl
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from pacs_secure.adapters.sql import postgres
from pacs_secure.adapters.sql.engine import Database
from pacs_secure.core.errors import Unavailable

NAME = "localhost"
SSL_REQUEST = 8
"""Bytes of the message that asks for TLS before anything is said (PostgreSQL protocol 3)."""


def certificate(folder: Path, name: str) -> Path:
    """Make a key and a certificate of that name that vouches for itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 7, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(made.public_bytes(Encoding.PEM) + private)
    return file


class Listener:
    """Somebody who answers in a database's place, and remembers what was said to them."""

    def __init__(self, identity: Path | None) -> None:
        self.heard = b""
        self.asked = threading.Event()
        self._identity = identity
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._door.close()
        self._thread.join(10)

    def _listen(self) -> None:
        # It ends with the door; whoever does not trust it hangs up in the middle.
        with suppress(OSError), self._door:
            visitor, _ = self._door.accept()
            with visitor:
                visitor.settimeout(5)
                assert len(visitor.recv(SSL_REQUEST)) == SSL_REQUEST
                self.asked.set()
                visitor.sendall(b"N" if self._identity is None else b"S")
                if self._identity is None:
                    self.heard = visitor.recv(4096)
                    return
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self._identity)
                with context.wrap_socket(visitor, server_side=True) as private:
                    self.heard = private.recv(4096)


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take this machine for another one, which no test may reach."""
    monkeypatch.setattr(postgres, "_on_this_machine", lambda host: host != NAME)


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    return certificate(tmp_path, NAME)


def heard(identity: Path | None, trusted: Path, password_file: Path | None = None) -> bytes:
    """Open a database where somebody answers, and return what they heard."""
    listener = Listener(identity)
    with pytest.raises(Unavailable):
        Database(f"postgresql://archive@{NAME}:{listener.port}/archive?sslrootcert={trusted}", password_file)
    assert listener.asked.wait(5)
    listener.close()
    return listener.heard


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text("a secret")
    file.chmod(0o600)
    return file


def test_whoever_knows_no_tls_hears_nothing(trusted: Path, password: Path) -> None:
    assert heard(None, trusted, password) == b""


def test_whoever_cannot_prove_their_name_hears_nothing(trusted: Path, tmp_path: Path, password: Path) -> None:
    """A certificate that is not trusted, and one that is, of another machine."""
    impostor = certificate(tmp_path, "impostor.example")

    assert heard(impostor, trusted, password) == b""
    assert heard(impostor, impostor, password) == b""


def test_whoever_proves_their_name_is_greeted(trusted: Path) -> None:
    greeting = heard(trusted, trusted)

    assert b"user\0archive\0" in greeting
    assert b"synchronous_commit=on" in greeting
