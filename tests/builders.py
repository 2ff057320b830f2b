"""Builds the archive's nouns for tests; every argument has a harmless default."""

import hashlib
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from pacs_secure.core.access import (
    AccessRequest,
    Action,
    Assurance,
    Decision,
    Door,
    Grant,
    Permit,
    Purpose,
    Reach,
    Relation,
    Role,
    Safeguard,
    Scope,
    StudyFacts,
    Subject,
    Tie,
    Viewer,
)
from pacs_secure.core.audit import Draft, LedgerEntry, Outcome, SealedDetails
from pacs_secure.core.boards import Board, Case, Seat
from pacs_secure.core.identifiers import KeyId, ObjectId, institution, object_id, uid
from pacs_secure.core.instance import (
    FrameIndex,
    Identity,
    IndexedInstance,
    InstanceColumns,
    InstanceRow,
    SealedObject,
    SeriesColumns,
    StudyColumns,
)
from pacs_secure.core.sharing import Share
from pacs_secure.core.warrant import WARRANT
from pacs_secure.ports import Device, Ledger

HERE = institution("north")
ELSEWHERE = institution("south")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ROOT = "1.2.826.0.1.3680043.8.498"
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
RADIOLOGY = "radiology"

TWICE_PROVEN = Assurance(second_factor=True, logged_in_at=NOW, login="a login of the tests")

_serial = count(1)


def digest(*words: object) -> bytes:
    """Return 32 bytes that stand for the words, as a keyed token would."""
    return hashlib.sha256(repr(words).encode()).digest()


def subject(
    role: Role = Role.RADIOLOGIST,
    *,
    identifier: str = "someone",
    of: str = HERE,
    department: str = RADIOLOGY,
    door: Door = Door.WEB,
    address: str = "127.0.0.1",
    assurance: Assurance = TWICE_PROVEN,
) -> Subject:
    return Subject(identifier, role, institution(of), department, door, address, assurance)


def study_facts(
    study_instance_uid: str = f"{ROOT}.1",
    *,
    of: str = HERE,
    department: str = RADIOLOGY,
    alias: UUID | None = None,
    patient_alias: UUID | None = None,
    relations: Iterable[Relation] = (),
    safeguards: Iterable[Safeguard] = (),
    held: bool = False,
    ended_on: str = "",
) -> StudyFacts:
    return StudyFacts(
        institution(of),
        uid(study_instance_uid),
        alias or uuid4(),
        patient_alias or uuid4(),
        department,
        frozenset(relations),
        frozenset(safeguards),
        held=held,
        treatment_ended_on=ended_on,
    )


def tie(
    relation: Relation = Relation.INVITED,
    alias: UUID | None = None,
    *,
    actor: str = "someone",
    of: str = HERE,
    purpose: Purpose | None = None,
    begins_at: datetime = NOW - timedelta(days=1),
    ends_at: datetime = NOW + timedelta(days=1),
    origin: UUID | None = None,
) -> Tie:
    return Tie(
        uuid4(),
        relation,
        institution(of),
        actor,
        alias or uuid4(),
        purpose,
        begins_at,
        ends_at,
        origin or uuid4(),
        b"a box of the tests",
    )


def decision(*, allowed: bool = True, may_know: bool = True) -> Decision:
    return Decision(allowed, may_know, rule="a rule of the tests", policy_version="policy of the tests")


def request(
    action: Action = Action.STUDY_CREATE,
    by: Subject | None = None,
    *,
    study: StudyFacts | None = None,
    purpose: Purpose | None = Purpose.TREATMENT,
) -> AccessRequest:
    return AccessRequest(by or subject(), action, purpose, study)


def permit(
    by: Subject | None = None, action: Action = Action.STUDY_CREATE, *, study: StudyFacts | None = None
) -> Permit:
    return Permit(request(action, by, study=study), decision(), uuid4(), WARRANT)


def viewer(
    of: str = HERE,
    department: str = RADIOLOGY,
    *,
    actor: str = "someone",
    purpose: Purpose | None = Purpose.TREATMENT,
    at: datetime = NOW,
    ended_before: str = "20250101",
) -> Viewer:
    return Viewer(institution(of), department, actor, purpose, at, ended_before)


def scope(
    *relations: Relation, of: str = HERE, department: str = RADIOLOGY, despite: Iterable[Safeguard] = Safeguard
) -> Scope:
    """Without relations: everything of the institution."""
    reaches = frozenset(Reach(relation, frozenset(despite)) for relation in relations or (Relation.NONE,))
    return Scope(viewer(of, department), reaches, institution(of))


def grant(by: Subject | None = None, action: Action = Action.STUDY_READ, *, study: StudyFacts | None = None) -> Grant:
    reader = by or subject()
    reach = scope(of=reader.institution, department=reader.department)
    return Grant(request(action, reader, study=study), decision(), uuid4(), reach, NOW, WARRANT)


def draft(
    outcome: Outcome = Outcome.COMPLETED,
    *,
    act: UUID | None = None,
    action: Action = Action.STUDY_READ,
    at: datetime | None = None,
    by: Subject | None = None,
    study: StudyFacts | None = None,
    facts: Mapping[str, str | int] | None = None,
    details: bytes | None = b"ciphertext",
) -> Draft:
    who = by or subject()
    return Draft(
        at=at or NOW + timedelta(milliseconds=next(_serial)),
        act=act or uuid4(),
        action=action,
        outcome=outcome,
        institution=who.institution,
        actor=digest(who.identifier).hex()[:32],
        role=who.role,
        department=who.department,
        door=who.door,
        address=who.address,
        purpose=Purpose.TREATMENT,
        rule="a rule of the tests",
        policy_version="policy of the tests",
        study_alias=study.alias if study else None,
        patient_alias=study.patient_alias if study else None,
        facts=dict(facts or {}),
        details=None if details is None else SealedDetails(KeyId(UUID(int=7)), details),
    )


