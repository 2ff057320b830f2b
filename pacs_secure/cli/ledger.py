"""Commands that verify what is stored and what is recorded."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import typer

from pacs_secure.archive.ledger_watch import EVERY_SECONDS
from pacs_secure.cli.house import AsJson, archive_of, err, pace_bar, progress_bar, report, share_bar
from pacs_secure.core.audit import Verdict
from pacs_secure.core.rebuilding import UNKNOWN

app = typer.Typer()
ledger_app = typer.Typer(help="The record of every act.", no_args_is_help=True)
app.add_typer(ledger_app, name="ledger")


@ledger_app.command("verify")
def ledger_verify(
    context: typer.Context,
    since: Annotated[
        datetime | None, typer.Option(help="Leave out what is older (UTC), as far as the next checkpoint proves it.")
    ] = None,
    continuous: Annotated[
        bool, typer.Option("--continuous", help="Go on with what is new, every ten seconds, until Ctrl-C or a finding.")
    ] = False,
    *,
    as_json: AsJson = False,
) -> None:
    """Verify chain, writers, tree and checkpoints; name the first bad position."""
    with archive_of(context) as (archive, subject), progress_bar("verifying") as advance:
        moment = None if since is None else since.replace(tzinfo=since.tzinfo or UTC)
        verdict = archive.verify.check_ledger(subject, advance, moment)
        while continuous and verdict.sound:
            begun = datetime.now(UTC)
            err.print(f"{begun:%H:%M:%S} sound: {verdict.checked} entries verified")
            time.sleep(EVERY_SECONDS)
            verdict = archive.verify.check_ledger(subject, since=begun)
    report(verdict, "entries", as_json=as_json)


@app.command()
def verify(
    context: typer.Context,
    deep: Annotated[
        bool, typer.Option("--deep", help="Open and parse every object, and compare it with what was received.")
    ] = False,
    rebuild_index: Annotated[
        bool,
        typer.Option("--rebuild-index", help="Make a lost index anew from objects and vault, in an empty database."),
    ] = False,
    *,
    as_json: AsJson = False,
) -> None:
    """Verify index, objects and keys against each other, sweep dead ciphertext, then verify the ledger."""
    if rebuild_index:
        _rebuild(context, as_json=as_json)
    with archive_of(context) as (archive, subject):
        with pace_bar("verifying objects") as paced:
            objects = archive.verify.check_archive(subject, deep=deep, paced=paced)
        with progress_bar("verifying the ledger") as advance:
            entries = archive.verify.check_ledger(subject, advance)
    found = objects.findings + entries.findings
    both = Verdict(objects.checked + entries.checked, found, objects.pace, objects.told)
    report(both, "objects and entries", as_json=as_json)


def _rebuild(context: typer.Context, *, as_json: bool) -> None:
    with archive_of(context) as (archive, subject), share_bar("rebuilding") as watch:
        verdict = archive.rebuild.run(subject, watch)
    if as_json:
        verdict = replace(verdict, told={**verdict.told, "unknown": "; ".join(UNKNOWN)})
    else:
        for unknown in UNKNOWN:
            print(f"not known any more: {unknown}")
    report(verdict, "objects", as_json=as_json)
