"""The command that reports on an incident, for the authority and for those affected."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pacs_secure.cli.house import archive_of, progress_bar
from pacs_secure.cli.ledger_report import Form, Lang, Output, write
from pacs_secure.core.access import Action
from pacs_secure.core.incidents import Stage, Suspicion
from pacs_secure.core.reports import Language, ReportFormat

incident_app = typer.Typer(help="What an incident laid open, and what has to be said of it.", no_args_is_help=True)
MOMENT = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
Given = Path | None


@incident_app.callback()
def _commands() -> None:
    """Keep ``report`` a command of its own, whatever else will stand beside it."""


@incident_app.command("report")
def incident_report(
    context: typer.Context,
    begins: Annotated[datetime, typer.Option("--from", formats=MOMENT, help="The first moment, UTC.")],
    ends: Annotated[datetime, typer.Option("--to", formats=MOMENT, help="The first moment after it, UTC.")],
    cause: Annotated[str, typer.Option(help="What happened; sealed in the ledger.")],
    stage: Annotated[Stage, typer.Option(help="Early warning, notification, or the final report.")] = Stage.EARLY,
    actor_department: Annotated[str, typer.Option(help="Only acts of this department.")] = "",
    action: Annotated[list[Action] | None, typer.Option(help="Only these acts.")] = None,
    study_file: Annotated[
        Given, typer.Option(help="Only acts on these studies: one UID a line.", exists=True, dir_okay=False)
    ] = None,
    statements: Annotated[
        Given, typer.Option(help="What people say (TOML): consequences, measures …", exists=True, dir_okay=False)
    ] = None,
    lang: Lang = Language.ENGLISH,
    form: Form = ReportFormat.HTML,
    output: Output = None,
) -> None:
    """Report on the acts of a window: whom they concern, which data, how many, and what is not known yet."""
    suspicion = Suspicion(
        begins.replace(tzinfo=UTC),
        ends.replace(tzinfo=UTC),
        cause,
        stage,
        actor_department,
        frozenset(action or ()),
        () if study_file is None else tuple(_text(study_file).split()),
        {} if statements is None else _statements(statements),
    )
    with archive_of(context) as (archive, subject), progress_bar("reading the ledger") as advance:
        printed = archive.incident.make(subject, None, suspicion, lang, form, details={}, progress=advance)
    write(printed, output)


def _statements(path: Path) -> dict[str, str]:
    import tomllib

    try:
        said = tomllib.loads(_text(path))
    except ValueError:
        raise typer.BadParameter("this is no TOML", param_hint="--statements") from None
    return {name: str(text) for name, text in said.items()}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
