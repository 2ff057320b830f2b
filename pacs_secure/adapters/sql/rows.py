"""How a row is packed and unpacked: the nouns of `core.instance` as columns, and back."""

import re
import struct
import zlib
from itertools import chain
from typing import Any

from sqlalchemy import Row

from pacs_secure.core.access import Safeguard, StoredFacts, StudyFacts
from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import Institution, KeyId, ObjectId, Uid
from pacs_secure.core.instance import (
    FrameIndex,
    Identity,
    IndexedInstance,
    InstanceRow,
    SealedHit,
    SealedObject,
    StudyColumns,
)

AnyRow = Row[*tuple[Any, ...]]

MOST_PACKED = 1 << 26
"""Bytes a frame index may unpack to: two numbers for each of four million frames."""

_BITS = {
    Safeguard.RESTRICTED: 1,
    Safeguard.ADDICTION: 2,
    Safeguard.GENETICS: 4,
    Safeguard.INFECTION: 8,
    Safeguard.PSYCHIATRY: 16,
    Safeguard.STAFF: 32,
    Safeguard.VIOLENCE: 64,
    Safeguard.VIP: 128,
}
"""Which bit each safeguard has in a database; a bit is never given to another."""

FACTS_IN_A_HIT = 10
"""Columns of `growth.FACTS`, with which a hit begins."""

_MODALITY_SEPARATOR = "\\"
_MODALITY = re.compile(r"[A-Z0-9_]{1,16}", re.ASCII)
_DATE = re.compile(r"[0-9]{8}", re.ASCII)
_TIME = re.compile(r"[0-9.:]{0,16}", re.ASCII)


def pack_frames(frames: FrameIndex) -> bytes:
    """Pack a frame index: the gap before each frame and its length, which seldom change, compressed."""
    if not frames:
        return b""
    ends = [0, *(offset + length for offset, length in zip(frames.offsets, frames.lengths, strict=True))]
    gaps = (offset - end for offset, end in zip(frames.offsets, ends, strict=False))
    return zlib.compress(struct.pack(f"<{2 * len(frames)}q", *chain(gaps, frames.lengths)), 1)


def unpack_frames(packed: bytes) -> FrameIndex:
    """Unpack what `pack_frames` packed.

    Raises:
        Tampered: it packed something else.
    """
    if not packed:
        return FrameIndex()
    inflation = zlib.decompressobj()
    try:
        plain = inflation.decompress(packed, MOST_PACKED)
        numbers = struct.unpack(f"<{len(plain) // 8}q", plain)
    except (TypeError, zlib.error, struct.error):
        raise Tampered("a stored frame index is none") from None
    if not inflation.eof or len(numbers) % 2:
        raise Tampered("a stored frame index is none")
    gaps, lengths = numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]
    offsets, end = [], 0
    for gap, length in zip(gaps, lengths, strict=True):
        offsets.append(end + gap)
        end += gap + length
    return FrameIndex(tuple(offsets), lengths)


def plain_modality(modality: str) -> str:
    """Return a modality that may stand in clear: one code string (PS3.3 C.7.3.1.1.1), or "" for anything else.

    Senders put what they like into a Data Set; the box keeps it as received.
    """
    return modality if _MODALITY.fullmatch(modality) else ""


def plain_moment(study: StudyColumns) -> tuple[str, str]:
    """Return date and time of a study as they may stand in clear (PS3.5 6.2), "" for anything else."""
    date, time = study.study_date, study.study_time
    return date if _DATE.fullmatch(date) else "", time if _TIME.fullmatch(time) else ""


def pack_modalities(modalities: frozenset[str]) -> str:
    """Join the modalities of a study in alphabetical order."""
    return _MODALITY_SEPARATOR.join(sorted(filter(None, modalities)))


def unpack_modalities(packed: str) -> tuple[str, ...]:
    """Split what `pack_modalities` joined."""
    return tuple(packed.split(_MODALITY_SEPARATOR)) if packed else ()


def study_values(indexed: IndexedInstance) -> dict[str, object]:
    """Return the columns of a study that its first instance decides."""
    identity, study = indexed.row.identity, indexed.study
    study_date, study_time = plain_moment(study)
    return {
        "institution": identity.institution,
        "study_instance_uid": identity.study_instance_uid,
        "department": indexed.department,
        "study_date": study_date,
        "study_time": study_time,
        "patient_id_token": study.patient_id_token,
        "accession_number_token": study.accession_number_token,
        "birth_date_token": study.birth_date_token,
        "modalities": "",
        "series_count": 0,
        "instance_count": 0,
        "updated_at": indexed.row.received_at,
        "safeguards": pack_safeguards(indexed.safeguards),
        "held": 0,
        "treatment_ended_on": "",
        "proof": b"",
        "box": study.box,
    }


