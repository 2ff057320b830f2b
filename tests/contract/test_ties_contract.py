"""What a decision may rest on: ties between persons and patients or studies, in memory and in SQL alike."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from pacs_secure.adapters.sql import SqlLedger, SqlRecords
from pacs_secure.adapters.sql.ties import SqlTies
from pacs_secure.core.access import Action, Purpose, Relation, StudyFacts, Tie, Viewer
from pacs_secure.core.errors import Denied
from pacs_secure.core.identifiers import Institution, uid
from pacs_secure.core.query import Level, Narrowing
from pacs_secure.ports import Ledger, Records, Ties
from tests.builders import (
    ELSEWHERE,
    HERE,
    NOW,
    ROOT,
    draft,
    grant,
    indexed_instance,
    instance_row,
    permit,
    scope,
    subject,
    tie,
    viewer,
)
from tests.fakes import MemoryLedger, MemoryRecords, MemoryTies
from tests.postgres_fixture import ENGINES, Settled, place_of

STUDY = uid(f"{ROOT}.1")
A_SECOND = timedelta(seconds=1)


@dataclass
class Bound:
    """One adapter of the port beside the index that decides by it."""

    ties: Ties
    records: Records
    ledger: Ledger

    def gathered(self, seen_by: Viewer) -> Viewer:
        """Return a viewer with their ties, as the Guard gathers them."""
        held = self.ties.of_person(seen_by.actor, seen_by.at)
        return replace(seen_by, ties=tuple(one for one in held if one.holds(seen_by.at, seen_by.purpose)))

    def facts(self, seen_by: Viewer | None = None, study: str = STUDY) -> StudyFacts | None:
        gathered = self.gathered(seen_by or viewer())
        stored = self.records.studies(gathered, uid(study))
        return stored[0].facts.seen_by(gathered) if stored else None

    @property
    def study(self) -> StudyFacts:
        facts = self.facts()
        assert facts is not None
        return facts

    def add(self, *made: Tie) -> None:
        self.ties.tie(permit(), made, draft())

    def relations(self, seen_by: Viewer | None = None) -> frozenset[Relation]:
        facts = self.facts(seen_by)
        return facts.relations if facts else frozenset()

    def found(self, relation: Relation, seen_by: Viewer | None = None, of: Institution = HERE) -> int:
        wide = replace(scope(relation), viewer=self.gathered(seen_by or viewer())).of(of)
        return len(list(self.records.search(wide, Narrowing(Level.STUDY))))


@pytest.fixture(params=["memory", *ENGINES])
def bound(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bound]:
    if request.param == "memory":
        ledger = MemoryLedger()
        ties = MemoryTies(ledger)
        found = Bound(ties, MemoryRecords(ledger, ties), ledger)
        found.records.add(permit(), indexed_instance(), None)
        yield found
        return
    database = Settled(place_of(request, tmp_path))
    found = Bound(SqlTies(database), SqlRecords(database), SqlLedger(database))
    found.records.add(permit(), indexed_instance(), None)
    yield found
    database.close()


@pytest.mark.parametrize("relation", [Relation.INVITED, Relation.REFERRING])
def test_a_tie_to_a_study_holds_for_that_study(bound: Bound, relation: Relation) -> None:
    bound.add(tie(relation, bound.study.alias))

    assert bound.relations() == {relation}
    assert bound.found(relation) == 1


@pytest.mark.parametrize("relation", [Relation.TREATING, Relation.EMERGENCY])
def test_a_tie_to_a_patient_holds_for_every_study_of_hers(bound: Bound, relation: Relation) -> None:
    bound.add(tie(relation, bound.study.patient_alias))

    assert bound.relations() == {relation}
    assert bound.found(relation) == 1


@pytest.mark.parametrize("relation", [Relation.INVITED, Relation.TREATING])
def test_a_tie_to_something_else_holds_for_nothing(bound: Bound, relation: Relation) -> None:
    bound.add(tie(relation, uuid4()))

    assert bound.relations() == frozenset()
    assert bound.found(relation) == 0


@pytest.mark.parametrize(
    ("seen_by", "holds"),
    [
        (viewer(), True),
        (viewer(actor="somebody else"), False),
        (viewer(actor=""), False),
        (viewer(at=NOW - timedelta(days=1)), True),
        (viewer(at=NOW - timedelta(days=1) - A_SECOND), False),
        (viewer(at=NOW + timedelta(days=1) - A_SECOND), True),
        (viewer(at=NOW + timedelta(days=1)), False),
        (viewer(purpose=Purpose.HEALTH_RESEARCH), False),
        (viewer(purpose=None), False),
    ],
)
def test_a_tie_holds_for_its_person_in_its_time_for_its_purpose(bound: Bound, seen_by: Viewer, *, holds: bool) -> None:
    bound.add(tie(Relation.INVITED, bound.study.alias, purpose=Purpose.TREATMENT))

    assert bound.relations(seen_by) == ({Relation.INVITED} if holds else frozenset())
    assert bound.found(Relation.INVITED, seen_by) == int(holds)


def test_a_tie_without_a_purpose_holds_for_any(bound: Bound) -> None:
    bound.add(tie(Relation.TREATING, bound.study.patient_alias))

    for purpose in (*Purpose, None):
        assert bound.relations(viewer(purpose=purpose)) == {Relation.TREATING}


def test_what_comes_from_one_origin_ends_together_and_nothing_else(bound: Bound) -> None:
    origin, facts = uuid4(), bound.study
    bound.add(tie(Relation.INVITED, facts.alias, origin=origin), tie(Relation.TREATING, facts.patient_alias))

    assert bound.ties.release(permit(), origin, NOW, draft()) == 1
    assert bound.relations() == {Relation.TREATING}
    assert bound.relations(viewer(at=NOW - A_SECOND)) == {Relation.TREATING, Relation.INVITED}
    assert bound.ties.release(permit(), origin, NOW, draft()) == 0


def test_every_change_is_on_record(bound: Bound) -> None:
    made = tie(Relation.INVITED, bound.study.alias)
    bound.add(made)
    bound.ties.release(permit(), made.origin, NOW, draft())

    assert bound.ledger.size() == 2


def test_a_tie_of_another_institution_is_refused_whole(bound: Bound) -> None:
    alias = bound.study.alias
    with pytest.raises(Denied):
        bound.ties.tie(permit(), [tie(alias=alias), tie(alias=alias, of=ELSEWHERE)], draft())

    assert (bound.relations(), bound.ledger.size()) == (frozenset(), 0)


def test_the_ties_to_a_study_can_be_told(bound: Bound) -> None:
    alias = bound.study.alias
    earlier = tie(alias=alias, actor="first", begins_at=NOW - timedelta(days=2), purpose=Purpose.TREATMENT)
    later, over = tie(alias=alias, actor="second"), tie(alias=alias, ends_at=NOW)
    bound.add(later, over, earlier, tie())

    assert list(bound.ties.of(HERE, alias, NOW)) == [earlier, later]
    assert list(bound.ties.of(ELSEWHERE, alias, NOW)) == []


def test_the_ties_of_one_origin_can_be_told_while_they_hold(bound: Bound) -> None:
    origin, alias = uuid4(), bound.study.alias
    first = tie(alias=alias, origin=origin, begins_at=NOW - timedelta(days=2))
    second = tie(Relation.TREATING, origin=origin)
    bound.add(second, first, tie(alias=alias))

    assert list(bound.ties.from_origin(HERE, origin, NOW)) == [first, second]
    assert list(bound.ties.from_origin(ELSEWHERE, origin, NOW)) == []
    bound.ties.release(permit(), origin, NOW, draft())
    assert list(bound.ties.from_origin(HERE, origin, NOW)) == []


def test_every_tie_and_every_study_can_be_gone_through(bound: Bound) -> None:
    alias = bound.study.alias
    made = [tie(alias=alias), tie(of=HERE), tie(alias=alias, ends_at=NOW - timedelta(hours=1))]
    bound.add(*made)
    proof = grant(action=Action.ARCHIVE_VERIFY)

    assert list(bound.ties.every(proof)) == sorted(made, key=lambda one: one.tie_id.bytes)
    assert [stored.facts.alias for stored in bound.records.every_study(proof)] == [alias]


class TestAcrossInstitutions:
    THEIRS = f"{ROOT}.2"

    @pytest.fixture(autouse=True)
    def _their_study(self, bound: Bound) -> None:
        self.add(bound, self.THEIRS)

    def add(self, bound: Bound, study: str, of: Institution = ELSEWHERE) -> None:
        row = instance_row(study, f"{study}.1", f"{study}.1.1", of=of)
        bound.records.add(permit(subject(of=of)), indexed_instance(of=of, row=row), None)

    def invite(self, bound: Bound, relation: Relation = Relation.INVITED) -> None:
        facts = bound.facts(viewer(of=ELSEWHERE), self.THEIRS)
        assert facts is not None
        by = permit(subject(of=ELSEWHERE))
        bound.ties.tie(by, [tie(relation, facts.alias, of=ELSEWHERE)], replace(draft(), institution=ELSEWHERE))

    def test_a_stranger_finds_no_study_there(self, bound: Bound) -> None:
        assert bound.facts(study=self.THEIRS) is None
        assert bound.found(Relation.INVITED, of=ELSEWHERE) == 0

    def test_an_invitation_leads_there(self, bound: Bound) -> None:
        self.invite(bound)

        seen = bound.facts(study=self.THEIRS)
        assert seen is not None
        assert seen.institution == ELSEWHERE
        assert seen.relations == {Relation.INVITED}
        assert bound.found(Relation.INVITED, of=ELSEWHERE) == 1

    def test_nothing_but_an_invitation_leads_there(self, bound: Bound) -> None:
        self.invite(bound, Relation.REFERRING)

        assert bound.facts(study=self.THEIRS) is None
        assert [bound.found(relation, of=ELSEWHERE) for relation in Relation] == [0] * len(Relation)

    def test_one_s_own_study_of_the_same_uid_comes_first(self, bound: Bound) -> None:
        self.invite(bound)
        self.add(bound, self.THEIRS, HERE)

        seen = bound.facts(study=self.THEIRS)
        assert seen is not None
        assert seen.institution == HERE

    def test_of_one_uid_in_two_houses_both_are_told_one_s_own_first(self, bound: Bound) -> None:
        self.invite(bound)
        self.add(bound, self.THEIRS, HERE)

        both = bound.records.studies(bound.gathered(viewer()), uid(self.THEIRS))
        assert [one.facts.institution for one in both] == [HERE, ELSEWHERE]
        uninvited = bound.records.studies(bound.gathered(viewer(actor="another")), uid(self.THEIRS))
        assert [one.facts.institution for one in uninvited] == [HERE]

    def test_an_invitation_to_one_study_opens_no_other(self, bound: Bound) -> None:
        self.invite(bound)
        self.add(bound, f"{ROOT}.3")

        assert bound.facts(study=f"{ROOT}.3") is None
        assert bound.found(Relation.INVITED, of=ELSEWHERE) == 1
