"""The sealed object's head: which object, which study key, its wrapped DEK, and a label for rebuilding.

| offset | bytes | field                                                                           |
|--------|-------|---------------------------------------------------------------------------------|
| 0      | 8     | magic, the version in it                                                        |
| 8      | 16    | object id                                                                       |
| 24     | 16    | study-key id                                                                    |
| 40     | 60    | wrapped DEK: nonce 12, AES-256-GCM(study key, DEK 32), tag 16; AAD = bytes 0-39 |
| 100    | 4     | length of the sealed label, big endian                                          |
| 104    | n     | sealed label: nonce 12, AES-256-GCM(study key, label), tag 16; AAD = bytes 0-99 |
| 104+n  | ...   | Cobblestone-256 body (`pacs_secure.crypto.stream`)                              |

Version 1 seals the Part 10 stream itself, version 2 the packed one (`pacs_secure.crypto.packing`). The version is bound
to the wrapped DEK and to the body, so that neither opens as the other.

Reading trusts none of it: everything needed to open is recomputed from the index row. Only a
rebuild of a lost index reads the label.
"""

import json
import os
import zlib
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

import rfc8785

from pacs_secure.core.errors import ArchiveError, OverLimit
from pacs_secure.core.identifiers import KeyId, ObjectId, Uid, institution, uid
from pacs_secure.core.instance import Identity, SealedObject
from pacs_secure.crypto.box import OVERHEAD, Entropy, derive, fields, open_box, seal_box, tampered
from pacs_secure.crypto.stream import sealed_length

MAGIC = b"PXENC\x00\x01\n"
PACKED_MAGIC = b"PXENC\x00\x02\n"
DEK = 32
WRAPPED_DEK = DEK + OVERHEAD
LABEL_AT = 104
LONGEST_LABEL = 4096
LONGEST_METADATA = 64 << 20
"""Bytes of metadata, opened: more would be a decompression bomb."""

_KEY_ID_AT = 24
_WRAPPED_AT = 40
_LENGTH_AT = 100
_KIND = b"dicom"
_PACKED_KIND = b"dicom, packed"
_METADATA = b"metadata"
_DIGEST = 32


