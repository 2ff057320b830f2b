"""What one employee did: asked by one, approved by another, read by the first for a week (LOG-07)."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pacs_secure.archive.employee_questions import Asking, Questioning
from pacs_secure.archive.ledger_reading import ReadPage
from pacs_secure.archive.question_proofs import demand_question, of_question, of_ruling
from pacs_secure.core.access import Role, Subject
from pacs_secure.core.errors import ArchiveError, Conflict, Denied, Malformed, NotFound, Tampered, TooOften
from pacs_secure.core.questions import ANSWERED_FOR, LONGEST_PERIOD, EmployeeQuestion, QuestionState, Ruling
from tests.builders import HERE, subject
from tests.unit.archive.instances import data_set, store
from tests.unit.archive.people import DPO, THEIR_DPO, reads
from tests.world import World

NOTE = {"protocol": "test"}
WEBER = subject(identifier="r.weber")
OFFICER = subject(Role.OFFICER, identifier="o.amt")
OTHER_DPO = subject(Role.DPO, identifier="e.zweit")
OPERATOR = subject(Role.OPERATOR, identifier="os:root")
WHY = "a patient says that a neighbour looked"
DAY = timedelta(days=1)


@pytest.fixture
def questioning(world: World) -> Questioning:
    """An archive in which two people read a study."""
    store(world, data_set(1, PatientID="ERIKA"))
    assert reads(world, WEBER)
    assert reads(world, subject(identifier="somebody.else"))
    return world.archive.questioning


def asked(questioning: Questioning, by: Subject = DPO, **changed: Any) -> str:
    now = datetime.now(UTC)
    asking = replace(Asking("r.weber", now - DAY, now + DAY, WHY), **changed)
    return str(questioning.ask(by, None, asking, details=NOTE).question.question_id)


def ruled(questioning: Questioning, question: str, by: Subject = OFFICER, *, approved: bool = True) -> QuestionState:
    said = "the works council agrees with this"
    return questioning.rule(by, None, question, approved=approved, said=said, details=NOTE).state


def answer(questioning: Questioning, question: str, by: Subject = DPO, **place: Any) -> ReadPage:
    return questioning.entries(by, None, question, **{"after": None, "limit": 100, **place}, details=NOTE)


def last(world: World) -> tuple[str, str, Any]:
    entry = world.entries()[-1]
    return entry["action"], entry["outcome"], entry["facts"].get("error")


def test_one_asks_another_approves_and_the_first_reads_what_that_person_did(
    world: World, questioning: Questioning
) -> None:
    question = asked(questioning)
    assert ruled(questioning, question) is QuestionState.APPROVED

    page = answer(questioning, question)

    assert [(one.draft.action.value, one.draft.outcome.value) for one in page.entries] == [
        ("study:read", "begun"),
        ("study:read", "completed"),
    ]
    assert {one.draft.actor for one in page.entries} == {world.archive.guard.pseudonym(HERE, "r.weber")}
    assert {(one.person, one.told is None) for one in page.entries} == {(1, True)}


def test_every_step_is_an_entry_and_the_name_stands_in_none(world: World, questioning: Questioning) -> None:
    before = len(world.entries())
    question = asked(questioning)
    ruled(questioning, question)
    answer(questioning, question)

    new = world.entries()[before:]
    assert [(one["action"], one["outcome"], one["facts"]["step"]) for one in new] == [
        ("ledger:ask", "completed", "asked"),
        ("ledger:approve", "completed", "approved"),
        ("ledger:read", "begun", "read"),
        ("ledger:read", "completed", "read"),
    ]
    assert {one["facts"]["question"] for one in new} == {question}
    assert new[-1]["facts"]["results"] == 2
    kept = repr(list(world.questions.kept.values()))
    assert not [name for name in ("r.weber", "d.schutz", "neighbour") if name in json.dumps(new) + kept]


class TestTheSecondPerson:
    def test_is_not_whoever_asked_whatever_their_role(self, world: World, questioning: Questioning) -> None:
        question = asked(questioning)
        for alone in (DPO, subject(Role.OFFICER, identifier=DPO.identifier)):
            with pytest.raises(Denied, match="never approves"):
                ruled(questioning, question, alone)
            assert last(world) == ("ledger:approve", "refused", "Denied")

    def test_is_not_whom_it_is_about(self, questioning: Questioning) -> None:
        question = asked(questioning, person=OFFICER.identifier)
        with pytest.raises(Denied, match="asked about"):
            ruled(questioning, question)

        assert ruled(questioning, question, OTHER_DPO) is QuestionState.APPROVED

    @pytest.mark.parametrize("role", [Role.ADMIN, Role.OPERATOR, Role.RADIOLOGIST])
    def test_has_a_role_that_approves(self, questioning: Questioning, role: Role) -> None:
        question = asked(questioning)
        with pytest.raises(Denied):
            ruled(questioning, question, subject(role, identifier="somebody"))

    def test_may_refuse_with_a_reason(self, world: World, questioning: Questioning) -> None:
        question = asked(questioning)
        with pytest.raises(Malformed):
            questioning.rule(OFFICER, None, question, approved=False, said="no", details=NOTE)
        assert ruled(questioning, question, approved=False) is QuestionState.REFUSED

        with pytest.raises(Denied, match="refused"):
            answer(questioning, question)
        assert last(world) == ("ledger:read", "refused", "Denied")

    def test_may_approve_without_a_word(self, questioning: Questioning) -> None:
        opened = questioning.rule(OFFICER, None, asked(questioning), approved=True, said="", details=NOTE)

        assert (opened.remark, opened.ruled_by) == ("", "o.amt")

    def test_rules_once(self, world: World, questioning: Questioning) -> None:
        question = asked(questioning)
        ruled(questioning, question)
        with pytest.raises(Conflict):
            ruled(questioning, question, OTHER_DPO, approved=False)
        assert last(world) == ("ledger:approve", "refused", "Conflict")


class TestTheAnswer:
    def test_is_for_nobody_before_a_second_person_has_approved(self, world: World, questioning: Questioning) -> None:
        question = asked(questioning)
        with pytest.raises(Denied, match="not approved this yet"):
            answer(questioning, question)
        assert last(world) == ("ledger:read", "refused", "Denied")

    def test_is_for_nobody_but_whoever_asked(self, questioning: Questioning) -> None:
        question = asked(questioning)
        ruled(questioning, question)
        with pytest.raises(NotFound):
            answer(questioning, question, OTHER_DPO)
        with pytest.raises(Denied):
            answer(questioning, question, OFFICER)

    def test_ends_after_a_week(self, questioning: Questioning) -> None:
        question = asked(questioning)
        ruled(questioning, question)
        later = replace(questioning, now=lambda: datetime.now(UTC) + ANSWERED_FOR)

        with pytest.raises(Denied, match="over"):
            answer(later, question)
        (listed,) = later.listed(DPO, None, details=NOTE)
        assert listed.state is QuestionState.ENDED

    def test_is_paged_and_within_its_time(self, world: World, questioning: Questioning) -> None:
        until = datetime.now(UTC)
        question = asked(questioning, until=until, since=until - DAY)
        assert reads(world, WEBER)
        ruled(questioning, question)

        first = answer(questioning, question, limit=1)
        rest = answer(questioning, question, after=first.after, limit=1)

        assert [page.entries[0].draft.outcome.value for page in (first, rest)] == ["begun", "completed"]
        assert rest.after is None
        with pytest.raises(Malformed):
            answer(questioning, question, limit=0)

    def test_answers_from_the_whole_ledger_are_read_one_at_a_time(self, world: World, questioning: Questioning) -> None:
        question = asked(questioning)
        ruled(questioning, question)
        with questioning.reading.busy:
            with pytest.raises(TooOften):
                answer(questioning, question, thorough=True)
            assert last(world) == ("ledger:read", "failed", "TooOften")
            answer(questioning, question)

    def test_leaves_nothing_out_when_the_whole_ledger_is_read(
        self, world: World, questioning: Questioning, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        question = asked(questioning)
        ruled(questioning, question)
        whole = [one.entry.index for one in answer(questioning, question).entries]
        monkeypatch.setattr(world.ledger, "find", lambda _sought, _after: iter(()))

        assert answer(questioning, question).entries == []
        first = answer(questioning, question, thorough=True, limit=1)
        rest = answer(questioning, question, thorough=True, after=first.after)
        assert [one.entry.index for one in (*first.entries, *rest.entries)] == whole

    def test_fails_on_record_when_it_is_to_go_on_behind_no_entry(self, world: World, questioning: Questioning) -> None:
        question = asked(questioning)
        ruled(questioning, question)
        with pytest.raises(NotFound):
            answer(questioning, question, after=2**40)
        assert last(world) == ("ledger:read", "failed", "NotFound")


class TestAsking:
    @pytest.mark.parametrize(
        "changed",
        [
            {"reason": "short"},
            {"person": " "},
            {"person": "x" * 257},
            {"until": datetime(2020, 1, 1, tzinfo=UTC)},
            {"since": datetime.now(UTC) + DAY - LONGEST_PERIOD - timedelta(hours=1)},
        ],
        ids=range(5),
    )
    def test_takes_a_name_a_reason_and_a_time(
        self, world: World, questioning: Questioning, changed: dict[str, Any]
    ) -> None:
        with pytest.raises(Malformed):
            asked(questioning, **changed)
        assert last(world) == ("ledger:ask", "refused", "Malformed")
        assert world.questions.kept == {}

    @pytest.mark.parametrize("role", [Role.OFFICER, Role.OPERATOR, Role.ADMIN, Role.RADIOLOGIST])
    def test_is_for_the_data_protection_officer(self, questioning: Questioning, role: Role) -> None:
        with pytest.raises(Denied):
            asked(questioning, subject(role))


class TestListing:
    def test_tells_names_to_whoever_may_rule_and_to_the_operator_none(self, questioning: Questioning) -> None:
        question = asked(questioning)

        for by in (DPO, OFFICER):
            (one,) = questioning.listed(by, None, details=NOTE)
            assert (one.person, one.about, one.reason, one.state) == ("d.schutz", "r.weber", WHY, QuestionState.WAITING)
        (shut,) = questioning.listed(OPERATOR, None, details=NOTE)
        assert (str(shut.question.question_id), shut.person, shut.about, shut.reason) == (question, "", "", "")
        assert questioning.listed(THEIR_DPO, None, details=NOTE) == []
        with pytest.raises(Denied):
            questioning.listed(WEBER, None, details=NOTE)


@pytest.mark.parametrize("name", ["r.weber", "00000000-0000-4000-8000-000000000000"])
def test_what_was_not_asked_is_not_there_and_leaves_no_name(world: World, questioning: Questioning, name: str) -> None:
    for act in (ruled, answer):
        with pytest.raises(NotFound):
            act(questioning, name, OTHER_DPO)
        assert last(world)[1:] == ("refused", "NotFound")
        assert "r.weber" not in json.dumps(world.entries()[-1])


def test_a_question_of_another_institution_is_not_there(questioning: Questioning) -> None:
    question = asked(questioning)
    with pytest.raises(NotFound):
        ruled(questioning, question, THEIR_DPO)


class TestTheDatabaseAdministrator:
    """Whoever owns the database can write rows, and prove none of them."""

    def forged(self, world: World, question: str, **changed: Any) -> None:
        (kept,) = (one for one in world.questions.kept.values() if str(one.question_id) == question)
        world.questions.kept[kept.question_id] = replace(kept, **changed)

    def denied(self, questioning: Questioning, question: str) -> None:
        for attempt in (lambda: answer(questioning, question), lambda: questioning.listed(DPO, None, details=NOTE)):
            with pytest.raises(ArchiveError) as caught:
                attempt()
            assert caught.type is Tampered

    def test_cannot_approve(self, world: World, questioning: Questioning) -> None:
        question = asked(questioning)
        now = datetime.now(UTC)
        self.forged(world, question, ruling=Ruling(approved=True, actor="another", at=now, box=b"", proof=b"x" * 32))
        self.denied(questioning, question)

    def test_cannot_widen_the_time_or_give_the_question_to_another(
        self, world: World, questioning: Questioning
    ) -> None:
        question = asked(questioning)
        ruled(questioning, question)
        (kept,) = world.questions.kept.values()
        for changed in ({"since": kept.since - DAY}, {"actor": "another"}, {"box": b"another"}):
            self.forged(world, question, **changed)
            self.denied(questioning, question)
            world.questions.kept[kept.question_id] = kept
        assert answer(questioning, question).entries

    def test_cannot_turn_a_refusal(self, world: World, questioning: Questioning) -> None:
        question = asked(questioning)
        ruled(questioning, question, approved=False)
        (kept,) = world.questions.kept.values()
        assert kept.ruling is not None
        self.forged(world, question, ruling=replace(kept.ruling, approved=True))
        self.denied(questioning, question)


def test_not_even_with_its_key_has_a_question_a_ruling_of_whoever_asked(world: World, questioning: Questioning) -> None:
    asked(questioning)
    (kept,) = world.questions.kept.values()
    seal = world.archive.search.seals.index(HERE)
    own = Ruling(approved=True, actor=kept.actor, at=kept.at, box=b"")
    own = replace(own, proof=of_ruling(seal, kept, own))

    assert of_question(seal, kept) == kept.proof
    assert isinstance(demand_question(seal, kept), EmployeeQuestion)
    with pytest.raises(Tampered):
        demand_question(seal, replace(kept, ruling=own))
