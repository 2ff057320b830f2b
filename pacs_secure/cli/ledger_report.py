"""The command that reports on a period, and checks that a report is what was signed."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pacs_secure.cli.house import archive_of, progress_bar, settings_of
from pacs_secure.cli.ledger import ledger_app
from pacs_secure.core.reports import Language, ReportFormat

if TYPE_CHECKING:
    from pacs_secure.core.reports import Printed

DAY = ["%Y-%m-%d"]
Lang = Annotated[Language, typer.Option("--lang", help="In which language.")]
Form = Annotated[ReportFormat, typer.Option("--format", help="A page, a document for the files, or data.")]
Output = Annotated[Path | None, typer.Option(help="Where to; its signature beside it, ending .sig.", dir_okay=False)]


@ledger_app.command("report")
def ledger_report(
    context: typer.Context,
    first: Annotated[datetime | None, typer.Option("--from", formats=DAY, help="The first day.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=DAY, help="The last day, itself included.")] = None,
    lang: Lang = Language.ENGLISH,
    form: Form = ReportFormat.HTML,
    output: Output = None,
    check: Annotated[
        Path | None, typer.Option(help="Make none: verify the signature of this one.", exists=True, dir_okay=False)
    ] = None,
) -> None:
    """Report on a period: verified, counted, flagged, signed, and itself on record."""
    if check is not None:
        _check(context, check)
        return
    if first is None or last is None:
        raise typer.BadParameter("a period has a first and a last day", param_hint="--from, --to")
    with archive_of(context) as (archive, subject), progress_bar("reading the ledger") as advance:
        days = first.date(), last.date()
        printed = archive.report.make(subject, None, days, lang, form, details={}, progress=advance)
    write(printed, output)


def write(printed: "Printed", output: Path | None) -> None:
    """Leave a report and its signature behind, for their owner only, and say where."""
    from pacs_secure.cli.files import write_bytes

    path = output or Path(printed.name)
    write_bytes(path, printed.content, 0o600)
    write_bytes(signature_of(path), printed.note, 0o600)
    print(f"{path} and {signature_of(path).name}")


def signature_of(path: Path) -> Path:
    """Return where the signature of a report lies."""
    return path.with_name(f"{path.name}.sig")


def _check(context: typer.Context, path: Path) -> None:
    from pacs_secure import bootstrap
    from pacs_secure.archive.report.signature import check

    ledger, signature = settings_of(context).ledger, signature_of(path)
    if not signature.is_file():
        raise typer.BadParameter(f"{signature} is not there", param_hint="--check")
    check(path.read_bytes(), signature.read_bytes(), ledger.origin, bootstrap.ledger_key(ledger.public_key_file))
    print(f"{path} is what was signed")
