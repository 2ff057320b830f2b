"""Commands about the two stores of sealed objects."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from pacs_secure.cli.house import AsJson, archive_of, progress_bar
from pacs_secure.core.errors import NotFound

if TYPE_CHECKING:
    from pacs_secure.archive import Archive
    from pacs_secure.archive.replication import Comparison, Replication

objects_app = typer.Typer(help="The stores of sealed objects.", no_args_is_help=True)
NOTE = {"protocol": "command line"}


@objects_app.command("status")
def objects_status(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Compare both stores and change nothing; status 1 when the second lacks or holds something else."""
    with archive_of(context) as (archive, subject), progress_bar("comparing") as advance:
        found = _replication(archive).compare(subject, details=NOTE, progress=advance)
    print(json.dumps(asdict(found)) if as_json else _standing(found))
    raise typer.Exit(1 if found.missing or found.differing else 0)


@objects_app.command("mend")
def objects_mend(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Bring both stores in step, whichever lacks an object; status 1 when something was refused."""
    with archive_of(context) as (archive, subject), progress_bar("mending") as advance:
        found = _replication(archive).mend(subject, details=NOTE, progress=advance)
    print(json.dumps(asdict(found)) if as_json else _mended(found))
    raise typer.Exit(1 if found.refused or found.differing else 0)


def _replication(archive: "Archive") -> "Replication":
    if archive.replication is None:
        raise NotFound("there is no second store: [objects.second] names none")
    return archive.replication


def _standing(found: "Comparison") -> str:
    return (
        f"{found.objects} objects ({found.octets >> 20} MiB) in the first store; the second lacks {found.missing}, "
        f"has {found.differing} of another length and {found.extra} that the first has not"
    )


def _mended(found: "Comparison") -> str:
    refused = f"; {found.refused} that no row names were left where they are" if found.refused else ""
    return (
        f"{found.copied} copied to the second store, {found.restored} put back into the first, "
        f"{found.removed} removed from the second{refused}"
    )
