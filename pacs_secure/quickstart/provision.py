"""Makes a fresh vault and data directory into an archive that can open its doors; may be asked again at any time."""

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pacs_secure import bootstrap
from pacs_secure.adapters.openbao_server import HOST, OpenBaoServer, UnsealSecrets
from pacs_secure.adapters.vault_keyring import VaultSigner
from pacs_secure.adapters.vault_provisioning import (
    CertificateRole,
    VaultRole,
    administrator,
    credentials,
    issue_certificate,
    provision,
)
from pacs_secure.adapters.vault_session import VaultSession
from pacs_secure.archive import Archive
from pacs_secure.core.access import DEFAULT_DEPARTMENT, Door, Role, Subject
from pacs_secure.core.devices import device_uri
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import institution
from pacs_secure.quickstart.layout import Json, Layout, Ports, write_json, write_secret
from pacs_secure.settings import load

INSTITUTION = institution("demo")
AE_TITLE = "PACS_SECURE"
ORIGIN = f"pacs-secure.quickstart/{INSTITUTION}"
DEVICES = {"MODALITY1": ("store",), "WORKSTATION1": ("store", "find", "get", "move")}
"""The sample devices and what each may ask for."""
ROLES_OF_THE_ARCHIVE = (
    VaultRole.STORE,
    VaultRole.READER,
    VaultRole.SIGNER,
    VaultRole.ENROLLER,
    VaultRole.REVOKER,
)
RENEW_BEFORE = timedelta(days=30)

log = logging.getLogger(__name__)


def open_vault(layout: Layout, server: OpenBaoServer) -> UnsealSecrets:
    """Initialise the listening vault at the first start, unseal it, and return what opened it.

    Raises:
        Unavailable: it was initialised before, and what opens it is gone.
    """
    if server.initialised():
        try:
            kept = json.loads(layout.unseal_file.read_text())
            secrets = UnsealSecrets(tuple(kept["shares"]), kept["root_token"])
        except (OSError, ValueError, KeyError, TypeError):
            raise Unavailable(f"the vault's unseal share is gone; remove {layout.root} and start again") from None
    else:
        secrets = server.initialise()
        write_json(layout.unseal_file, {"shares": list(secrets.shares), "root_token": secrets.root_token})
    server.unseal(secrets.shares)
    return secrets


def provision_archive(layout: Layout, ports: Ports, server: OpenBaoServer, secrets: UnsealSecrets) -> None:
    """Bring mounts, roles, credentials, certificates, keys and configuration into being; keep what is good."""
    vault = administrator(server.address, server.ca_file, secrets.root_token)
    try:
        provision(vault, INSTITUTION)
        _write_credentials(layout, vault)
        _issue_certificates(layout, vault)
        _write_ledger_key(layout, vault)
    finally:
        vault.close()
    layout.config_file.write_text(_configuration(layout, ports, server), encoding="utf-8")
    layout.config_file.chmod(0o600)


def enrol_devices(layout: Layout) -> None:
    """Enrol the sample devices whose certificates the archive does not know yet."""
    with bootstrap.assemble(load(layout.config_file)) as house:
        known = {device.spki_sha256 for device in house.engines.devices.all()}
        for ae_title, operations in DEVICES.items():
            _enrol(layout, house.archive, known, ae_title, operations)


def _enrol(layout: Layout, archive: Archive, known: set[bytes], ae_title: str, operations: tuple[str, ...]) -> None:
    certificate = layout.device_certificate(ae_title).read_bytes()
    port = json.loads(layout.ports_file.read_text())["workstation"] if "move" in operations else 0
    device = bootstrap.device(INSTITUTION, ae_title, certificate, HOST, port, DEFAULT_DEPARTMENT, ",".join(operations))
    if device.spki_sha256 not in known:
        operator = Subject("quickstart", Role.OPERATOR, INSTITUTION, "", Door.COMMAND_LINE, "")
        archive.enrolment.enrol(operator, device)


def _write_credentials(layout: Layout, vault: VaultSession) -> None:
    there: Json = json.loads(layout.credentials_file.read_text()) if layout.credentials_file.exists() else {}
    missing = [role for role in ROLES_OF_THE_ARCHIVE if role not in there]
    for role in missing:
        identity = credentials(vault, role)
        there[role] = {"role_id": identity.role_id, "secret_id": identity.secret_id}
    if missing:
        write_json(layout.credentials_file, there)


def _issue_certificates(layout: Layout, vault: VaultSession) -> None:
    server = layout.certificates / "server.pem"
    if not _good(server):
        issued = issue_certificate(
            vault, CertificateRole.SERVER, AE_TITLE, ip_sans=(HOST, "::1"), dns_sans=("localhost",)
        )
        write_secret(layout.ca_file, issued.ca_pem)
        write_secret(server.with_suffix(".key"), issued.key_pem)
        write_secret(server, issued.cert_pem)
    for ae_title, operations in DEVICES.items():
        if not _good(layout.device_certificate(ae_title)):
            # No host name or address: under the same authority it could pose as the archive itself.
            role = CertificateRole.DESTINATION if "move" in operations else CertificateRole.DEVICE
            issued = issue_certificate(vault, role, ae_title, uri_sans=(device_uri(INSTITUTION, ae_title),))
            write_secret(layout.device_key(ae_title), issued.key_pem)
            write_secret(layout.device_certificate(ae_title), issued.cert_pem)


def _good(certificate: Path) -> bool:
    """Whether the certificate is there, with its key, and will be valid for a while."""
    if not (certificate.exists() and certificate.with_suffix(".key").exists()):
        return False
    until = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    return until - datetime.now(UTC) > RENEW_BEFORE


def _write_ledger_key(layout: Layout, vault: VaultSession) -> None:
    key = Ed25519PublicKey.from_public_bytes(VaultSigner(vault, INSTITUTION).public_key())
    write_secret(layout.ledger_key, key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def _configuration(layout: Layout, ports: Ports, server: OpenBaoServer) -> str:
    def quoted(value: object) -> str:
        return json.dumps(str(value))  # a TOML string is written like a JSON one

    certificate = layout.certificates / "server.pem"
    pair = f"certificate_file = {quoted(certificate)}\nkey_file = {quoted(certificate.with_suffix('.key'))}"
    return f"""\
# Written by `pacs-secure quickstart`; written anew at every start.
institution = {quoted(INSTITUTION)}

[vault]
address = {quoted(server.address)}
ca_file = {quoted(server.ca_file)}
credentials_file = {quoted(layout.credentials_file)}

[dicom]
host = {quoted(HOST)}
port = {ports.dicom}
ae_title = {quoted(AE_TITLE)}
{pair}
ca_file = {quoted(layout.ca_file)}

[web]
host = {quoted(HOST)}
port = {ports.web}
{pair}

[index]
file = {quoted(layout.index_file)}

[objects]
directory = {quoted(layout.objects)}

[ledger]
checkpoint_directory = {quoted(layout.checkpoints)}
origin = {quoted(ORIGIN)}
public_key_file = {quoted(layout.ledger_key)}

[identity]
development_key_file = {quoted(layout.issuer_key)}
"""
