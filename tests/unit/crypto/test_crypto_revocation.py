"""Revocation lists are believed when an authority of ours has signed them, and for their time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from pacs_secure.core.errors import Malformed
from pacs_secure.crypto.certificates import read_certificate
from pacs_secure.crypto.revocation import read_lists
from tests.certificates import DAY, Authority


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_a_list_names_what_was_revoked_and_nothing_else(authority: Authority, tmp_path: Path) -> None:
    one, other = authority.issue("one"), authority.issue("other")
    namesake = Authority(tmp_path, "somebody-else")

    (found,) = read_lists(authority.revocation_list(one, number=7), authority.file.read_bytes(), now())

    assert found.names(read_certificate(one.der))
    assert not found.names(read_certificate(other.der))
    assert not found.names(read_certificate(namesake.issue("one").der))
    assert found.number == 7


def test_every_list_of_several_authorities_is_read(authority: Authority, tmp_path: Path) -> None:
    second = Authority(tmp_path, "second")
    lists = authority.revocation_list() + b"a remark\n" + second.revocation_list(numbered=False)

    found = read_lists(lists, authority.file.read_bytes() + second.file.read_bytes(), now())

    assert [one.number for one in found] == [1, 0]
    assert len({one.issuer for one in found}) == 2


def test_after_a_third_of_its_time_a_list_is_stale_and_at_its_end_it_proves_nothing(authority: Authority) -> None:
    (found,) = read_lists(authority.revocation_list(), authority.file.read_bytes(), now())

    assert [found.stale(found.made_at + DAY * share) for share in (0.3, 0.4)] == [False, True]
    assert [found.expired(found.good_until + second) for second in (timedelta(seconds=-1), timedelta(0))] == [
        False,
        True,
    ]


def test_a_list_that_nobody_of_ours_signed_is_refused(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    trusted = authority.file.read_bytes()
    of_the_future = authority.revocation_list(made=timedelta(hours=1))

    for encoded in (stranger.revocation_list(), authority.revocation_list(by=stranger), of_the_future):
        with pytest.raises(Malformed):
            read_lists(encoded, trusted, now())


@pytest.mark.parametrize(
    "encoded",
    [b"", b"no list", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"],
)
def test_what_is_no_list_is_refused(authority: Authority, encoded: bytes) -> None:
    with pytest.raises(Malformed):
        read_lists(encoded, authority.file.read_bytes(), now())


def test_a_changed_list_is_refused(authority: Authority) -> None:
    one = authority.issue("one")
    der = x509.load_pem_x509_crl(authority.revocation_list(one)).public_bytes(Encoding.DER)
    serial = x509.load_der_x509_certificate(one.der).serial_number
    length = (serial.bit_length() + 7) // 8
    forged = der.replace(serial.to_bytes(length, "big"), (serial - 1).to_bytes(length, "big"))
    pem = x509.load_der_x509_crl(forged).public_bytes(Encoding.PEM)

    assert forged != der
    with pytest.raises(Malformed):
        read_lists(pem, authority.file.read_bytes(), now())


def test_authorities_that_cannot_be_read_and_keys_that_no_tls_knows_are_refused(authority: Authority) -> None:
    with pytest.raises(Malformed):
        read_lists(authority.revocation_list(), b"no authority", now())
    name = x509.load_pem_x509_certificate(authority.file.read_bytes()).subject
    key = dsa.generate_private_key(2048)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now() - DAY, now() + DAY)
    odd = builder.sign(ec.generate_private_key(ec.SECP256R1()), SHA256()).public_bytes(Encoding.PEM)
    with pytest.raises(Malformed):
        read_lists(authority.revocation_list(), odd, now())
