"""Ending: old entries and their keys go, a certificate stays, and whatever breaks in between, the next run ends it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest

from pacs_secure.archive.ledger_retention import LedgerRetention
from pacs_secure.archive.proofs import of_study
from pacs_secure.archive.vouching import Vouching
from pacs_secure.core.access import Role, StoredFacts, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.classification import Reclassification
from pacs_secure.core.errors import Conflict, Denied, NotFound, Tampered, Unavailable
from pacs_secure.core.identifiers import KeyId
from pacs_secure.core.retention import Expired, Stopped
from pacs_secure.crypto.tlog import (
    read_certificate,
    read_draft,
    verify_inclusion,
)
from pacs_secure.house import furnish
from pacs_secure.ports import Shelf
from tests.aged import BEGUN, DAY, old_draft, write_past
from tests.builders import ELSEWHERE, HERE, subject
from tests.cosigning import Cosigner
from tests.unit.archive.instances import acts, data_set, store, study_uid
from tests.world import ORIGIN, World

OPERATOR = subject(Role.OPERATOR, identifier="os:root", department="")
DPO = subject(Role.DPO, identifier="d.schutz", department="")
NOTE = {"protocol": "test"}
PATIENT = uuid4()


def expire(world: World, by: Subject = OPERATOR) -> Expired:
    world.notary.attest()
    return world.archive.ledger_retention.expire(by, None, details=NOTE)


def verified(world: World) -> list[str]:
    world.notary.attest()
    verdict = world.archive.verify.check_ledger(DPO)
    return [f"{finding.position} {finding.place}: {finding.problem}" for finding in verdict.findings]


def keys_of(world: World) -> dict[int, set[KeyId]]:
    """Return the listed keys by year."""
    years: dict[int, set[KeyId]] = {}
    for key in world.house.engines.ledger_keys.before(9999):
        years.setdefault(key.year, set()).add(key.key_id)
    return years


def test_a_young_ledger_loses_nothing_and_says_so(world: World) -> None:
    store(world)

    expired = expire(world)

    assert (expired.entries, expired.keys, expired.certificates) == (0, 0, 0)
    assert expired.plan.stopped is Stopped.YOUNG
    assert acts(world)[-2:] == [("ledger:expire", "begun"), ("ledger:expire", "completed")]
    assert verified(world) == []


def test_old_bundles_go_and_a_certificate_stays(world: World) -> None:
    write_past(world.house, 600, patients=(PATIENT, None))
    years = keys_of(world)

    expired = expire(world)

    assert (expired.entries, expired.keys, expired.certificates, expired.plan.horizon) == (512, 4, 1, 512)
    assert expired.plan.until == BEGUN + 511 * DAY
    (note,) = world.publisher.retained()
    certificate = read_certificate(note, ORIGIN, world.keyring.public_key())
    assert (certificate.number, certificate.start, certificate.horizon) == (1, 0, 512)
    assert (certificate.keys, certificate.role) == (4, Role.OPERATOR)
    assert certificate.actor == world.archive.guard.pseudonym(HERE, "os:root")
    (told,) = [entry for entry in world.entries() if "certificate" in entry["facts"]]
    assert told["facts"]["certificate"] == sha256(note).hexdigest()
    assert world.keyring.fetch(HERE, Shelf.LEDGER, years[2020] | years[2021]) == {}
    assert keys_of(world).keys() == {datetime.now(UTC).year}
    assert verified(world) == []


def test_what_is_planned_is_what_goes_and_planning_changes_nothing(world: World) -> None:
    write_past(world.house, 600, patients=(PATIENT, None))
    world.notary.attest()
    seen: list[int] = []

    plan = world.archive.ledger_retention.plan(OPERATOR, None, details=NOTE, progress=seen.append)

    assert (plan.count, plan.keys, plan.horizon, plan.stopped) == (512, 4, 512, Stopped.YOUNG)
    assert sum(seen) == 602
    assert world.ledger.first == 0
    assert replace(expire(world).plan, cutoff=plan.cutoff) == plan


def test_an_old_proof_verifies_after_its_entry_has_gone(world: World) -> None:
    write_past(world.house, 300)
    world.notary.attest()
    proof = world.archive.ledger_proofs.of(DPO, None, 7, details={})

    expire(world)

    entry = next(iter(world.ledger.leaf_hashes(7, 8)))
    assert verify_inclusion(entry, 7, proof.size, proof.path, proof.root)
    with pytest.raises(NotFound):
        world.archive.ledger_proofs.of(DPO, None, 7, details={})
    assert verified(world) == []


def test_a_later_run_goes_on_and_its_certificate_continues_the_first(world: World) -> None:
    write_past(world.house, 1000)
    world.notary.attest()
    patient = furnish(replace(world.house.engines, keep_months=72)).archive.ledger_retention
    first = patient.expire(OPERATOR, None, details=NOTE)

    second = expire(world)

    assert 0 < first.plan.horizon < second.plan.horizon == 768
    read = [read_certificate(note, ORIGIN, world.keyring.public_key()) for note in world.publisher.retained()]
    assert [(one.number, one.start, one.horizon) for one in read] == [
        (1, 0, first.plan.horizon),
        (2, first.plan.horizon, 768),
    ]
    assert expire(world).certificates == 0
    assert verified(world) == []


def test_only_whoever_may_expires_or_plans(world: World) -> None:
    for role in (Role.ADMIN, Role.DPO, Role.OFFICER, Role.RADIOLOGIST):
        with pytest.raises(Denied):
            expire(world, subject(role))
        with pytest.raises(Denied):
            world.archive.ledger_retention.plan(subject(role), None, details=NOTE)


@pytest.mark.parametrize("lacking", ["signer", "eraser"])
def test_a_process_without_the_right_removes_nothing(world: World, lacking: str) -> None:
    write_past(world.house, 300)
    world.notary.attest()
    house = furnish(replace(world.house.engines, **{lacking: None}))  # type: ignore[arg-type]

    assert (house.archive.ledger_retention.able, world.archive.ledger_retention.able) == (False, True)
    with pytest.raises(Unavailable):
        house.archive.ledger_retention.expire(OPERATOR, None, details=NOTE)
    assert world.ledger.first == 0
    assert acts(world)[-1] == ("ledger:expire", "failed")


class TestHold:
    def held(self, world: World) -> tuple[UUID, UUID]:
        """Hold a study; return its name and its patient's."""
        store(world, data_set(1))
        world.archive.classify.change(
            subject(Role.OFFICER), None, study_uid(1), Reclassification(held=True), "a lawsuit is pending"
        )
        (study,) = world.records._studies.values()
        return study.facts.alias, study.facts.patient_alias

    def test_a_legal_hold_keeps_every_entry_from_the_first_about_its_study_on(self, world: World) -> None:
        study, patient = self.held(world)
        # The ledger of a house that has used the study for years: what is recorded later stands behind.
        world.ledger.kept.clear()
        world.ledger.studies.clear()
        world.ledger.open.clear()
        write_past(world.house, 299, patients=(PATIENT,))
        world.ledger.append(old_draft(world.house, BEGUN + 300 * DAY, patient, study))
        write_past(world.house, 299, BEGUN + 301 * DAY, patients=(PATIENT,))
        kept = {key.key_id for key in world.house.engines.ledger_keys.of_patient(HERE, patient, 2022)}

        expired = expire(world)

        assert (expired.entries, expired.plan.horizon, expired.plan.stopped) == (256, 256, Stopped.HELD)
        assert kept
        assert world.keyring.fetch(HERE, Shelf.LEDGER, kept).keys() == kept
        assert world.house.engines.ledger_keys.of_patient(HERE, PATIENT) == []

    def test_a_study_whose_hold_was_taken_away_in_the_database_stops_everything(self, world: World) -> None:
        self.held(world)
        world.ledger.kept.clear()
        world.ledger.studies.clear()
        world.ledger.open.clear()
        write_past(world.house, 300)
        for study in world.records._studies.values():
            study.stored = replace(study.stored, facts=replace(study.facts, held=False))

        with pytest.raises(Tampered):
            expire(world)
        assert world.ledger.first == 0

    def used_for_years(self, world: World) -> tuple[UUID, UUID]:
        """Have a study used for years and its hold on record; return its name and its patient's."""
        study, patient = self.held(world)
        (hold,) = [entry for entry in world.ledger.kept if b'"held_after":"yes"' in entry.content]
        world.ledger.kept.clear()
        world.ledger.studies.clear()
        world.ledger.open.clear()
        write_past(world.house, 299, patients=(PATIENT,))
        world.ledger.append(old_draft(world.house, BEGUN + 300 * DAY, patient, study))
        write_past(world.house, 298, BEGUN + 301 * DAY, patients=(PATIENT,))
        world.ledger.append(read_draft(hold.content))
        return study, patient

    def kept_under_the_hold(self, world: World, patient: UUID) -> None:
        kept = {key.key_id for key in world.house.engines.ledger_keys.of_patient(HERE, patient, 2022)}
        expired = expire(world)
        assert (expired.plan.horizon, expired.plan.stopped) == (256, Stopped.HELD)
        assert kept
        assert world.keyring.fetch(HERE, Shelf.LEDGER, kept).keys() == kept

    def test_a_study_whose_row_was_removed_stays_on_hold(self, world: World) -> None:
        _, patient = self.used_for_years(world)
        world.records._studies.clear()

        self.kept_under_the_hold(world, patient)

    def test_a_study_whose_row_from_before_the_hold_was_put_back_stays_on_hold(self, world: World) -> None:
        _, patient = self.used_for_years(world)
        for study in world.records._studies.values():
            facts = replace(study.facts, held=False)
            study.stored = StoredFacts(facts, of_study(world.archive.search.seals.index(HERE), facts))

        self.kept_under_the_hold(world, patient)

    def test_a_hold_that_was_lifted_keeps_nothing_any_longer(self, world: World) -> None:
        self.used_for_years(world)
        world.archive.classify.change(
            subject(Role.OFFICER), None, study_uid(1), Reclassification(held=False), "the lawsuit is over"
        )

        assert expire(world).plan.horizon == 512

    @pytest.mark.parametrize("moment", ["sign", "retain"])
    def test_a_hold_that_is_set_while_the_run_is_under_way_is_heeded(
        self, world: World, monkeypatch: pytest.MonkeyPatch, moment: str
    ) -> None:
        _, patient = self.used_for_years(world)
        world.archive.classify.change(
            subject(Role.OFFICER), None, study_uid(1), Reclassification(held=False), "the lawsuit is over"
        )
        kept = {key.key_id for key in world.house.engines.ledger_keys.of_patient(HERE, patient, 2022)}
        world.notary.attest()
        engine: Any = {"sign": world.keyring, "retain": world.publisher}[moment]
        whole = getattr(engine, moment)

        def meanwhile(*given: Any) -> Any:
            monkeypatch.undo()
            world.archive.classify.change(
                subject(Role.OFFICER), None, study_uid(1), Reclassification(held=True), "a lawsuit is pending"
            )
            return whole(*given)

        monkeypatch.setattr(engine, moment, meanwhile)
        with pytest.raises(Conflict):
            world.archive.ledger_retention.expire(OPERATOR, None, details=NOTE)

        assert world.ledger.first == 0
        assert world.keyring.fetch(HERE, Shelf.LEDGER, kept).keys() == kept
        assert len(world.ledger.certificates) == (0 if moment == "sign" else 1)


