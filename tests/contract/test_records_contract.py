"""What every index keeps, held against the one in SQL and the one in memory alike."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pacs_secure.adapters.sql.ledger import SqlLedger
from pacs_secure.adapters.sql.records import SqlRecords
from pacs_secure.core.access import Permit, Relation, Scope, StoredFacts, StudyFacts
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.errors import Conflict, Denied, Malformed, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId, Uid, uid
from pacs_secure.core.instance import FrameIndex, IndexedInstance, SealedHit
from pacs_secure.core.query import Level, Narrowing
from pacs_secure.crypto.tlog import read_draft
from pacs_secure.ports import Added, InstitutionKeys, Ledger, Records
from tests.builders import (
    ELSEWHERE,
    HERE,
    NOW,
    ROOT,
    digest,
    draft,
    grant,
    indexed_instance,
    instance_row,
    new_object_id,
    permit,
    scope,
    study_facts,
    subject,
    viewer,
)
from tests.fakes import MemoryLedger, MemoryRecords
from tests.postgres_fixture import ENGINES, Settled, place_of

STUDY = uid(f"{ROOT}.1")
MR = "1.2.840.10008.5.1.4.1.1.4"
LATER = NOW + timedelta(days=1)


@dataclass
class Index:
    """An index beside its ledger, and the shortest words to fill and ask it."""

    records: Records
    ledger: Ledger

    def add(self, *many: IndexedInstance) -> list[Added]:
        return [self.records.add(permit(subject(of=one.row.identity.institution)), one, None) for one in many]

    def begin(self, one: IndexedInstance) -> tuple[Added, StudyFacts, Permit]:
        """Add one and begin its act; return the study as the beginning saw it."""
        proof, seen = permit(subject(of=one.row.identity.institution)), []

        def begun(facts: StudyFacts) -> Draft:
            seen.append(facts)
            return draft(Outcome.BEGUN, act=proof.act, study=facts)

        added = self.records.add(proof, one, begun)
        (facts,) = seen
        return added, facts, proof

    def facts(self, study: Uid, of: Institution = HERE) -> StudyFacts | None:
        stored = self.records.studies(viewer(of), study)
        return stored[0].facts if stored else None

    def find(self, level: Level, of: Scope | None = None, **narrowing: Any) -> list[SealedHit]:
        return list(self.records.search(of or scope(), Narrowing(level, **narrowing)))

    def studies(self, of: Scope | None = None, **narrowing: Any) -> list[str]:
        """Return the last component of every study found."""
        return [last(hit.study_instance_uid) for hit in self.find(Level.STUDY, of, **narrowing)]

    def series(self, **narrowing: Any) -> list[str]:
        return [last(hit.series_instance_uid) for hit in self.find(Level.SERIES, **narrowing)]

    def instances(self, **narrowing: Any) -> list[str]:
        return [last(hit.sop_instance_uid) for hit in self.find(Level.INSTANCE, **narrowing)]


def last(name: str | None) -> str:
    assert name is not None
    return name.removeprefix(f"{ROOT}.")


def instance(name: str, **columns: Any) -> IndexedInstance:
    """Build the instance ``study.series.instance``."""
    study, series, _ = name.split(".")
    return indexed_instance(f"{ROOT}.{study}", f"{ROOT}.{study}.{series}", f"{ROOT}.{name}", **columns)


def of_class(one: IndexedInstance, sop_class: str) -> IndexedInstance:
    return replace(one, row=replace(one.row, identity=replace(one.row.identity, sop_class_uid=uid(sop_class))))


@pytest.fixture(params=[*ENGINES, "memory"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Index]:
    if request.param == "memory":
        ledger = MemoryLedger()
        yield Index(MemoryRecords(ledger), ledger)
    else:
        database = Settled(place_of(request, tmp_path))
        yield Index(SqlRecords(database), SqlLedger(database))
        database.close()


class TestAdding:
    def test_an_instance_is_new_and_comes_back_as_it_was_added(self, index: Index) -> None:
        frames = FrameIndex((1352, 2352, 3400), (1000, 1000, 998))
        row = replace(instance_row(frames=frames), number_of_frames=3, metadata_box=bytes(range(256)))

        assert index.add(indexed_instance(row=row)) == [Added.NEW]
        assert list(index.records.instances(HERE, STUDY)) == [row]

    def test_an_instance_without_frames_comes_back_without_frames(self, index: Index) -> None:
        index.add(indexed_instance(row=instance_row(frames=FrameIndex())))

        assert index.records.instances(HERE, STUDY)[0].frames == FrameIndex()

    def test_the_same_data_set_again_is_a_duplicate_and_changes_nothing(self, index: Index) -> None:
        index.add(indexed_instance())
        before = (index.records.instances(HERE, STUDY), index.find(Level.INSTANCE))

        assert index.add(indexed_instance()) == [Added.DUPLICATE]
        assert (index.records.instances(HERE, STUDY), index.find(Level.INSTANCE)) == before

    def test_a_duplicate_still_begins_its_act(self, index: Index) -> None:
        index.add(indexed_instance())

        added, _, proof = index.begin(indexed_instance())

        assert (added, index.ledger.size()) == (Added.DUPLICATE, 1)
        assert [one.act for one in index.records.open_acts(LATER)] == [proof.act]

    def test_other_bytes_under_a_taken_uid_are_a_conflict(self, index: Index) -> None:
        index.add(indexed_instance())
        kept = index.records.instances(HERE, STUDY)

        with pytest.raises(Conflict):
            index.add(indexed_instance(row=instance_row(data_set=b"other bytes")))
        assert index.records.instances(HERE, STUDY) == kept

    def test_a_uid_that_moves_to_another_study_is_a_conflict_and_makes_no_study(self, index: Index) -> None:
        index.add(indexed_instance())
        moved = f"{ROOT}.2"

        with pytest.raises(Conflict):
            index.add(indexed_instance(row=instance_row(moved, f"{moved}.1", f"{ROOT}.1.1.1")))
        assert index.facts(uid(moved)) is None

    def test_a_conflict_begins_no_act(self, index: Index) -> None:
        index.add(indexed_instance())

        with pytest.raises(Conflict):
            index.begin(indexed_instance(row=instance_row(data_set=b"other bytes")))
        assert (index.ledger.size(), list(index.records.open_acts(LATER))) == (0, [])

    def test_the_act_begins_with_the_study_as_it_then_stands(self, index: Index) -> None:
        _, facts, _ = index.begin(indexed_instance(department="surgery"))

        assert facts == index.facts(STUDY)
        assert (facts.institution, facts.study_instance_uid, facts.department) == (HERE, STUDY, "surgery")
        (entry,) = index.ledger.entries(0, 9)
        assert read_draft(entry.content).study_alias == facts.alias

    def test_when_the_beginning_fails_nothing_is_added(self, index: Index) -> None:
        def fail(_: StudyFacts) -> Draft:
            raise Unavailable("no ledger key")

        with pytest.raises(Unavailable, match="no ledger key"):
            index.records.add(permit(), indexed_instance(), fail)
        assert index.facts(STUDY) is None
        assert (index.ledger.size(), index.find(Level.STUDY)) == (0, [])
        assert index.add(indexed_instance()) == [Added.NEW]

    def test_an_entry_that_cannot_be_written_takes_the_instance_with_it(self, index: Index) -> None:
        naive = replace(draft(Outcome.BEGUN), at=NOW.replace(tzinfo=None))

        with pytest.raises(Malformed, match="offset"):
            index.records.add(permit(), indexed_instance(), lambda _: naive)
        assert (index.facts(STUDY), index.ledger.size()) == (None, 0)

    def test_a_permit_of_another_institution_adds_nothing(self, index: Index) -> None:
        with pytest.raises(Denied):
            index.records.add(permit(subject(of=ELSEWHERE)), indexed_instance(), None)
        assert index.facts(STUDY) is None

    def test_an_existing_study_keeps_its_department_and_columns(self, index: Index) -> None:
        index.add(instance("1.1.1", department="radiology", patient="first", study_box=b"first"))
        index.add(instance("1.1.2", department="surgery", patient="second", study_box=b"second"))

        facts = index.facts(STUDY)
        assert facts is not None
        assert facts.department == "radiology"
        assert [hit.study_box for hit in index.find(Level.STUDY)] == [b"first"]
        assert index.studies(patient_id_token=digest("patient id", "second")) == []

    def test_studies_of_one_patient_share_the_patients_alias_and_nothing_else(self, index: Index) -> None:
        index.add(instance("1.1.1", patient="a"), instance("2.1.1", patient="a"), instance("3.1.1", patient="b"))

        one, two, other = (index.facts(uid(f"{ROOT}.{number}")) for number in (1, 2, 3))
        assert one is not None
        assert two is not None
        assert other is not None
        assert one.patient_alias == two.patient_alias != other.patient_alias
        assert len({one.alias, two.alias, other.alias}) == 3

    def test_a_study_that_begins_is_proven_with_the_aliases_it_was_given(self, index: Index) -> None:
        seen: list[StudyFacts] = []

        def prove(facts: StudyFacts) -> bytes:
            seen.append(facts)
            return b"a proof"

        for number in ("1.1.1", "1.1.2", "2.1.1"):
            index.records.add(permit(), instance(number), None, prove)

        stored = [one for study in (1, 2) for one in index.records.studies(viewer(), uid(f"{ROOT}.{study}"))]
        assert [one.facts for one in stored] == seen
        assert [one.proof for one in stored] == [b"a proof", b"a proof"]

    def test_a_study_that_is_not_there_is_none(self, index: Index) -> None:
        assert index.facts(STUDY) is None
        assert list(index.records.instances(HERE, STUDY)) == []

    def test_of_many_who_add_the_same_at_once_one_is_new(self, index: Index) -> None:
        together = threading.Barrier(8)

        def add(_: int) -> Added:
            together.wait(10)
            return index.begin(indexed_instance())[0]

        with ThreadPoolExecutor(8) as senders:
            added = list(senders.map(add, range(8)))

        assert sorted(added) == [Added.DUPLICATE] * 7 + [Added.NEW]
        assert (len(index.records.instances(HERE, STUDY)), index.ledger.size()) == (1, 8)

    def test_counts_hold_when_many_add_to_one_study_at_once(self, index: Index) -> None:
        many = [instance(f"1.{number % 3}.{number}", modality=["CT", "MR", "SR"][number % 3]) for number in range(60)]

        with ThreadPoolExecutor(8) as senders:
            assert set(senders.map(lambda one: index.add(one)[0], many)) == {Added.NEW}

        (hit,) = index.find(Level.STUDY)
        assert (hit.series_in_study, hit.instances_in_study) == (3, 60)
        assert hit.modalities_in_study == ("CT", "MR", "SR")

    @pytest.mark.parametrize("modality", ["DOE^JOHN", "born 1970", "ct", "A" * 17, "CT\\MR", "\uff23\uff34"])
    def test_what_is_no_modality_is_kept_in_its_box_only(self, index: Index, modality: str) -> None:
        index.add(instance("1.1.1", modality=modality))

        (hit,) = index.find(Level.STUDY)
        assert hit.modalities_in_study == ()
        assert index.studies(modalities_in_study=(modality,)) == []
        assert index.series(modalities=(modality,)) == []

    def test_what_is_no_date_or_time_is_kept_in_its_box_only(self, index: Index) -> None:
        index.add(instance("1.1.1", study_date="John Doe", study_time="Jane Doe"), instance("2.1.1", study_date="2026"))

        assert index.studies() == ["2", "1"]
        assert index.studies(study_date_from="0", study_date_to="zzz") == []


class TestInstitutions:
    def test_the_first_keys_proposed_are_kept(self, index: Index) -> None:
        first, second = (InstitutionKeys(KeyId(uuid4()), KeyId(uuid4())) for _ in range(2))

        assert index.records.institution_keys(HERE, None) is None
        assert index.records.institution_keys(HERE, first) == first
        assert index.records.institution_keys(HERE, second) == first
        assert index.records.institution_keys(HERE, None) == first
        assert index.records.institution_keys(ELSEWHERE, None) is None

    def test_of_many_who_propose_at_once_all_hear_of_one_winner(self, index: Index) -> None:
        together = threading.Barrier(8)

        def propose(_: int) -> InstitutionKeys | None:
            together.wait(10)
            return index.records.institution_keys(HERE, InstitutionKeys(KeyId(uuid4()), KeyId(uuid4())))

        with ThreadPoolExecutor(8) as processes:
            answers = set(processes.map(propose, range(8)))

        assert answers == {index.records.institution_keys(HERE, None)}

    def test_the_same_uids_live_apart_in_two_institutions(self, index: Index) -> None:
        here, there = indexed_instance(of=HERE), indexed_instance(of=ELSEWHERE, row=instance_row(of=ELSEWHERE))
        assert index.add(here, there) == [Added.NEW, Added.NEW]

        for institution, one in ((HERE, here), (ELSEWHERE, there)):
            assert list(index.records.instances(institution, STUDY)) == [one.row]
            (hit,) = index.find(Level.STUDY, scope(of=institution))
            assert hit.instances_in_study == 1
        facts = [index.facts(STUDY, of=institution) for institution in (HERE, ELSEWHERE)]
        assert len({(one.alias, one.patient_alias) for one in facts if one is not None}) == 2

    @pytest.mark.parametrize("level", Level)
    @pytest.mark.parametrize(
        "narrowing",
        [
            {},
            {"study_instance_uids": (STUDY,)},
            {"series_instance_uids": (uid(f"{STUDY}.1"),)},
            {"sop_instance_uids": (uid(f"{STUDY}.1.1"),)},
            {"modalities_in_study": ("CT",)},
            {"modalities_in_study": ("CT", "MR")},
            {"modalities": ("CT",)},
            {"patient_id_token": digest("patient id", "a patient")},
            {"name_tokens": (frozenset({b"aa"}),)},
            {"study_date_from": "20000101"},
        ],
    )
    def test_no_narrowing_reaches_into_another_institution(
        self, index: Index, level: Level, narrowing: dict[str, Any]
    ) -> None:
        there = indexed_instance(of=ELSEWHERE, row=instance_row(of=ELSEWHERE), name_tokens=[b"aa"])
        index.add(there)

        assert index.find(level, scope(of=HERE), **narrowing) == []
        assert len(index.find(level, scope(of=ELSEWHERE), **narrowing)) == 1


class TestInstances:
    def test_instances_come_in_series_and_instance_number_order_and_unnumbered_last(self, index: Index) -> None:
        index.add(
            instance("1.1.5", series_number=None, instance_number=1),
            instance("1.2.1", series_number=10, instance_number=2),
            instance("1.2.2", series_number=10, instance_number=None),
            instance("1.2.3", series_number=10, instance_number=10),
            instance("1.3.1", series_number=-2, instance_number=3),
            instance("1.3.2", series_number=-2, instance_number=3),
        )

        named = [last(row.identity.sop_instance_uid) for row in index.records.instances(HERE, STUDY)]
        assert named == ["1.3.1", "1.3.2", "1.2.1", "1.2.3", "1.2.2", "1.1.5"]

    def test_a_series_or_one_instance_can_be_asked_for(self, index: Index) -> None:
        index.add(*(instance(f"1.{series}.{number}") for series in (1, 2) for number in (1, 2)), instance("2.1.9"))

        def names(series: str | None, sop: str | None = None) -> list[str]:
            uids = [None if name is None else uid(f"{ROOT}.{name}") for name in (series, sop)]
            return [last(row.identity.sop_instance_uid) for row in index.records.instances(HERE, STUDY, *uids)]

        assert names("1.2") == ["1.2.1", "1.2.2"]
        assert names("1.2", "1.2.2") == ["1.2.2"]
        assert names(None, "1.1.2") == ["1.1.2"]
        assert names("1.1", "1.2.2") == names("2.1") == names(None, "2.1.9") == []

    def test_every_instance_of_every_institution_is_yielded_once(self, index: Index) -> None:
        many = [instance(f"1.1.{number}") for number in range(450)]
        there = [indexed_instance(of=ELSEWHERE, row=instance_row(of=ELSEWHERE))]
        for one in many + there:
            index.add(one)

        assert list(index.records.every_instance(grant())) == [one.row for one in many + there]

    def test_a_walk_goes_on_behind_any_place(self, index: Index) -> None:
        many = [instance(f"1.1.{number}") for number in range(5)]
        assert index.records.last_place() == 0
        for one in many:
            index.add(one)
        begun = index.records.instances_behind(grant(), 0, 2)
        rest = index.records.instances_behind(grant(), begun[-1].place, 99)

        assert [placed.row for placed in [*begun, *rest]] == [one.row for one in many]
        assert index.records.last_place() == rest[-1].place
        assert list(index.records.instances_behind(grant(), rest[-1].place, 99)) == []

    def test_objects_and_keys_that_a_row_names_are_told_from_those_that_none_does(self, index: Index) -> None:
        one, other = instance("1.1.1"), instance("1.1.2")
        index.add(one)
        sealed, strange = one.row.sealed, other.row.sealed

        assert index.records.naming_objects([sealed.object_id, strange.object_id]) == {sealed.object_id}
        assert index.records.naming_keys({sealed.study_key_id, strange.study_key_id}) == {sealed.study_key_id}
        assert index.records.naming_objects([]) == index.records.naming_keys(set()) == frozenset()

    def test_more_may_be_asked_for_than_a_statement_takes(self, index: Index) -> None:
        index.add(instance("1.1.1"))

        assert index.records.naming_objects([new_object_id() for _ in range(1500)]) == frozenset()


class TestSearchColumns:
    """Each field of a narrowing alone."""

    @pytest.fixture(autouse=True)
    def _three_studies(self, index: Index) -> None:
        index.add(
            instance("1.1.1", patient="ann", accession_number="A1", birth_date="1970", study_date="20260101"),
            of_class(instance("1.2.1", modality="MR", series_number=2, instance_number=7), MR),
            instance("2.1.1", patient="bob", accession_number="A2", birth_date="1980", study_date="20260102"),
            instance("2.1.2", instance_number=2),
            instance("3.1.1", patient="ann", modality="US", study_date="", series_number=3, name_tokens=[b"aa", b"bb"]),
            instance("4.1.1", patient="cid", modality="", study_date="20260103", name_tokens=[b"aa", b"cc"]),
        )

    @pytest.mark.parametrize(
        ("narrowing", "studies"),
        [
            ({}, ["4", "2", "1", "3"]),
            ({"study_instance_uids": (Uid(f"{ROOT}.2"),)}, ["2"]),
            ({"study_instance_uids": (Uid(f"{ROOT}.3"), Uid(f"{ROOT}.2"), Uid("1.9"))}, ["2", "3"]),
            ({"series_instance_uids": (Uid(f"{ROOT}.1.2"), Uid(f"{ROOT}.2.1"))}, ["2", "1"]),
            ({"sop_instance_uids": (Uid(f"{ROOT}.2.1.2"),)}, ["2"]),
            ({"sop_class_uids": (Uid(MR),)}, ["1"]),
            ({"modalities": ("MR",)}, ["1"]),
            ({"modalities": ("US", "MR")}, ["1", "3"]),
            ({"modalities_in_study": ("CT",)}, ["2", "1"]),
            ({"modalities_in_study": ("US", "MR")}, ["1", "3"]),
            ({"modalities_in_study": ("XA",)}, []),
            ({"study_date_from": "20260102"}, ["4", "2"]),
            ({"study_date_to": "20260102"}, ["2", "1"]),
            ({"study_date_from": "20260102", "study_date_to": "20260102"}, ["2"]),
            ({"study_date_from": "20260102", "study_date_to": "20260102", "modalities_in_study": ("CT",)}, ["2"]),
            ({"patient_id_token": digest("patient id", "ann")}, ["1", "3"]),
            ({"accession_number_token": digest("accession number", "A2")}, ["2"]),
            ({"birth_date_token": digest("birth date", "1970")}, ["1"]),
            ({"name_tokens": (frozenset({b"aa"}),)}, ["4", "3"]),
            ({"name_tokens": (frozenset({b"bb", b"cc"}),)}, ["4", "3"]),
            ({"name_tokens": (frozenset({b"aa"}), frozenset({b"bb"}))}, ["3"]),
            ({"name_tokens": (frozenset({b"zz"}),)}, []),
            ({"series_number": 2}, ["1"]),
            ({"instance_number": 7}, ["1"]),
            ({"modalities": ("CT",), "instance_number": 7}, []),
            ({"modalities": ("MR",), "instance_number": 7, "patient_id_token": digest("patient id", "ann")}, ["1"]),
            ({"modalities_in_study": ("CT",), "modalities": ("MR",)}, ["1"]),
            ({"modalities_in_study": ("CT",), "patient_id_token": digest("patient id", "ann")}, ["1"]),
        ],
    )
    @pytest.mark.parametrize("level", [Level.STUDY, Level.PATIENT])
    def test_studies_are_narrowed(
        self, index: Index, level: Level, narrowing: dict[str, Any], studies: list[str]
    ) -> None:
        assert [last(hit.study_instance_uid) for hit in index.find(level, **narrowing)] == studies

    def test_series_and_instances_are_narrowed(self, index: Index) -> None:
        assert index.series() == ["4.1", "2.1", "1.1", "1.2", "3.1"]
        assert index.series(modalities=("CT",)) == ["2.1", "1.1"]
        assert index.series(modalities_in_study=("MR",)) == ["1.1", "1.2"]
        assert index.series(sop_class_uids=(Uid(MR),)) == ["1.2"]
        assert index.series(sop_instance_uids=(Uid(f"{ROOT}.2.1.2"),)) == ["2.1"]
        assert index.instances() == ["4.1.1", "2.1.1", "2.1.2", "1.1.1", "1.2.1", "3.1.1"]
        assert index.instances(instance_number=2) == ["2.1.2"]
        assert index.instances(sop_instance_uids=(Uid(f"{ROOT}.1.2.1"),)) == ["1.2.1"]
        assert index.instances(modalities=("MR",), study_date_to="20260101") == ["1.2.1"]

    def test_a_hit_carries_the_boxes_and_counts_of_its_level_and_those_above(self, index: Index) -> None:
        (study,) = index.find(Level.STUDY, study_instance_uids=(STUDY,))
        (series,) = index.find(Level.SERIES, series_instance_uids=(uid(f"{ROOT}.1.2"),))
        (one,) = index.find(Level.INSTANCE, sop_instance_uids=(uid(f"{ROOT}.2.1.2"),))

        assert study == SealedHit(
            STUDY, None, None, f"study box of {STUDY}".encode(), None, None, ("CT", "MR"), 2, 2, None, study.stored
        )
        assert study.stored.facts == series.stored.facts == index.facts(STUDY)
        assert (series.study_box, series.series_box, series.instance_box) == (
            f"study box of {ROOT}.1".encode(),
            f"series box of {ROOT}.1.2".encode(),
            None,
        )
        assert (series.modalities_in_study, series.series_in_study, series.instances_in_series) == (("CT", "MR"), 2, 1)
        assert one.instance_box == f"instance box of {ROOT}.2.1.2".encode()
        assert (one.series_in_study, one.instances_in_study, one.instances_in_series) == (1, 2, 2)

    def test_pages_follow_one_another_without_gap_or_overlap(self, index: Index) -> None:
        pages = [index.instances(limit=2, offset=offset) for offset in (0, 2, 4, 6)]

        assert pages == [["4.1.1", "2.1.1"], ["2.1.2", "1.1.1"], ["1.2.1", "3.1.1"], []]
        assert index.studies(modalities_in_study=("CT",), limit=1, offset=1) == ["1"]
        assert index.studies(limit=0) == []

    def test_without_a_limit_there_is_no_page(self, index: Index) -> None:
        assert index.studies(offset=3) == index.studies()

    def test_a_search_that_is_left_half_way_disturbs_nobody(self, index: Index) -> None:
        hits = index.records.search(scope(), Narrowing(Level.INSTANCE))
        next(hits)
        index.add(instance("9.1.1"))

        assert "9" in index.studies()


class TestScope:
    @pytest.fixture(autouse=True)
    def _two_departments(self, index: Index) -> None:
        index.add(
            instance("1.1.1", department="radiology", patient="ann"),
            instance("2.1.1", department="surgery", patient="ann"),
            instance("3.1.1", department="", patient="ann"),
        )

    @pytest.mark.parametrize(
        ("of", "studies"),
        [
            (scope(), ["3", "2", "1"]),
            (scope(Relation.NONE, Relation.DEPARTMENT, department="surgery"), ["3", "2", "1"]),
            (scope(Relation.DEPARTMENT, department="surgery"), ["2"]),
            (scope(Relation.DEPARTMENT, department="radiology"), ["1"]),
            (scope(Relation.DEPARTMENT, department="elsewhere"), []),
            (scope(Relation.DEPARTMENT, department=""), []),
            (scope(Relation.OWN), []),
            (scope(Relation.OWN, Relation.DEPARTMENT, department="surgery"), ["2"]),
            (scope(Relation.TREATING, Relation.REFERRING, Relation.INVITED), []),
            (replace(scope(), reaches=frozenset()), []),
            (scope(of=ELSEWHERE), []),
        ],
    )
    @pytest.mark.parametrize("modalities", [(), ("CT",), ("CT", "MR")])
    def test_a_search_sees_what_the_relations_reach_and_no_more(
        self, index: Index, of: Scope, studies: list[str], modalities: tuple[str, ...]
    ) -> None:
        assert index.studies(of, modalities_in_study=modalities) == studies
        for level in (Level.SERIES, Level.INSTANCE):
            assert [last(hit.study_instance_uid) for hit in index.find(level, of)] == studies

    def test_pages_are_counted_within_the_scope(self, index: Index) -> None:
        seen = index.studies(scope(Relation.DEPARTMENT, department="radiology"), limit=1, offset=0)

        assert seen == ["1"]
        assert index.studies(scope(Relation.DEPARTMENT, department="radiology"), limit=1, offset=1) == []


class TestOrder:
    def test_the_newest_study_comes_first_and_those_without_a_date_last(self, index: Index) -> None:
        for number, (date, time) in enumerate(
            [("20250101", "120000"), ("", ""), ("20260101", "090000"), ("20260101", "100000"), ("20260101", "")], 1
        ):
            index.add(instance(f"{number}.1.1", study_date=date, study_time=time))

        assert index.studies() == index.studies(modalities_in_study=("CT",)) == ["4", "3", "5", "1", "2"]

    def test_of_equal_times_the_study_that_came_last_is_first(self, index: Index) -> None:
        index.add(instance("2.1.1"), instance("1.1.1"), instance("3.1.1"))

        assert index.studies() == index.studies(modalities_in_study=("CT",)) == ["3", "1", "2"]


class TestOpenActs:
    def test_the_draft_that_began_comes_back_whole(self, index: Index) -> None:
        written = draft(Outcome.BEGUN, facts={"objects": 3})
        index.ledger.append(written)

        assert list(index.records.open_acts(LATER)) == [written]

    @pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.BEGUN])
    def test_any_outcome_closes_an_act(self, index: Index, outcome: Outcome) -> None:
        act = uuid4()
        index.ledger.append(draft(Outcome.BEGUN, act=act))
        index.ledger.append(draft(outcome, act=act))

        assert list(index.records.open_acts(LATER)) == []

    def test_only_acts_older_than_the_moment_are_told_oldest_first(self, index: Index) -> None:
        acts = [draft(Outcome.BEGUN, at=NOW + timedelta(seconds=second)) for second in (0, 5, 10)]
        for one in acts:
            index.ledger.append(one)

        assert list(index.records.open_acts(NOW + timedelta(seconds=10))) == acts[:2]
        assert list(index.records.open_acts(NOW)) == []

    def test_an_act_that_begins_twice_is_open_once(self, index: Index) -> None:
        first = draft(Outcome.BEGUN)
        index.ledger.append(first)
        index.ledger.append(replace(first, at=NOW + timedelta(hours=1)))

        assert list(index.records.open_acts(LATER)) == [first]

    def test_an_outcome_without_a_beginning_opens_nothing(self, index: Index) -> None:
        index.ledger.append(draft(Outcome.REFUSED))

        assert list(index.records.open_acts(LATER)) == []


def corpus(pick: random.Random) -> list[IndexedInstance]:
    """Some forty instances in few studies, whose columns collide often."""
    many = []
    for study in range(12):
        shared: dict[str, object] = {
            "of": pick.choice([HERE, HERE, HERE, ELSEWHERE]),
            "department": pick.choice(["radiology", "surgery", ""]),
            "patient": pick.choice("ab"),
            "accession_number": pick.choice("ab"),
            "birth_date": pick.choice("ab"),
            "study_date": pick.choice(["20260101", "20260102", "20260103", "", "unknown"]),
            "study_time": pick.choice(["", "10", "11"]),
            "name_tokens": pick.sample([b"a", b"b", b"c"], pick.randint(0, 3)),
        }
        for series in range(pick.randint(1, 3)):
            modality, number = pick.choice(["CT", "MR", "US", "", "no modality"]), pick.choice([None, 1, 2])
            for single in range(pick.randint(1, 3)):
                name = f"{study}.{series}.{single}"
                chosen = pick.choice([None, 1, 2])
                one = instance(name, modality=modality, series_number=number, instance_number=chosen, **shared)
                many.append(of_class(one, pick.choice([MR, one.row.identity.sop_class_uid])))
    return many


def narrowing(pick: random.Random) -> dict[str, Any]:
    """A few fields of a narrowing, each with a value that often meets something."""
    two: Callable[[list[str]], tuple[str, ...]] = lambda of: tuple(pick.sample(of, pick.randint(1, 2)))  # noqa: E731
    choices: dict[str, Callable[[], object]] = {
        "study_instance_uids": lambda: two([f"{ROOT}.{n}" for n in range(4)]),
        "series_instance_uids": lambda: two([f"{ROOT}.{n}.{m}" for n in range(4) for m in range(2)]),
        "sop_instance_uids": lambda: two([f"{ROOT}.{n}.0.{m}" for n in range(6) for m in range(2)]),
        "sop_class_uids": lambda: two([MR, "1.2.840.10008.5.1.4.1.1.2"]),
        "modalities": lambda: two(["CT", "MR", "US", "XA", ""]),
        "modalities_in_study": lambda: two(["CT", "MR", "US", "XA"]),
        "study_date_from": lambda: pick.choice(["20260102", "20260103"]),
        "study_date_to": lambda: pick.choice(["20260102", "20260103"]),
        "patient_id_token": lambda: digest("patient id", pick.choice("ab")),
        "accession_number_token": lambda: digest("accession number", pick.choice("ab")),
        "birth_date_token": lambda: digest("birth date", pick.choice("ab")),
        "name_tokens": lambda: tuple(frozenset(pick.sample([b"a", b"b", b"c"], 2)) for _ in range(pick.randint(1, 2))),
        "series_number": lambda: pick.choice([1, 2]),
        "instance_number": lambda: pick.choice([1, 2]),
    }
    asked = {name: choices[name]() for name in pick.sample(sorted(choices), pick.randint(0, 3))}
    return asked | ({"limit": pick.randint(1, 5), "offset": pick.randint(0, 3)} if pick.random() < 0.4 else {})


@pytest.mark.parametrize("seed", range(4))
def test_sql_and_memory_answer_every_combination_alike(place: str | Path, seed: int) -> None:
    pick = random.Random(seed)
    database, memory = Settled(place), MemoryRecords()
    sides = [Index(SqlRecords(database), SqlLedger(database)), Index(memory, memory.ledger)]
    for one in corpus(pick):
        assert len({side.add(one)[0] for side in sides}) == 1
    scopes = [
        scope(),
        scope(of=ELSEWHERE),
        scope(Relation.DEPARTMENT),
        scope(Relation.DEPARTMENT, department="surgery"),
    ]
    met = 0
    for _ in range(250):
        level, of, asked = pick.choice(list(Level)), pick.choice(scopes), narrowing(pick)
        # Aliases are random, so each side has its own.
        known = StoredFacts(study_facts(), b"")
        in_sql, in_memory = ([replace(hit, stored=known) for hit in side.find(level, of, **asked)] for side in sides)
        assert in_sql == in_memory, (level, of, asked)
        met += bool(in_sql)
    database.close()
    assert met > 50
