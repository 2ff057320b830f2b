"""Commands that verify what is stored and what is recorded."""

from typing import Annotated

import typer

from pacs_secure.cli.house import AsJson, archive_of, progress_bar, report
from pacs_secure.core.audit import Verdict

app = typer.Typer()
ledger_app = typer.Typer(help="The record of every act.", no_args_is_help=True)
app.add_typer(ledger_app, name="ledger")


@ledger_app.command("verify")
def ledger_verify(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Verify chain, tree and checkpoints; name the first bad position."""
    with archive_of(context) as (archive, subject), progress_bar("verifying") as advance:
        verdict = archive.verify.check_ledger(subject, advance)
    report(verdict, "entries", as_json=as_json)


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
    with archive_of(context) as (archive, subject), progress_bar("verifying") as advance:
        objects = archive.verify.check_archive(subject, deep=deep, progress=advance)
        entries = archive.verify.check_ledger(subject, advance)
    both = Verdict(objects.checked + entries.checked, objects.findings + entries.findings)
    report(both, "objects and entries", as_json=as_json)