def appended(ledger: Ledger, written: Draft) -> LedgerEntry:
    """Append and return the entry that came of it, when nobody else appends."""
    ledger.append(written)
    (entry,) = ledger.entries(ledger.size() - 1, ledger.size())
    return entry


def new_object_id() -> ObjectId:
    return object_id(1_700_000_000_000 + next(_serial), uuid4().bytes)


def young_object_id() -> ObjectId:
    """Return the id of an object that was put just now."""
    return object_id(time.time_ns() // 1_000_000, uuid4().bytes)


def sealed_object(*, of: ObjectId | None = None, study_key_id: KeyId | None = None) -> SealedObject:
    return SealedObject(
        object_id=of or new_object_id(),
        study_key_id=study_key_id or KeyId(uuid4()),
        wrapped_dek=b"w" * 60,
        commitment=b"c" * 32,
        header_length=180,
        plaintext_length=524_640,
        stored_length=525_500,
    )


def instance_row(
    study: str = f"{ROOT}.1",
    series: str = f"{ROOT}.1.1",
    instance: str = f"{ROOT}.1.1.1",
    *,
    of: str = HERE,
    sop_class: str = CT,
    data_set: bytes | None = None,
    frames: FrameIndex | None = None,
    act: UUID | None = None,
    received_at: datetime = NOW,
) -> InstanceRow:
    """Build a row; ``data_set`` stands for the bytes received and defaults to the instance's UID."""
    return InstanceRow(
        identity=Identity(institution(of), uid(study), uid(series), uid(instance), uid(sop_class)),
        transfer_syntax_uid=uid(EXPLICIT_LITTLE),
        sealed=sealed_object(),
        data_set_offset=352,
        data_set_fingerprint=hashlib.sha256(data_set or instance.encode()).digest(),
        frames=frames if frames is not None else FrameIndex((1_352,), (524_288,)),
        number_of_frames=1,
        rows=512,
        columns=512,
        metadata_box=b"sealed metadata of " + instance.encode(),
        received_at=received_at,
        act=act or uuid4(),
    )


def indexed_instance(
    study: str = f"{ROOT}.1",
    series: str = f"{ROOT}.1.1",
    instance: str = f"{ROOT}.1.1.1",
    *,
    of: str = HERE,
    row: InstanceRow | None = None,
    department: str = RADIOLOGY,
    patient: str = "a patient",
    accession_number: str = "an accession number",
    birth_date: str = "a birth date",
    name_tokens: Iterable[bytes] = (),
    study_date: str = "20260301",
    study_time: str = "120000",
    modality: str = "CT",
    series_number: int | None = 1,
    instance_number: int | None = 1,
    study_box: bytes | None = None,
) -> IndexedInstance:
    """Build an instance ready for the index; words stand for values and become tokens by `digest`."""
    return IndexedInstance(
        row=row or instance_row(study, series, instance, of=of),
        department=department,
        study=StudyColumns(
            study_date=study_date,
            study_time=study_time,
            patient_token=digest("patient", patient),
            patient_id_token=digest("patient id", patient),
            accession_number_token=digest("accession number", accession_number),
            birth_date_token=digest("birth date", birth_date),
            name_tokens=frozenset(name_tokens),
            box=study_box or b"study box of " + study.encode(),
        ),
        series=SeriesColumns(modality, series_number, b"series box of " + series.encode()),
        instance=InstanceColumns(instance_number, b"instance box of " + instance.encode()),
    )


def device(
    ae_title: str = "CT1",
    *,
    of: str = HERE,
    department: str = RADIOLOGY,
    operations: Iterable[str] = ("store",),
    certificate: str | None = None,
    revoked_at: datetime | None = None,
    **facts: Any,
) -> Device:
    return Device(
        ae_title,
        institution(of),
        department,
        frozenset(operations),
        digest("certificate", certificate or ae_title),
        "127.0.0.1",
        11112,
        revoked_at,
        **facts,
    )


def share(
    *,
    of: str = HERE,
    inviter: str = "inviter",
    invitee: str = "invitee",
    begins_at: datetime = NOW - timedelta(days=1),
    ends_at: datetime = NOW + timedelta(days=1),
    code: bytes = b"",
    attempts: int = 0,
    revoked_at: datetime | None = None,
) -> Share:
    return Share(
        uuid4(),
        institution(of),
        uuid4(),
        uuid4(),
        inviter,
        invitee,
        Purpose.TREATMENT,
        begins_at,
        ends_at,
        code,
        b"a box of the tests",
        attempts=attempts,
        revoked_at=revoked_at,
        proof=b"a proof of the tests",
    )


def seat(actor: str = "member") -> Seat:
    return Seat(actor, NOW, b"a box of the tests")


def case(alias: UUID | None = None, *, brought_by: str = "convener") -> Case:
    return Case(alias or uuid4(), uuid4(), brought_by, NOW, b"a box of the tests")


def board(
    *,
    of: str = HERE,
    convener: str = "convener",
    seats: tuple[Seat, ...] = (),
    cases: tuple[Case, ...] = (),
    begins_at: datetime = NOW,
) -> Board:
    return Board(
        uuid4(),
        institution(of),
        convener,
        NOW.date(),
        begins_at,
        NOW + timedelta(days=1),
        b"a box of the tests",
        seats,
        cases,
        proof=b"a proof of the tests",
    )
