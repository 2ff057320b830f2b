"""Devices of a running archive, as an administrator handles them, with a real vault and whoever calls."""

import io
import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate
from pynetdicom import AE
from pynetdicom.pdu_primitives import UserIdentityNegotiation
from pynetdicom.transport import AssociationSocket

from pacs_secure import bootstrap
from pacs_secure.adapters.vault_provisioning import CertificateRole, administrator, issue_certificate
from pacs_secure.adapters.vault_session import VaultSession
from pacs_secure.crypto.certificates import read_certificate
from pacs_secure.dimse.tls import client_context
from pacs_secure.quickstart.processes import identify
from pacs_secure.settings import load
from tests.quickstart_fixture import Running
from tests.web_instances import part10, study_uid
from tests.world import told

pytestmark = pytest.mark.real

HOST = "127.0.0.1"
MINUTE = 60.0
SHORT_OF_A_MINUTE = 50.0
"""After a minute the archive ends an idle association whoever it is."""


@pytest.fixture(autouse=True)
def _callers_close_their_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Close what the calling library leaves open: it closes only what it could shut down first."""
    shut_down = AssociationSocket._shutdown_socket

    def close(self: AssociationSocket) -> None:
        shut_down(self)
        if self.socket is not None:
            self.socket.close()

    monkeypatch.setattr(AssociationSocket, "_shutdown_socket", close)


@pytest.fixture(scope="module")
def administrators(running: Running) -> Iterator[VaultSession]:
    """Lend the hospital's own access to its authority, which the archive does not have."""
    token = json.loads((running.directory / "vault" / "unseal.json").read_text())["root_token"]
    told = running.told["vault"]
    vault = administrator(told["address"], Path(told["ca_file"]), token)
    yield vault
    vault.close()


def add(running: Running, title: str, folder: Path, *options: str) -> Path:
    """Enrol a device as an administrator would; return its certificate."""
    done = running.run("device", "add", title, "--out", folder, *options)
    assert done.returncode == 0, done.stderr
    return folder / f"{title}.pem"


def tls(running: Running, certificate: Path) -> ssl.SSLContext:
    return client_context(str(certificate), str(certificate.with_suffix(".key")), running.told["ca_file"])


def associate(running: Running, certificate: Path, number: int, token: bytes | None = None) -> Any:
    dicom, instance = running.told["dicom"], pydicom.dcmread(io.BytesIO(part10(number)))
    entity = AE(certificate.stem)
    entity.acse_timeout = entity.dimse_timeout = 10
    entity.network_timeout = 5 * MINUTE  # an idle association must not end by its own impatience
    entity.add_requested_context(instance.SOPClassUID, [instance.file_meta.TransferSyntaxUID])
    person = UserIdentityNegotiation()
    person.user_identity_type, person.primary_field = 5, token or b""
    return entity.associate(
        HOST,
        dicom["port"],
        ae_title=dicom["ae_title"],
        ext_neg=[person] if token else [],
        tls_args=(tls(running, certificate), HOST),
        bind_address=(HOST, 0),
    )


@contextmanager
def associated(running: Running, certificate: Path, number: int) -> Iterator[Any]:
    association = associate(running, certificate, number)
    assert association.is_established
    try:
        yield association
    finally:
        if association.is_established:
            association.abort()


def store(association: Any, number: int) -> int:
    status: int = association.send_c_store(pydicom.dcmread(io.BytesIO(part10(number)))).Status
    return status


def seconds_until_ended(association: Any) -> float:
    began = time.monotonic()
    while association.is_established and time.monotonic() - began < MINUTE:
        time.sleep(0.1)
    return time.monotonic() - began


def reasons(running: Running) -> list[str]:
    """Return why associations were refused or ended, as recorded."""
    with bootstrap.assemble(load(running.config)) as house:
        entries = [told(entry) for entry in house.engines.ledger.entries(0, 1_000_000)]
    return [entry["facts"]["reason"] for entry in entries if entry["action"] == "association:open"]


def shown(port: int, context: ssl.SSLContext) -> bytes:
    """Return the certificate that a door shows to who connects now."""
    with (
        socket.create_connection((HOST, port), 5) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as connection,
    ):
        return connection.getpeercert(binary_form=True) or b""


