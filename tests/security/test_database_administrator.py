"""The database administrator: may change any row, has no key, and gives nobody a study by it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pacs_secure.archive.proofs import proven
from pacs_secure.core.access import Relation, Role
from pacs_secure.core.errors import ArchiveError, Hidden, Tampered
from pacs_secure.core.identifiers import uid
from pacs_secure.core.query import Level, Query
from tests.builders import HERE, draft, permit, subject, tie
from tests.fakes_keys import FakeKeyring
from tests.unit.archive.instances import TECHNOLOGIST, data_set, received, study_uid
from tests.world import DiskWorld, disk_world

COLLEAGUE = subject(Role.CLINICIAN, identifier="a curious colleague", department="surgery")
NOW = datetime.now(UTC)
ELSEWHERE_IN_TIME = 10**15


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DiskWorld]:
    """Hold two studies of two patients, of radiology; the colleague treats the second patient."""
    keyring = FakeKeyring()
    with disk_world(tmp_path, keyring, keyring, keyring) as world:
        with world.archive.ingest.begin(TECHNOLOGIST, None, {}) as reception:
            for study, patient in ((1, "first"), (2, "second")):
                reception.store(received(data_set(study, PatientID=patient)))
        yield world


def treats(world: DiskWorld) -> None:
    facts = world.archive.facts.of(COLLEAGUE, None, uid(study_uid(2)))
    assert facts is not None
    made = tie(
        Relation.TREATING,
        facts.patient_alias,
        actor=world.archive.guard.pseudonym(HERE, COLLEAGUE.identifier),
        begins_at=NOW - timedelta(days=1),
        ends_at=NOW + timedelta(days=1),
    )
    seal = world.archive.search.seals.index(HERE)
    world.house.engines.ties.tie(permit(), [proven(seal, made)], draft())


def meddle(world: DiskWorld, *statements: str) -> None:
    with closing(sqlite3.connect(world.index_file)) as index:
        for statement in statements:
            assert index.execute(statement).rowcount > 0, statement
        index.commit()


def read(world: DiskWorld, study: int = 1) -> None:
    world.archive.retrieve.begin(COLLEAGUE, None, study_uid(study), details={}).close()


def found(world: DiskWorld) -> int:
    return len(world.archive.search.find(COLLEAGUE, None, Query(Level.STUDY), details={}).results)


def test_the_colleague_sees_what_they_may_and_nothing_else(world: DiskWorld) -> None:
    treats(world)

    read(world, 2)
    with pytest.raises(Hidden):
        read(world, 1)
    assert found(world) == 1


ANOTHER = "(SELECT {} FROM studies WHERE study_instance_uid LIKE '%.2')"
FORGED_TIE = (
    "INSERT INTO ties SELECT randomblob(16), relation, institution, actor, "
    "(SELECT p.alias FROM patients p JOIN studies s ON s.patient_id = p.id WHERE s.study_instance_uid LIKE '%.1'), "
    "purpose, begins_at, ends_at, released_at, origin, box, proof FROM ties"
)


@pytest.mark.parametrize(
    "statements",
    [
        ["UPDATE studies SET department = 'surgery' WHERE study_instance_uid LIKE '%.1'"],
        [f"UPDATE studies SET patient_id = {ANOTHER.format('patient_id')} WHERE study_instance_uid LIKE '%.1'"],
        [
            f"UPDATE studies SET proof = {ANOTHER.format('proof')} WHERE study_instance_uid LIKE '%.1'",
            "UPDATE studies SET department = 'surgery' WHERE study_instance_uid LIKE '%.1'",
        ],
        [
            "UPDATE patients SET alias = randomblob(16) WHERE id = 2",
            "UPDATE patients SET alias = (SELECT alias FROM ties) WHERE id = 1",
        ],
        [FORGED_TIE],
        ["UPDATE ties SET alias = (SELECT alias FROM patients WHERE id = 1)"],
    ],
    ids=["department", "patient", "borrowed proof", "aliases", "forged tie", "moved tie"],
)
def test_no_change_of_rows_gives_a_colleague_a_study(world: DiskWorld, statements: list[str]) -> None:
    treats(world)
    meddle(world, *statements)

    with pytest.raises(Tampered):
        read(world)
    with pytest.raises(Tampered):
        found(world)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ties SET ends_at = ends_at + 10000000000000",
        "UPDATE ties SET purpose = 'HRESCH'",
        "UPDATE ties SET relation = 'emergency'",
        f"UPDATE ties SET begins_at = {ELSEWHERE_IN_TIME}",
    ],
)
def test_a_tie_is_neither_longer_nor_wider_than_it_was_written(world: DiskWorld, statement: str) -> None:
    treats(world)
    meddle(world, statement)

    with pytest.raises(ArchiveError):
        read(world, 2)


def test_a_protected_study_stays_protected(world: DiskWorld) -> None:
    radiologist = subject(Role.RADIOLOGIST)
    meddle(world, "UPDATE studies SET safeguards = 128, treatment_ended_on = '' WHERE study_instance_uid LIKE '%.1'")

    with pytest.raises(Tampered):
        world.archive.retrieve.begin(radiologist, None, study_uid(1), details={})


def test_what_was_tampered_with_is_not_written_into_either(world: DiskWorld) -> None:
    meddle(world, "UPDATE studies SET department = 'surgery' WHERE study_instance_uid LIKE '%.1'")

    with pytest.raises(Tampered), world.archive.ingest.begin(TECHNOLOGIST, None, {}) as reception:
        reception.store(received(data_set(1, 2)))


def test_others_are_not_stopped_by_a_colleague_s_forged_tie(world: DiskWorld) -> None:
    treats(world)
    meddle(world, FORGED_TIE)

    radiologist = subject(Role.RADIOLOGIST)
    world.archive.retrieve.begin(radiologist, None, study_uid(1), details={}).close()


@pytest.mark.parametrize(
    ("statement", "what"),
    [("UPDATE studies SET department = 'surgery'", "study"), (FORGED_TIE, "tie")],
)
def test_verification_finds_and_names_what_was_changed(world: DiskWorld, statement: str, what: str) -> None:
    treats(world)
    operator = subject(Role.OPERATOR)
    assert world.archive.verify.check_archive(operator, deep=True).sound
    meddle(world, statement)

    findings = world.archive.verify.check_archive(operator, deep=True).findings
    assert {finding.place for finding in findings} == {"facts"}
    assert all(finding.problem.startswith(what) for finding in findings)
