"""Questions about employees, in memory and in SQL alike."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from pacs_secure.adapters.sql import SqlEmployeeQuestions, SqlLedger
from pacs_secure.adapters.sql.questions import SqlEmployeeQuestions as TheAdapter
from pacs_secure.core.access import Action
from pacs_secure.core.errors import Conflict, Denied, NotFound
from pacs_secure.core.questions import EmployeeQuestion, Ruling
from pacs_secure.ports import EmployeeQuestions, Ledger
from tests.builders import ELSEWHERE, HERE, NOW, draft, permit, subject
from tests.fakes import MemoryLedger
from tests.fakes_questions import MemoryEmployeeQuestions
from tests.postgres_fixture import ENGINES, Settled, place_of

PERMIT = permit(action=Action.LEDGER_ASK)
THEIRS = permit(subject(of=ELSEWHERE), Action.LEDGER_ASK)


@dataclass
class Kept:
    """One adapter of the port beside its ledger."""

    questions: EmployeeQuestions
    ledger: Ledger

    def ask(self) -> EmployeeQuestion:
        made = EmployeeQuestion(
            uuid4(), HERE, "an actor", NOW - timedelta(days=3), NOW, NOW + timedelta(hours=1), b"a box", b"a proof"
        )
        self.questions.ask(PERMIT, made, draft())
        return made

    def rule(self, question_id: UUID, *, approved: bool = True) -> Ruling:
        made = Ruling(approved, "another", NOW + timedelta(hours=2), b"another box", b"another proof")
        self.questions.rule(PERMIT, question_id, made, draft())
        return made


@pytest.fixture(params=["memory", *ENGINES])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    assert SqlEmployeeQuestions is TheAdapter
    if request.param == "memory":
        ledger = MemoryLedger()
        yield Kept(MemoryEmployeeQuestions(ledger), ledger)
        return
    database = Settled(place_of(request, tmp_path))
    yield Kept(SqlEmployeeQuestions(database), SqlLedger(database))
    database.close()


def test_a_question_is_kept_as_asked_and_on_record(kept: Kept) -> None:
    made = kept.ask()

    assert kept.questions.get(HERE, made.question_id) == made
    assert kept.ledger.size() == 1


@pytest.mark.parametrize("approved", [True, False])
def test_it_is_ruled_on_once(kept: Kept, approved: bool) -> None:  # noqa: FBT001 - both ways
    made = kept.ask()
    ruling = kept.rule(made.question_id, approved=approved)
    with pytest.raises(Conflict):
        kept.rule(made.question_id)

    assert kept.questions.get(HERE, made.question_id) == replace(made, ruling=ruling)
    assert kept.ledger.size() == 2


def test_what_nobody_asked_is_not_ruled_on(kept: Kept) -> None:
    with pytest.raises(NotFound):
        kept.rule(uuid4())

    assert (kept.questions.get(HERE, uuid4()), kept.ledger.size()) == (None, 0)


def test_the_newest_stand_first_and_no_more_than_wanted(kept: Kept) -> None:
    first, second, third = (kept.ask() for _ in range(3))

    assert list(kept.questions.listed(HERE, 9)) == [third, second, first]
    assert list(kept.questions.listed(HERE, 2)) == [third, second]


def test_another_institution_neither_sees_nor_rules(kept: Kept) -> None:
    made = kept.ask()

    assert kept.questions.get(ELSEWHERE, made.question_id) is None
    assert list(kept.questions.listed(ELSEWHERE, 9)) == []
    with pytest.raises(NotFound):
        kept.questions.rule(THEIRS, made.question_id, Ruling(approved=True, actor="b", at=NOW, box=b""), draft())
    with pytest.raises(Denied):
        kept.questions.ask(THEIRS, replace(made, question_id=uuid4()), draft())
    assert kept.ledger.size() == 1
