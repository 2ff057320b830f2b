"""The command line: one more door. It authenticates by the operating system and never decides.

What a command needs is imported by it, so that the small ones answer at once.

Exit status: 0 done, 1 refused or found wanting, 2 misuse.
"""

import json
import os
import pwd
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from pacs_secure.core.access import DEFAULT_DEPARTMENT, Door, Purpose, Role, Subject
from pacs_secure.core.audit import Verdict
from pacs_secure.core.errors import ArchiveError
from pacs_secure.core.identifiers import institution

if TYPE_CHECKING:
    from pacs_secure.bootstrap import Archive
    from pacs_secure.bootstrap import Progress as Advance
    from pacs_secure.settings import Settings

app = typer.Typer(help="A DICOM archive that seals, decides, records and gives back.", no_args_is_help=True)
ledger_app = typer.Typer(help="The record of every act.", no_args_is_help=True)
device_app = typer.Typer(help="DICOM nodes and their certificates.", no_args_is_help=True)
policy_app = typer.Typer(help="Who may do what, and why.", no_args_is_help=True)
app.add_typer(ledger_app, name="ledger")
app.add_typer(device_app, name="device")
app.add_typer(policy_app, name="policy")

err = Console(stderr=True)
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON, for machines.")]
Data = Annotated[Path, typer.Option("--data", help="The one directory everything lies below.")]
DEFAULT_DATA = Path(".demo")


@app.callback()
def configure(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", envvar="PACS_SECURE_CONFIG", help="Configuration file (TOML).")
    ] = None,
) -> None:
    """Remember which configuration a command is about."""
    context.obj = config


def main() -> None:
    """Run one command; errors of the archive end it with status 1 and one line."""
    try:
        app()
    except ArchiveError as error:
        err.print(f"[red]{type(error).__name__}[/red]: {error}")
        sys.exit(1)


# --- one machine ----------------------------------------------------------------------------


@app.command("quickstart")
def quickstart_command(
    data: Data = DEFAULT_DATA,
    detach: Annotated[bool, typer.Option("--detach", help="Return when ready and leave it running.")] = False,
    sample: Annotated[
        bool, typer.Option("--sample/--no-sample", help="Store sample studies at the first start.")
    ] = True,
    tour: Annotated[bool, typer.Option("--tour", help="Show what the archive does, step by step.")] = False,
    ports: Annotated[str, typer.Option("--ports", help="auto: free ports, kept for later starts.")] = "auto",
) -> None:
    """Start a whole archive on this machine: keys, ledger, doors and sample studies, on loopback only."""
    from pacs_secure.quickstart import command

    if ports != "auto":
        raise typer.BadParameter("only 'auto' is known", param_hint="--ports")
    command.start(data.resolve(), detach=detach, sample=sample, tour=tour)


@app.command("stop")
def stop_command(data: Data = DEFAULT_DATA) -> None:
    """End exactly what the quickstart of this directory started."""
    from pacs_secure.quickstart import command

    command.stop(data.resolve())


@app.command("status")
def status_command(data: Data = DEFAULT_DATA, *, as_json: AsJson = False) -> None:
    """Show what the quickstart of this directory started; status 1 when something is not running."""
    from pacs_secure.quickstart import command

    raise typer.Exit(command.status(data.resolve(), as_json=as_json))


@app.command()
def serve(context: typer.Context) -> None:
    """Open the doors and serve until the process is asked to end."""
    from pacs_secure import bootstrap

    bootstrap.serve(_settings(context))


@app.command()
def token(
    context: typer.Context,
    role: Annotated[Role, typer.Option(help="What the holder is.")],
    user: Annotated[str | None, typer.Option(help="Who the holder is; the role's name by default.")] = None,
    department: Annotated[str, typer.Option(help="Where the holder works.")] = DEFAULT_DEPARTMENT,
    purpose: Annotated[Purpose | None, typer.Option(help="Purpose of use claimed by the token.")] = None,
    hours: Annotated[int, typer.Option(min=1, max=24)] = 8,
) -> None:
    """Print an access token of the development issuer (never in production)."""
    from pacs_secure import bootstrap

    chosen = _settings(context)
    issuer = bootstrap.development_issuer(chosen)
    of = institution(chosen.institution)
    print(issuer.issue(role, user or role.value, department, purpose, of, timedelta(hours=hours)))


# --- sending --------------------------------------------------------------------------------


