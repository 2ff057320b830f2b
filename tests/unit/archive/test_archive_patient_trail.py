"""Telling a patient who came to their pictures: everything of theirs, nothing of others, employees by role (DSR-03)."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from pacs_secure.archive import patient_trail
from pacs_secure.archive.declarations import Whom
from pacs_secure.archive.patient_trail import Disclosure, PatientTrail
from pacs_secure.archive.shares import Invitation
from pacs_secure.core.access import AccessRequest, Action, Purpose, Role, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import (
    ArchiveError,
    Conflict,
    Denied,
    Malformed,
    NotFound,
    Tampered,
    TooOften,
    Unavailable,
)
from pacs_secure.core.identifiers import KeyId
from pacs_secure.core.sharing import Person
from pacs_secure.core.trails import Access, Category, Recipient, Trail
from pacs_secure.crypto.tlog import parse_checkpoint, verify_inclusion
from tests.builders import ELSEWHERE, HERE, subject
from tests.unit.archive.instances import acts, data_set, store, study_uid
from tests.unit.archive.people import DPO, GUEST, NEIGHBOUR, STRANGER, THEIR_DPO, reads, settle
from tests.world import World

NOTE = {"protocol": "test"}
ERIKA = Whom(patient_id="ERIKA")
RADIOLOGIST = subject(identifier="r.weber")
OPERATOR = subject(Role.OPERATOR, identifier="os:root", department="")
MODALITY = subject(Role.MODALITY, identifier="device:CT1")
WHY = "she names the neighbour whom she suspects"


@pytest.fixture
def trails(world: World) -> PatientTrail:
    """Two studies of Erika, which a device sent, one of somebody else, and a radiologist's look at one of hers."""
    store(world, data_set(2, PatientID="ERIKA", StudyDate="20240403", Modality="CT"), by=MODALITY)
    store(world, data_set(1, PatientID="ERIKA", StudyDate="20230102", Modality="MR"), by=MODALITY)
    store(world, data_set(3, PatientID="OTHER"))
    assert reads(world, RADIOLOGIST, 2)
    return world.archive.patient_trail


def produced(trails: PatientTrail, by: Subject = DPO, **wanted: Any) -> Trail:
    return trails.produce(by, None, Disclosure(**{"whom": ERIKA, **wanted}), details=NOTE)


def one(trail: Trail, action: Action) -> Access:
    (found,) = (access for access in trail.accesses if access.action is action)
    return found


class TestTheExtract:
    def test_tells_each_act_once_in_order_with_role_and_department(self, world: World, trails: PatientTrail) -> None:
        trail = produced(trails)

        assert [(access.category, access.examination) for access in trail.accesses] == [
            (Category.STORED, 2),
            (Category.STORED, 1),
            (Category.VIEWED, 2),
        ]
        read = one(trail, Action.STUDY_READ)
        assert (read.role, read.department, read.person, read.recipient) == (Role.RADIOLOGIST, "radiology", "", None)
        assert (read.purpose, read.outcome, read.pictures) == ("TREAT", Outcome.COMPLETED, 1)
        assert read.entries == (6, 7)
        assert [access.device for access in trail.accesses] == ["CT1", "CT1", ""]
        assert (trail.institution, trail.named) == (HERE, False)

    def test_names_the_examinations_by_date_and_kind(self, trails: PatientTrail) -> None:
        examinations = produced(trails).examinations

        assert [(found.date, found.modalities) for found in examinations] == [
            ("20230102", ("MR",)),
            ("20240403", ("CT",)),
        ]

    def test_holds_nothing_of_other_patients(self, world: World, trails: PatientTrail) -> None:
        assert reads(world, RADIOLOGIST, 3)
        others = produced(trails, whom=Whom("OTHER"))

        assert {access.examination for access in others.accesses} == {1}
        assert len(produced(trails).accesses) == 3
        assert not {index for access in others.accesses for index in access.entries} & {
            index for access in produced(trails).accesses for index in access.entries
        }

    def test_tells_refused_attempts_and_earlier_extracts(self, world: World, trails: PatientTrail) -> None:
        assert not reads(world, replace(STRANGER, role=Role.TECHNOLOGIST), 2)
        produced(trails)

        *_, refused, disclosed = produced(trails).accesses
        assert (refused.outcome, refused.role) == (Outcome.REFUSED, Role.TECHNOLOGIST)
        assert (disclosed.action, disclosed.category, disclosed.outcome) == (
            Action.LEDGER_DISCLOSE,
            Category.OVERSIGHT,
            Outcome.COMPLETED,
        )

    def test_tells_an_act_under_way(self, world: World, trails: PatientTrail) -> None:
        retrieval = world.archive.retrieve.begin(RADIOLOGIST, None, study_uid(2), details={})
        with retrieval:
            assert produced(trails).accesses[-1].outcome is Outcome.BEGUN
            retrieval.complete()


