"""The facts of a study, in memory and in SQL alike: changed in one commit with their record."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pacs_secure.adapters.sql import SqlLedger, SqlRecords, classification
from pacs_secure.core.access import LABELS, Relation, Safeguard, Scope, StoredFacts
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Conflict, Denied, NotFound
from pacs_secure.core.identifiers import uid
from pacs_secure.core.query import Level, Narrowing
from pacs_secure.crypto.tlog import read_draft
from pacs_secure.ports import Ledger, Records
from tests.builders import (
    ELSEWHERE,
    RADIOLOGY,
    ROOT,
    draft,
    indexed_instance,
    instance_row,
    permit,
    scope,
    study_facts,
    subject,
    viewer,
)
from tests.fakes import MemoryLedger, MemoryRecords
from tests.postgres_fixture import ENGINES, Settled, place_of

STUDY = uid(f"{ROOT}.1")
OTHER = f"{ROOT}.2"


@dataclass
class Kept:
    """One adapter of the port with two studies in it."""

    records: Records
    ledger: Ledger

    def __post_init__(self) -> None:
        for study in (STUDY, OTHER):
            row = instance_row(study, f"{study}.1", f"{study}.1.1")
            self.records.add(permit(), indexed_instance(study, row=row), None, lambda _: b"a proof")

    def stored(self, study: str = STUDY) -> StoredFacts:
        (found,) = self.records.studies(viewer(), uid(study))
        return found

    def change(self, proof: bytes = b"another proof", **wanted: Any) -> None:
        def changed(stored: StoredFacts) -> tuple[StoredFacts, Draft]:
            return StoredFacts(replace(stored.facts, **wanted), proof), draft(facts={"seen": stored.facts.department})

        self.records.classify(permit(study=self.stored().facts), changed)

    def found(self, of: Scope) -> list[str]:
        return [hit.study_instance_uid for hit in self.records.search(of, Narrowing(Level.STUDY))]


@pytest.fixture(params=["memory", *ENGINES])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    if request.param == "memory":
        ledger = MemoryLedger()
        yield Kept(MemoryRecords(ledger), ledger)
        return
    database = Settled(place_of(request, tmp_path))
    yield Kept(SqlRecords(database), SqlLedger(database))
    database.close()


def test_everything_that_changes_is_kept_with_its_proof_and_nothing_else_changes(kept: Kept) -> None:
    before, other = kept.stored(), kept.stored(OTHER)
    changed: dict[str, Any] = {
        "department": "surgery",
        "safeguards": LABELS | {Safeguard.RESTRICTED},
        "held": True,
        "treatment_ended_on": "20250101",
    }
    kept.change(**changed)

    assert kept.stored() == StoredFacts(replace(before.facts, **changed), b"another proof")
    assert kept.stored(OTHER) == other


@pytest.mark.parametrize("label", sorted(LABELS | {Safeguard.RESTRICTED}))
def test_a_search_follows_each_safeguard_at_once(kept: Kept, label: Safeguard) -> None:
    kept.change(safeguards=frozenset({label}))
    assert kept.found(scope(despite=[])) == [OTHER]
    assert kept.found(scope(despite=[label])) == [OTHER, STUDY]
    kept.change(safeguards=frozenset())
    assert kept.found(scope(despite=[])) == [OTHER, STUDY]


def test_a_search_follows_the_department_and_the_end_of_treatment_at_once(kept: Kept) -> None:
    kept.change(department="surgery", treatment_ended_on="20241231")

    assert kept.found(scope(Relation.DEPARTMENT)) == [OTHER]
    assert kept.found(scope(Relation.DEPARTMENT, department="surgery", despite=[])) == []
    assert kept.found(scope(Relation.DEPARTMENT, department="surgery")) == [STUDY]
    kept.change(treatment_ended_on="")
    assert kept.found(scope(Relation.DEPARTMENT, department="surgery", despite=[])) == [STUDY]


def test_a_change_and_its_record_are_one_commit(kept: Kept) -> None:
    kept.change(held=True)
    (entry,) = kept.ledger.entries(0, 9)
    assert read_draft(entry.content).facts == {"seen": RADIOLOGY}

    def fails(_stored: StoredFacts) -> tuple[StoredFacts, Draft]:
        raise Conflict("not recorded")

    with pytest.raises(Conflict):
        kept.records.classify(permit(study=kept.stored().facts), fails)
    assert (kept.stored().facts.held, kept.ledger.size()) == (True, 1)


def test_changes_at_the_same_time_all_see_those_before_them(kept: Kept) -> None:
    def add(label: Safeguard) -> None:
        def added(stored: StoredFacts) -> tuple[StoredFacts, Draft]:
            facts = replace(stored.facts, safeguards=stored.facts.safeguards | {label})
            return StoredFacts(facts, stored.proof), draft(facts={"labels": len(stored.facts.safeguards)})

        kept.records.classify(permit(study=kept.stored().facts), added)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, sorted(LABELS)))

    assert kept.stored().facts.safeguards == LABELS
    entries = [read_draft(entry.content).facts["labels"] for entry in kept.ledger.entries(0, 99)]
    assert entries == list(range(len(LABELS)))


def test_what_is_not_there_cannot_be_changed(kept: Kept) -> None:
    for study in (study_facts(f"{ROOT}.9"), None):
        with pytest.raises(NotFound):
            kept.records.classify(permit(study=study), lambda stored: (stored, draft()))

    assert kept.ledger.size() == 0


def test_nobody_changes_another_institution_s_study(kept: Kept) -> None:
    foreign = permit(subject(of=ELSEWHERE), study=kept.stored().facts)
    with pytest.raises(Denied):
        kept.records.classify(foreign, lambda stored: (stored, draft()))

    assert kept.ledger.size() == 0


def test_a_study_to_change_is_found_within_its_institution() -> None:
    assert "WHERE studies.institution = " in str(classification._facts)
