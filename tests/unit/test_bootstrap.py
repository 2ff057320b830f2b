from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import CertificateBuilder, Name, NameAttribute, random_serial_number
from cryptography.x509.oid import NameOID

from pacs_secure.bootstrap import assemble, device, installation, ledger_key, policy_directory, policy_problems
from pacs_secure.core.errors import Malformed, Unavailable
from pacs_secure.core.vocabulary import Role
from pacs_secure.crypto.certificates import read_certificate
from pacs_secure.settings import load
from tests.builders import HERE
from tests.settings_file import WHOLE, written


def certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = Name([NameAttribute(NameOID.COMMON_NAME, "CT1")])
    now = datetime.now(UTC)
    built = CertificateBuilder(name, name, key.public_key(), random_serial_number(), now, now + timedelta(days=1))
    return built.sign(key, SHA256()).public_bytes(Encoding.PEM)


def test_a_device_is_known_by_the_public_key_of_its_certificate() -> None:
    from cryptography.x509 import load_pem_x509_certificate

    pem = certificate()
    der = load_pem_x509_certificate(pem).public_bytes(Encoding.DER)

    made = device(HERE, "CT1 ", pem, "127.0.0.1", 104, "radiology", "store, find")

    assert made.ae_title == "CT1"
    assert made.operations == {"store", "find"}
    assert made.spki_sha256 == read_certificate(der).spki_sha256


@pytest.mark.parametrize("ae_title", ["", "   ", "LONGER_THAN_SIXTEEN", "A\\B", "CT\n", "RÖNTGEN"])
def test_what_is_no_ae_title_enrols_nothing(ae_title: str) -> None:
    with pytest.raises(Malformed, match="AE title"):
        device(HERE, ae_title, certificate(), "", 0, "radiology", "store")


def test_an_unknown_operation_or_certificate_enrols_nothing() -> None:
    with pytest.raises(Malformed, match="may be allowed"):
        device(HERE, "CT1", certificate(), "", 0, "radiology", "store,delete")
    with pytest.raises(Malformed, match="certificate"):
        device(HERE, "CT1", b"no certificate", "", 0, "radiology", "store")


def test_the_ledger_key_is_an_ed25519_key_or_nothing(tmp_path: Path) -> None:
    public = Ed25519PrivateKey.generate().public_key()
    file = tmp_path / "public.pem"
    file.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert ledger_key(file) == public.public_bytes_raw()

    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    file.write_bytes(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(Unavailable):
        ledger_key(file)
    with pytest.raises(Unavailable):
        ledger_key(tmp_path / "missing.pem")


def test_the_policy_that_ships_has_no_problem_and_another_is_looked_for_where_it_was_said(tmp_path: Path) -> None:
    settings = load(written(tmp_path, WHOLE))
    elsewhere = load(written(tmp_path, f'policy_directory = "{tmp_path}"\n{WHOLE}'))

    assert policy_problems(settings) == []
    assert policy_directory(elsewhere) == tmp_path
    assert policy_problems(elsewhere)


def test_what_an_installation_sets_for_reports_reaches_them(tmp_path: Path) -> None:
    report = '[ledger.report]\ntime_zone = "Europe/Berlin"\nnight_patients = 3\nhouse_wide_roles = ["clinician"]\n'
    chosen = installation(load(written(tmp_path, WHOLE.replace("[identity]", f"{report}[identity]"))))

    assert (chosen.time_zone, chosen.thresholds.night_patients) == ("Europe/Berlin", 3)
    assert chosen.thresholds.house_wide_roles == {Role.CLINICIAN}
    assert chosen.thresholds.patients_a_day == installation(load(written(tmp_path, WHOLE))).thresholds.patients_a_day
    assert {point.name: point.values for point in chosen.measures}["ledger-retention"] == {"months": 36}


def test_without_credentials_nothing_is_assembled(tmp_path: Path) -> None:
    settings = load(written(tmp_path, WHOLE.replace("credentials.json", str(tmp_path / "missing.json"))))

    with pytest.raises(Unavailable, match="credentials"), assemble(settings):
        pass
