"""Reading the ledger: narrowed, paged, of one's own institution, on record, and never about an employee."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from pacs_secure.archive.declarations import Whom
from pacs_secure.archive.ledger_reading import MOST_AT_ONCE, LedgerReading, ReadPage, Wanted
from pacs_secure.core.access import AccessRequest, Action, Purpose, Role, Subject
from pacs_secure.core.audit import LedgerEntry, Outcome
from pacs_secure.core.errors import ArchiveError, Denied, Malformed, NotFound, Tampered, Unavailable
from pacs_secure.core.seeking import Sought
from pacs_secure.crypto.tlog import read_draft
from tests.builders import ELSEWHERE, subject
from tests.unit.archive.instances import TECHNOLOGIST, data_set, store, study_uid
from tests.unit.archive.people import DPO, THEIR_DPO, reads
from tests.world import World

NOTE = {"protocol": "test"}
RADIOLOGIST = subject(identifier="r.weber")
ERIKA = Whom(patient_id="ERIKA")


@pytest.fixture
def reading(world: World) -> LedgerReading:
    """An archive in which two patients' studies were stored and one was read."""
    store(world, data_set(1, PatientID="ERIKA"))
    store(world, data_set(2, PatientID="OTHER"))
    assert reads(world, RADIOLOGIST)
    return world.archive.ledger_reading


def found(reading: LedgerReading, by: Subject = DPO, **wanted: Any) -> ReadPage:
    return reading.search(by, None, Wanted(**wanted), details=NOTE)


def acts(page: ReadPage) -> list[tuple[str, str]]:
    return [(one.draft.action.value, one.draft.outcome.value) for one in page.entries]


