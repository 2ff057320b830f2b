"""Commands about DICOM nodes and their certificates."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pacs_secure.cli.house import AsJson, archive_of
from pacs_secure.core.access import DEFAULT_DEPARTMENT

device_app = typer.Typer(help="DICOM nodes and their certificates.", no_args_is_help=True)


@device_app.command("add")
def device_add(
    context: typer.Context,
    ae_title: Annotated[str, typer.Argument(help="AE title, 16 characters at most.")],
    certificate: Annotated[Path, typer.Option(help="The device's certificate (PEM).", exists=True)],
    host: Annotated[str, typer.Option(help="Where it listens for C-MOVE.")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 0,
    department: Annotated[str, typer.Option()] = DEFAULT_DEPARTMENT,
    allow: Annotated[str, typer.Option(help="What it may ask for: store,find,get,move.")] = "store",
) -> None:
    """Enrol a DICOM node by its certificate."""
    from pacs_secure import bootstrap

    with archive_of(context) as (archive, subject):
        device = bootstrap.device(
            subject.institution, ae_title, certificate.read_bytes(), host, port, department, allow
        )
        archive.enrolment.enrol(subject, device)
    print(f"{ae_title} is enrolled for {allow}")


@device_app.command("list")
def device_list(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the enrolled DICOM nodes."""
    with archive_of(context) as (archive, _):
        devices = archive.enrolment.devices.all()
    rows = [
        {
            "ae_title": one.ae_title,
            "department": one.department,
            "allow": sorted(one.operations),
            "host": one.host,
            "port": one.port,
            "spki_sha256": one.spki_sha256.hex(),
            "revoked": one.revoked_at is not None,
        }
        for one in devices
    ]
    if as_json:
        print(json.dumps(rows))
        return
    table = Table("AE title", "department", "allow", "revoked")
    for row in rows:
        table.add_row(str(row["ae_title"]), str(row["department"]), ", ".join(sorted(one_of(row))), str(row["revoked"]))
    Console().print(table)


def one_of(row: dict[str, object]) -> list[str]:
    """Return the operations of a listed device."""
    allowed = row["allow"]
    return [str(one) for one in allowed] if isinstance(allowed, list) else []
