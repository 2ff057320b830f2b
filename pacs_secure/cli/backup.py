"""Commands that take backups, prove them and bring them back."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pacs_secure.cli.house import AsJson, err, operator, progress_bar, settings_of
from pacs_secure.core.access import Subject
from pacs_secure.core.errors import Unavailable

if TYPE_CHECKING:
    from pacs_secure.safekeeping import Safekeeping

backup_app = typer.Typer(help="Backups: database, objects, ledger and vault, as one signed set.", no_args_is_help=True)
NOTE = {"protocol": "command line"}
Set = Annotated[Path, typer.Argument(help="A set, or the place of sets: then its newest.", exists=True)]
Unseal = Annotated[
    Path | None, typer.Option("--unseal-file", help="JSON with the shares that open the vault's snapshot, to prove it.")
]


@contextmanager
def _kept(context: typer.Context, unseal_file: Path | None = None) -> Iterator[tuple["Safekeeping", Subject]]:
    from pacs_secure import safekeeping

    chosen = settings_of(context)
    with safekeeping.opened(chosen, unseal_file) as kept:
        try:
            kept.house.archive.policies.follow()
        except Unavailable as error:
            err.print(f"[yellow]the shipped rules hold, an approved policy cannot be proven[/yellow]: {error}")
        yield kept, operator(chosen)


@backup_app.command("create")
def create(
    context: typer.Context,
    to: Annotated[Path, typer.Option("--to", help="The place of sets; what they share lies there once.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Take a consistent set of database, objects, ledger and vault; what is past its time there goes."""
    from pacs_secure.adapters.backup_directory import BackupDirectory

    with (
        _kept(context) as (kept, subject),
        closing(BackupDirectory(to.resolve())) as place,
        progress_bar("backing up") as advance,
    ):
        taken = kept.backup.create(subject, None, place, details=NOTE, progress=advance)
    manifest, horizon = taken.manifest, kept.backup.keeping.horizon
    if as_json:
        print(json.dumps({**taken.told(), "set": str(to.resolve() / manifest.name), "horizon_days": horizon.days}))
        return
    print(f"{to.resolve() / manifest.name}")
    print(
        f"{manifest.content.studies.count} studies, {manifest.objects.count} objects ({taken.copied} new), "
        f"{manifest.content.ledger.count} entries"
        + ("" if manifest.vault else "; no snapshot of the vault: this process was not given the role for it")
    )
    print(f"what is erased from now on is in no backup after {horizon.days} days, where younger sets are proven")


@backup_app.command("verify")
def verify(context: typer.Context, backup_set: Set, unseal_file: Unseal = None, *, as_json: AsJson = False) -> None:
    """Restore a set into an empty place and compare it, byte for byte and root for root; name what is damaged."""
    from pacs_secure.safekeeping import place_of

    with (
        _kept(context, unseal_file) as (kept, subject),
        place_of(backup_set.resolve()) as (place, name),
        progress_bar("verifying") as advance,
    ):
        proof = kept.proof.verify(subject, None, place, name, details=NOTE, progress=advance)
    verdict, manifest = proof.verdict, proof.manifest
    if as_json:
        findings = [asdict(finding) for finding in verdict.findings]
        print(
            json.dumps(
                {"sound": verdict.sound, "set": name, "checked": verdict.checked, "keys": proof.keys}
                | {"findings": findings}
            )
        )
    elif verdict.sound and manifest is not None:
        print(f"sound: {verdict.checked} files, objects and rows of {name}")
        for what, tally in (
            ("studies", manifest.content.studies),
            ("objects", manifest.objects),
            ("ledger", manifest.content.ledger),
        ):
            print(f"{what}: {tally.count}, root {tally.root}")
        tried = "not tried: nobody gave the shares" if proof.keys is None else f"{proof.keys} keys open"
        print(f"vault: {tried}")
    else:
        for finding in verdict.findings:
            print(f"{finding.place}: {finding.problem}")
    raise typer.Exit(0 if verdict.sound else 1)


@backup_app.command("restore")
def restore(
    context: typer.Context,
    backup_set: Set,
    keep_objects: Annotated[
        bool, typer.Option("--keep-objects", help="Objects may be there already; what is missing is added to them.")
    ] = False,
    unseal_file: Unseal = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Fill an empty archive from a set; what was forgotten since stays forgotten. The vault is brought back before."""
    from pacs_secure.safekeeping import place_of

    with (
        _kept(context, unseal_file) as (kept, subject),
        place_of(backup_set.resolve()) as (place, name),
        progress_bar("restoring") as advance,
    ):
        done = kept.restoring.restore(
            subject, None, place, name, details=NOTE, keep_objects=keep_objects, progress=advance
        )
    content, objects = done.manifest.content, done.manifest.objects
    if as_json:
        told = {"set": name, "studies": content.studies.count, "objects": objects.count}
        print(json.dumps({**told, "forgotten_studies": done.forgotten, "forgotten_keys": done.keys}))
    else:
        print(
            f"restored {name}: {content.studies.count} studies, {objects.count} objects, {content.ledger.count} entries"
        )
        print(f"{done.forgotten} studies stay forgotten; {done.keys} forgotten keys were back and are gone again")
