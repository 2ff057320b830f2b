"""Care: a person who is stated to treat a patient reaches her pictures, until the statement ends."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest

from pacs_secure.archive.care import LONGEST_CARE, CareTies
from pacs_secure.core.access import Relation, Role, Safeguard, Subject
from pacs_secure.core.care import FOR_GOOD, Care
from pacs_secure.core.classification import Reclassification
from pacs_secure.core.errors import ArchiveError, Denied, Hidden, Malformed, NotFound, Tampered
from tests.builders import ELSEWHERE, draft, permit, subject, tie
from tests.unit.archive.instances import acts, data_set, store, study_uid
from tests.unit.archive.test_archive_classification import details
from tests.world import World

OFFICER = subject(Role.OFFICER, identifier="o.huber")
SURGEON = subject(Role.CLINICIAN, identifier="s.klein", department="surgery")
REFERRER = subject(Role.REFERRER, identifier="p.arzt", department="")
WHY = "admitted to surgery today"


def soon(**when: float) -> datetime:
    return datetime.now(UTC) + timedelta(**(when or {"days": 1}))


@pytest.fixture
def care(world: World) -> CareTies:
    store(world, data_set(1, PatientID="P1"), data_set(2, PatientID="P1"), data_set(3, PatientID="P2"))
    return world.archive.care


def opens(world: World, by: Subject, study: str) -> bool:
    try:
        world.archive.retrieve.begin(by, None, study, details={}).close()
    except NotFound:
        return False
    return True


def opened(world: World, by: Subject) -> list[int]:
    return [study for study in (1, 2, 3) if opens(world, by, study_uid(study))]


def test_whoever_treats_a_patient_reaches_all_of_hers_and_nothing_else(world: World, care: CareTies) -> None:
    assert opened(world, SURGEON) == []
    stated = care.grant(OFFICER, None, study_uid(1), " s.klein ", soon(), WHY)

    assert (stated.relation, stated.person, stated.reason) == (Relation.TREATING, "s.klein", WHY)
    assert opened(world, SURGEON) == [1, 2]
    assert opened(world, subject(Role.CLINICIAN, identifier="someone else", department="surgery")) == []


def test_a_treating_relation_passes_labels_but_no_restriction(world: World, care: CareTies) -> None:
    care.grant(OFFICER, None, study_uid(1), "s.klein", soon(), WHY)
    for change in (
        Reclassification(add_labels=frozenset({Safeguard.VIP})),
        Reclassification(restricted=True),
    ):
        world.archive.classify.change(OFFICER, None, study_uid(1), change, WHY)
        assert opened(world, SURGEON) == ([2] if change.restricted else [1, 2])


def test_whoever_referred_a_study_reaches_that_study(world: World, care: CareTies) -> None:
    stated = care.refer(OFFICER, None, study_uid(1), "p.arzt", WHY)

    assert (stated.relation, stated.ends_at) == (Relation.REFERRING, FOR_GOOD)
    assert opened(world, REFERRER) == [1]
    care.end(OFFICER, None, str(stated.origin), "she was transferred")
    assert opened(world, REFERRER) == []


def test_a_statement_ends_by_itself(world: World, care: CareTies) -> None:
    care.grant(OFFICER, None, study_uid(1), "s.klein", soon(seconds=30), WHY)
    (made,) = world.ties.kept

    assert world.ties.of_person(made.actor, soon(seconds=29)) == [made]
    assert world.ties.of_person(made.actor, soon(seconds=31)) == []


def test_a_statement_that_was_ended_holds_no_more(world: World, care: CareTies) -> None:
    stated = care.grant(OFFICER, None, study_uid(1), "s.klein", soon(), WHY)
    care.end(OFFICER, None, str(stated.origin), "she was transferred")

    assert opened(world, SURGEON) == []
    assert care.list(OFFICER, None, study_uid(1)) == []
    with pytest.raises(NotFound):
        care.end(OFFICER, None, str(stated.origin), "she was transferred")


def test_every_statement_is_on_record_with_whom_it_concerns_and_names_nobody_in_clear(
    world: World, care: CareTies
) -> None:
    treating = care.grant(OFFICER, None, study_uid(1), "s.klein", soon(), WHY)
    granted = world.entries()[-1]
    named = details(world)
    referring = care.refer(OFFICER, None, study_uid(1), "p.arzt", WHY, soon())
    for one in (treating, referring):
        care.end(OFFICER, None, str(one.origin), "she was transferred")
    of_patient, of_study = world.entries()[-2:]

    assert (granted["action"], granted["outcome"]) == ("care:grant", "completed")
    assert (granted["facts"]["relation"], granted["facts"]["origin"]) == ("treating", str(treating.origin))
    assert named == {"subject": "o.huber", "person": "s.klein", "reason": WHY, "study": study_uid(1)}
    assert (of_patient["action"], of_patient["patient"]) == ("care:end", granted["patient"])
    assert (of_study["study"], of_study["facts"]["relation"]) == (granted["study"], "referring")
    assert "patient" not in of_study
    assert not [word for word in ("s.klein", "p.arzt", WHY) if word in str(world.entries())]
    assert not [one for one in world.ties.kept if b"klein" in one.box]


def test_who_treats_and_who_referred_is_listed_with_names_and_reasons(world: World, care: CareTies) -> None:
    treating = care.grant(OFFICER, None, study_uid(1), "s.klein", soon(), WHY)
    referring = care.refer(OFFICER, None, study_uid(1), "p.arzt", WHY)
    invited = tie(Relation.INVITED, world.ties.kept[1].alias)
    world.ties.tie(permit(), [invited], draft())

    assert care.list(OFFICER, None, study_uid(1)) == [treating, referring]
    assert care.list(OFFICER, None, study_uid(2)) == [treating]
    assert acts(world)[-2:] == [("care:grant", "begun"), ("care:grant", "completed")]
    assert world.entries()[-1]["facts"] == {"care": "listed", "stated": 1}


def test_a_tie_that_somebody_wrote_past_the_archive_is_not_believed(world: World, care: CareTies) -> None:
    care.grant(OFFICER, None, study_uid(1), "p.arzt", soon(), WHY)
    (made,) = world.ties.kept
    forged = replace(made, actor=world.archive.guard.pseudonym(made.institution, "s.klein"))
    world.ties.kept.append(forged)

    with pytest.raises(Tampered):
        care.list(OFFICER, None, study_uid(1))
    with pytest.raises(Tampered):
        opens(world, SURGEON, study_uid(1))


def test_a_moment_of_another_time_zone_is_the_same_moment(world: World, care: CareTies) -> None:
    until = soon().astimezone(timezone(timedelta(hours=9)))
    stated = care.grant(OFFICER, None, study_uid(1), "s.klein", until, WHY)

    assert (stated.ends_at, stated.ends_at.tzinfo) == (until, UTC)
    assert opened(world, SURGEON) == [1, 2]


def test_a_statement_moved_to_another_row_is_not_believed(world: World, care: CareTies) -> None:
    care.grant(OFFICER, None, study_uid(1), "s.klein", soon(), WHY)
    care.grant(OFFICER, None, study_uid(1), "p.arzt", soon(), WHY)
    one, other = world.ties.kept
    world.ties.kept[0] = replace(one, box=other.box)

    with pytest.raises(Tampered):
        care.list(OFFICER, None, study_uid(1))


@pytest.mark.parametrize(
    "state",
    [
        lambda care: care.grant(OFFICER, None, "no uid", "s.klein", soon(), WHY),
        lambda care: care.grant(OFFICER, None, study_uid(), "", soon(), WHY),
        lambda care: care.grant(OFFICER, None, study_uid(), "x" * 256, soon(), WHY),
        lambda care: care.grant(OFFICER, None, study_uid(), "s\nklein", soon(), WHY),
        lambda care: care.grant(OFFICER, None, study_uid(), "s.klein", soon(), "no"),
        lambda care: care.grant(OFFICER, None, study_uid(), "s.klein", soon(seconds=-1), WHY),
        lambda care: care.grant(OFFICER, None, study_uid(), "s.klein", soon() + LONGEST_CARE, WHY),
        lambda care: care.refer(OFFICER, None, study_uid(), "s.klein", WHY, soon(seconds=-1)),
    ],
)
def test_what_cannot_be_meant_is_refused_and_on_record(
    world: World, care: CareTies, state: Callable[[CareTies], Care]
) -> None:
    with pytest.raises(Malformed):
        state(care)

    assert acts(world)[-1] == ("care:grant", "refused")
    assert world.ties.kept == []


@pytest.mark.parametrize(
    ("by", "error"), [(subject(), Denied), (SURGEON, Hidden), (subject(Role.OFFICER, of=ELSEWHERE), NotFound)]
)
def test_whoever_may_not_state_changes_nothing_and_learns_nothing(
    world: World, care: CareTies, by: Subject, error: type[ArchiveError]
) -> None:
    for act in (
        lambda: care.grant(by, None, study_uid(), "s.klein", soon(), WHY),
        lambda: care.refer(by, None, study_uid(), "s.klein", WHY),
        lambda: care.list(by, None, study_uid()),
    ):
        with pytest.raises(ArchiveError) as refused:
            act()
        assert type(refused.value) is error
        assert acts(world)[-1] == ("care:grant", "refused")
    assert world.ties.kept == []


def test_nothing_but_a_statement_can_be_ended_here(world: World, care: CareTies) -> None:
    treating = care.grant(OFFICER, None, study_uid(), "s.klein", soon(), WHY)
    shared = tie(Relation.INVITED, begins_at=soon(seconds=-1), ends_at=soon())
    world.ties.tie(permit(), [shared], draft())

    for statement in (str(shared.origin), str(uuid4()), "no id"):
        with pytest.raises(NotFound):
            care.end(OFFICER, None, statement, "she was transferred")
        assert acts(world)[-1] == ("care:end", "failed")
    with pytest.raises(NotFound):
        care.end(subject(Role.OFFICER, of=ELSEWHERE), None, str(treating.origin), "she was transferred")
    with pytest.raises(Denied):
        care.end(SURGEON, None, str(treating.origin), "she was transferred")
    assert world.ties.released == {}
