"""Commands about DICOM nodes and their certificates."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from pacs_secure.cli.house import AsJson, archive_of
from pacs_secure.core.access import DEFAULT_DEPARTMENT
from pacs_secure.core.devices import Device, describe

if TYPE_CHECKING:
    from pacs_secure.ports import IssuedCertificate

device_app = typer.Typer(help="DICOM nodes and their certificates.", no_args_is_help=True)
Title = Annotated[str, typer.Argument(help="AE title, 16 characters at most.")]
Out = Annotated[Path, typer.Option(help="Folder for AET.pem, AET.key and ca.pem.", file_okay=False)]


@device_app.command("add")
def device_add(
    context: typer.Context,
    ae_title: Title,
    host: Annotated[str, typer.Option(help="Where it listens for C-MOVE.")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 0,
    department: Annotated[str, typer.Option()] = DEFAULT_DEPARTMENT,
    allow: Annotated[str, typer.Option(help="What it may ask for: store,find,get,move.")] = "store",
    network: Annotated[list[str] | None, typer.Option(help="Where it may call from (CIDR); anywhere if none.")] = None,
    sop_class: Annotated[list[str] | None, typer.Option(help="SOP Class UID it may store; any if none.")] = None,
    also_aet: Annotated[list[str] | None, typer.Option(help="Another AE title it may call with.")] = None,
    identity_required: Annotated[
        bool, typer.Option("--identity-required", help="Only with a person who proves who they are.")
    ] = False,
    certificate: Annotated[
        Path | None, typer.Option(help="The device's own certificate (PEM); else one is issued.", exists=True)
    ] = None,
    out: Out = Path(),
) -> None:
    """Enrol a DICOM node: with a certificate that it has, or with a new one and its key."""
    with archive_of(context) as (archive, subject):
        device = describe(
            subject.institution,
            ae_title,
            department=department,
            allow=allow.split(","),
            host=host,
            port=port,
            also=also_aet or (),
            calling_from=network or (),
            bringing=sop_class or (),
            identity_required=identity_required,
        )
        if certificate is not None:
            from pacs_secure.archive.enrolment import certified

            archive.enrolment.enrol(subject, certified(device, certificate.read_bytes()))
        else:
            _demand_free(out, device.ae_title)
            _write(out, device.ae_title, archive.enrolment.issue(subject, device))
    print(f"{device.ae_title} is enrolled for {allow}")


@device_app.command("renew")
def device_renew(context: typer.Context, ae_title: Title, out: Out = Path()) -> None:
    """Issue a new certificate to a device; the one it has is revoked."""
    with archive_of(context) as (archive, subject):
        _demand_free(out, ae_title, replace=True)
        _write(out, ae_title, archive.enrolment.renew(subject, ae_title))
    print(f"{ae_title} has a new certificate")


@device_app.command("revoke")
def device_revoke(
    context: typer.Context,
    ae_title: Title,
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")],
) -> None:
    """Let a device in no more, and have its certificate revoked."""
    with archive_of(context) as (archive, subject):
        archive.enrolment.revoke(subject, ae_title, reason)
    print(f"{ae_title} is revoked")


@device_app.command("list")
def device_list(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the enrolled DICOM nodes."""
    with archive_of(context) as (archive, subject):
        devices = archive.enrolment.list(subject)
    if as_json:
        print(json.dumps([_told(one) for one in devices]))
        return
    table = Table("AE title", "department", "allow", "from", "person", "certificate until", "revoked")
    for one in devices:
        table.add_row(
            one.ae_title,
            one.department,
            ", ".join(sorted(one.operations)),
            ", ".join(sorted(one.networks)) or "anywhere",
            "required" if one.identity_required else "",
            "" if one.not_after is None else f"{one.not_after:%Y-%m-%d}",
            "" if one.revoked_at is None else f"{one.revoked_at:%Y-%m-%d %H:%M}",
        )
    Console().print(table)


def _told(one: Device) -> dict[str, object]:
    return {
        "ae_title": one.ae_title,
        "also_ae_titles": sorted(one.also_ae_titles),
        "department": one.department,
        "allow": sorted(one.operations),
        "host": one.host,
        "port": one.port,
        "networks": sorted(one.networks),
        "sop_classes": sorted(one.sop_classes),
        "identity_required": one.identity_required,
        "spki_sha256": one.spki_sha256.hex(),
        "serial": one.serial,
        "not_after": None if one.not_after is None else one.not_after.isoformat(),
        "revoked": one.revoked_at is not None,
    }


def _demand_free(folder: Path, ae_title: str, *, replace: bool = False) -> None:
    """Refuse before anything is issued when its key could not be written."""
    if "/" in ae_title:
        raise typer.BadParameter("this AE title cannot name a file; enrol the device with --certificate")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not replace and (folder / f"{ae_title}.key").exists():
        raise typer.BadParameter(f"{folder} holds a key of that name already", param_hint="--out")


def _write(folder: Path, ae_title: str, issued: "IssuedCertificate") -> None:
    """Write key, certificate and authority, each whole or not at all; the key for its owner only."""
    from pacs_secure.cli.files import write_whole

    write_whole(folder / f"{ae_title}.key", issued.key_pem, 0o600)
    write_whole(folder / f"{ae_title}.pem", issued.cert_pem, 0o644)
    write_whole(folder / "ca.pem", issued.ca_pem, 0o644)