def series_values(indexed: IndexedInstance) -> dict[str, object]:
    """Return the columns of a series that its first instance decides, that instance counted."""
    return {
        "series_instance_uid": indexed.row.identity.series_instance_uid,
        "modality": plain_modality(indexed.series.modality),
        "series_number": indexed.series.series_number,
        "instance_count": 1,
        "box": indexed.series.box,
    }


def instance_values(indexed: IndexedInstance) -> dict[str, object]:
    """Return the columns of one instance."""
    row = indexed.row
    return {
        "institution": row.identity.institution,
        "sop_instance_uid": row.identity.sop_instance_uid,
        "sop_class_uid": row.identity.sop_class_uid,
        "transfer_syntax_uid": row.transfer_syntax_uid,
        "instance_number": indexed.instance.instance_number,
        "object_id": row.sealed.object_id,
        "study_key_id": row.sealed.study_key_id,
        "wrapped_dek": row.sealed.wrapped_dek,
        "commitment": row.sealed.commitment,
        "header_length": row.sealed.header_length,
        "plaintext_length": row.sealed.plaintext_length,
        "stored_length": row.sealed.stored_length,
        "data_set_offset": row.data_set_offset,
        "data_set_fingerprint": row.data_set_fingerprint,
        "number_of_frames": row.number_of_frames,
        "rows": row.rows,
        "columns": row.columns,
        "received_at": row.received_at,
        "act": row.act,
        "box": indexed.instance.box,
        "frames": pack_frames(row.frames),
        "metadata_box": row.metadata_box,
    }


def instance_row(row: AnyRow) -> InstanceRow:
    """Build an `InstanceRow` from the columns of an instance and the UIDs above it."""
    return InstanceRow(
        identity=Identity(
            Institution(row.institution),
            Uid(row.study_instance_uid),
            Uid(row.series_instance_uid),
            Uid(row.sop_instance_uid),
            Uid(row.sop_class_uid),
        ),
        transfer_syntax_uid=Uid(row.transfer_syntax_uid),
        sealed=SealedObject(
            object_id=ObjectId(row.object_id),
            study_key_id=KeyId(row.study_key_id),
            wrapped_dek=row.wrapped_dek,
            commitment=row.commitment,
            header_length=row.header_length,
            plaintext_length=row.plaintext_length,
            stored_length=row.stored_length,
        ),
        data_set_offset=row.data_set_offset,
        data_set_fingerprint=row.data_set_fingerprint,
        frames=unpack_frames(row.frames),
        number_of_frames=row.number_of_frames,
        rows=row.rows,
        columns=row.columns,
        metadata_box=row.metadata_box,
        received_at=row.received_at,
        act=row.act,
    )


def pack_safeguards(safeguards: frozenset[Safeguard]) -> int:
    """Pack safeguards into the bits of one number; `Safeguard.ENDED` follows from a date and is none of them."""
    return sum(_BITS[safeguard] for safeguard in safeguards if safeguard in _BITS)


def unpack_safeguards(packed: int) -> frozenset[Safeguard]:
    """Unpack what `pack_safeguards` packed."""
    return frozenset(safeguard for safeguard, bit in _BITS.items() if packed & bit)


def study_facts(row: AnyRow) -> StudyFacts:
    """Build what is known of a study from the columns that `growth.FACTS` selects."""
    return StudyFacts(
        Institution(row.institution),
        Uid(row.study_instance_uid),
        row.alias,
        row.patient_alias,
        row.department,
        safeguards=unpack_safeguards(row.safeguards),
        held=bool(row.held),
        treatment_ended_on=row.treatment_ended_on,
        epoch=row.epoch,
    )


def stored_facts(row: AnyRow) -> StoredFacts:
    """Build the same with its proof, which nothing here can check."""
    return StoredFacts(study_facts(row), row.proof)


def sealed_hit(row: AnyRow) -> SealedHit:
    """Build one answer of a search from the columns that `search.statement` selects, which end with its level."""
    # The study's facts are read by name: with the level, only what follows them changes.
    study, study_box, modalities, series_in_study, instances_in_study, *below = row[FACTS_IN_A_HIT:]
    series, series_box, instances_in_series, instance, instance_box = (*below, None, None, None, None, None)[:5]
    return SealedHit(
        study_instance_uid=Uid(study),
        series_instance_uid=series,
        sop_instance_uid=instance,
        study_box=study_box,
        series_box=series_box,
        instance_box=instance_box,
        modalities_in_study=unpack_modalities(modalities),
        series_in_study=series_in_study,
        instances_in_study=instances_in_study,
        instances_in_series=instances_in_series,
        stored=stored_facts(row),
    )
