"""Whom an incident laid open: everybody but those whose pictures were refused."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

from pacs_secure.archive.report.incident_tally import IncidentTally
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.incidents import Stage, Suspicion
from pacs_secure.core.vocabulary import Action
from tests.builders import ELSEWHERE, HERE
from tests.unit.archive.report.entries import NOON, entry, rows

SUSPICION = Suspicion(NOON, NOON + timedelta(days=1), "a stolen token", Stage.EARLY)
PATIENT, OTHER = UUID(int=1), UUID(int=2)


def tallied(*drafts: Draft, suspicion: Suspicion = SUSPICION, aliases: frozenset[UUID] | None = None) -> IncidentTally:
    tally = IncidentTally(HERE, suspicion, aliases)
    for one in drafts:
        tally.add(one)
    tally.end()
    return tally


def counts(tally: IncidentTally) -> dict[str, object]:
    return {point.name: point.values["count"] for point in tally.totals()}


def test_whoever_was_refused_laid_nothing_open() -> None:
    tally = tallied(entry(Outcome.REFUSED, patient=OTHER), entry(Outcome.COMPLETED, patient=PATIENT))

    assert counts(tally) == {"patients": 1, "acts": 2, "persons": 1, "refused": 1, "open": 0}
    assert tally.persons().rows == ((str(PATIENT),),)


def test_an_act_that_never_ended_may_have_laid_open_as_much() -> None:
    act = uuid4()
    tally = tallied(
        entry(act=act, patient=PATIENT),
        entry(Outcome.COMPLETED, act=act, patient=PATIENT, facts={"objects": 3, "bytes": 500}),
        entry(patient=OTHER, facts={"objects": "many"}),
    )

    assert counts(tally) == {"patients": 2, "acts": 2, "persons": 1, "refused": 0, "open": 1}
    assert (tally.objects, tally.octets) == (3, 500)


def test_kinds_of_data_follow_from_the_acts() -> None:
    tally = tallied(
        entry(Outcome.COMPLETED, patient=PATIENT, facts={"protected": "vip psychiatry"}),
        entry(Outcome.COMPLETED, action=Action.STUDY_SEARCH, department=""),
        entry(Outcome.COMPLETED, action=Action.CARE_GRANT, patient=PATIENT, purpose=None),
    )

    assert [(point.name, point.values["count"]) for point in tally.categories()] == [
        ("other", 1),
        ("pictures", 1),
        ("search-results", 1),
        ("special", 1),
    ]
    assert tally.categories()[-1].values["labels"] == "psychiatry vip"
    assert {row["department"] for row in rows(tally.tables()[3])} == {"-", "surgery"}


def test_nothing_is_said_to_be_laid_open_where_nothing_was() -> None:
    only = replace(SUSPICION, actions=frozenset({Action.SESSION_OPEN}))
    tally = tallied(entry(Outcome.COMPLETED, action=Action.SESSION_OPEN), suspicion=only)

    assert [point.name for point in tally.categories()] == ["none"]


def test_other_institutions_times_and_studies_are_left_out() -> None:
    study = uuid4()
    tally = tallied(
        entry(Outcome.COMPLETED, patient=PATIENT, institution=ELSEWHERE),
        entry(Outcome.COMPLETED, patient=PATIENT, at=NOON - timedelta(seconds=1)),
        entry(Outcome.COMPLETED, patient=PATIENT),
        entry(Outcome.COMPLETED, patient=OTHER, study_alias=study),
        aliases=frozenset({study}),
    )

    assert tally.persons().rows == ((str(OTHER),),)


def test_acts_beyond_what_is_listed_are_counted() -> None:
    tally = tallied(*(entry(Outcome.COMPLETED, patient=PATIENT) for _ in range(503)))

    assert (len(tally.tables()[-1].rows), tally.tables()[-1].more) == (500, 3)
