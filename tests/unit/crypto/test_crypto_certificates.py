"""What is read of a certificate, held against what it was made of."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pacs_secure.core.errors import Malformed
from pacs_secure.crypto.certificates import read_certificate, serial_text
from tests.certificates import Authority

URI = "urn:pacs:north:ae:CT1"


def test_a_certificate_is_known_by_its_key_its_serial_and_its_names(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("one", uri=URI)
    made = x509.load_der_x509_certificate(pair.der)
    key = made.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    facts = read_certificate(pair.der)

    assert facts.spki_sha256 == hashlib.sha256(key).digest()
    assert facts.sha256 == made.fingerprint(SHA256())
    assert int(facts.serial, 16) == made.serial_number
    assert (facts.issuer, facts.not_after) == (made.issuer.public_bytes(), made.not_valid_after_utc)
    assert facts.uris == {URI}
    assert read_certificate(pair.certificate.read_bytes()) == facts


def test_a_certificate_without_names_has_none() -> None:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    builder = x509.CertificateBuilder(x509.Name([]), x509.Name([]), key.public_key(), 7, now, now + timedelta(1))

    assert read_certificate(builder.sign(key, SHA256()).public_bytes(Encoding.DER)).uris == frozenset()


@pytest.mark.parametrize("encoded", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n", b"0\x82\x01"])
def test_what_is_no_certificate_is_malformed(encoded: bytes) -> None:
    with pytest.raises(Malformed):
        read_certificate(encoded)


@pytest.mark.parametrize(("number", "text"), [(0, "00"), (0xABC, "0abc"), (0x7F00, "7f00")])
def test_a_serial_number_is_written_in_whole_octets(number: int, text: str) -> None:
    assert serial_text(number) == text
