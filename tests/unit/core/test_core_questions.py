"""How far a question about an employee has come."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from pacs_secure.core.questions import ANSWERED_FOR, EmployeeQuestion, QuestionState, Ruling
from tests.builders import HERE, NOW

WAITING = EmployeeQuestion(uuid4(), HERE, "an actor", NOW - timedelta(days=9), NOW, NOW, b"a box")


def test_it_waits_until_somebody_rules() -> None:
    assert WAITING.state(NOW + timedelta(days=999)) is QuestionState.WAITING
    assert WAITING.answered_until is None


def test_once_approved_it_is_answered_for_seven_days() -> None:
    approved = replace(WAITING, ruling=Ruling(approved=True, actor="another", at=NOW, box=b""))

    assert timedelta(days=7) == ANSWERED_FOR
    assert approved.answered_until == NOW + ANSWERED_FOR
    assert approved.state(NOW + ANSWERED_FOR - timedelta(microseconds=1)) is QuestionState.APPROVED
    assert approved.state(NOW + ANSWERED_FOR) is QuestionState.ENDED


def test_once_refused_it_is_never_answered() -> None:
    refused = replace(WAITING, ruling=Ruling(approved=False, actor="another", at=NOW, box=b""))

    assert refused.state(NOW) is QuestionState.REFUSED
    assert refused.answered_until is None
