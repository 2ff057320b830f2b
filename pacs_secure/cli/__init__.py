"""The command line: one more door. It authenticates by the operating system and never decides.

What a command needs is imported by it, so that the small ones answer at once.

Exit status: 0 done, 1 refused or found wanting, 2 misuse.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pacs_secure.cli import (
    backup,
    database,
    devices,
    facts,
    incident,
    keys,
    ledger,
    ledger_feed,
    ledger_reading,
    ledger_report,
    ledger_retention,
    ledger_witnesses,
    objects,
    one_machine,
    policy,
    sending,
    sessions,
)
from pacs_secure.cli.house import err
from pacs_secure.core.errors import ArchiveError

app = typer.Typer(help="A DICOM archive that seals, decides, records and gives back.", no_args_is_help=True)
for _commands in (one_machine, sending, ledger, database):
    app.add_typer(_commands.app)
LEDGER = (ledger_feed, ledger_reading, ledger_report, ledger_retention, ledger_witnesses)
"""Modules whose commands stand below ``ledger``, where each registers its own."""
app.add_typer(backup.backup_app, name="backup")
app.add_typer(devices.device_app, name="device")
app.add_typer(policy.policy_app, name="policy")
app.add_typer(facts.study_app, name="study")
app.add_typer(facts.care_app, name="care")
app.add_typer(sessions.session_app, name="session")
app.add_typer(incident.incident_app, name="incident")
app.add_typer(keys.keys_app, name="keys")
app.add_typer(objects.objects_app, name="objects")


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
