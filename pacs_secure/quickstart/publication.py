"""Writes ``quickstart.json``: where everything is, for people, scripts and checks."""

from collections.abc import Mapping
from datetime import timedelta

from pacs_secure import identity
from pacs_secure.adapters.openbao_server import HOST, OpenBaoServer
from pacs_secure.core.access import DEFAULT_DEPARTMENT, Role
from pacs_secure.quickstart.layout import Json, Layout, Ports, write_json
from pacs_secure.quickstart.provision import AE_TITLE, DEVICES, INSTITUTION
from pacs_secure.settings import load

VERSION = 1
TOKEN_LIFE = timedelta(hours=24)
"""At least eight hours are left whenever somebody reads the file: it is written anew every hour."""
USERS = (
    Role.RADIOLOGIST,
    Role.CLINICIAN,
    Role.REFERRER,
    Role.TECHNOLOGIST,
    Role.RESEARCHER,
    Role.OFFICER,
    Role.DPO,
    Role.ADMIN,
)


def publish(layout: Layout, ports: Ports, server: OpenBaoServer, pids: Mapping[str, int]) -> None:
    """Write the file with fresh tokens, whole or not at all, mode 0600."""
    base = f"https://{HOST}:{ports.web}"
    published: Json = {
        "version": VERSION,
        "data_dir": str(layout.root),
        "pids": dict(pids),
        "dicomweb_url": f"{base}/dicom-web",
        "api_url": f"{base}/api/v1",
        "fhir_url": f"{base}/fhir",
        "ca_file": str(layout.ca_file),
        "dicom": {"host": HOST, "port": ports.dicom, "ae_title": AE_TITLE, "tls": True},
        "devices": {ae_title: _device(layout, ports, ae_title, operations) for ae_title, operations in DEVICES.items()},
        "users": _users(layout),
        "vault": {"address": server.address, "ca_file": str(server.ca_file)},
        "ledger": {
            "checkpoint_dir": str(layout.checkpoints),
            "public_key": str(layout.ledger_key),
            "witnesses": _witnesses(layout),
        },
        "config_file": str(layout.config_file),
    }
    write_json(layout.published_file, published)


def _device(layout: Layout, ports: Ports, ae_title: str, operations: tuple[str, ...]) -> Json:
    device: Json = {
        "ae_title": ae_title,
        "cert": str(layout.device_certificate(ae_title)),
        "key": str(layout.device_key(ae_title)),
        "allow": list(operations),
    }
    return device | {"listen_port": ports.workstation} if "move" in operations else device


def _witnesses(layout: Layout) -> list[Json]:
    configured = load(layout.config_file).ledger.witnesses
    return [one.model_dump(exclude_none=True) | {"directory": str(layout.witnesses[one.name])} for one in configured]


def _users(layout: Layout) -> Json:
    issuer = identity.development_issuer(load(layout.config_file))
    return {
        role: {"token": issuer.issue(role, role, DEFAULT_DEPARTMENT, None, INSTITUTION, TOKEN_LIFE)} for role in USERS
    }
