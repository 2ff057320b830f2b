"""What the officer was told: theirs alone to read, acknowledged once, both on record."""

from dataclasses import replace
from uuid import uuid4

import pytest

from pacs_secure.archive.notices import NoticeBook
from pacs_secure.core.access import Action, Relation, Role, Safeguard
from pacs_secure.core.errors import Conflict, Denied, NotFound, Tampered
from tests.builders import ELSEWHERE, request, study_facts, subject
from tests.unit.archive.instances import acts
from tests.world import World

DPO = subject(Role.DPO, identifier="d.schutz")
NOTE: dict[str, str] = {"protocol": "test"}
NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def book(world: World) -> NoticeBook:
    """An archive in which a study of a colleague was read twice."""
    staff = study_facts(relations=[Relation.TREATING], safeguards=[Safeguard.STAFF])
    for _ in range(2):
        world.archive.guard.admit(request(Action.STUDY_READ, subject(identifier="r.weber"), study=staff))
    return world.archive.notices


def names(book: NoticeBook, *, acknowledged: bool = False) -> list[str]:
    found = book.list(DPO, None, acknowledged=acknowledged, details=NOTE)
    return [str(one.kept.notice.notice_id) for one in found]


def test_the_officer_reads_them_newest_first_on_record(world: World, book: NoticeBook) -> None:
    newest, oldest = book.list(DPO, None, acknowledged=False, details=NOTE)

    assert newest.kept.number > oldest.kept.number
    assert (newest.told["person"], newest.told["labels"]) == ("r.weber", "staff")
    assert acts(world)[-2:] == [("notice:list", "begun"), ("notice:list", "completed")]
    assert world.entries()[-1]["facts"]["notices"] == 2


def test_one_that_was_acknowledged_stands_among_those_read(world: World, book: NoticeBook) -> None:
    newest, oldest = names(book)

    book.acknowledge(DPO, None, newest, details=NOTE)

    assert (names(book), names(book, acknowledged=True)) == ([oldest], [newest])
    assert ("notice:acknowledge", "completed") in acts(world)
    with pytest.raises(Conflict):
        book.acknowledge(DPO, None, newest, details=NOTE)
    assert acts(world)[-1] == ("notice:acknowledge", "refused")


@pytest.mark.parametrize("name", [NOWHERE, "no id", ""])
def test_what_is_not_there_cannot_be_acknowledged_and_the_attempt_is_recorded(
    world: World, book: NoticeBook, name: str
) -> None:
    with pytest.raises(NotFound):
        book.acknowledge(DPO, None, name, details=NOTE)

    assert acts(world)[-1] == ("notice:acknowledge", "refused")


def test_another_institution_s_are_not_there(book: NoticeBook) -> None:
    foreign = replace(DPO, institution=ELSEWHERE)

    assert book.list(foreign, None, acknowledged=False, details=NOTE) == []
    with pytest.raises(NotFound):
        book.acknowledge(foreign, None, names(book)[0], details=NOTE)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.CLINICIAN, Role.RADIOLOGIST, Role.OFFICER, Role.OPERATOR])
def test_they_are_for_nobody_else(world: World, book: NoticeBook, role: Role) -> None:
    name = names(book)[0]

    with pytest.raises(Denied):
        book.list(subject(role), None, acknowledged=False, details=NOTE)
    with pytest.raises(Denied):
        book.acknowledge(subject(role), None, name, details=NOTE)

    assert acts(world)[-2:] == [("notice:list", "refused"), ("notice:acknowledge", "refused")]


def test_one_that_was_changed_is_not_shown(world: World, book: NoticeBook) -> None:
    (number, kept), *_ = world.ledger.notices.items()
    world.ledger.notices[number] = replace(kept, notice=replace(kept.notice, about=uuid4()))

    with pytest.raises(Tampered):
        book.list(DPO, None, acknowledged=False, details=NOTE)
    assert acts(world)[-1] == ("notice:list", "failed")
