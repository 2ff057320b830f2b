"""Broken glasses, notices and patients in memory; each passes the contract suite of its port."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from pacs_secure.core.access import Permit, Tie
from pacs_secure.core.audit import Draft
from pacs_secure.core.emergencies import Emergency, Judgement, Review
from pacs_secure.core.errors import Conflict, Denied, NotFound
from pacs_secure.core.identifiers import Institution, Uid
from pacs_secure.core.notices import KeptNotice, Notice
from pacs_secure.core.trails import Examination
from tests.fakes import MemoryLedger, MemoryRecords, MemoryTies


class MemoryNotices:
    """The outbox that a `MemoryLedger` fills."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self.ledger = ledger
        self._through: dict[tuple[Institution, str], int] = {}

    def get(self, institution: Institution, notice_id: UUID) -> KeptNotice | None:
        return next((kept for kept in self._of(institution) if kept.notice.notice_id == notice_id), None)

    def listed(self, institution: Institution, limit: int, *, acknowledged: bool) -> Sequence[KeptNotice]:
        found = [kept for kept in self._of(institution) if (kept.acknowledged_at is not None) is acknowledged]
        return found[::-1][:limit]

    def acknowledge(self, permit: Permit, notice_id: UUID, actor: str, at: datetime, draft: Draft) -> None:
        home = home_of(permit, draft)
        kept = self.get(home, notice_id)
        if kept is None:
            raise NotFound("no such object")
        if kept.acknowledged_at is not None:
            raise Conflict("somebody has acknowledged this before")
        self.ledger.append(draft)
        self.ledger.notices[kept.number] = replace(kept, acknowledged_at=at, acknowledged_by=actor)

    def waiting(self, institution: Institution, channel: str, limit: int) -> Sequence[KeptNotice]:
        through = self._through.get((institution, channel), -1)
        return [kept for kept in self._of(institution) if kept.number > through and kept.acknowledged_at is None][
            :limit
        ]

    def sent(self, institution: Institution, channel: str, through: int, at: datetime) -> None:
        for kept in self.waiting(institution, channel, len(self.ledger.notices)):
            if kept.number <= through and kept.sent_at is None:
                self.ledger.notices[kept.number] = replace(kept, sent_at=at)
        self._through[institution, channel] = through

    def _of(self, institution: Institution) -> list[KeptNotice]:
        self.ledger.size()
        return [kept for _, kept in sorted(self.ledger.notices.items()) if kept.notice.institution == institution]


class MemoryEmergencies:
    """Broken glasses beside `MemoryTies`."""

    def __init__(self, ties: MemoryTies) -> None:
        self.ties = ties
        self.kept: dict[UUID, Emergency] = {}

    def open(self, permit: Permit, emergency: Emergency, tie: Tie, notice: Notice, draft: Draft) -> None:
        home = home_of(permit, draft)
        if {emergency.institution, tie.institution, notice.institution} != {home}:
            raise Denied("institutions are strictly apart")
        self.ties.ledger.append(draft, notice)
        self.ties.kept.append(tie)
        self.kept[emergency.emergency_id] = emergency

    def get(self, institution: Institution, emergency_id: UUID) -> Emergency | None:
        found = self.kept.get(emergency_id)
        return found if found is not None and found.institution == institution else None

    def listed(self, institution: Institution, limit: int, actor: str = "") -> Sequence[Emergency]:
        found = [one for one in self.kept.values() if one.institution == institution and actor in {"", one.actor}]
        found.sort(key=lambda one: one.opened_at, reverse=True)
        return sorted(found, key=lambda one: one.review is not None)[:limit]

    def end(self, permit: Permit, emergency_id: UUID, at: datetime, draft: Draft) -> None:
        found = self._found(home_of(permit, draft), emergency_id)
        if found.ends_at <= at:
            raise Conflict("it is over")
        self.ties.release(permit, emergency_id, at, draft)
        self.kept[emergency_id] = replace(found, ends_at=at)

    def review(self, permit: Permit, emergency_id: UUID, review: Review, draft: Draft) -> None:
        found = self._found(home_of(permit, draft), emergency_id)
        if found.review is not None:
            raise Conflict("it has been reviewed before")
        found = replace(found, review=review)
        if review.judgement is Judgement.NOT_JUSTIFIED and found.ends_at > review.at:
            self.ties.release(permit, emergency_id, review.at, draft)
            found = replace(found, ends_at=review.at)
        else:
            self.ties.ledger.append(draft)
        self.kept[emergency_id] = found

    def _found(self, institution: Institution, emergency_id: UUID) -> Emergency:
        found = self.get(institution, emergency_id)
        if found is None:
            raise NotFound("no such object")
        return found


class MemoryPatients:
    """The patients of a `MemoryRecords`."""

    def __init__(self, records: MemoryRecords) -> None:
        self._records = records

    def of_token(self, institution: Institution, patient_token: bytes) -> UUID | None:
        return self._records._patients.get((institution, patient_token))

    def of_patient_id(self, institution: Institution, patient_id_token: bytes) -> frozenset[UUID]:
        return frozenset(
            study.facts.patient_alias
            for (of, _), study in self._records._studies.items()
            if of == institution and study.first.study.patient_id_token == patient_id_token
        )

    def of_study(self, institution: Institution, study_instance_uid: Uid) -> UUID | None:
        study = self._records._studies.get((institution, study_instance_uid))
        return None if study is None else study.facts.patient_alias

    def studies(self, institution: Institution, patient_alias: UUID) -> Sequence[UUID]:
        return [
            study.facts.alias
            for (of, _), study in self._records._studies.items()
            if (of, study.facts.patient_alias) == (institution, patient_alias)
        ]

    def examinations(self, institution: Institution, patient_alias: UUID) -> Sequence[Examination]:
        found = [
            (study.first.study.study_date, study.number, study)
            for (of, _), study in self._records._studies.items()
            if (of, study.facts.patient_alias) == (institution, patient_alias)
        ]
        found.sort(key=lambda one: one[:2])
        return [Examination(study.facts.alias, date, study.modalities) for date, _, study in found]


def home_of(permit: Permit, draft: Draft) -> Institution:
    home = permit.request.subject.institution
    if draft.institution != home:
        raise Denied("institutions are strictly apart")
    return home