class TestRecipients:
    def invite(self, world: World, person: Person) -> None:
        until = datetime.now(UTC) + timedelta(days=3)
        asked = Invitation(study_uid(2), person, Purpose.TREATMENT, until, "a second opinion on it")
        world.archive.sharing.create(RADIOLOGIST, None, asked)

    def test_somebody_from_outside_is_named(self, world: World, trails: PatientTrail) -> None:
        self.invite(world, Person(HERE, GUEST.identifier))
        assert reads(world, GUEST, 2)

        *_, shared, read = produced(trails).accesses

        assert (shared.category, shared.role, shared.recipient) == (Category.SHARED, Role.RADIOLOGIST, None)
        assert read.recipient == Recipient(GUEST.identifier, is_institution=False)
        assert (read.role, read.person) == (Role.GUEST, "")

    def test_another_institution_is_named_and_its_people_are_not(self, world: World, trails: PatientTrail) -> None:
        settle(world)
        self.invite(world, Person(ELSEWHERE, NEIGHBOUR.identifier))
        assert reads(world, NEIGHBOUR, 2)

        *_, shared, read = produced(trails, name_employees=True, reason=WHY).accesses

        theirs = Recipient(ELSEWHERE, is_institution=True)
        assert (shared.recipient, read.recipient) == (theirs, theirs)
        assert (shared.person, read.person, read.department) == (RADIOLOGIST.identifier, "", "")


class TestNaming:
    def test_takes_a_reason_and_a_data_protection_officer(self, world: World, trails: PatientTrail) -> None:
        read = one(produced(trails, name_employees=True, reason=WHY), Action.STUDY_READ)

        assert read.person == "r.weber"
        begun = world.entries()[-2]
        assert begun["facts"]["employees"] == "named"
        assert "neighbour" not in json.dumps(begun)
        opened = world.archive.ledger_reading.entry(DPO, None, begun["index"], opened=True, details=NOTE)
        assert opened.told == {"subject": "d.schutz", "patient_id": "ERIKA", "reason": WHY}

    @pytest.mark.parametrize(
        ("by", "why", "error"),
        [(DPO, "", Malformed), (DPO, "short", Malformed), (OPERATOR, WHY, Denied)],
        ids=["no reason", "short", "operator"],
    )
    def test_is_refused_otherwise_on_record(
        self, world: World, trails: PatientTrail, by: Subject, why: str, error: type[ArchiveError]
    ) -> None:
        with pytest.raises(error):
            produced(trails, by, name_employees=True, reason=why)

        last = world.entries()[-1]
        assert (last["action"], last["outcome"], last["facts"]["error"]) == (
            "ledger:disclose",
            "refused",
            error.__name__,
        )

    def test_a_forgotten_name_is_left_out(self, world: World, trails: PatientTrail) -> None:
        (entry,) = (found for found in world.entries() if found["index"] == 6)
        world.keyring.forget(KeyId(UUID(entry["details"]["key"])))

        assert one(produced(trails, name_employees=True, reason=WHY), Action.STUDY_READ).person == ""


