"""Commands that read the ledger: a proof for one entry, and what a patient may know of who looked."""

import json
from base64 import b64encode
from typing import Annotated

import typer

from pacs_secure.cli.house import AsJson, archive_of
from pacs_secure.cli.ledger import ledger_app
from pacs_secure.core.questions import OpenedQuestion

NOTE = {"protocol": "command line"}


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
