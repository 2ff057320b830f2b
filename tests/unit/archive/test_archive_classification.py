"""Classifying: decided, and changed in the commit that says what was before and why."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from pacs_secure.archive.classification import Classify
from pacs_secure.core.access import AccessRequest, Permit, Role, Safeguard, Subject
from pacs_secure.core.classification import Classification, Reclassification
from pacs_secure.core.errors import ArchiveError, Denied, Hidden, Malformed, NotFound, Tampered, Unavailable
from pacs_secure.crypto.index_seal import DetailsSeal
from pacs_secure.crypto.tlog import read_draft
from pacs_secure.ports import Shelf
from tests.builders import HERE, subject
from tests.unit.archive.instances import acts, store, study_uid
from tests.world import World

OFFICER = subject(Role.OFFICER, identifier="o.huber")
WHY = "she works in this house"
STAFF = Reclassification(add_labels=frozenset({Safeguard.STAFF}))


@pytest.fixture
def classify(world: World) -> Classify:
    store(world)
    return world.archive.classify


def details(world: World, index: int = -1) -> dict[str, str]:
    draft = read_draft(world.ledger.kept[index].content)
    assert draft.details is not None
    key = world.keyring.fetch(HERE, Shelf.LEDGER, [draft.details.key_id])[draft.details.key_id]
    opened: dict[str, str] = orjson.loads(DetailsSeal(key.key).open(draft.act, draft.details.box))
    return opened


@pytest.mark.parametrize("role", [Role.OFFICER, Role.OPERATOR])
def test_the_facts_are_shown_and_that_they_were_is_on_record(world: World, classify: Classify, role: Role) -> None:
    assert classify.show(subject(role), None, study_uid()) == Classification("radiology")

    begun, completed = world.entries()[-2:]
    assert [(one["action"], one["outcome"]) for one in (begun, completed)] == [
        ("study:classify", "begun"),
        ("study:classify", "completed"),
    ]
    assert begun["facts"]["facts"] == "shown"
    assert begun["study"]


def test_a_change_is_one_entry_that_says_what_was_and_what_is(world: World, classify: Classify) -> None:
    entries = len(world.entries())
    after = classify.change(OFFICER, None, study_uid(), STAFF, WHY)

    assert after == Classification("radiology", frozenset({Safeguard.STAFF}))
    (entry,) = world.entries()[entries:]
    assert (entry["action"], entry["outcome"]) == ("study:classify", "completed")
    assert entry["facts"] == {"facts": "changed", "labels_before": "", "labels_after": "staff"}
    assert WHY not in str(entry)
    assert details(world) == {"subject": "o.huber", "reason": WHY, "study": study_uid()}


@pytest.mark.parametrize(
    ("uid", "change", "why"),
    [
        ("1.2.x", STAFF, WHY),
        (study_uid(), Reclassification(), WHY),
        (study_uid(), STAFF, "no"),
        (study_uid(), Reclassification(treatment_ended_on=(datetime.now(UTC) + timedelta(days=2)).date()), WHY),
    ],
)
def test_what_cannot_be_meant_is_refused_and_on_record(
    world: World, classify: Classify, uid: str, change: Reclassification, why: str
) -> None:
    with pytest.raises(Malformed):
        classify.change(OFFICER, None, uid, change, why)

    assert acts(world)[-1] == ("study:classify", "refused")
    assert world.entries()[-1]["facts"]["error"] == "Malformed"
    assert classify.show(OFFICER, None, study_uid()) == Classification("radiology")


@pytest.mark.parametrize(
    ("by", "uid", "error"),
    [
        (OFFICER, study_uid(9), NotFound),
        (subject(), study_uid(), Denied),
        (subject(Role.CLINICIAN), study_uid(), Denied),
        (subject(Role.CLINICIAN, department="surgery"), study_uid(), Hidden),
        (subject(Role.CLINICIAN, department="surgery"), study_uid(9), NotFound),
        (subject(Role.OFFICER, of="south"), study_uid(), NotFound),
        (subject(Role.DPO), study_uid(), Hidden),
    ],
)
def test_whoever_may_not_classify_changes_nothing_and_learns_nothing(
    world: World, classify: Classify, by: Subject, uid: str, error: type[ArchiveError]
) -> None:
    acted: list[Callable[[], Classification]] = [
        lambda: classify.show(by, None, uid),
        lambda: classify.change(by, None, uid, STAFF, WHY),
    ]
    for act in acted:
        with pytest.raises(ArchiveError) as refused:
            act()
        assert type(refused.value) is error
        assert acts(world)[-1] == ("study:classify", "refused")

    assert classify.show(OFFICER, None, study_uid()).labels == frozenset()


def test_a_study_that_somebody_changed_past_the_archive_is_not_changed_further(
    world: World, classify: Classify
) -> None:
    for study in world.records._studies.values():
        study.stored = replace(study.stored, facts=replace(study.stored.facts, department="surgery"))

    with pytest.raises(Tampered):
        classify.change(OFFICER, None, study_uid(), STAFF, WHY)


def test_a_change_past_the_archive_at_the_last_moment_is_found(world: World, classify: Classify) -> None:
    decide = world.archive.guard.decide

    def decide_late(request: AccessRequest) -> Permit:
        for study in world.records._studies.values():
            study.stored = replace(study.stored, facts=replace(study.stored.facts, held=True))
        return decide(request)

    object.__setattr__(world.archive.guard, "decide", decide_late)
    with pytest.raises(Tampered):
        classify.change(OFFICER, None, study_uid(), STAFF, WHY)


def test_without_a_ledger_nothing_changes_and_nothing_is_shown(world: World, classify: Classify) -> None:
    classify.show(OFFICER, None, study_uid())
    world.ledger.down = True

    with pytest.raises(Unavailable):
        classify.change(OFFICER, None, study_uid(), STAFF, WHY)
    with pytest.raises(Unavailable):
        classify.show(OFFICER, None, study_uid())
    world.ledger.down = False
    assert classify.show(OFFICER, None, study_uid()).labels == frozenset()
