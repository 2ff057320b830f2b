"""Makes a fresh vault and data directory into an archive that can open its doors; may be asked again at any time."""

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pacs_secure import bootstrap, witness
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
from pacs_secure.archive.enrolment import certified
from pacs_secure.core.access import DEFAULT_DEPARTMENT, Door, Role, Subject
from pacs_secure.core.devices import Device, describe
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import institution
from pacs_secure.crypto.tlog import log_verifier_key
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
    VaultRole.ERASER,
    VaultRole.KEEPER,
    VaultRole.SNAPSHOT,
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
    """Bring mounts, roles, credentials, certificates, witnesses and configuration into being; keep what is good."""
    vault = administrator(server.address, server.ca_file, secrets.root_token)
    try:
        provision(vault, INSTITUTION)
        _write_credentials(layout, vault)
        _issue_certificate(layout, vault)
        public_key = _write_ledger_key(layout, vault)
    finally:
        vault.close()
    witnesses = make_witnesses(layout, ports, public_key)
    layout.config_file.write_text(_configuration(layout, ports, server, witnesses), encoding="utf-8")
    layout.config_file.chmod(0o600)


def enrol_devices(layout: Layout) -> None:
    """Enrol the sample devices that lack a good certificate, or whose certificate the archive does not know."""
    with bootstrap.assemble(load(layout.config_file)) as house:
        known = {device.ae_title: device for device in house.engines.devices.all()}
        for ae_title, operations in DEVICES.items():
            _enrol(layout, house.archive, known.get(ae_title), ae_title, operations)


def _enrol(layout: Layout, archive: Archive, known: Device | None, ae_title: str, operations: tuple[str, ...]) -> None:
    if known is not None and known.revoked_at is not None:
        return  # somebody meant it
    port = json.loads(layout.ports_file.read_text())["workstation"] if "move" in operations else 0
    wanted = describe(INSTITUTION, ae_title, department=DEFAULT_DEPARTMENT, allow=operations, host=HOST, port=port)
    operator = Subject("quickstart", Role.OPERATOR, INSTITUTION, "", Door.COMMAND_LINE, "")
    file = layout.device_certificate(ae_title)
    if not _good(file):
        issued = archive.enrolment.issue(operator, wanted)
        write_secret(layout.device_key(ae_title), issued.key_pem)
        write_secret(file, issued.cert_pem)
        return
    device = certified(wanted, file.read_bytes())
    if known is None or known.spki_sha256 != device.spki_sha256:
        archive.enrolment.enrol(operator, device)


def _write_credentials(layout: Layout, vault: VaultSession) -> None:
    there: Json = json.loads(layout.credentials_file.read_text()) if layout.credentials_file.exists() else {}
    missing = [role for role in ROLES_OF_THE_ARCHIVE if role not in there]
    for role in missing:
        identity = credentials(vault, role)
        there[role] = {"role_id": identity.role_id, "secret_id": identity.secret_id}
    if missing:
        write_json(layout.credentials_file, there)


def _issue_certificate(layout: Layout, vault: VaultSession) -> None:
    server = layout.certificates / "server.pem"
    if not _good(server):
        issued = issue_certificate(
            vault, CertificateRole.SERVER, AE_TITLE, ip_sans=(HOST, "::1"), dns_sans=("localhost",)
        )
        write_secret(layout.ca_file, issued.ca_pem)
        write_secret(server.with_suffix(".key"), issued.key_pem)
        write_secret(server, issued.cert_pem)


def _good(certificate: Path) -> bool:
    """Whether the certificate is there, with its key, and will be valid for a while."""
    if not (certificate.exists() and certificate.with_suffix(".key").exists()):
        return False
    until = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    return until - datetime.now(UTC) > RENEW_BEFORE


def _write_ledger_key(layout: Layout, vault: VaultSession) -> bytes:
    raw = VaultSigner(vault, INSTITUTION).public_key()
    key = Ed25519PublicKey.from_public_bytes(raw)
    write_secret(layout.ledger_key, key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())
    return raw


def make_witnesses(layout: Layout, ports: Ports, public_key: bytes) -> list[Json]:
    """Make the sample witnesses of the ledger, or find them made; return what is published of them."""
    made: list[Json] = []
    for name, directory in layout.witnesses.items():
        witness.init(directory, f"{ORIGIN}/{name}", [log_verifier_key(ORIGIN, public_key)])
        url, key = f"http://{HOST}:{ports.of_witness(name)}", witness.load(directory).verifier
        made.append({"name": name, "url": url, "verifier_key": str(key), "directory": str(directory)})
    return made


def _witnesses(witnesses: Sequence[Json]) -> str:
    """Write the tables of the witnesses; a TOML string is written like a JSON one."""
    tables = [{name: one[name] for name in ("name", "url", "verifier_key")} for one in witnesses]
    return "\n".join(
        "[[ledger.witnesses]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in table.items())
        for table in tables
    )


def _configuration(layout: Layout, ports: Ports, server: OpenBaoServer, witnesses: Sequence[Json]) -> str:
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

# In a real archive on other disks, and the shares with other people: whoever has both reads everything.
[backup]
directory = {quoted(layout.backups)}
unseal_file = {quoted(layout.unseal_file)}

[ledger]
checkpoint_directory = {quoted(layout.checkpoints)}
origin = {quoted(ORIGIN)}
public_key_file = {quoted(layout.ledger_key)}

# In a real archive each of them belongs to somebody else.
{_witnesses(witnesses)}
[access]
# A production archive asks for a login not older than five minutes to break the glass.
minutes_of_fresh_login = 30

[identity]
development_key_file = {quoted(layout.issuer_key)}
"""
