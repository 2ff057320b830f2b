"""A broken glass: kept with its tie, its notice and its record, ended and judged once; in memory and in SQL alike."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from pacs_secure.adapters.sql import SqlLedger, SqlRecords, SqlTies
from pacs_secure.adapters.sql.emergencies import SqlEmergencies
from pacs_secure.adapters.sql.notices import SqlNotices
from pacs_secure.adapters.sql.patients import SqlPatients
from pacs_secure.core.access import Action, Relation
from pacs_secure.core.emergencies import Emergency, Judgement, Review
from pacs_secure.core.errors import Conflict, Denied, NotFound
from pacs_secure.core.identifiers import institution, uid
from pacs_secure.core.notices import Notice, NoticeKind
from pacs_secure.ports import Emergencies, Ledger, Notices, Patients, Records, Ties
from tests.builders import (
    ELSEWHERE,
    HERE,
    NOW,
    ROOT,
    digest,
    draft,
    indexed_instance,
    instance_row,
    permit,
    subject,
    tie,
)
from tests.fakes import MemoryLedger, MemoryRecords, MemoryTies
from tests.fakes_emergencies import MemoryEmergencies, MemoryNotices, MemoryPatients
from tests.postgres_fixture import ENGINES, Settled, place_of

FOUR_HOURS = timedelta(hours=4)
OPENS = permit(action=Action.BREAK_GLASS_OPEN)
REVIEWS = permit(action=Action.BREAK_GLASS_REVIEW)
JUSTIFIED = Review(Judgement.JUSTIFIED, "an officer", NOW + timedelta(hours=1), b"a remark")
NOT_JUSTIFIED = replace(JUSTIFIED, judgement=Judgement.NOT_JUSTIFIED)


@dataclass
class Glass:
    """One adapter of the port beside all that its commits touch."""

    emergencies: Emergencies
    ties: Ties
    notices: Notices
    ledger: Ledger
    patients: Patients
    records: Records
    patient: UUID = field(default_factory=uuid4)

    def open(self, actor: str = "someone", at: datetime = NOW) -> Emergency:
        made = Emergency(uuid4(), HERE, self.patient, actor, at, at + FOUR_HOURS, b"a box of the tests")
        self.keep(made)
        return made

    def keep(self, made: Emergency, *, tie_of: str = HERE, told: str = HERE, recorded: str = HERE) -> None:
        bound = tie(
            Relation.EMERGENCY,
            made.patient_alias,
            actor=made.actor,
            of=tie_of,
            begins_at=made.opened_at,
            ends_at=made.ends_at,
            origin=made.emergency_id,
        )
        of = subject(of=recorded)
        notice = Notice(
            uuid4(), institution(told), NoticeKind.BREAK_GLASS, made.emergency_id, uuid4(), made.opened_at, b"a box"
        )
        self.emergencies.open(OPENS, made, bound, notice, draft(by=of))

    def found(self, made: Emergency) -> Emergency:
        kept = self.emergencies.get(HERE, made.emergency_id)
        assert kept is not None
        return kept

    def tied(self, at: datetime) -> int:
        return len(self.ties.of(HERE, self.patient, at))

    @property
    def told(self) -> int:
        return len(self.notices.listed(HERE, 100, acknowledged=False))


@pytest.fixture(params=["memory", *ENGINES])
def glass(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Glass]:
    if request.param == "memory":
        ledger = MemoryLedger()
        ties = MemoryTies(ledger)
        records = MemoryRecords(ledger, ties)
        yield Glass(MemoryEmergencies(ties), ties, MemoryNotices(ledger), ledger, MemoryPatients(records), records)
        return
    database = Settled(place_of(request, tmp_path))
    yield Glass(
        SqlEmergencies(database),
        SqlTies(database),
        SqlNotices(database),
        SqlLedger(database),
        SqlPatients(database),
        SqlRecords(database),
    )
    database.close()


class TestOpening:
    def test_it_is_kept_with_its_tie_its_notice_and_its_record(self, glass: Glass) -> None:
        made = glass.open()

        assert glass.found(made) == made
        assert (glass.tied(NOW), glass.tied(NOW + FOUR_HOURS)) == (1, 0)
        assert (glass.told, glass.ledger.size()) == (1, 1)

    @pytest.mark.parametrize("foreign", [{"tie_of": ELSEWHERE}, {"told": ELSEWHERE}, {"recorded": ELSEWHERE}])
    def test_what_reaches_into_another_institution_leaves_nothing(self, glass: Glass, foreign: dict[str, str]) -> None:
        made = Emergency(uuid4(), HERE, glass.patient, "someone", NOW, NOW + FOUR_HOURS, b"a box")

        with pytest.raises(Denied):
            glass.keep(made, **foreign)

        assert glass.emergencies.get(HERE, made.emergency_id) is None
        assert (glass.tied(NOW), glass.told, glass.ledger.size()) == (0, 0, 0)

    def test_an_emergency_of_another_institution_is_not_kept_under_this_permit(self, glass: Glass) -> None:
        with pytest.raises(Denied):
            glass.keep(Emergency(uuid4(), ELSEWHERE, glass.patient, "someone", NOW, NOW + FOUR_HOURS, b"a box"))

    def test_another_institution_has_none_of_it(self, glass: Glass) -> None:
        made = glass.open()

        assert glass.emergencies.get(ELSEWHERE, made.emergency_id) is None
        assert list(glass.emergencies.listed(ELSEWHERE, 10)) == []


class TestList:
    def test_unreviewed_ones_stand_first_then_the_newest(self, glass: Glass) -> None:
        old, middle, new = (glass.open(at=NOW + timedelta(minutes=minute)) for minute in range(3))
        glass.emergencies.review(REVIEWS, new.emergency_id, JUSTIFIED, draft())

        listed = glass.emergencies.listed(HERE, 10)

        assert [one.emergency_id for one in listed] == [middle.emergency_id, old.emergency_id, new.emergency_id]
        assert len(glass.emergencies.listed(HERE, 2)) == 2

    def test_those_of_one_person_are_found_when_named(self, glass: Glass) -> None:
        mine = glass.open()
        glass.open(actor="somebody else")

        assert list(glass.emergencies.listed(HERE, 10, "someone")) == [mine]
        assert len(glass.emergencies.listed(HERE, 10)) == 2


class TestEnd:
    def test_it_ends_with_its_tie_and_a_record(self, glass: Glass) -> None:
        made, later = glass.open(), NOW + timedelta(hours=1)

        glass.emergencies.end(OPENS, made.emergency_id, later, draft())

        assert glass.found(made).ends_at == later
        assert (glass.tied(later - timedelta(seconds=1)), glass.tied(later)) == (1, 0)
        assert glass.ledger.size() == 2

    def test_what_is_over_does_not_end_again(self, glass: Glass) -> None:
        made = glass.open()

        with pytest.raises(Conflict):
            glass.emergencies.end(OPENS, made.emergency_id, NOW + FOUR_HOURS, draft())

        assert (glass.found(made), glass.ledger.size()) == (made, 1)

    def test_what_is_not_there_cannot_be_ended(self, glass: Glass) -> None:
        with pytest.raises(NotFound):
            glass.emergencies.end(OPENS, uuid4(), NOW, draft())

    def test_an_end_is_recorded_at_home(self, glass: Glass) -> None:
        made = glass.open()

        with pytest.raises(Denied):
            glass.emergencies.end(OPENS, made.emergency_id, NOW, draft(by=subject(of=ELSEWHERE)))

        assert glass.tied(NOW) == 1


class TestReview:
    def test_it_is_kept_and_recorded_and_what_was_justified_goes_on(self, glass: Glass) -> None:
        made = glass.open()

        glass.emergencies.review(REVIEWS, made.emergency_id, JUSTIFIED, draft())

        assert glass.found(made) == replace(made, review=JUSTIFIED)
        assert (glass.tied(JUSTIFIED.at), glass.ledger.size()) == (1, 2)

    def test_what_was_not_justified_ends_at_once(self, glass: Glass) -> None:
        made = glass.open()

        glass.emergencies.review(REVIEWS, made.emergency_id, NOT_JUSTIFIED, draft())

        assert glass.found(made) == replace(made, review=NOT_JUSTIFIED, ends_at=NOT_JUSTIFIED.at)
        assert (glass.tied(NOT_JUSTIFIED.at), glass.ledger.size()) == (0, 2)

    def test_what_had_ended_keeps_its_end(self, glass: Glass) -> None:
        made = glass.open()

        glass.emergencies.review(
            REVIEWS, made.emergency_id, replace(NOT_JUSTIFIED, at=NOW + timedelta(days=1)), draft()
        )

        assert glass.found(made).ends_at == made.ends_at

    def test_it_happens_once(self, glass: Glass) -> None:
        made = glass.open()
        glass.emergencies.review(REVIEWS, made.emergency_id, JUSTIFIED, draft())

        with pytest.raises(Conflict):
            glass.emergencies.review(REVIEWS, made.emergency_id, NOT_JUSTIFIED, draft())

        assert (glass.found(made).review, glass.ledger.size()) == (JUSTIFIED, 2)

    def test_what_is_not_there_cannot_be_reviewed(self, glass: Glass) -> None:
        with pytest.raises(NotFound):
            glass.emergencies.review(REVIEWS, uuid4(), JUSTIFIED, draft())


class TestPatients:
    @pytest.fixture(autouse=True)
    def _two_patients(self, glass: Glass) -> None:
        """Two patients of one Patient ID and different issuers, the first of them with two studies."""
        for number, patient in ((1, "first"), (2, "first"), (3, "second")):
            study = f"{ROOT}.{number}"
            made = indexed_instance(study, f"{study}.1", f"{study}.1.1", patient=patient)
            shared = replace(made, study=replace(made.study, patient_id_token=digest("patient id", "shared")))
            glass.records.add(permit(), shared, None)
        foreign = instance_row(f"{ROOT}.9", f"{ROOT}.9.1", f"{ROOT}.9.1.1", of=ELSEWHERE)
        glass.records.add(permit(subject(of=ELSEWHERE)), indexed_instance(row=foreign, patient="first"), None)

    def test_one_issuer_and_patient_id_is_one_patient(self, glass: Glass) -> None:
        found = glass.patients.of_token(HERE, digest("patient", "first"))

        assert found is not None
        assert (
            found == glass.patients.of_study(HERE, uid(f"{ROOT}.1")) == glass.patients.of_study(HERE, uid(f"{ROOT}.2"))
        )
        assert len(glass.patients.studies(HERE, found)) == 2
        assert list(glass.patients.studies(ELSEWHERE, found)) == []

    def test_a_patients_examinations_are_told_as_far_as_they_stand_in_clear(self, glass: Glass) -> None:
        found = glass.patients.of_token(HERE, digest("patient", "first"))
        assert found is not None

        told = glass.patients.examinations(HERE, found)

        assert {one.alias for one in told} == set(glass.patients.studies(HERE, found))
        assert [one.date for one in told] == sorted(one.date for one in told)
        assert {one.modalities for one in told} == {("CT",)}
        assert list(glass.patients.examinations(ELSEWHERE, found)) == []

    def test_a_patient_id_alone_may_be_several(self, glass: Glass) -> None:
        both = {glass.patients.of_study(HERE, uid(f"{ROOT}.{number}")) for number in (1, 3)}

        assert glass.patients.of_patient_id(HERE, digest("patient id", "shared")) == both
        assert glass.patients.of_patient_id(HERE, digest("patient id", "nobody")) == frozenset()

    def test_another_institution_has_patients_of_its_own(self, glass: Glass) -> None:
        assert glass.patients.of_token(HERE, digest("patient", "nobody")) is None
        assert glass.patients.of_study(HERE, uid(f"{ROOT}.9")) is None
        assert glass.patients.of_token(ELSEWHERE, digest("patient", "first")) != glass.patients.of_token(
            HERE, digest("patient", "first")
        )
        assert glass.patients.of_patient_id(ELSEWHERE, digest("patient id", "shared")) == frozenset()
