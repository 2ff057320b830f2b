"""Who would know more than they may: an officer alone, an operator, a neighbour's officer, a database's owner."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from pacs_secure.archive.audit_events import AskedEvents
from pacs_secure.archive.declarations import Whom
from pacs_secure.archive.employee_questions import Asking
from pacs_secure.archive.ledger_reading import Wanted
from pacs_secure.archive.patient_trail import Disclosure
from pacs_secure.core.access import Action, Role
from pacs_secure.core.errors import Denied, NotFound, Tampered
from pacs_secure.core.identifiers import Institution
from tests.builders import ELSEWHERE, HERE, subject
from tests.fakes_keys import FakeKeyring
from tests.unit.archive.instances import TECHNOLOGIST, data_set, received, study_uid
from tests.world import DiskWorld, disk_world

DPO = subject(Role.DPO, identifier="d.schutz", department="")
SAME_PERSON = replace(DPO, role=Role.OFFICER)
OPERATOR = subject(Role.OPERATOR, identifier="os:root", department="")
NEIGHBOUR = replace(DPO, institution=Institution(ELSEWHERE))
WEBER = subject(identifier="r.weber")
ERIKA, OTHER = Whom("ERIKA"), Whom("OTHER")
WHY = "she names the neighbour whom she suspects"
NOTE = {"protocol": "test"}
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DiskWorld]:
    """Hold the studies of two patients, each of which Dr. Weber has read."""
    keyring = FakeKeyring()
    with disk_world(tmp_path, keyring, keyring, keyring) as world:
        for study, patient in ((1, "ERIKA"), (2, "OTHER")):
            with world.archive.ingest.begin(TECHNOLOGIST, None, {}) as reception:
                reception.store(received(data_set(study, PatientID=patient)))
            with world.archive.retrieve.begin(WEBER, None, study_uid(study), details={}) as retrieval:
                list(retrieval.metadata())
                retrieval.complete()
        world.notary.attest()
        yield world


def search(world: DiskWorld, by: Any = DPO, **wanted: Any) -> list[int]:
    page = world.archive.ledger_reading.search(by, None, Wanted(**wanted), details=NOTE)
    return [read.entry.index for read in page.entries]


def extract(world: DiskWorld, by: Any = DPO, whom: Whom = ERIKA, **wanted: Any) -> list[tuple[int, ...]]:
    trail = world.archive.patient_trail.produce(by, None, Disclosure(whom, **wanted), details=NOTE)
    return [access.entries for access in trail.accesses if access.action is not Action.LEDGER_DISCLOSE]


def meddle(world: DiskWorld, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(world.index_file)) as index:
        assert index.execute(statement, values).rowcount > 0, statement
        index.commit()


def alias_of(world: DiskWorld, index: int) -> bytes:
    return UUID(world.entries()[index]["patient"]).bytes


class TestTheCuriousOfficer:
    def test_finds_no_way_to_an_employee_alone(self, world: DiskWorld) -> None:
        archive, actor = world.archive, world.archive.guard.pseudonym(HERE, WEBER.identifier)
        asking = Asking(WEBER.identifier, NOW - DAY, NOW + DAY, WHY)
        question = str(archive.questioning.ask(DPO, None, asking, details=NOTE).question.question_id)
        ways: list[Callable[[], object]] = [
            lambda: search(world, person=WEBER.identifier),
            lambda: search(world, person=actor),
            lambda: search(world, opened=True),
            lambda: search(world, opened=True, role=WEBER.role, department=WEBER.department),
            lambda: archive.questioning.rule(DPO, None, question, approved=True, said="", details=NOTE),
            lambda: archive.questioning.rule(SAME_PERSON, None, question, approved=True, said="", details=NOTE),
            lambda: archive.questioning.entries(DPO, None, question, None, 100, details=NOTE),
        ]
        before = len(world.entries())
        for way in ways:
            with pytest.raises(Denied):
                way()

        attempts = world.entries()[before:]
        assert [entry["outcome"] for entry in attempts] == ["refused"] * len(ways)
        assert {entry["actor"] for entry in attempts} == {archive.guard.pseudonym(HERE, DPO.identifier)}

    def test_learns_no_pseudonym_from_a_page(self, world: DiskWorld) -> None:
        page = world.archive.ledger_reading.search(DPO, None, Wanted(whom=ERIKA), details=NOTE)
        again = world.archive.ledger_reading.search(DPO, None, Wanted(whom=OTHER), details=NOTE)

        # The same Dr. Weber is another number in another answer, or the same number somebody else.
        assert {read.person for read in page.entries} == {read.person for read in again.entries} == {1, 2}

    def test_learns_from_one_name_what_one_act_was_and_nothing_of_all_the_others(self, world: DiskWorld) -> None:
        """Else a search and one opened entry would answer what a second person has to approve (LOG-07)."""
        page = world.archive.ledger_reading.search(DPO, None, Wanted(newest_first=False), details=NOTE)
        acts = {(read.draft.act, read.person) for read in page.entries if read.draft.actor}
        events = world.archive.audit_events.search(DPO, None, AskedEvents(), NOTE).events

        assert len(acts) == len({act for act, _ in acts}) == len({person for _, person in acts}) > 2
        assert {read.draft.address for read in page.entries} == {""}
        assert len({one.who for one in events}) == len({one.draft.act for one in events}) > 2
        assert {one.client.place for one in events} == {"not told"}


class TestTheOperator:
    def test_produces_extracts_and_names_nobody(self, world: DiskWorld) -> None:
        trail = world.archive.patient_trail.produce(OPERATOR, None, Disclosure(ERIKA), details=NOTE)
        assert {access.person for access in trail.accesses} == {""}
        with pytest.raises(Denied):
            extract(world, OPERATOR, name_employees=True, reason=WHY)
        with pytest.raises(Denied):
            search(world, OPERATOR)

        assert [entry["outcome"] for entry in world.entries()[-2:]] == ["refused", "refused"]


class TestTheNeighbour:
    def test_comes_by_nothing_of_another_institution(self, world: DiskWorld) -> None:
        archive = world.archive
        asking = Asking(WEBER.identifier, NOW - DAY, NOW + DAY, WHY)
        question = str(archive.questioning.ask(DPO, None, asking, details=NOTE).question.question_id)
        other_officer = replace(SAME_PERSON, institution=Institution(ELSEWHERE), identifier="o.amt")

        assert search(world, NEIGHBOUR, whom=ERIKA) == []
        assert search(world, NEIGHBOUR, study_instance_uid=study_uid(1)) == []
        ways: list[Callable[[], object]] = [
            lambda: archive.ledger_reading.entry(NEIGHBOUR, None, 0, opened=True, details=NOTE),
            lambda: archive.ledger_proofs.of(NEIGHBOUR, None, 0, details=NOTE),
            lambda: extract(world, NEIGHBOUR),
            lambda: archive.questioning.rule(other_officer, None, question, approved=True, said="", details=NOTE),
            lambda: archive.questioning.entries(NEIGHBOUR, None, question, None, 100, details=NOTE),
        ]
        for way in ways:
            with pytest.raises(NotFound):
                way()
        assert archive.questioning.listed(NEIGHBOUR, None, details=NOTE) == []

    def test_may_ask_about_a_namesake_of_their_own_only(self, world: DiskWorld) -> None:
        questioning = world.archive.questioning
        asking = Asking(WEBER.identifier, NOW - DAY, NOW + DAY, WHY)
        question = str(questioning.ask(NEIGHBOUR, None, asking, details=NOTE).question.question_id)
        second = replace(NEIGHBOUR, identifier="e.zweit")
        questioning.rule(second, None, question, approved=True, said="", details=NOTE)

        assert questioning.entries(NEIGHBOUR, None, question, None, 100, details=NOTE).entries == []


class TestTheDatabasesOwner:
    def test_gives_nobody_another_patients_entries(self, world: DiskWorld) -> None:
        mine, others = alias_of(world, 0), alias_of(world, 4)
        meddle(world, "UPDATE ledger_subjects SET alias = ? WHERE alias = ?", mine, others)

        for attempt in (lambda: search(world, whom=ERIKA), lambda: extract(world)):
            with pytest.raises(Tampered):
                attempt()

    def test_gives_nobody_another_institutions_entries(self, world: DiskWorld) -> None:
        meddle(world, "UPDATE ledger_times SET institution = ?", ELSEWHERE)

        with pytest.raises(Tampered):
            search(world, NEIGHBOUR)

    def test_hides_a_read_from_a_search_and_not_from_an_extract_of_the_whole(self, world: DiskWorld) -> None:
        whole = extract(world)
        meddle(world, "DELETE FROM ledger_subjects WHERE entry_index IN (2, 3)")

        assert extract(world) != whole
        assert extract(world, thorough=True) == whole

    def test_hides_their_own_acts_from_no_thorough_answer(self, world: DiskWorld) -> None:
        questioning, officer = world.archive.questioning, replace(SAME_PERSON, identifier="o.amt")
        asking = Asking(WEBER.identifier, NOW - DAY, NOW + DAY, WHY)
        question = str(questioning.ask(DPO, None, asking, details=NOTE).question.question_id)
        questioning.rule(officer, None, question, approved=True, said="", details=NOTE)
        actor = world.archive.guard.pseudonym(HERE, WEBER.identifier)
        meddle(world, "UPDATE ledger_times SET actor = 'x' WHERE actor = ?", actor)

        assert questioning.entries(DPO, None, question, None, 100, details=NOTE).entries == []
        thorough = questioning.entries(DPO, None, question, None, 100, thorough=True, details=NOTE)
        assert len(thorough.entries) == 4

    def test_answers_no_question(self, world: DiskWorld) -> None:
        questioning = world.archive.questioning
        asking = Asking(WEBER.identifier, NOW - DAY, NOW + DAY, WHY)
        asked = questioning.ask(DPO, None, asking, details=NOTE).question
        question = str(asked.question_id)
        ruled = "approved = 1, ruled_by = 'x', ruled_at = ?, ruling_box = ?, ruling_proof = ?"
        meddle(world, f"UPDATE employee_questions SET {ruled}", int(NOW.timestamp() * 1e6), b"x", asked.proof)

        with pytest.raises(Tampered):
            questioning.entries(DPO, None, question, None, 100, details=NOTE)

    def test_widens_no_question_and_turns_it_to_nobody_else(self, world: DiskWorld) -> None:
        questioning, officer = world.archive.questioning, replace(SAME_PERSON, identifier="o.amt")
        asking = Asking(WEBER.identifier, NOW - DAY, NOW + DAY, WHY)
        for column, value in (("since", 0), ("until", 2**50), ("actor", "x"), ("box", b"another box")):
            question = str(questioning.ask(DPO, None, asking, details=NOTE).question.question_id)
            questioning.rule(officer, None, question, approved=True, said="", details=NOTE)
            meddle(world, f"UPDATE employee_questions SET {column} = ?", value)

            with pytest.raises(Tampered):
                questioning.entries(DPO, None, question, None, 100, details=NOTE)
            meddle(world, "DELETE FROM employee_questions")
