"""Commands that read the ledger: a proof for one entry, and what a patient may know of who looked."""

import json
from base64 import b64encode
from enum import StrEnum
from typing import Annotated

import typer

from pacs_secure.cli.house import AsJson, archive_of
from pacs_secure.cli.ledger import ledger_app
from pacs_secure.core.questions import OpenedQuestion
from pacs_secure.core.reports import Language

NOTE = {"protocol": "command line"}


class TrailFormat(StrEnum):
    """As what a patient's extract is written."""

    HTML = "html"
    JSON = "json"
    TEXT = "text"


@ledger_app.command("proof")
def ledger_proof(
    context: typer.Context, number: Annotated[int, typer.Argument(help="The entry's place in the ledger, from 0.")]
) -> None:
    """Prove one entry: its bytes, the signed checkpoint, and the path between them, as JSON."""
    with archive_of(context) as (archive, subject):
        proof = archive.ledger_proofs.of(subject, None, number, details=NOTE)
    told = {
        "index": proof.index,
        "entry": b64encode(proof.content).decode(),
        "size": proof.size,
        "root": b64encode(proof.root).decode(),
        "checkpoint": proof.checkpoint.decode(),
        "path": [b64encode(node).decode() for node in proof.path],
    }
    print(json.dumps(told, indent=2))


@ledger_app.command("questions")
def ledger_questions(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the questions about employees: how far each has come, and nobody's name."""
    with archive_of(context) as (archive, subject):
        listed = archive.questioning.listed(subject, None, details=NOTE)
    if as_json:
        print(json.dumps([_asked(one) for one in listed]))
        return
    for one in listed:
        question = one.question
        period = f"{question.since:%Y-%m-%d} to {question.until:%Y-%m-%d}"
        print(f"{question.question_id}  {one.state:<8}  asked {question.at:%Y-%m-%d %H:%M}, about {period}")


def _asked(one: OpenedQuestion) -> dict[str, str | None]:
    question, until = one.question, one.question.answered_until
    return {
        "id": str(question.question_id),
        "state": one.state.value,
        "asked_at": question.at.isoformat(),
        "since": question.since.isoformat(),
        "until": question.until.isoformat(),
        "ruled_at": None if question.ruling is None else question.ruling.at.isoformat(),
        "answered_until": None if until is None else until.isoformat(),
    }


@ledger_app.command("patient")
def ledger_patient(
    context: typer.Context,
    patient_id: Annotated[str, typer.Argument(help="Patient ID.")],
    issuer: Annotated[str | None, typer.Option(help="Who issued the Patient ID, when two give the same.")] = None,
    lang: Annotated[Language, typer.Option(help="In which language.")] = Language.GERMAN,
    form: Annotated[TrailFormat, typer.Option("--format", help="As text, page or JSON.")] = TrailFormat.TEXT,
    time_zone: Annotated[str, typer.Option(help="Of the times that are told, by its IANA name.")] = "Europe/Berlin",
    name_employees: Annotated[
        bool, typer.Option("--name-employees", help="Name employees: for data-protection officers only.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why names are indispensable.")] = "",
    *,
    proofs: Annotated[bool, typer.Option("--proofs", help="With --format json: prove the entries.")] = False,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Read the whole ledger instead of trusting its index.")
    ] = False,
) -> None:
    """Tell a patient who came to their pictures; it is recorded as a disclosure (GDPR 15)."""
    from pacs_secure.archive import trail_pages as pages
    from pacs_secure.archive.declarations import Whom
    from pacs_secure.archive.patient_trail import Disclosure

    zone = pages.zone_of(time_zone)
    wanted = Disclosure(Whom(patient_id, issuer), name_employees, reason, proofs, thorough)
    with archive_of(context) as (archive, subject):
        trail = archive.patient_trail.produce(subject, None, wanted, details=NOTE)
    if form is TrailFormat.JSON:
        print(json.dumps(pages.machine(trail, lang, zone), indent=2, ensure_ascii=False))
    else:
        print((pages.page if form is TrailFormat.HTML else pages.text)(trail, lang, zone), end="")