def test_a_device_that_was_just_enrolled_can_store_with_dcmtk(running: Running, tmp_path: Path) -> None:
    if shutil.which("storescu") is None:
        pytest.skip("DCMTK's storescu is missing")
    certificate = add(running, "CT7", tmp_path, "--network", "127.0.0.0/8")
    file = tmp_path / "one.dcm"
    file.write_bytes(part10(7))
    dicom = running.told["dicom"]

    line = ["storescu", "+tls", certificate.with_suffix(".key"), certificate, "+cf", tmp_path / "ca.pem"]
    line += ["-aet", "CT7", "-aec", dicom["ae_title"], HOST, dicom["port"], file]
    done = subprocess.run([str(word) for word in line], capture_output=True, text=True, timeout=30, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    with running.client() as client:
        assert client.get(f"/studies/{study_uid(7)}/metadata").status_code == 200


def test_a_device_that_was_revoked_loses_its_association_within_a_minute(running: Running, tmp_path: Path) -> None:
    certificate = add(running, "CT8", tmp_path)
    with associated(running, certificate, 8) as idle:
        assert running.run("device", "revoke", "CT8", "--reason", "sold").returncode == 0
        assert seconds_until_ended(idle) < SHORT_OF_A_MINUTE
    assert "association ended: device is revoked" in reasons(running)
    assert not associate(running, certificate, 8).is_established


def test_a_certificate_that_the_hospital_revokes_in_the_vault_itself_holds_for_less_than_a_minute(
    running: Running, administrators: VaultSession, tmp_path: Path
) -> None:
    certificate = add(running, "CT9", tmp_path)
    serial = read_certificate(certificate.read_bytes()).serial
    octets = ":".join(serial[place : place + 2] for place in range(0, len(serial), 2))
    with associated(running, certificate, 9) as idle:
        administrators.post("pki/revoke", {"serial_number": octets}).demand_done()
        assert seconds_until_ended(idle) < SHORT_OF_A_MINUTE
    assert "association ended: certificate is revoked" in reasons(running)
    assert not associate(running, certificate, 9).is_established


def test_new_certificates_of_the_archive_act_at_both_doors_and_an_open_association_goes_on(
    running: Running, administrators: VaultSession, tmp_path: Path
) -> None:
    told = running.told
    doors = {
        told["dicom"]["port"]: tls(running, Path(told["devices"]["MODALITY1"]["cert"])),
        int(told["dicomweb_url"].split(":")[2].split("/")[0]): ssl.create_default_context(cafile=told["ca_file"]),
    }
    before = {port: shown(port, context) for port, context in doors.items()}
    file = running.directory / "certificates" / "server.pem"
    issued = issue_certificate(
        administrators, CertificateRole.SERVER, "PACS_SECURE", ip_sans=(HOST, "::1"), dns_sans=("localhost",)
    )
    with associated(running, Path(told["devices"]["MODALITY1"]["cert"]), 10) as association:
        file.write_text(issued.cert_pem)
        time.sleep(4)  # certificate and key do not fit now: the doors go on with what they have
        assert {port: shown(port, context) for port, context in doors.items()} == before
        file.with_suffix(".key").write_text(issued.key_pem)
        new = read_certificate(load_pem_x509_certificate(issued.cert_pem.encode()).public_bytes(Encoding.DER))
        until = time.monotonic() + 20
        while {read_certificate(shown(port, context)).serial for port, context in doors.items()} != {new.serial}:
            assert time.monotonic() < until
            time.sleep(0.2)
        assert store(association, 10) == 0


def test_the_list_of_revoked_certificates_outlives_the_vault_for_a_while(running: Running) -> None:
    modality = Path(running.told["devices"]["MODALITY1"]["cert"])
    killed = identify("openbao", running.told["pids"]["openbao"])
    running.kill("openbao")

    associate(running, modality, 11).release()
    while killed.alive or running.told["pids"]["openbao"] == killed.pid:
        time.sleep(0.1)
    running.wait()
    with associated(running, modality, 11) as association:
        assert store(association, 11) == 0


def test_who_sits_at_a_workstation_proves_it_with_a_token_for_that_workstation(
    running: Running, tmp_path: Path
) -> None:
    folder = tmp_path / "certificates"
    certificate = add(running, "WS7", folder, "--allow", "store,find", "--identity-required")

    def token(*options: str) -> bytes:
        done = running.run("token", "--role", "radiologist", "--device", "WS7", "--certificates", folder, *options)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().encode()

    assert associate(running, certificate, 12).is_rejected
    good = token()
    association = associate(running, certificate, 12, good)
    assert store(association, 12) == 0
    association.release()
    assert associate(running, certificate, 12, good).is_rejected
    assert running.run("ledger", "verify").returncode == 0
