"""The command that makes the database fit for this build."""

import json

import typer

from pacs_secure.cli.house import AsJson, settings_of

app = typer.Typer()


@app.command("init")
def init(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Make the tables of an empty database, or bring older ones up; on PostgreSQL as their owner."""
    from pacs_secure import bootstrap

    before, after = bootstrap.settle_database(settings_of(context))
    if as_json:
        print(json.dumps({"before": before, "after": after}))
    elif before == after:
        print(f"the database has schema version {after}: nothing to do")
    else:
        print(f"the database has schema version {after} now, and had {before or 'none'} before")
