"""What every keeper of forgettings keeps, held against the one in SQL and the one in memory alike."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from threading import Thread
from uuid import UUID, uuid4

import pytest

from pacs_secure.adapters.sql.forgettings import SqlForgettings
from pacs_secure.adapters.sql.ledger import SqlLedger
from pacs_secure.adapters.sql.records import SqlRecords
from pacs_secure.core.access import StudyFacts
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Conflict, NotFound, Tampered
from pacs_secure.core.forgetting import Forgetting, Stage
from pacs_secure.core.identifiers import Institution, uid
from pacs_secure.core.instance import IndexedInstance, InstanceRow
from pacs_secure.core.query import Level, Narrowing
from pacs_secure.ports import Added, Doomed, Forgettings, Ledger, Records
from tests.builders import ELSEWHERE, HERE, NOW, ROOT, digest, draft, indexed_instance, permit, scope, subject, viewer
from tests.fakes import MemoryLedger, MemoryRecords
from tests.fakes_forgettings import MemoryForgettings
from tests.postgres_fixture import ENGINES, Settled, place_of

STUDY, OTHER = uid(f"{ROOT}.1"), uid(f"{ROOT}.2")


@dataclass
class Kept:
    records: Records
    ledger: Ledger
    forgettings: Forgettings

    def add(self, study: str = STUDY, instance: int = 1, *, epoch: int = 0, of: Institution = HERE) -> IndexedInstance:
        one = indexed_instance(study, f"{study}.1", f"{study}.1.{instance}", of=of, name_tokens=[digest("DOE")])
        added = self.records.add(permit(subject(of=of)), one, None, lambda _: b"proof", epoch)
        assert added is Added.NEW
        return one

    def facts(self, study: str = STUDY, of: Institution = HERE) -> StudyFacts:
        return self.records.studies(viewer(of), uid(study))[0].facts

    def request(self, study: str = STUDY, minutes: int = 0) -> Forgetting:
        return self.forgettings.request(permit(), self.wanted(study, minutes), draft())

    def wanted(self, study: str = STUDY, minutes: int = 0) -> Forgetting:
        facts = self.facts(study)
        named = (facts.institution, facts.study_instance_uid, facts.alias, facts.patient_alias, facts.department)
        return Forgetting(uuid4(), *named, NOW + timedelta(minutes=minutes), proof=bytes(32))

    def fence(self, one: Forgetting) -> Forgetting:
        return self.forgettings.fence(permit(), one.forgetting_id, fenced)

    def found(self, of: Institution = HERE) -> list[str]:
        hits = self.records.search(scope(of=of), Narrowing(Level.STUDY))
        return sorted(hit.study_instance_uid for hit in hits)


def fenced(before: Forgetting, doomed: Doomed) -> tuple[Forgetting, Draft]:
    after = replace(
        before,
        stage=Stage.FENCED,
        epoch=doomed.stored.facts.epoch + 1,
        fenced_at=NOW,
        key_ids=tuple(sorted(doomed.key_ids)),
        object_ids=doomed.object_ids,
        proof=bytes(range(32)),
    )
    return after, draft()


@pytest.fixture(params=[*ENGINES, "memory"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    if request.param == "memory":
        ledger = MemoryLedger()
        records = MemoryRecords(ledger)
        yield Kept(records, ledger, MemoryForgettings(records))
    else:
        database = Settled(place_of(request, tmp_path))
        yield Kept(SqlRecords(database), SqlLedger(database), SqlForgettings(database))
        database.close()


def test_nothing_is_being_forgotten_at_first(kept: Kept) -> None:
    assert list(kept.forgettings.under_way()) == []
    assert kept.records.epoch(HERE, STUDY) == 0


def test_a_request_is_kept_as_it_was_made_and_on_record_once(kept: Kept) -> None:
    kept.add()
    first, again = kept.wanted(), kept.wanted()

    assert kept.forgettings.request(permit(), first, draft()) == first
    assert kept.forgettings.request(permit(), again, draft()) == first
    assert list(kept.forgettings.under_way()) == [first]
    assert kept.ledger.size() == 1
    assert kept.found() == [STUDY]


def test_behind_the_fence_there_is_no_study_any_more(kept: Kept) -> None:
    rows = [kept.add(instance=number).row for number in (1, 2, 3)]
    kept.add(OTHER)
    kept.add(of=ELSEWHERE)

    after = kept.fence(kept.request())

    assert (after.epoch, kept.records.epoch(HERE, STUDY)) == (1, 1)
    assert set(after.key_ids) == {row.sealed.study_key_id for row in rows}
    assert sorted(after.object_ids) == sorted(row.sealed.object_id for row in rows)
    assert list(kept.forgettings.under_way()) == [after]
    assert kept.records.studies(viewer(HERE), STUDY) == []
    assert list(kept.records.instances(HERE, STUDY)) == []
    assert (kept.found(), kept.found(ELSEWHERE)) == ([OTHER], [STUDY])
    assert kept.ledger.size() == 2


def test_what_was_sealed_before_the_fence_is_not_added_behind_it(kept: Kept) -> None:
    kept.add()
    kept.fence(kept.request())

    for epoch in (0, 2):
        with pytest.raises(Conflict):
            kept.add(instance=2, epoch=epoch)
    kept.add(instance=1, epoch=1)
    with pytest.raises(Conflict):
        kept.add(instance=2, epoch=0)
    kept.add(instance=2, epoch=1)
    assert kept.facts().epoch == kept.records.epoch(HERE, STUDY) == 1
    assert len(kept.records.instances(HERE, STUDY)) == 2


def test_what_comes_in_late_is_another_study_of_the_same_patient(kept: Kept) -> None:
    kept.add()
    before = kept.facts()
    kept.fence(kept.request())
    kept.add(epoch=1)

    assert kept.facts().alias != before.alias
    assert kept.facts().patient_alias == before.patient_alias
    assert kept.found() == [STUDY]


def test_a_study_may_be_forgotten_again_and_again(kept: Kept) -> None:
    for epoch in range(3):
        kept.add(epoch=epoch)
        assert kept.fence(kept.request(minutes=epoch)).epoch == epoch + 1

    assert [one.epoch for one in kept.forgettings.under_way()] == [1, 2, 3]
    assert kept.records.epoch(HERE, STUDY) == 3


def test_a_fence_stands_once(kept: Kept) -> None:
    kept.add()
    requested = kept.request()
    first = kept.fence(requested)
    kept.add(epoch=1)

    assert kept.fence(requested) == first
    assert kept.found() == [STUDY]
    assert kept.ledger.size() == 2


def test_at_the_fence_some_rows_of_the_study_can_be_looked_at(kept: Kept) -> None:
    first, second = (kept.add(instance=number).row for number in (1, 2))
    other = kept.add(OTHER).row
    seen: list[InstanceRow] = []

    def look(before: Forgetting, doomed: Doomed) -> tuple[Forgetting, Draft]:
        seen.extend(doomed.rows({second.sealed.object_id, other.sealed.object_id}))
        return fenced(before, doomed)

    kept.forgettings.fence(permit(), kept.request().forgetting_id, look)
    assert [row.identity for row in seen] == [second.identity] != [first.identity]


def refuse(_before: Forgetting, _doomed: Doomed) -> tuple[Forgetting, Draft]:
    raise Conflict("not now")


def test_a_fence_that_is_refused_leaves_everything(kept: Kept) -> None:
    kept.add()
    requested = kept.request()

    with pytest.raises(Conflict):
        kept.forgettings.fence(permit(), requested.forgetting_id, refuse)
    assert list(kept.forgettings.under_way()) == [requested]
    assert (kept.found(), kept.records.epoch(HERE, STUDY), kept.ledger.size()) == ([STUDY], 0, 1)


def test_what_nobody_asked_for_is_not_fenced(kept: Kept) -> None:
    with pytest.raises(NotFound):
        kept.forgettings.fence(permit(), UUID(int=5), fenced)


def test_a_study_that_is_not_there_is_not_fenced(kept: Kept) -> None:
    kept.add()
    gone = replace(kept.wanted(), study_instance_uid=OTHER)
    another = replace(kept.wanted(), study_alias=uuid4())
    for wanted in (gone, another):
        kept.forgettings.request(permit(), wanted, draft())
        with pytest.raises(Tampered):
            kept.forgettings.fence(permit(), wanted.forgetting_id, fenced)
    assert kept.found() == [STUDY]


def test_stages_follow_each_other_and_each_is_on_record(kept: Kept) -> None:
    kept.add()
    one = kept.fence(kept.request())
    for stage in (Stage.DRAINED, Stage.FORGOTTEN, Stage.SWEPT):
        for early in list(Stage)[list(Stage).index(stage) + 1 :]:
            with pytest.raises(Conflict):
                kept.forgettings.advance(permit(), replace(one, stage=early), draft())
        one = replace(one, stage=stage, object_ids=() if stage is Stage.SWEPT else one.object_ids)
        kept.forgettings.advance(permit(), one, draft())
        with pytest.raises(Conflict):
            kept.forgettings.advance(permit(), one, draft())

    assert list(kept.forgettings.under_way()) == []
    assert kept.records.epoch(HERE, STUDY) == 1
    assert kept.ledger.size() == 5
    with pytest.raises(Conflict):
        kept.forgettings.advance(permit(), replace(one, forgetting_id=uuid4()), draft())


def test_those_whose_keys_are_gone_are_told_from_the_others(kept: Kept) -> None:
    fenced_ones = []
    for epoch in range(3):
        kept.add(epoch=epoch)
        fenced_ones.append(kept.fence(kept.request()))
    kept.add(epoch=3)
    kept.request()
    stages = ((), (Stage.DRAINED, Stage.FORGOTTEN), (Stage.DRAINED, Stage.FORGOTTEN, Stage.SWEPT))
    ended = []
    for one, through in zip(fenced_ones, stages, strict=True):
        for stage in through:
            kept.forgettings.advance(permit(), replace(one, stage=stage), draft())
        ended += [replace(one, stage=through[-1])] if through else []

    found = sorted(kept.forgettings.buried(), key=lambda one: one.epoch)
    assert found == ended


def test_the_oldest_is_first(kept: Kept) -> None:
    kept.add()
    kept.add(OTHER)
    later, first = kept.request(minutes=2), kept.request(OTHER, minutes=1)

    assert list(kept.forgettings.under_way()) == [first, later]


def test_nobody_adds_past_a_fence_whoever_comes_first(kept: Kept) -> None:
    kept.add()
    requested = kept.request()
    outcomes: list[int] = []

    def add_many(first: int) -> None:
        for number in range(first, first + 20):
            try:
                kept.add(instance=number)
            except Conflict:
                return
            outcomes.append(number)

    threads = [Thread(target=add_many, args=(first,)) for first in (100, 200)]
    for thread in threads:
        thread.start()
    after = kept.fence(requested)
    for thread in threads:
        thread.join()

    assert len(after.object_ids) == 1 + len(outcomes)
    assert list(kept.records.instances(HERE, STUDY)) == []
