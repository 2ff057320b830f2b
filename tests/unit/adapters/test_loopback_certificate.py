"""Certificates for a server on this machine."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from pacs_secure.adapters import loopback_certificate
from pacs_secure.adapters.loopback_certificate import ensure_certificate


@pytest.fixture
def paths(tmp_path: Path) -> tuple[Path, Path, Path]:
    return tmp_path / "ca.pem", tmp_path / "server.pem", tmp_path / "server.key"


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


@pytest.mark.parametrize("subject", [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")])
def test_the_certificate_proves_this_machine_under_its_ca(
    paths: tuple[Path, Path, Path], subject: x509.IPAddress | x509.DNSName
) -> None:
    ensure_certificate(*paths)

    verifier = PolicyBuilder().store(Store([read(paths[0])])).build_server_verifier(subject)
    assert len(verifier.verify(read(paths[1]), [])) == 2


def test_files_are_for_the_owner_only_and_hold_no_key_of_the_ca(paths: tuple[Path, Path, Path]) -> None:
    ensure_certificate(*paths)

    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    assert sum(path.read_text().count("PRIVATE KEY") for path in paths) == 2  # one begin, one end


def test_a_good_certificate_is_kept(paths: tuple[Path, Path, Path]) -> None:
    ensure_certificate(*paths)
    before = [path.read_bytes() for path in paths]
    ensure_certificate(*paths)

    assert [path.read_bytes() for path in paths] == before


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_part_makes_all_anew(paths: tuple[Path, Path, Path], missing: int) -> None:
    ensure_certificate(*paths)
    before = [path.read_bytes() for path in paths]
    paths[missing].unlink()
    ensure_certificate(*paths)

    assert all(path.read_bytes() != old for path, old in zip(paths, before, strict=True))


def test_a_broken_certificate_is_made_anew(paths: tuple[Path, Path, Path]) -> None:
    ensure_certificate(*paths)
    paths[1].write_text("no certificate")
    ensure_certificate(*paths)

    assert read(paths[1]).not_valid_after_utc > datetime.now(UTC) + timedelta(days=800)


def test_a_certificate_in_its_last_month_is_made_anew(
    paths: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(loopback_certificate, "LIFE", timedelta(days=29))
        ensure_certificate(*paths)
    ensure_certificate(*paths)

    assert read(paths[1]).not_valid_after_utc > datetime.now(UTC) + timedelta(days=800)
