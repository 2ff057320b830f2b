"""Makes a vault fit for the archive: mounts, policies, one AppRole a duty, keys and a device CA.

Everything may be asked again at any time; what is there is checked, never replaced.
"""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from pacs_secure.adapters.vault_keyring import kek, log_key
from pacs_secure.adapters.vault_session import AppRole, Json, Reply, Token, VaultSession
from pacs_secure.core.errors import Conflict
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import IssuedCertificate

TOKEN_LIFE = "20m"  # noqa: S105 - a duration
AUTHORITY = "pacs_secure device CA"
AUTHORITY_LIFE = "87600h"
LONGEST_CERTIFICATE = "9528h"
"""397 days."""
_PACKAGE = Path(__file__).parents[1]
_MOUNTS: dict[str, Json] = {
    "transit": {"type": "transit"},
    "shelf": {"type": "kv", "options": {"version": "1"}},
    "pki": {"type": "pki", "config": {"max_lease_ttl": AUTHORITY_LIFE}},
}


class VaultRole(StrEnum):
    """What a process may ask of the vault; each has its policy in ``deploy/vault``."""

    ENROLLER = "enroller"
    ERASER = "eraser"
    KEEPER = "keeper"
    MINTER = "minter"
    READER = "reader"
    REVOKER = "revoker"
    SIGNER = "signer"
    SNAPSHOT = "snapshot"
    STORE = "store"


class CertificateRole(StrEnum):
    """What a certificate may be used for (RFC 5280 4.2.1.12)."""

    DESTINATION = "destination"
    """A device that calls and, for C-MOVE, is called: clientAuth and serverAuth."""
    DEVICE = "device"
    """A device that only calls: clientAuth."""
    SERVER = "server"
    """The archive itself: serverAuth, and clientAuth for the associations it opens."""


def administrator(address: str, ca_file: Path, token: str) -> VaultSession:
    """Return a session for provisioning, patient with writes to disk."""
    return VaultSession(address, ca_file, Token(token), timeout=(0.5, 30.0))


def policy_directory() -> Path:
    """Return where the policies lie: inside the installed package, or in the source tree."""
    bundled = _PACKAGE / "_bundled" / "vault"
    return bundled if bundled.is_dir() else _PACKAGE.parent / "deploy" / "vault"


def provision(vault: VaultSession, institution: Institution, policies: Path | None = None) -> None:
    """Bring mounts, policies, AppRoles, device CA and the institution's keys into being; needs an administrator.

    Raises:
        Conflict: something of that name is there and is not what the archive needs.
    """
    _mount_engines(vault)
    for role in VaultRole:
        _write_role(vault, role, (policies or policy_directory()) / f"{role}.hcl")
    _make_authority(vault)
    add_institution(vault, institution)


def add_institution(vault: VaultSession, institution: Institution) -> None:
    """Make the institution's KEK (derived, never exportable) and its Ed25519 log key."""
    safe = {"exportable": False, "allow_plaintext_backup": False}
    _make_key(vault, kek(institution), {"type": "aes256-gcm96", "derived": True, **safe})
    _make_key(vault, log_key(institution), {"type": "ed25519", "derived": False, **safe})


def credentials(vault: VaultSession, role: VaultRole) -> AppRole:
    """Return what a process logs in with as ``role``; every call makes another secret id."""
    place = f"auth/approle/role/{role}"
    role_id = vault.get(f"{place}/role-id").demand_done().text("data", "role_id")
    return AppRole(role_id, vault.post(f"{place}/secret-id", {}).demand_done().text("data", "secret_id"))


def wrapped_secret_id(vault: VaultSession, role: VaultRole, seconds: int = 300) -> str:
    """Return a token that gives out another secret id of ``role``, once and within that time."""
    return vault.post_wrapped(f"auth/approle/role/{role}/secret-id", {}, seconds)


def issue_certificate(
    vault: VaultSession,
    role: CertificateRole,
    common_name: str,
    *,
    uri_sans: tuple[str, ...] = (),
    ip_sans: tuple[str, ...] = (),
    dns_sans: tuple[str, ...] = (),
    ttl: timedelta = timedelta(days=365),
) -> IssuedCertificate:
    """Issue a P-256 certificate and its key; needs an administrator, or for devices the enroller."""
    reply = vault.post(
        f"pki/issue/{role}",
        {
            "common_name": common_name,
            "exclude_cn_from_sans": True,
            "uri_sans": ",".join(uri_sans),
            "ip_sans": ",".join(ip_sans),
            "alt_names": ",".join(dns_sans),
            "ttl": f"{int(ttl.total_seconds())}s",
            "private_key_format": "pkcs8",
        },
    ).demand_done()
    pem = [reply.text("data", name) + "\n" for name in ("certificate", "private_key", "issuing_ca")]
    return IssuedCertificate(pem[0], pem[1], pem[2])


def _mount_engines(vault: VaultSession) -> None:
    mounted = vault.get("sys/mounts").demand_done()
    for path, mount in _MOUNTS.items():
        if mounted.find("data", f"{path}/") is None:
            vault.post(f"sys/mounts/{path}", mount).demand_done()
        elif mounted.text("data", f"{path}/", "type") != mount["type"] or _version(mounted, path) not in {None, "1"}:
            raise Conflict("another engine is mounted where the archive needs its own")
    if vault.get("sys/auth").demand_done().find("data", "approle/") is None:
        vault.post("sys/auth/approle", {"type": "approle"}).demand_done()


def _version(mounted: Reply, path: str) -> object:
    return mounted.find("data", f"{path}/", "options", "version")


def _write_role(vault: VaultSession, role: VaultRole, policy: Path) -> None:
    name = f"pacs-{role}"
    vault.post(f"sys/policies/acl/{name}", {"policy": policy.read_text(encoding="utf-8")}).demand_done()
    vault.post(
        f"auth/approle/role/{role}",
        {
            "token_policies": [name],
            "token_type": "batch",
            "token_ttl": TOKEN_LIFE,
            "token_max_ttl": TOKEN_LIFE,
            "token_no_default_policy": True,
        },
    ).demand_done()


def _make_authority(vault: VaultSession) -> None:
    if vault.list("pki/issuers").absent:
        root = {
            "common_name": AUTHORITY,
            "key_type": "ec",
            "key_bits": 256,
            "ttl": AUTHORITY_LIFE,
            "max_path_length": 0,
        }
        vault.post("pki/root/generate/internal", root).demand_done()
    for role in CertificateRole:
        device = role is not CertificateRole.SERVER
        vault.post(
            f"pki/roles/{role}",
            {
                "allow_any_name": True,  # AE titles are no host names
                "enforce_hostnames": False,
                "cn_validations": ["disabled"],
                "allow_wildcard_certificates": False,
                "allowed_uri_sans": ["urn:pacs:*:ae:*"] if device else [],
                "client_flag": True,
                "server_flag": role is not CertificateRole.DEVICE,
                "key_type": "ec",
                "key_bits": 256,
                "key_usage": ["DigitalSignature"],
                "max_ttl": LONGEST_CERTIFICATE,
            },
        ).demand_done()


def _make_key(vault: VaultSession, name: str, wanted: Json) -> None:
    place = f"transit/keys/{name}"
    if vault.get(place).absent:
        vault.post(place, wanted).demand_done()
    there = vault.get(place).demand_done().mapping("data")
    if any(there.get(name) != value for name, value in wanted.items()):
        raise Conflict("a transit key of that name exists and is not what the archive needs")