@app.command()
def store(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Part 10 files or folders of them.", exists=True)],
    device: Annotated[str, typer.Option(help="AE title of the enrolled device to send as.")] = "MODALITY1",
    certificates: Annotated[
        Path | None, typer.Option(help="Folder with the device's .pem and .key; beside the configuration by default.")
    ] = None,
) -> None:
    """Send files or folders to the archive over TLS DICOM; status 1 when one was not stored."""
    from pacs_secure.dimse.sender import Sent, send
    from pacs_secure.dimse.tls import client_context

    chosen = _settings(context)
    folder = certificates or _config_file(context).parent / "certificates"
    tls = client_context(str(folder / f"{device}.pem"), str(folder / f"{device}.key"), str(chosen.dicom.ca_file))
    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("sending", total=None)

        def advance(sent: Sent) -> None:
            progress.update(task, completed=sent.done, total=sent.total)
            if not sent.stored:
                reason = sent.problem or f"status 0x{sent.status:04X}"
                err.print(f"[red]not stored[/red]: {sent.path}: {reason}", highlight=False, soft_wrap=True)

        dicom = chosen.dicom
        summary = send(paths, dicom.host, dicom.port, dicom.ae_title, device, tls, advance)
    print(
        f"{summary.stored} stored, {len(summary.failed)} not stored, {summary.skipped} files that are no DICOM instance"
    )
    raise typer.Exit(1 if summary.failed else 0)


# --- ledger and archive ---------------------------------------------------------------------


@ledger_app.command("verify")
def ledger_verify(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Verify chain, tree and checkpoints; name the first bad position."""
    with _archive(context) as (archive, subject), _progress("verifying") as advance:
        verdict = archive.verify.check_ledger(subject, advance)
    _report(verdict, "entries", as_json=as_json)


@app.command()
def verify(
    context: typer.Context,
    deep: Annotated[
        bool, typer.Option("--deep", help="Open every object and compare it with what was received.")
    ] = False,
    *,
    as_json: AsJson = False,
) -> None:
    """Verify objects against the index, sweep dead ciphertext, then verify the ledger."""
    with _archive(context) as (archive, subject), _progress("verifying") as advance:
        objects = archive.verify.check_archive(subject, deep=deep, progress=advance)
        entries = archive.verify.check_ledger(subject, advance)
    both = Verdict(objects.checked + entries.checked, objects.findings + entries.findings)
    _report(both, "objects and entries", as_json=as_json)


@policy_app.command("check")
def policy_check(context: typer.Context) -> None:
    """Say what is wrong with the policy: contradictions to the truth table, broken separation of duties."""
    from pacs_secure import bootstrap

    problems = bootstrap.policy_problems(_settings(context))
    for problem in problems:
        print(problem)
    raise typer.Exit(1 if problems else 0)


# --- devices --------------------------------------------------------------------------------


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

    with _archive(context) as (archive, subject):
        device = bootstrap.device(
            subject.institution, ae_title, certificate.read_bytes(), host, port, department, allow
        )
        archive.enrolment.enrol(subject, device)
    print(f"{ae_title} is enrolled for {allow}")


@device_app.command("list")
def device_list(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the enrolled DICOM nodes."""
    with _archive(context) as (archive, _):
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


# --- shared by the commands -----------------------------------------------------------------


def _config_file(context: typer.Context) -> Path:
    for candidate in (context.obj, Path("pacs_secure.toml"), DEFAULT_DATA / "pacs_secure.toml"):
        if candidate is not None and candidate.exists():
            return Path(candidate)
    raise typer.BadParameter("no configuration found; name one", param_hint="--config")


def _settings(context: typer.Context) -> "Settings":
    from pacs_secure import settings

    file = _config_file(context)
    try:
        _demand_trusted(file)
        return settings.load(file)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint="--config") from None


def _demand_trusted(file: Path) -> None:
    """Refuse a configuration that others may write: it says to whom the vault credentials are shown."""
    for path in (file, file.absolute().parent):
        status = path.stat()
        shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX
        if status.st_uid not in {0, os.geteuid()} or shared:
            raise PermissionError(f"{path} may be written by somebody else")


@contextmanager
def _archive(context: typer.Context) -> Iterator[tuple["Archive", Subject]]:
    from pacs_secure import bootstrap

    chosen = _settings(context)
    with bootstrap.assemble(chosen) as house:
        # The kernel is asked, not the environment: LOGNAME is whatever its owner says.
        name = f"os:{pwd.getpwuid(os.getuid()).pw_name}"
        yield house.archive, Subject(name, Role.OPERATOR, institution(chosen.institution), "", Door.COMMAND_LINE, "")


@contextmanager
def _progress(what: str) -> Iterator["Advance"]:
    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda count: progress.advance(task, count)


def _report(verdict: Verdict, what: str, *, as_json: bool) -> None:
    if as_json:
        findings = [asdict(finding) for finding in verdict.findings]
        print(json.dumps({"sound": verdict.sound, "checked": verdict.checked, "findings": findings}))
    elif verdict.sound:
        print(f"sound: {verdict.checked} {what} verified")
    else:
        for finding in verdict.findings:
            where = "" if finding.position is None else f"position {finding.position}: "
            print(f"{where}{finding.place}: {finding.problem}")
    raise typer.Exit(0 if verdict.sound else 1)


if __name__ == "__main__":
    main()
