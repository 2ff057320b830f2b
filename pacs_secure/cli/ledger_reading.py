"""Commands that read the ledger: a proof for one entry, and what a patient may know of who looked."""

import json
from base64 import b64encode
from typing import Annotated

import typer

from pacs_secure.cli.house import archive_of
from pacs_secure.cli.ledger import ledger_app

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