class TestTampering:
    def test_a_forged_horizon_allows_nothing(self, world: World) -> None:
        write_past(world.house, 600)
        world.notary.attest()
        world.ledger.certificates[512] = b"a horizon of somebody who has the database and no key"

        with pytest.raises(Tampered):
            expire(world)
        with pytest.raises(Tampered):
            world.archive.ledger_retention.show(DPO, None, details=NOTE)
        assert (world.ledger.first, world.publisher.gone) == (0, 0)
        assert "None certificate: a certificate of expired entries is not signed by this log" in verified(world)

    def test_an_edited_entry_is_not_certified_away(self, world: World) -> None:
        write_past(world.house, 300)
        world.notary.attest()
        entry = world.ledger.kept[7]
        world.ledger.kept[7] = replace(entry, content=entry.content.replace(b"radiology", b"pathology"))

        with pytest.raises(Tampered):
            expire(world)
        assert list(world.publisher.retained()) == []

    def test_a_rewritten_ledger_is_not_certified_away(self, world: World) -> None:
        write_past(world.house, 300)
        world.notary.attest()
        world.ledger.kept.clear()
        write_past(world.house, 300)

        with pytest.raises(Tampered):
            world.archive.ledger_retention.expire(OPERATOR, None, details=NOTE)
        assert list(world.publisher.retained()) == []

    def test_a_log_that_signs_with_another_key_than_is_trusted_certifies_nothing(self, world: World) -> None:
        write_past(world.house, 300)
        world.notary.attest()
        other = type(world.keyring)()
        house = furnish(replace(world.house.engines, signer=other))

        with pytest.raises(Tampered):
            house.archive.ledger_retention.expire(OPERATOR, None, details=NOTE)
        assert list(world.publisher.retained()) == []


