"""Each read of a labelled study is told singly, in the commit of its record; a notice names nobody outside its box."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from pacs_secure.archive.noticing import is_reported_singly, told_by
from pacs_secure.core.access import Action, Assurance, Purpose, Relation, Role, Safeguard
from pacs_secure.core.errors import Denied, Hidden, Tampered, Unavailable
from pacs_secure.core.notices import NoticeKind
from tests.builders import ELSEWHERE, HERE, request, study_facts, subject
from tests.unit.archive.instances import acts
from tests.world import World

VIP = study_facts(relations=[Relation.TREATING], safeguards=[Safeguard.VIP, Safeguard.STAFF, Safeguard.ENDED])


def test_each_read_of_a_labelled_study_is_told_singly(world: World) -> None:
    by = subject(Role.CLINICIAN, identifier="r.weber", department="surgery")
    grants = [world.archive.guard.admit(request(Action.STUDY_READ, by, study=VIP)) for _ in range(2)]

    told = list(world.ledger.notices.values())
    assert [(kept.notice.kind, kept.notice.institution) for kept in told] == [(NoticeKind.PROTECTED_ACCESS, HERE)] * 2
    assert [kept.notice.about for kept in told] == [grant.act for grant in grants]
    assert [str(kept.notice.notice_id) for kept in told] == [entry["facts"]["reported"] for entry in world.entries()]
    assert [kept.number for kept in told] == [0, 1]
    assert told_by(world.archive.search.seals, told[0].notice) == {
        "person": "r.weber",
        "from": HERE,
        "role": "clinician",
        "department": "surgery",
        "purpose": "TREAT",
        "labels": "staff vip",
        "study": str(VIP.alias),
    }


def test_a_notice_is_for_the_institution_whose_study_it_is(world: World) -> None:
    invited = study_facts(of=ELSEWHERE, relations=[Relation.INVITED], safeguards=[Safeguard.GENETICS])

    world.archive.guard.admit(request(Action.STUDY_READ, subject(Role.GUEST, identifier="guest"), study=invited))

    (kept,) = world.ledger.notices.values()
    assert kept.notice.institution == ELSEWHERE
    assert told_by(world.archive.search.seals, kept.notice)["from"] == HERE


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (request(Action.STUDY_READ, study=VIP), True),
        (request(Action.SHARE_CREATE, study=VIP), False),
        (request(Action.STUDY_READ, study=study_facts(safeguards=[Safeguard.ENDED, Safeguard.RESTRICTED])), False),
        (request(Action.STUDY_READ, study=study_facts()), False),
        (request(Action.STUDY_READ), False),
    ],
)
def test_only_the_read_of_a_labelled_study_is_told_singly(asked: object, *, told: bool) -> None:
    assert is_reported_singly(asked) is told  # type: ignore[arg-type]


def test_nothing_is_told_of_a_refused_read(world: World) -> None:
    with pytest.raises(Hidden):
        world.archive.guard.admit(
            request(Action.STUDY_READ, subject(Role.RADIOLOGIST), study=replace(VIP, relations=frozenset()))
        )

    assert world.ledger.notices == {}


def test_what_cannot_be_told_is_not_read(world: World) -> None:
    world.archive.guard.admit(request(Action.STUDY_SEARCH))  # the ledger key is in memory now
    world.keyring.sealed = True

    with pytest.raises(Unavailable):
        world.archive.guard.admit(request(Action.STUDY_READ, study=VIP))

    assert acts(world) == [("study:search", "begun")]


def test_a_box_that_was_changed_does_not_open(world: World) -> None:
    world.archive.guard.admit(request(Action.STUDY_READ, study=VIP))
    (kept,) = world.ledger.notices.values()

    with pytest.raises(Tampered):
        told_by(world.archive.search.seals, replace(kept.notice, about=UUID(int=1)))


@pytest.mark.parametrize(
    ("purpose", "relation", "ground"),
    [
        (Purpose.PATIENT_REQUEST, Relation.NONE, "the patient's own request"),
        (Purpose.BREAK_GLASS, Relation.EMERGENCY, "an emergency of the patient"),
        (Purpose.TREATMENT, Relation.EMERGENCY, "an emergency of the patient"),
    ],
)
def test_the_use_of_a_restricted_study_is_recorded_with_its_ground(
    world: World, purpose: Purpose, relation: Relation, ground: str
) -> None:
    study = study_facts(relations=[relation], safeguards=[Safeguard.RESTRICTED])

    world.archive.guard.admit(request(Action.STUDY_READ, study=study, purpose=purpose))

    assert world.entries()[0]["facts"] == {"objects": 0, "ground": ground}


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("ago", [0 * MINUTE, 4 * MINUTE, -MINUTE / 2])
def test_whoever_has_just_logged_in_may_break_the_glass(world: World, ago: timedelta) -> None:
    proven = Assurance(second_factor=True, logged_in_at=datetime.now(UTC) - ago)

    permit = world.archive.guard.decide(
        request(Action.BREAK_GLASS_OPEN, subject(assurance=proven), purpose=Purpose.BREAK_GLASS)
    )

    assert permit.decision.allowed


@pytest.mark.parametrize("ago", [None, 6 * MINUTE, -2 * MINUTE])
def test_a_login_of_long_ago_of_no_time_or_of_the_future_breaks_no_glass(world: World, ago: timedelta | None) -> None:
    at = None if ago is None else datetime.now(UTC) - ago
    by = subject(assurance=Assurance(second_factor=True, logged_in_at=at))

    with pytest.raises(Denied, match="a fresh login is required"):
        world.archive.guard.decide(request(Action.BREAK_GLASS_OPEN, by, purpose=Purpose.BREAK_GLASS))

    (entry,) = world.entries()
    assert (entry["outcome"], entry["rule"]) == ("refused", "no fresh login")