class StudyKey(Protocol):
    """A study key and its name on the shelf."""

    @property
    def key_id(self) -> KeyId:
        """Its name."""

    @property
    def key(self) -> bytes:
        """32 bytes."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """All that sealing one body needs; the DEK is to be forgotten as soon as that is done."""

    header: bytes
    """To be stored before the body."""
    wrapped_dek: bytes
    context: bytes
    dek: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredHeader:
    """The header of a stored object, taken apart; nothing in it is proved yet."""

    object_id: ObjectId
    study_key_id: KeyId
    wrapped_dek: bytes
    sealed_label: bytes
    length: int
    """Bytes before the body."""
    packed: bool
    """Whether the body is a packed stream."""


@dataclass(frozen=True, slots=True)
class Label:
    """What the header says of the object, for rebuilding a lost index."""

    identity: Identity
    transfer_syntax_uid: Uid
    data_set_sha256: bytes


def seal_envelope(
    study_key: StudyKey,
    identity: Identity,
    object_id: ObjectId,
    transfer_syntax_uid: Uid,
    data_set_sha256: bytes,
    entropy: Entropy = os.urandom,
    *,
    packed: bool = False,
) -> Envelope:
    """Make the header of a new object under a fresh DEK; ``packed``: its body will be a packed stream."""
    dek = entropy(DEK)
    head = _head(object_id, study_key.key_id, packed)
    wrapped = seal_box(study_key.key, dek, head, entropy)
    label = rfc8785.dumps(
        {
            "data_set_sha256": data_set_sha256.hex(),
            "institution": identity.institution,
            "series_instance_uid": identity.series_instance_uid,
            "sop_class_uid": identity.sop_class_uid,
            "sop_instance_uid": identity.sop_instance_uid,
            "study_instance_uid": identity.study_instance_uid,
            "transfer_syntax_uid": transfer_syntax_uid,
        }
    )
    sealed_label = seal_box(study_key.key, label, head + wrapped, entropy)
    header = head + wrapped + fields(sealed_label)
    return Envelope(header, wrapped, _context(identity, object_id, study_key.key_id, packed), dek)


def is_packed(sealed: SealedObject) -> bool:
    """Say from the lengths in an index row whether the body is a packed stream: a plain one has just one length."""
    return sealed.stored_length - sealed.header_length != sealed_length(sealed.plaintext_length)


def open_envelope(
    study_key: bytes, identity: Identity, sealed: SealedObject, *, packed: bool | None = None
) -> tuple[bytes, bytes]:
    """Return DEK and context from the index row alone.

    ``packed`` is as the row has it, where its lengths are known; it is proven, for a version opens as no other.

    Raises:
        Tampered: the row's wrapped DEK is not that of this object under this study key.
    """
    packed = is_packed(sealed) if packed is None else packed
    dek = open_box(study_key, sealed.wrapped_dek, _head(sealed.object_id, sealed.study_key_id, packed))
    return dek, _context(identity, sealed.object_id, sealed.study_key_id, packed)


def parse_header(start: bytes) -> StoredHeader:
    """Take apart the header from the first bytes of a stored object (`LABEL_AT` + `LONGEST_LABEL` are enough).

    Raises:
        Tampered: these are not the first bytes of a sealed object.
    """
    if len(start) < LABEL_AT or not start.startswith((MAGIC, PACKED_MAGIC)):
        raise tampered()
    length = int.from_bytes(start[_LENGTH_AT:LABEL_AT], "big")
    if not OVERHEAD <= length <= LONGEST_LABEL or len(start) < LABEL_AT + length:
        raise tampered()
    return StoredHeader(
        object_id=ObjectId(UUID(bytes=start[len(MAGIC) : _KEY_ID_AT])),
        study_key_id=KeyId(UUID(bytes=start[_KEY_ID_AT:_WRAPPED_AT])),
        wrapped_dek=start[_WRAPPED_AT:_LENGTH_AT],
        sealed_label=start[LABEL_AT : LABEL_AT + length],
        length=LABEL_AT + length,
        packed=start.startswith(PACKED_MAGIC),
    )


def read_label(study_key: bytes, start: bytes) -> Label:
    """Open the label in the first bytes of a stored object.

    Raises:
        Tampered: the header was not made under this study key.
    """
    header = parse_header(start)
    text = open_box(study_key, header.sealed_label, start[:_LENGTH_AT])
    try:
        label = json.loads(text)
        read = Label(
            identity=Identity(
                institution=institution(label["institution"]),
                study_instance_uid=uid(label["study_instance_uid"]),
                series_instance_uid=uid(label["series_instance_uid"]),
                sop_instance_uid=uid(label["sop_instance_uid"]),
                sop_class_uid=uid(label["sop_class_uid"]),
            ),
            transfer_syntax_uid=uid(label["transfer_syntax_uid"]),
            data_set_sha256=bytes.fromhex(label["data_set_sha256"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, ArchiveError):
        raise tampered() from None
    if len(read.data_set_sha256) != _DIGEST:
        raise tampered()
    return read


def seal_metadata(study_key: bytes, object_id: ObjectId, metadata: bytes, entropy: Entropy = os.urandom) -> bytes:
    """Compress and seal the DICOM JSON metadata of one instance, to lie beside its index row.

    Raises:
        OverLimit: it is longer than `LONGEST_METADATA`.
    """
    if len(metadata) > LONGEST_METADATA:
        raise OverLimit("the metadata of an instance is too long")
    return seal_box(derive(study_key, _METADATA), zlib.compress(metadata, 1), _METADATA + object_id.bytes, entropy)


def open_metadata(study_key: bytes, object_id: ObjectId, box: bytes) -> bytes:
    """Open and decompress what `seal_metadata` made.

    Raises:
        Tampered: it was made for another object or key, or changed.
    """
    compressed = open_box(derive(study_key, _METADATA), box, _METADATA + object_id.bytes)
    inflater = zlib.decompressobj()
    try:
        metadata = inflater.decompress(compressed, LONGEST_METADATA)
    except zlib.error:
        raise tampered() from None
    if not inflater.eof or inflater.unused_data:
        raise tampered()
    return metadata


def _head(object_id: ObjectId, study_key_id: KeyId, packed: bool) -> bytes:  # noqa: FBT001 - of this module only
    return (PACKED_MAGIC if packed else MAGIC) + object_id.bytes + study_key_id.bytes


def _context(identity: Identity, object_id: ObjectId, study_key_id: KeyId, packed: bool) -> bytes:  # noqa: FBT001
    """Bind what never changes; a patient ID is not among it, for patients are merged."""
    return fields(
        MAGIC,
        object_id.bytes,
        identity.institution.encode(),
        identity.study_instance_uid.encode(),
        identity.sop_instance_uid.encode(),
        identity.sop_class_uid.encode(),
        _PACKED_KIND if packed else _KIND,
        study_key_id.bytes,
    )
