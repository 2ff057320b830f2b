"""Throw-away certificates for the rival's mutual TLS: P-256, a day long, loopback only."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """What both ends of a mutually authenticated association need."""

    authority: Path
    server: Pair
    client: Pair


def make_certificates(folder: Path) -> Certificates:
    """Make an authority, a server and a client."""
    folder.mkdir(parents=True)
    root = ec.generate_private_key(ec.SECP256R1())
    name = _name("benchmark authority")
    issued = _builder(name, name, root.public_key()).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
    authority = folder / "ca.pem"
    authority.write_bytes(issued.sign(root, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return Certificates(authority, _pair(folder, "server", name, root), _pair(folder, "client", name, root))


def _pair(folder: Path, title: str, issuer: x509.Name, root: ec.EllipticCurvePrivateKey) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    local = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    issued = _builder(_name(title), issuer, key.public_key()).add_extension(local, False)
    pair = Pair(folder / f"{title}.pem", folder / f"{title}.key")
    pair.certificate.write_bytes(issued.sign(root, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pair.key.write_bytes(secret)
    return pair


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
