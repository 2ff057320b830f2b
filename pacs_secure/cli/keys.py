"""Commands for the keys: how they stand, turning the institution's key, and wrapping the shelf anew."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pacs_secure.archive.rekey import KeysStatus, Rekeyed, Stay
from pacs_secure.cli.house import AsJson, archive_of, progress_bar

keys_app = typer.Typer(help="The keys that everything is sealed under.", no_args_is_help=True)

NOTE = {"protocol": "command line"}
_WHY = {
    Stay.NOTHING: "nothing is wrapped under an older version any more, and none unwraps",
    Stay.FAILED: "older versions stay: some keys could not be wrapped anew; an alarm is on record",
    Stay.BELOW: "older versions stay: keys under them came meanwhile; run it again",
    Stay.YOUNG: "older versions stay for a minute after a rotation; run it again then, or leave it to the archive",
    Stay.STOPPED: "it was stopped; run it again, or leave it to the archive",
}


@keys_app.command("status")
def keys_status(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Show the versions of the institution's key, the keys on each shelf, and how far a rewrapping has come."""
    with archive_of(context) as (archive, subject):
        status = archive.rekey.status(subject, None, details=NOTE)
    if as_json:
        print(json.dumps({**asdict(status), "pending": status.pending}, default=str))
    else:
        _show(status)


@keys_app.command("rotate")
def keys_rotate(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Turn the institution's key: from now on everything is wrapped under a new version."""
    with archive_of(context) as (archive, subject):
        state = archive.rekey.rotate(subject, None, details=NOTE)
    if as_json:
        print(json.dumps(asdict(state), default=str))
    else:
        print(f"version {state.newest} wraps from now on; `keys rewrap`, or the running archive, does the rest")


@keys_app.command("rewrap")
def keys_rewrap(
    context: typer.Context,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
    *,
    as_json: AsJson = False,
) -> None:
    """Wrap everything on the shelf anew, from where it stood; then older versions end."""
    with archive_of(context) as (archive, subject), progress_bar("wrapping", quiet=quiet) as advance:
        rekeyed = archive.rekey.rewrap(subject, None, details=NOTE, progress=advance)
    print(json.dumps(rekeyed.told()) if as_json else _told(rekeyed))
    raise typer.Exit(1 if rekeyed.failed else 0)


def _told(rekeyed: Rekeyed) -> str:
    counts = f"{rekeyed.done} keys were wrapped anew under version {rekeyed.version}, {rekeyed.failed} could not be"
    return f"{counts}\n{_WHY[rekeyed.stay]}"


def _show(status: KeysStatus) -> None:
    kek = status.kek
    print(f"version {kek.newest} wraps, made {kek.made_at:%Y-%m-%d %H:%M} UTC; versions from {kek.least} on unwrap")
    table = Table("shelf", "keys", "wrapped anew", "failed", "finished")
    for one in status.shelves:
        row = one.row
        finished = "" if row is None or row.finished is None else f"{row.finished:%Y-%m-%d %H:%M}"
        done, failed = ("", "") if row is None else (str(row.done), str(row.failed))
        table.add_row(one.shelf, str(one.keys), done, failed, finished)
    Console().print(table)
    if status.pending:
        print("a rewrapping is not at its end")