class TestCrash:
    """Whatever step breaks, nothing is missing without a certificate, and the next run ends what was begun."""

    STEPS = (
        ("certify", "retention"),
        ("retain", "publisher"),
        ("erase", "eraser"),
        ("remove", "ledger_keys"),
        ("expire", "publisher"),
        ("expire", "retention"),
    )

    @pytest.mark.parametrize("after", [False, True])
    @pytest.mark.parametrize(("method", "engine"), STEPS)
    def test_a_run_that_breaks_is_ended_by_the_next(
        self, world: World, monkeypatch: pytest.MonkeyPatch, method: str, engine: str, *, after: bool
    ) -> None:
        write_past(world.house, 600, patients=(PATIENT, None))
        world.notary.attest()
        whole, calls = getattr(getattr(world.house.engines, engine), method), count(1)

        def breaking(*given: Any) -> Any:
            if after and next(calls) == 1:
                whole(*given)
            raise Unavailable("the process was killed here")

        with monkeypatch.context() as patch:
            patch.setattr(getattr(world.house.engines, engine), method, breaking)
            with pytest.raises(Unavailable):
                world.archive.ledger_retention.expire(OPERATOR, None, details=NOTE)
        assert verified(world) == []

        expire(world)

        assert (world.ledger.first, world.publisher.gone) == (512, 512)
        assert keys_of(world).keys() == {datetime.now(UTC).year}
        assert len(list(world.publisher.retained())) == len(world.ledger.certificates) == 1
        assert verified(world) == []