class TestSearching:
    def test_what_was_done_to_a_patients_pictures_is_found_and_nothing_of_others(self, reading: LedgerReading) -> None:
        mine = found(reading, whom=ERIKA, newest_first=False)

        assert acts(mine) == [
            ("study:create", "begun"),
            ("study:create", "completed"),
            ("study:read", "begun"),
            ("study:read", "completed"),
        ]
        assert mine.after is None
        assert len({one.draft.patient_alias for one in mine.entries}) == 1
        assert acts(found(reading, study_instance_uid=study_uid(1), newest_first=False)) == acts(mine)
        assert acts(found(reading, whom=ERIKA, study_instance_uid=study_uid(2))) == []

    def test_it_is_on_record_with_its_query_sealed_and_its_count(self, world: World, reading: LedgerReading) -> None:
        found(reading, whom=ERIKA, action=Action.STUDY_READ)

        begun, completed = world.entries()[-2:]
        assert [(one["action"], one["outcome"], one["purpose"]) for one in (begun, completed)] == [
            ("ledger:read", "begun", "HOPERAT"),
            ("ledger:read", "completed", "HOPERAT"),
        ]
        assert begun["facts"]["details"] == "shut"
        assert completed["facts"]["results"] == 2
        assert "ERIKA" not in json.dumps([begun, completed])
        index = world.ledger.kept[-2].index
        opened = reading.entry(DPO, None, index, opened=True, details=NOTE)
        assert opened.told == {"subject": "d.schutz", "action": "study:read", "patient_id": "ERIKA"}

    def test_what_was_asked_of_a_patient_is_forgotten_with_them(self, world: World, reading: LedgerReading) -> None:
        found(reading, whom=ERIKA)
        found(reading, study_instance_uid=study_uid(1))

        begun = [entry for entry in world.entries() if (entry["action"], entry["outcome"]) == ("ledger:read", "begun")]
        of_patient = world.entries()[0]
        assert [entry["patient"] for entry in begun] == [of_patient["patient"]] * 2
        assert {entry["details"]["key"] for entry in begun} == {of_patient["details"]["key"]}

    @pytest.mark.parametrize(
        ("wanted", "count"),
        [
            ({"action": Action.STUDY_READ}, 2),
            ({"outcome": Outcome.COMPLETED, "action": Action.STUDY_CREATE}, 2),
            ({"role": Role.TECHNOLOGIST}, 4),
            ({"department": "dermatology"}, 0),
            ({"until": datetime(2020, 1, 1, tzinfo=UTC)}, 0),
            ({"since": datetime(2020, 1, 1, tzinfo=UTC), "action": Action.STUDY_READ}, 2),
            ({"whom": Whom("NOBODY")}, 0),
            ({"whom": Whom("ERIKA", "")}, 4),
            ({"whom": Whom("ERIKA", "another issuer")}, 0),
            ({"study_instance_uid": "1.2.3.4"}, 0),
        ],
        ids=range(10),
    )
    def test_it_narrows_by_all_that_is_named(self, reading: LedgerReading, wanted: dict[str, Any], count: int) -> None:
        assert len(found(reading, **wanted).entries) == count

    def test_pages_follow_one_another_without_gap_in_both_directions(self, reading: LedgerReading) -> None:
        until = datetime.now(UTC)
        whole = [one.entry.index for one in found(reading, until=until).entries]
        for newest_first in (True, False):
            after, seen = None, []
            while True:
                page = found(reading, until=until, newest_first=newest_first, after=after, limit=2)
                seen += [one.entry.index for one in page.entries]
                if (after := page.after) is None:
                    break
            assert seen == (whole if newest_first else whole[::-1])

    def test_persons_are_numbers_that_hold_in_one_answer_about_one_patient(
        self, world: World, reading: LedgerReading
    ) -> None:
        assert reads(world, replace(RADIOLOGIST, identifier="another"))
        page = found(reading, whom=ERIKA, newest_first=False)

        assert [one.person for one in page.entries] == [1, 1, 2, 2, 3, 3]
        assert [one.told for one in page.entries] == [None] * 6

    def test_details_are_opened_when_asked_for_and_that_is_on_record(
        self, world: World, reading: LedgerReading
    ) -> None:
        page = found(reading, whom=ERIKA, opened=True, newest_first=False)

        told = [one.told for one in page.entries if one.told is not None]
        assert [one["subject"] for one in told] == ["t.kurz", "t.kurz", "r.weber", "r.weber"]
        assert world.entries()[-2]["facts"]["details"] == "opened"

    def test_nothing_of_another_institution_is_found(self, world: World, reading: LedgerReading) -> None:
        elsewhere = replace(TECHNOLOGIST, institution=ELSEWHERE)
        store(world, data_set(9, PatientID="ERIKA"), by=elsewhere)

        theirs = found(reading, THEIR_DPO, newest_first=False)

        assert {one.draft.institution for one in theirs.entries} == {ELSEWHERE}
        assert len(found(reading, whom=ERIKA).entries) == 4
        assert len(found(reading, THEIR_DPO, whom=ERIKA).entries) == 2
        assert found(reading, THEIR_DPO, study_instance_uid=study_uid(1)).entries == []


