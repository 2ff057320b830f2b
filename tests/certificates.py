"""Throw-away certificates for both ends of mutual TLS: P-256, loopback only."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path

    @property
    def der(self) -> bytes:
        return x509.load_pem_x509_certificate(self.certificate.read_bytes()).public_bytes(Encoding.DER)


class Authority:
    """Signs certificates and keeps everything in one folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name}.pem"
        builder = self._builder(self._name, self._key.public_key(), DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.file.write_bytes(builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM))

    def issue(
        self,
        name: str,
        *,
        life: timedelta = DAY,
        usage: x509.ObjectIdentifier | None = None,
        uri: str | None = None,
    ) -> Pair:
        """Issue a certificate for this machine; with a negative life it has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        names += [] if uri is None else [x509.UniformResourceIdentifier(uri)]
        here = x509.SubjectAlternativeName(names)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, key.public_key(), life).add_extension(here, critical=False)
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        pair.certificate.write_bytes(builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM))
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return pair

    def revocation_list(
        self,
        *revoked: Pair,
        number: int = 1,
        made: timedelta = timedelta(0),
        life: timedelta = DAY,
        numbered: bool = True,
        by: "Authority | None" = None,
    ) -> bytes:
        """Sign a list of revoked certificates (PEM), made so long ago or ahead; ``by`` signs in our name."""
        now = datetime.now(UTC) + made
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._name).last_update(now)
        builder = builder.next_update(now + life)
        if numbered:
            builder = builder.add_extension(x509.CRLNumber(number), critical=False)
        for pair in revoked:
            serial = x509.load_der_x509_certificate(pair.der).serial_number
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign((by or self)._key, SHA256()).public_bytes(Encoding.PEM)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, life: timedelta) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 2 * DAY)
            .not_valid_after(now + life)
        )


SERVER_ONLY = ExtendedKeyUsageOID.SERVER_AUTH
