"""Explaining: on record, for those who watch over the rules, and silent about patients."""

import pytest

from pacs_secure.archive.explain import Explain
from pacs_secure.core.access import Action, Purpose, Relation, Role, Safeguard, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.classification import Reclassification
from pacs_secure.core.errors import ArchiveError, Denied, Malformed, NotFound
from pacs_secure.core.explanation import Question
from pacs_secure.core.identifiers import institution
from tests.builders import ELSEWHERE, subject
from tests.unit.archive.instances import acts, store, study_uid
from tests.unit.archive.test_archive_care import soon
from tests.unit.archive.test_archive_classification import details
from tests.world import World

DPO = subject(Role.DPO, identifier="d.schutz")
OFFICER = subject(Role.OFFICER, identifier="o.huber")
WHY = "admitted to surgery today"
SURGEON = Question(Role.CLINICIAN, Action.STUDY_READ, department="surgery", study_instance_uid=study_uid())


@pytest.fixture
def explain(world: World) -> Explain:
    store(world)
    return world.archive.explain


def of(person: str) -> Question:
    return Question(
        Role.CLINICIAN, Action.STUDY_READ, department="surgery", person=person, study_instance_uid=study_uid()
    )


def test_a_refusal_is_explained_with_its_rule_its_facts_and_what_would_turn_it(explain: Explain) -> None:
    explained = explain.explain(DPO, None, SURGEON)

    assert (explained.outcome, explained.decision.rule) == ("hidden", "default deny")
    assert explained.purpose is Purpose.TREATMENT
    assert explained.relations == frozenset({Relation.NONE})
    assert (len(explained.safeguards), explained.held, explained.needs_second_factor) == (0, False, False)
    assert "with the relation treating" in [one.said for (one,) in explained.turned_by]


def test_the_ties_of_a_person_are_among_the_facts_and_no_other_person_s(world: World, explain: Explain) -> None:
    world.archive.care.grant(OFFICER, None, study_uid(), "s.klein", soon(), WHY)

    treating = explain.explain(DPO, None, of("s.klein"))
    assert treating.outcome == "allowed"
    assert treating.relations == frozenset({Relation.NONE, Relation.TREATING})
    assert explain.explain(DPO, None, of("somebody else")).outcome == "hidden"
    assert explain.explain(DPO, None, SURGEON).outcome == "hidden"


def test_safeguards_and_holds_are_among_the_facts(world: World, explain: Explain) -> None:
    change = Reclassification(add_labels=frozenset({Safeguard.VIP}), held=True)
    world.archive.classify.change(OFFICER, None, study_uid(), change, WHY)

    explained = explain.explain(
        DPO, None, Question(Role.CLINICIAN, Action.STUDY_READ, department="radiology", study_instance_uid=study_uid())
    )

    assert explained.safeguards == {Safeguard.VIP}
    assert explained.held
    assert "without the safeguard vip" in [one.said for (one,) in explained.turned_by]


def test_an_act_on_no_study_is_explained_too(explain: Explain) -> None:
    once = explain.explain(DPO, None, Question(Role.ADMIN, Action.DEVICE_ENROL))
    twice = explain.explain(DPO, None, Question(Role.ADMIN, Action.DEVICE_ENROL, second_factor=True))
    never = explain.explain(DPO, None, Question(Role.RESEARCHER, Action.STUDY_SEARCH))

    assert (once.outcome, once.decision.rule, once.needs_second_factor) == ("refused", "no second factor", True)
    assert (twice.outcome, twice.relations) == ("allowed", None)
    assert (never.purpose, never.decision.rule, never.needs_second_factor) == (None, "no purpose of use", False)


def test_an_explanation_is_on_record_with_its_study_and_names_nobody_in_clear(world: World, explain: Explain) -> None:
    before = len(acts(world))
    explain.explain(DPO, None, of("s.klein"))

    assert acts(world)[before:] == [("policy:explain", Outcome.COMPLETED)]
    entry = world.entries()[-1]
    assert entry["study"]
    assert entry["facts"] == {
        "about_role": "clinician",
        "about_department": "surgery",
        "about_action": "study:read",
        "about_purpose": "",
        "decided": "hidden",
        "decided_by": "default deny",
    }
    assert details(world) == {"subject": "d.schutz", "person": "s.klein", "study": study_uid()}


def test_whoever_was_never_here_is_explained_without_a_key_being_made_for_them(world: World, explain: Explain) -> None:
    minted = world.keyring.minted
    question = Question(
        Role.GUEST,
        Action.STUDY_READ,
        person="anybody",
        institution=institution("nowhere"),
        study_instance_uid=study_uid(),
    )

    assert explain.explain(DPO, None, question).outcome == "hidden"
    assert world.keyring.minted == minted


@pytest.mark.parametrize(
    ("by", "uid", "error", "recorded"),
    [
        (DPO, "no uid", Malformed, "refused"),
        (DPO, study_uid(9), NotFound, "failed"),
        (subject(Role.DPO, of=ELSEWHERE), study_uid(), NotFound, "failed"),
        (subject(Role.CLINICIAN), study_uid(), Denied, "refused"),
        (subject(Role.CLINICIAN), study_uid(9), Denied, "refused"),
        (subject(Role.RADIOLOGIST), study_uid(), Denied, "refused"),
    ],
)
def test_whoever_may_not_ask_hears_the_same_of_what_is_there_and_what_is_not(
    world: World, explain: Explain, by: Subject, uid: str, error: type[ArchiveError], recorded: str
) -> None:
    with pytest.raises(ArchiveError) as refused:
        explain.explain(by, None, Question(Role.CLINICIAN, Action.STUDY_READ, study_instance_uid=uid))

    assert type(refused.value) is error
    assert acts(world)[-1] == ("policy:explain", recorded)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.OFFICER, Role.DPO, Role.OPERATOR])
def test_those_who_watch_over_the_rules_may_ask(explain: Explain, role: Role) -> None:
    assert explain.explain(subject(role), None, SURGEON).outcome == "hidden"
