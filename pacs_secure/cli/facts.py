"""Commands about what decisions rest on: the facts of a study, and who treats or referred whom."""

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

import typer

from pacs_secure.cli.house import AsJson, archive_of
from pacs_secure.core.access import Safeguard
from pacs_secure.core.care import FOR_GOOD, Care
from pacs_secure.core.classification import Classification, Reclassification

study_app = typer.Typer(help="The facts that decisions about a study rest on.", no_args_is_help=True)
care_app = typer.Typer(help="Who treats a patient, and who referred a study.", no_args_is_help=True)

Study = Annotated[str, typer.Argument(help="Study Instance UID.")]
OfStudy = Annotated[str, typer.Option("--study", help="Study Instance UID of a study of the patient.")]
Person = Annotated[str, typer.Option(help="The identifier that the person logs in with.")]
Reason = Annotated[str, typer.Option(help="Why, in 10 to 500 characters; sealed in the ledger.")]
DAY = ["%Y-%m-%d"]


@study_app.command("show")
def study_show(context: typer.Context, study: Study, *, as_json: AsJson = False) -> None:
    """Show the facts of a study."""
    with archive_of(context) as (archive, subject):
        facts = archive.classify.show(subject, None, study)
    _show(facts, as_json=as_json)


@study_app.command("classify")
def study_classify(
    context: typer.Context,
    study: Study,
    reason: Reason,
    department: Annotated[str | None, typer.Option(help="Move it to this department.")] = None,
    label: Annotated[list[Safeguard] | None, typer.Option(help="Protect it specially.")] = None,
    no_label: Annotated[list[Safeguard] | None, typer.Option(help="Take a label away.")] = None,
    restrict: Annotated[bool | None, typer.Option("--restrict/--no-restrict", help="GDPR 18.")] = None,
    hold: Annotated[bool | None, typer.Option("--hold/--release", help="Legal hold.")] = None,
    treatment_ended: Annotated[datetime | None, typer.Option(formats=DAY, help="When the treatment ended.")] = None,
    treatment_goes_on: Annotated[bool, typer.Option("--treatment-goes-on", help="It did not end after all.")] = False,
    *,
    as_json: AsJson = False,
) -> None:
    """Change facts of a study; what is not named stays as it is."""
    change = Reclassification(
        department=department,
        add_labels=frozenset(label or ()),
        remove_labels=frozenset(no_label or ()),
        restricted=restrict,
        held=hold,
        treatment_ended_on=treatment_ended.date() if treatment_ended else None,
        treatment_goes_on=treatment_goes_on,
    )
    with archive_of(context) as (archive, subject):
        facts = archive.classify.change(subject, None, study, change, reason)
    _show(facts, as_json=as_json)


@care_app.command("grant")
def care_grant(
    context: typer.Context,
    study: OfStudy,
    person: Person,
    until: Annotated[datetime, typer.Option(formats=DAY, help="The last day, at most a year away.")],
    reason: Reason,
) -> None:
    """State that a person treats the patient of a study."""
    with archive_of(context) as (archive, subject):
        stated = archive.care.grant(subject, None, study, person, _end_of(until.date()), reason)
    print(f"{stated.origin} holds until the end of {until:%Y-%m-%d}")


@care_app.command("refer")
def care_refer(context: typer.Context, study: OfStudy, person: Person, reason: Reason) -> None:
    """State that a person referred a study."""
    with archive_of(context) as (archive, subject):
        stated = archive.care.refer(subject, None, study, person, reason)
    print(f"{stated.origin} holds until it is ended")


@care_app.command("end")
def care_end(
    context: typer.Context,
    statement: Annotated[str, typer.Argument(help="Its id, as `care list` shows it.")],
    reason: Reason,
) -> None:
    """End what was stated."""
    with archive_of(context) as (archive, subject):
        archive.care.end(subject, None, statement, reason)
    print(f"{statement} is over")


@care_app.command("list")
def care_list(context: typer.Context, study: OfStudy, *, as_json: AsJson = False) -> None:
    """List who treats the patient of a study, and who referred it."""
    with archive_of(context) as (archive, subject):
        stated = [_told(one) for one in archive.care.list(subject, None, study)]
    if as_json:
        print(json.dumps(stated))
        return
    for one in stated:
        print(f"{one['id']}  {one['relation']:<9}  {one['until'] or 'until ended':<25}  {one['person']}")


def _show(facts: Classification, *, as_json: bool) -> None:
    told = facts.told()
    if as_json:
        exact = {"labels": sorted(facts.labels), "restricted": facts.restricted, "held": facts.held}
        print(json.dumps({**told, **exact, "treatment_ended_on": told["treatment_ended_on"] or None}))
        return
    for name, value in told.items():
        print(f"{name.replace('_', ' '):<18} {value or '-'}")


def _told(care: Care) -> dict[str, str | None]:
    return {
        "id": str(care.origin),
        "relation": care.relation.value,
        "person": care.person,
        "since": care.begins_at.isoformat(timespec="seconds"),
        "until": None if care.ends_at == FOR_GOOD else care.ends_at.isoformat(timespec="seconds"),
        "reason": care.reason,
    }


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC) + timedelta(days=1)