class TestTheRecord:
    def test_it_is_a_disclosure_about_the_patient(self, world: World, trails: PatientTrail) -> None:
        produced(trails, OPERATOR)

        begun, completed = world.entries()[-2:]
        assert [(found["action"], found["outcome"]) for found in (begun, completed)] == [
            ("ledger:disclose", "begun"),
            ("ledger:disclose", "completed"),
        ]
        assert begun["patient"] == completed["patient"]
        assert begun["details"]["key"] == world.entries()[6]["details"]["key"]
        assert completed["facts"]["accesses"] == 3
        assert "ERIKA" not in json.dumps([begun, completed])

    @pytest.mark.parametrize("role", [Role.RADIOLOGIST, Role.ADMIN, Role.OFFICER])
    def test_others_are_refused(self, trails: PatientTrail, role: Role) -> None:
        with pytest.raises(Denied):
            produced(trails, subject(role))

    @pytest.mark.parametrize(
        ("whom", "error"),
        [(Whom("NOBODY"), NotFound), (Whom(), Malformed), (Whom("ERIKA", "another issuer"), NotFound)],
        ids=["nobody", "none", "issuer"],
    )
    def test_a_patient_who_is_not_there_is_not_found(
        self, world: World, trails: PatientTrail, whom: Whom, error: type[ArchiveError]
    ) -> None:
        with pytest.raises(error):
            produced(trails, whom=whom)
        assert world.entries()[-1]["outcome"] == "refused"

    def test_two_patients_of_one_patient_id_are_never_mixed(self, world: World, trails: PatientTrail) -> None:
        store(world, data_set(9, PatientID="ERIKA", IssuerOfPatientID="another"))
        with pytest.raises(Conflict):
            produced(trails)

        assert len(produced(trails, whom=Whom("ERIKA", "another")).accesses) == 1

    def test_another_institution_does_not_find_the_patient(self, trails: PatientTrail) -> None:
        with pytest.raises(NotFound):
            produced(trails, THEIR_DPO)

    def test_an_index_that_leads_to_others_entries_fails_on_record(
        self, world: World, trails: PatientTrail, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(world.ledger, "find", lambda _sought: iter(world.ledger.kept))
        with pytest.raises(Tampered):
            produced(trails)
        assert world.entries()[-1]["facts"]["error"] == "Tampered"

    def test_without_a_ledger_there_is_none(self, world: World, trails: PatientTrail) -> None:
        world.ledger.down = True
        with pytest.raises(Unavailable):
            produced(trails)


class TestProofs:
    def test_go_with_it_and_tell_nothing_of_others(self, world: World, trails: PatientTrail) -> None:
        world.notary.attest()
        trail = produced(trails, proofs=True)

        head = parse_checkpoint(trail.checkpoint)
        assert {proof.index for proof in trail.proofs} == {
            index for access in trail.accesses for index in access.entries
        }
        for proof in trail.proofs:
            assert verify_inclusion(proof.leaf_sha256, proof.index, head.size, proof.path, head.root)

    def test_cover_what_is_published_yet(self, world: World, trails: PatientTrail) -> None:
        with pytest.raises(Conflict):
            produced(trails, proofs=True)
        world.notary.attest()
        assert reads(world, RADIOLOGIST, 2)

        trail = produced(trails, proofs=True)
        published = parse_checkpoint(trail.checkpoint).size
        assert {proof.index for proof in trail.proofs} == {
            index for access in trail.accesses for index in access.entries if index < published
        }

    def test_that_do_not_hold_are_not_given(self, world: World, trails: PatientTrail) -> None:
        world.notary.attest()
        world.publisher.leaves[6] = bytes(32)

        with pytest.raises(Tampered):
            produced(trails, proofs=True)


def test_what_an_index_leaves_out_is_found_by_reading_everything(
    world: World, trails: PatientTrail, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = produced(trails).accesses
    name: dict[str, str | int] = {"mentioned": world.entries()[0]["patient"]}
    permit = world.archive.guard.decide(AccessRequest(DPO, Action.LEDGER_READ, None))
    world.ledger.append(world.archive.guard.draft(permit, Outcome.COMPLETED, name))
    monkeypatch.setattr(world.ledger, "find", lambda _sought: iter(()))

    assert produced(trails).accesses == ()
    everything = produced(trails, thorough=True).accesses
    assert everything[: len(whole)] == whole
    assert [access.action for access in everything[len(whole) :]] == [Action.LEDGER_DISCLOSE] * 2


def test_many_accesses_are_read_in_batches(world: World, trails: PatientTrail, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = produced(trails).accesses
    monkeypatch.setattr(patient_trail, "AT_ONCE", 2)

    assert produced(trails).accesses[: len(whole)] == whole


def test_entries_without_counts_tell_of_no_pictures(world: World, trails: PatientTrail) -> None:
    guard, (alias,) = (
        world.archive.guard,
        world.house.engines.patients.of_patient_id(
            HERE, world.archive.search.seals.index(HERE).token("PatientID", "ERIKA")
        ),
    )
    permit = guard.decide(AccessRequest(DPO, Action.LEDGER_READ, None))
    world.ledger.append(guard.draft(permit, Outcome.COMPLETED, {"objects": "many"}, patient=alias))

    last = produced(trails).accesses[-1]
    assert (last.pictures, last.examination) == (0, None)


def test_extracts_from_the_whole_ledger_are_made_one_at_a_time(world: World, trails: PatientTrail) -> None:
    with trails.busy:
        with pytest.raises(TooOften):
            produced(trails, thorough=True)
        assert acts(world)[-1] == ("ledger:disclose", "failed")
        assert produced(trails).accesses

    assert produced(trails, thorough=True).accesses