class TestRefusing:
    @pytest.mark.parametrize(
        ("wanted", "error"),
        [
            ({"person": "r.weber"}, Denied),
            ({"opened": True}, Denied),
            ({"opened": True, "action": Action.STUDY_READ}, Denied),
            ({"limit": 0}, Malformed),
            ({"limit": MOST_AT_ONCE + 1}, Malformed),
            ({"since": datetime(2026, 1, 2, tzinfo=UTC), "until": datetime(2026, 1, 2, tzinfo=UTC)}, Malformed),
            ({"study_instance_uid": "no uid"}, Malformed),
        ],
    )
    def test_what_is_not_answered_is_refused_on_record(
        self, world: World, reading: LedgerReading, wanted: dict[str, Any], error: type[ArchiveError]
    ) -> None:
        with pytest.raises(error):
            found(reading, **wanted)

        last = world.entries()[-1]
        assert (last["action"], last["outcome"], last["facts"]["error"]) == ("ledger:read", "refused", error.__name__)
        assert "r.weber" not in json.dumps(last)

    @pytest.mark.parametrize("role", [Role.RADIOLOGIST, Role.ADMIN, Role.OFFICER, Role.OPERATOR, Role.RESEARCHER])
    def test_only_the_data_protection_officer_reads(self, world: World, reading: LedgerReading, role: Role) -> None:
        curious = subject(role)
        with pytest.raises(Denied):
            found(reading, curious)
        with pytest.raises(Denied):
            reading.entry(curious, None, 0, opened=False, details=NOTE)

        assert [one["outcome"] for one in world.entries()[-2:]] == ["refused", "refused"]

    def test_a_purpose_of_another_kind_does_not_do(self, reading: LedgerReading) -> None:
        with pytest.raises(Denied):
            reading.search(DPO, Purpose.TREATMENT, Wanted(), details=NOTE)

    def test_a_place_that_is_none_is_not_found_on_record(self, world: World, reading: LedgerReading) -> None:
        with pytest.raises(NotFound):
            found(reading, after=2**40)

        last = world.entries()[-1]
        assert (last["action"], last["outcome"], last["facts"]["error"]) == ("ledger:read", "failed", "NotFound")

    def test_an_index_that_leads_to_another_patients_entry_is_tampered(
        self, world: World, reading: LedgerReading, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def lying(_sought: Sought, _after: int | None = None) -> Any:
            return iter(world.ledger.kept)

        monkeypatch.setattr(world.ledger, "find", lying)
        with pytest.raises(Tampered):
            found(reading, whom=ERIKA)

    def test_candidates_that_do_not_fit_are_left_out(
        self, world: World, reading: LedgerReading, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        of_here = [one for one in world.ledger.kept if read_draft(one.content).institution == DPO.institution]
        monkeypatch.setattr(world.ledger, "find", lambda _sought, _after: iter(of_here))

        assert acts(found(reading, action=Action.STUDY_READ)) == [("study:read", "begun"), ("study:read", "completed")]

    def test_without_a_ledger_nothing_is_read(self, world: World, reading: LedgerReading) -> None:
        world.ledger.down = True
        with pytest.raises(Unavailable):
            found(reading)


class TestOneEntry:
    def first(self, world: World) -> LedgerEntry:
        return world.ledger.kept[0]

    def test_one_entry_is_read_shut_or_opened(self, world: World, reading: LedgerReading) -> None:
        shut = reading.entry(DPO, None, 0, opened=False, details=NOTE)
        opened = reading.entry(DPO, None, 0, opened=True, details=NOTE)

        assert shut.entry == opened.entry == self.first(world)
        assert (shut.told, opened.told) == (None, {"subject": "t.kurz"})
        assert [one["facts"].get("details") for one in world.entries()[-4:]] == ["shut", "shut", "opened", "opened"]

    @pytest.mark.parametrize("index", [-1, 10**6, 2**70])
    def test_what_is_not_there_is_not_found(self, world: World, reading: LedgerReading, index: int) -> None:
        with pytest.raises(NotFound):
            reading.entry(DPO, None, index, opened=False, details=NOTE)
        assert world.entries()[-1]["outcome"] == "refused"

    def test_a_look_at_a_patients_entry_is_about_that_patient_too(self, world: World, reading: LedgerReading) -> None:
        reading.entry(DPO, None, 0, opened=True, details=NOTE)

        assert {entry["patient"] for entry in world.entries()[-2:]} == {world.entries()[0]["patient"]}

    def test_details_that_were_tampered_with_fail_on_record(self, world: World, reading: LedgerReading) -> None:
        draft = read_draft(world.ledger.kept[0].content)
        world.ledger.append(replace(draft, act=uuid4()))
        with pytest.raises(Tampered):
            reading.entry(DPO, None, len(world.ledger.kept) - 1, opened=True, details=NOTE)
        assert (world.entries()[-1]["outcome"], world.entries()[-1]["facts"]["error"]) == ("failed", "Tampered")

    def test_an_entry_of_another_institution_is_not_there(self, reading: LedgerReading) -> None:
        with pytest.raises(NotFound):
            reading.entry(THEIR_DPO, None, 0, opened=False, details=NOTE)

    def test_whose_actor_nobody_knows_has_no_number(self, world: World, reading: LedgerReading) -> None:
        guard = world.archive.guard
        permit = guard.decide(AccessRequest(DPO, Action.LEDGER_VERIFY, None))
        entry = replace(guard.draft(permit, Outcome.COMPLETED, {}), actor="", at=datetime.now(UTC) + timedelta(1))
        world.ledger.append(entry)

        assert found(reading, limit=1).entries[0].person == 0
