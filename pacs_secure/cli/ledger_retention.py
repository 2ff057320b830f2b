"""The command that ends what the ledger need not keep any longer."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from pacs_secure.cli.house import AsJson, archive_of, progress_bar
from pacs_secure.cli.ledger import ledger_app
from pacs_secure.core.retention import Expired, Plan

NOTE = {"protocol": "command line"}


@ledger_app.command("expire")
def ledger_expire(
    context: typer.Context,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would go, how many, and until when.")] = False,
    *,
    as_json: AsJson = False,
) -> None:
    """Remove entries older than the ledger keeps them, and their keys; a signed certificate stays."""
    with archive_of(context) as (archive, subject):
        if plan:
            with progress_bar("reading") as advance:
                planned = archive.ledger_retention.plan(subject, None, details=NOTE, progress=advance)
            print(json.dumps(asdict(planned), default=str) if as_json else _planned(planned))
        else:
            with progress_bar("removing") as advance:
                expired = archive.ledger_retention.expire(subject, None, details=NOTE, progress=advance)
            print(json.dumps(expired.told()) if as_json else _expired(expired))


def _planned(plan: Plan) -> str:
    kept = f"kept: everything from {plan.cutoff:%Y-%m-%d %H:%M} UTC on; the next entry stays because of {plan.stopped}"
    if plan.until is None:
        return f"no entry would go, {plan.keys} keys would be forgotten\n{kept}"
    return (
        f"{plan.count} entries would go: {plan.start} to {plan.horizon - 1}, the newest of "
        f"{plan.until:%Y-%m-%d %H:%M} UTC; {plan.keys} keys would be forgotten\n{kept}"
    )


def _expired(expired: Expired) -> str:
    return (
        f"{expired.entries} entries went, {expired.keys} keys were forgotten, {expired.certificates} certificates "
        f"were made; the ledger begins at {expired.plan.horizon}"
    )