def test_of_two_runs_at_once_one_certifies_and_the_other_is_told_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_past(world.house, 600)
    world.notary.attest()
    retention = world.house.engines.retention
    whole, went = retention.certify, []

    def late(*given: Any) -> None:
        monkeypatch.undo()
        went.append(world.archive.ledger_retention.expire(OPERATOR, None, details=NOTE).entries)
        whole(*given)

    monkeypatch.setattr(retention, "certify", late)
    with pytest.raises(Conflict):
        world.archive.ledger_retention.expire(OPERATOR, None, details=NOTE)

    assert went == [512]
    assert len(list(world.publisher.retained())) == 1
    assert verified(world) == []


def test_keys_of_several_institutions_go(world: World) -> None:
    write_past(world.house, 20, of=ELSEWHERE)
    write_past(world.house, 20, BEGUN + 30 * DAY)

    expired = expire(world)

    assert (expired.entries, expired.keys, expired.certificates) == (0, 2, 0)
    assert keys_of(world).keys() == {datetime.now(UTC).year}


def test_an_act_that_never_ended_keeps_its_entry(world: World) -> None:
    write_past(world.house, 299)
    world.ledger.append(old_draft(world.house, BEGUN + 300 * DAY, outcome=Outcome.BEGUN))
    write_past(world.house, 299, BEGUN + 301 * DAY)

    expired = expire(world)

    assert (expired.plan.horizon, expired.plan.stopped) == (256, Stopped.OPEN)


