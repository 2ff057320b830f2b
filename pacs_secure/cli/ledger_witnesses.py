"""The command about those outside the house: what a witness is told of this ledger, and how far they have signed."""

import json

import typer

from pacs_secure.cli.house import AsJson, settings_of
from pacs_secure.cli.ledger import ledger_app


@ledger_app.command("witnesses")
def ledger_witnesses(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Show the ledger's verifier key, its witnesses, and how far they have signed what is published."""
    from pacs_secure.adapters.tile_directory import TileDirectory
    from pacs_secure.bootstrap import ledger_key
    from pacs_secure.crypto.tlog import log_verifier_key, parse_checkpoint

    settings = settings_of(context)
    ledger = settings.ledger
    published = TileDirectory(ledger.checkpoint_directory)
    note = published.witnessed()
    told = {
        "verifier_key": log_verifier_key(ledger.origin, ledger_key(ledger.public_key_file)),
        "published": published.published(),
        "witnessed": 0 if note is None else parse_checkpoint(note).size,
        "quorum": ledger.quorum,
        "witnesses": {one.name: one.verifier_key for one in ledger.witnesses},
    }
    if as_json:
        print(json.dumps(told))
        return
    print(f"ledger     {told['verifier_key']}")
    for one in ledger.witnesses:
        print(f"witness    {one.name}: {one.verifier_key}")
    print(f"published  {told['published']} entries, {told['witnessed']} of them witnessed by {ledger.quorum} or more")
