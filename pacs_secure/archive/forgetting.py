"""Forgetting: the keys of a study go, so that nothing of it opens again, whoever has which copies of what.

The engine room: who may ask for it, on which ground, and what is certified, is decided elsewhere. A study takes these
steps, each of them on record and each of them safe to be taken again, by whoever comes next:

1. request   kept with its entry
2. fence     rows gone and the epoch raised, in one commit: nobody finds it, and what comes in late is another study
3. drain     until no process can have one of its keys in memory
4. forget    tombstones first, then the keys, each proven gone
5. sweep     the objects, which nothing opens any more

A row in the database is no reason to delete anything: each forgetting carries the archive's proof, each object and its
key are proven to be of the very study, and a legal hold stops everything, be it in the index or only in the ledger.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

from pacs_secure.archive.adoption import NO_DEPARTMENT
from pacs_secure.archive.facts import Facts
from pacs_secure.archive.forgotten_studies import STUDY_TOKEN, token_of
from pacs_secure.archive.guard import Guard
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.locating import located
from pacs_secure.archive.missed_forgettings import MissedForgettings
from pacs_secure.archive.own_objects import Own, OwnObjects
from pacs_secure.archive.proofs import demand_forgetting, demand_study, of_forgetting
from pacs_secure.archive.spoken_holds import Hold, SpokenHolds
from pacs_secure.archive.study_keys import OLDEST, StudyKeys
from pacs_secure.core.access import AccessRequest, Action, Permit, Purpose, Safeguard, StudyFacts, Subject
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.errors import ArchiveError, Conflict, Held, Tampered, Unavailable
from pacs_secure.core.forgetting import Forgetting, Stage
from pacs_secure.core.identifiers import KeyId
from pacs_secure.ports import (
    Blobs,
    Doomed,
    Forgettings,
    KeyEraser,
    Ledger,
    Records,
    Retention,
    Shelf,
)

LONGEST_MEMORY = timedelta(seconds=OLDEST + 10)
"""From the fence until no process has a key of the study in memory any more."""
TRIES = 4
"""To fence a study that pictures come into meanwhile; the next run tries again."""


@dataclass(frozen=True, slots=True)
class Forget:
    """The verb: forget the keys of a study."""

    guard: Guard
    facts: Facts
    records: Records
    forgettings: Forgettings
    blobs: Blobs
    ledger: Ledger
    retention: Retention
    own: OwnObjects
    missed: MissedForgettings
    eraser: KeyEraser | None
    """Buries each key before it deletes it; None: this process forgets nothing."""
    keys: StudyKeys
    seals: InstitutionSeals
    writer_key: Callable[[KeyId], bytes | None]
    """Returns a writer's first key, None when the shelf has none."""
    now: Callable[[], datetime]

    def request(
        self, subject: Subject, purpose: Purpose | None, study_instance_uid: str, *, details: dict[str, str]
    ) -> Forgetting:
        """Begin to forget a study; nothing of it goes before `carry_on`. Asked for twice it is begun once.

        Raises:
            Malformed: the UID is none.
            NotFound: there is no such study, or the caller may not know of it (`Hidden`).
            Denied: the caller may know of it but not have it forgotten.
            Held: a legal hold forbids it, or no officer has looked since a rebuild, which knows of no hold.
        """
        asked = AccessRequest(subject, Action.STUDY_FORGET, purpose, details=details)
        asked, study = located(self.facts, asked, study_instance_uid)
        permit = self.guard.decide(asked)
        named = (study.institution, study.study_instance_uid, study.alias, study.patient_alias, study.department)
        wanted = Forgetting(uuid4(), *named, self.now())
        self._demand_not_held(permit, self._spoken(), wanted)
        self._demand_seen(permit, study)
        wanted = self._proven(wanted)
        return self.forgettings.request(permit, wanted, self._entry(permit, wanted, {}))

    def carry_on(
        self, subject: Subject, purpose: Purpose | None, *, details: dict[str, str], only: UUID | None = None
    ) -> Sequence[Forgetting]:
        """Take everything that is being forgotten, or ``only`` one, as far as it can go now; return where each stands.

        May be called at any time, by several at once, also after a crash. What fails does not keep the others.

        Raises:
            Denied: the caller may not.
            Held: a legal hold lies on one of them.
            Tampered: a row is not what the archive wrote or is missing, or a key is not that of the study.
            Unavailable: this process may not erase, or something is out of reach; the rest goes next time.
        """
        if self.eraser is None:
            raise Unavailable("this process was not given the right to erase keys")
        every = (one for one in self.forgettings.under_way() if one.institution == subject.institution)
        waiting = [one for one in every if only in {None, one.forgetting_id}]
        malformed = self.forgettings.malformed()
        if malformed:
            self.guard.alarm(subject.institution, "forgettings are forged", {"rows": malformed})
        spoken, failed, standing = self._spoken(), list[ArchiveError](), list[Forgetting]()
        missed = self.missed.count(subject.institution)
        if missed:
            self.guard.alarm(subject.institution, "forgettings are missing", {"studies": missed})
            failed.append(Tampered("the ledger tells of forgettings that the index does not"))
        for one in waiting:
            try:
                demand_forgetting(self.seals.index(one.institution), one)
                standing.append(self._carry_on(_Run(subject, purpose, details, spoken, self.eraser), one))
            except ArchiveError as error:
                failed.append(error)
        if failed:
            raise failed[0]
        return standing

    def _carry_on(self, run: "_Run", one: Forgetting) -> Forgetting:
        """Take the next steps until there is nothing to be done now."""
        steps = {
            Stage.REQUESTED: self._fence,
            Stage.FENCED: self._drain,
            Stage.DRAINED: self._forget,
            Stage.FORGOTTEN: self._sweep,
        }
        while (step := steps.get(one.stage)) is not None:
            try:
                after = step(run, one)
            except Conflict:
                return one  # somebody else takes it on, or pictures keep coming in
            if after.stage is one.stage:
                break
            one = after
        return one

    def _fence(self, run: "_Run", one: Forgetting) -> Forgetting:
        # 2 fence
        study = self.facts.of(run.subject, run.purpose, one.study_instance_uid)
        if study is None or study.alias != one.study_alias:
            raise Tampered("the study that is to be forgotten is not in the index")
        permit = self._permit(run, one, study)
        self._demand_not_held(permit, run.spoken, one)
        self._demand_seen(permit, study)
        seal = self.seals.index(one.institution)
        own = Own()

        def change(before: Forgetting, doomed: Doomed) -> tuple[Forgetting, Draft]:
            facts = demand_study(seal, doomed.stored)
            if facts.held:
                raise Held("a legal hold forbids this")
            demand_forgetting(seal, before)
            whole = self.own.look_in_commit(doomed, own)
            after = self._proven(
                replace(
                    before,
                    stage=Stage.FENCED,
                    epoch=facts.epoch + 1,
                    fenced_at=self.now(),
                    key_ids=whole.keys(),
                    object_ids=whole.objects(),
                )
            )
            told = {"epoch": after.epoch, "objects": len(after.object_ids)}
            return after, self._entry(permit, after, {**told, STUDY_TOKEN: token_of(seal, after.study_instance_uid)})

        tries = TRIES
        while True:
            rows = self.records.instances(one.institution, one.study_instance_uid)
            own = self.own.look(one.institution, rows, own)
            try:
                after = self.forgettings.fence(permit, one.forgetting_id, change)
            except Conflict:
                tries -= 1
                if not tries:
                    raise
            else:
                self.keys.drop(after.key_ids)
                return after

    def _drain(self, run: "_Run", one: Forgetting) -> Forgetting:
        # 3 drain
        if one.fenced_at is None or self.now() - one.fenced_at < LONGEST_MEMORY:
            return one
        return self._advance(self._permit(run, one), replace(one, stage=Stage.DRAINED), {"keys": len(one.key_ids)})

    def _forget(self, run: "_Run", one: Forgetting) -> Forgetting:
        # 4 forget
        permit = self._permit(run, one)
        self._demand_not_held(permit, run.spoken, one)
        run.eraser.erase(one.institution, Shelf.STUDY, one.key_ids)
        self.keys.drop(one.key_ids)
        buried = sha256(b"".join(key_id.bytes for key_id in one.key_ids)).hexdigest()
        told: dict[str, str | int] = {"keys": len(one.key_ids), "buried": buried}
        return self._advance(permit, replace(one, stage=Stage.FORGOTTEN), told)

    def _sweep(self, run: "_Run", one: Forgetting) -> Forgetting:
        # 5 sweep
        permit = self._permit(run, one)
        # What a row names again is somebody's: no row is left of what is this study's.
        named = self.records.naming_objects(one.object_ids)
        for object_id in one.object_ids:
            if object_id not in named:
                self.blobs.remove(object_id)
        told: dict[str, str | int] = {"objects": len(one.object_ids) - len(named), "named": len(named)}
        return self._advance(permit, replace(one, stage=Stage.SWEPT, object_ids=()), told)

    def _permit(self, run: "_Run", one: Forgetting, study: StudyFacts | None = None) -> Permit:
        """Decide anew: whoever carries on need not be who began, nor the same process."""
        gone = StudyFacts(one.institution, one.study_instance_uid, one.study_alias, one.patient_alias, one.department)
        return self.guard.decide(
            AccessRequest(run.subject, Action.STUDY_FORGET, run.purpose, study or gone, details=run.details)
        )

    def _advance(self, permit: Permit, after: Forgetting, told: dict[str, str | int]) -> Forgetting:
        after = self._proven(after)
        self.forgettings.advance(permit, after, self._entry(permit, after, told))
        return after

    def _proven(self, one: Forgetting) -> Forgetting:
        return replace(one, proof=of_forgetting(self.seals.index(one.institution), one))

    def _entry(self, permit: Permit, one: Forgetting, told: dict[str, str | int]) -> Draft:
        stage: dict[str, str | int] = {"stage": one.stage, "forgetting": str(one.forgetting_id)}
        return self.guard.draft(permit, Outcome.COMPLETED, {**stage, **told})

    def _spoken(self) -> SpokenHolds:
        return SpokenHolds(self.writer_key, self.retention.first())

    def _demand_not_held(self, permit: Permit, spoken: SpokenHolds, one: Forgetting) -> None:
        """Ask the ledger too: the row of a study may be an old one that was put back, without its hold."""
        spoken.follow(self.ledger.entries(spoken.place, self.ledger.size()))
        if Hold(one.study_alias, one.patient_alias) in spoken.held():
            self.guard.refuse(permit.request, {"error": Held.__name__})
            raise Held("a legal hold forbids this")

    def _demand_seen(self, permit: Permit, study: StudyFacts) -> None:
        """Demand that an officer has looked at what came back by a rebuild: its hold was lost with the index."""
        if study.department == NO_DEPARTMENT and Safeguard.RESTRICTED in study.safeguards:
            self.guard.refuse(permit.request, {"error": Held.__name__})
            raise Held("no officer has looked at this since the index was rebuilt")


@dataclass(frozen=True, slots=True)
class _Run:
    """Who carries on, and what one run has read of the ledger."""

    subject: Subject
    purpose: Purpose | None
    details: dict[str, str]
    spoken: SpokenHolds
    eraser: KeyEraser