def test_whoever_may_read_the_ledger_sees_the_certificates(world: World) -> None:
    write_past(world.house, 300)
    assert world.archive.ledger_retention.show(DPO, None, details=NOTE).certificates == []
    expire(world)

    kept = world.archive.ledger_retention.show(DPO, None, details=NOTE)

    assert (kept.months, kept.horizon) == (36, 256)
    ((certificate, note),) = kept.certificates
    assert (certificate.horizon, [note]) == (256, list(world.publisher.retained()))
    assert acts(world)[-1] == ("ledger:read", "completed")
    with pytest.raises(Denied):
        world.archive.ledger_retention.show(OPERATOR, None, details=NOTE)


def test_a_plan_that_cannot_be_made_is_on_record(world: World) -> None:
    write_past(world.house, 300)
    world.publisher.down = True

    with pytest.raises(Unavailable):
        world.archive.ledger_retention.plan(OPERATOR, None, details=NOTE)
    assert acts(world)[-1] == ("ledger:expire", "failed")


# --- the time by which entries are old ----------------------------------------------------------


def vouched(world: World, witness: Cosigner, at: datetime | None) -> LedgerRetention:
    """Return the verb of a house with one witness, which signed the newest checkpoint at a moment, or not yet."""
    world.notary.attest()
    note = world.publisher.checkpoint()
    assert note is not None
    if at is not None:
        world.publisher.add_witnessed(world.publisher.published(), note + witness.sign(note, at))
    return furnish(replace(world.house.engines, witnesses=[witness.key])).archive.ledger_retention


@pytest.mark.parametrize("at", [None, datetime.now(UTC) - timedelta(days=3), datetime(2023, 1, 1, tzinfo=UTC)])
def test_nothing_goes_by_a_clock_that_is_far_ahead_of_the_witnesses(world: World, at: datetime | None) -> None:
    write_past(world.house, 600)
    retention = vouched(world, Cosigner("w.example"), at)
    with pytest.raises(Unavailable, match="no witness vouches"):
        retention.expire(OPERATOR, None, details=NOTE)
    assert world.entries()[-1]["outcome"] == "failed"
    assert list(world.publisher.retained()) == []
    assert retention.plan(OPERATOR, None, details=NOTE).horizon == 512  # what would go may be looked at


def test_a_witness_that_signed_lately_vouches_for_the_time(world: World) -> None:
    write_past(world.house, 600)
    retention = vouched(world, Cosigner("w.example"), datetime.now(UTC) - timedelta(hours=30))
    assert retention.expire(OPERATOR, None, details=NOTE).entries == 512


def test_of_several_witnesses_the_earliest_counts(world: World) -> None:
    one, other = Cosigner("w1.example"), Cosigner("w2.example")
    world.ledger.append(old_draft(world.house, BEGUN))
    world.notary.attest()
    note = world.publisher.checkpoint()
    assert note is not None
    world.publisher.add_witnessed(1, note + one.sign(note, BEGUN + DAY) + other.sign(note, BEGUN))
    vouching = Vouching(world.publisher, ORIGIN, world.keyring.public_key, [one.key, other.key])
    found = vouching.newest()
    assert found is not None
    assert (found.names, found.size, found.at) == (("w1.example", "w2.example"), 1, BEGUN)
