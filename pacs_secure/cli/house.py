"""What the commands share: which configuration, which archive, whose hand, and how a result is shown."""

import json
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from pacs_secure.core.access import Door, Role, Subject
from pacs_secure.core.audit import Pace, Verdict
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import institution

if TYPE_CHECKING:
    from pacs_secure.archive import Archive
    from pacs_secure.archive.ledger_walk import Progress as Advance
    from pacs_secure.archive.rebuild import Watch
    from pacs_secure.archive.store_check import Paced
    from pacs_secure.core.rebuilding import Seen
    from pacs_secure.settings import Settings

err = Console(stderr=True)
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON, for machines.")]
Data = Annotated[Path, typer.Option("--data", help="The one directory everything lies below.")]
Certificates = Annotated[
    Path | None, typer.Option(help="Folder with the device's .pem and .key; beside the configuration by default.")
]
DEFAULT_DATA = Path(".demo")


def config_file(context: typer.Context) -> Path:
    """Return the configuration a command is about; misuse when there is none."""
    for candidate in (context.obj, Path("pacs_secure.toml"), DEFAULT_DATA / "pacs_secure.toml"):
        if candidate is not None and candidate.exists():
            return Path(candidate)
    raise typer.BadParameter("no configuration found; name one", param_hint="--config")


def certificate_file(context: typer.Context, folder: Path | None, ae_title: str) -> Path:
    """Return where a device's certificate lies; misuse when there is none."""
    file = (folder or config_file(context).parent / "certificates") / f"{ae_title}.pem"
    if not file.is_file():
        raise typer.BadParameter(f"{file} is not there", param_hint="--device")
    return file


def settings_of(context: typer.Context) -> "Settings":
    """Read the settings; misuse when they cannot be trusted."""
    from pacs_secure import settings

    file = config_file(context)
    try:
        demand_trusted(file)
        return settings.load(file)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint="--config") from None


def demand_trusted(file: Path) -> None:
    """Refuse a configuration that others may write: it says to whom the vault credentials are shown."""
    for path in (file, file.absolute().parent):
        status = path.stat()
        shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX
        if status.st_uid not in {0, os.geteuid()} or shared:
            raise PermissionError(f"{path} may be written by somebody else")


@contextmanager
def archive_of(context: typer.Context) -> Iterator[tuple["Archive", Subject]]:
    """Open the archive and say whose hand is at the command line."""
    from pacs_secure import bootstrap

    chosen = settings_of(context)
    with bootstrap.assemble(chosen) as house:
        try:
            house.archive.policies.follow()
        except Unavailable as error:
            # Without keys nothing can be opened or changed, and the ledger must be verifiable all the same.
            err.print(f"[yellow]the shipped rules hold, an approved policy cannot be proven[/yellow]: {error}")
        yield house.archive, operator(chosen)


def operator(chosen: "Settings") -> Subject:
    """Say whose hand is at the command line; the kernel is asked, for LOGNAME is whatever its owner says."""
    name = f"os:{pwd.getpwuid(os.getuid()).pw_name}"
    return Subject(name, Role.OPERATOR, institution(chosen.institution), "", Door.COMMAND_LINE, "")


@contextmanager
def progress_bar(what: str, *, quiet: bool = False) -> Iterator["Advance"]:
    """Show how far a long command is, on a terminal."""
    with Progress(console=err, transient=True, disable=quiet or not err.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda count: progress.advance(task, count)


@contextmanager
def pace_bar(what: str) -> Iterator["Paced"]:
    """Show how far and how fast something that goes through objects is, on a terminal."""
    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda pace: progress.update(task, completed=pace.objects, description=f"{what}, {_speed(pace)}")


@contextmanager
def share_bar(what: str) -> Iterator["Watch"]:
    """Show how far and how fast something is that knows how many objects there are, on a terminal."""
    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(what, total=None)

        def show(seen: "Seen") -> None:
            speed = _speed(Pace(seen.objects, seen.octets, seen.seconds))
            progress.update(task, completed=seen.objects, total=seen.of, description=f"{what}, {speed}")

        yield show


def _speed(pace: Pace) -> str:
    read = f", {pace.mebibytes_per_second:,.1f} MiB/s" if pace.octets else ""
    return f"{pace.objects_per_second:,.0f} objects/s{read}"


def _told(verdict: Verdict) -> dict[str, object]:
    """Return what a machine is told of a verdict."""
    findings = [asdict(finding) for finding in verdict.findings]
    told: dict[str, object] = {"sound": verdict.sound, "checked": verdict.checked, "findings": findings}
    if verdict.pace is not None:
        rates = {
            "objects_per_second": round(verdict.pace.objects_per_second, 1),
            "mebibytes_per_second": round(verdict.pace.mebibytes_per_second, 2),
        }
        told["pace"] = {**asdict(verdict.pace), **rates}
    return told | ({"told": dict(verdict.told)} if verdict.told else {})


def report(verdict: Verdict, what: str, *, as_json: bool) -> None:
    """Show a verdict and end with its status."""
    if as_json:
        print(json.dumps(_told(verdict)))
        raise typer.Exit(0 if verdict.sound else 1)
    if verdict.pace is not None:
        counts = "; ".join(f"{name.replace('_', ' ')}: {count}" for name, count in verdict.told.items())
        print(f"{verdict.pace.objects} objects at {_speed(verdict.pace)}; {counts}")
    if verdict.sound:
        print(f"sound: {verdict.checked} {what} verified")
    else:
        for finding in verdict.findings:
            where = "" if finding.position is None else f"position {finding.position}: "
            print(f"{where}{finding.place}: {finding.problem}")
    raise typer.Exit(0 if verdict.sound else 1)
