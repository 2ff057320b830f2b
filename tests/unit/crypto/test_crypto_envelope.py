"""The sealed object's head."""

import json
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

import pytest
import rfc8785
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pacs_secure.core.errors import OverLimit, Tampered
from pacs_secure.core.identifiers import Institution, KeyId, ObjectId, Uid
from pacs_secure.core.instance import Identity, SealedObject
from pacs_secure.crypto import envelope as module
from pacs_secure.crypto.box import derive, fields, seal_box
from pacs_secure.crypto.envelope import (
    LABEL_AT,
    LONGEST_LABEL,
    MAGIC,
    PACKED_MAGIC,
    Envelope,
    is_packed,
    open_envelope,
    open_metadata,
    parse_header,
    read_label,
    seal_envelope,
    seal_metadata,
)
from pacs_secure.crypto.stream import sealed_length


@dataclass(frozen=True)
class Key:
    key_id: KeyId
    key: bytes


KEY = Key(KeyId(UUID(int=7)), bytes(range(32)))
OBJECT = ObjectId(UUID(int=9))
IDENTITY = Identity(Institution("home"), Uid("1.2.3"), Uid("1.2.3.4"), Uid("1.2.3.4.5"), Uid("1.2.840.1"))
SYNTAX = Uid("1.2.840.10008.1.2.1")
DIGEST = bytes(range(100, 132))


def made() -> Envelope:
    return seal_envelope(KEY, IDENTITY, OBJECT, SYNTAX, DIGEST)


def row(envelope: Envelope) -> SealedObject:
    length = len(envelope.header)
    stored = length + sealed_length(0)
    return SealedObject(OBJECT, KEY.key_id, envelope.wrapped_dek, bytes(32), length, 0, stored)


def test_the_row_alone_brings_back_dek_and_context() -> None:
    envelope = made()
    assert open_envelope(KEY.key, IDENTITY, row(envelope)) == (envelope.dek, envelope.context)


def test_the_header_can_be_taken_apart_and_its_label_read() -> None:
    envelope = made()
    header = parse_header(envelope.header + b"the body")
    assert (header.object_id, header.study_key_id) == (OBJECT, KEY.key_id)
    assert header.wrapped_dek == envelope.wrapped_dek
    assert header.length == len(envelope.header)
    label = read_label(KEY.key, envelope.header + b"the body")
    assert (label.identity, label.transfer_syntax_uid, label.data_set_sha256) == (IDENTITY, SYNTAX, DIGEST)


def test_every_object_has_its_own_dek_which_is_never_shown() -> None:
    one, other = made(), made()
    assert one.dek != other.dek
    assert one.dek.hex() not in repr(one)
    assert repr(one.dek) not in repr(one)


def test_no_flipped_bit_of_the_header_is_believed() -> None:
    header = made().header
    for place in range(len(header) * 8):
        broken = bytearray(header)
        broken[place // 8] ^= 1 << place % 8
        with pytest.raises(Tampered):
            read_label(KEY.key, bytes(broken))


@pytest.mark.parametrize("length", [0, 8, 103, 104, 131])
def test_a_cut_header_is_none(length: int) -> None:
    with pytest.raises(Tampered):
        parse_header(made().header[:length])


@pytest.mark.parametrize("length", [0, 27, LONGEST_LABEL + 1, 0xFFFFFFFF])
def test_a_label_of_impossible_length_is_refused(length: int) -> None:
    header = made().header
    with pytest.raises(Tampered):
        parse_header(header[:100] + length.to_bytes(4, "big") + bytes(LONGEST_LABEL + 100))


@pytest.mark.parametrize(
    "change",
    [
        lambda sealed: replace(sealed, object_id=ObjectId(UUID(int=10))),
        lambda sealed: replace(sealed, study_key_id=KeyId(UUID(int=8))),
        lambda sealed: replace(sealed, wrapped_dek=bytes(60)),
        lambda sealed: replace(sealed, wrapped_dek=b""),
    ],
)
def test_a_row_changed_in_any_field_does_not_give_the_dek(change: Callable[[SealedObject], SealedObject]) -> None:
    with pytest.raises(Tampered):
        open_envelope(KEY.key, IDENTITY, change(row(made())))


def test_another_study_key_does_not_give_the_dek() -> None:
    with pytest.raises(Tampered):
        open_envelope(bytes(32), IDENTITY, row(made()))


@pytest.mark.parametrize(
    "other",
    [
        replace(IDENTITY, institution=Institution("away")),
        replace(IDENTITY, study_instance_uid=Uid("1.2")),
        replace(IDENTITY, sop_instance_uid=Uid("1.2.3.4.6")),
        replace(IDENTITY, sop_class_uid=Uid("1.2.840.2")),
    ],
)
def test_the_context_binds_the_identity(other: Identity) -> None:
    envelope = made()
    _, context = open_envelope(KEY.key, other, row(envelope))
    assert context != envelope.context


def test_the_context_does_not_bind_the_series_so_that_rows_may_be_moved_within_a_study() -> None:
    envelope = made()
    _, context = open_envelope(KEY.key, replace(IDENTITY, series_instance_uid=Uid("9.9")), row(envelope))
    assert context == envelope.context


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        {"institution": "UPPER"},
        {"study_instance_uid": "x"},
        {"study_instance_uid": 5},
        {"data_set_sha256": "zz"},
        {"data_set_sha256": "00"},
    ],
)
def test_a_label_that_says_nonsense_is_refused(text: bytes | dict[str, object]) -> None:
    if isinstance(text, dict):
        valid: dict[str, object] = {
            "institution": "home",
            "study_instance_uid": "1.2",
            "series_instance_uid": "1.3",
            "sop_instance_uid": "1.4",
            "sop_class_uid": "1.5",
            "transfer_syntax_uid": "1.6",
            "data_set_sha256": DIGEST.hex(),
        }
        text = json.dumps(valid | text).encode()
    front = made().header[:100]
    with pytest.raises(Tampered):
        read_label(KEY.key, front + fields(seal_box(KEY.key, text, front, os.urandom)))


def test_the_label_is_canonical_json_under_the_study_key() -> None:
    header = made().header
    assert header.startswith(MAGIC)
    text = AESGCM(KEY.key).decrypt(header[LABEL_AT : LABEL_AT + 12], header[LABEL_AT + 12 :], header[:100])
    assert rfc8785.dumps(json.loads(text)) == text


def test_metadata_comes_back_and_is_small_when_it_repeats() -> None:
    metadata = b'{"00100010":{"vr":"PN"}}' * 1000
    box = seal_metadata(KEY.key, OBJECT, metadata)
    assert len(box) < len(metadata) // 10
    assert open_metadata(KEY.key, OBJECT, box) == metadata
    assert open_metadata(KEY.key, OBJECT, seal_metadata(KEY.key, OBJECT, b"")) == b""


def test_metadata_of_another_object_or_key_does_not_open() -> None:
    box = seal_metadata(KEY.key, OBJECT, b"{}")
    with pytest.raises(Tampered):
        open_metadata(KEY.key, ObjectId(UUID(int=10)), box)
    with pytest.raises(Tampered):
        open_metadata(bytes(32), OBJECT, box)


@pytest.mark.parametrize(
    "compressed",
    [b"not deflated", zlib.compress(b"{}")[:-1], zlib.compress(b"{}") + b"more", zlib.compress(bytes(101))],
)
def test_metadata_that_is_no_whole_small_stream_is_refused(compressed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_METADATA", 100)
    box = seal_box(derive(KEY.key, b"metadata"), compressed, b"metadata" + OBJECT.bytes, os.urandom)
    with pytest.raises(Tampered):
        open_metadata(KEY.key, OBJECT, box)


def test_metadata_at_the_limit_opens_and_beyond_it_is_not_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_METADATA", 100)
    assert open_metadata(KEY.key, OBJECT, seal_metadata(KEY.key, OBJECT, bytes(100))) == bytes(100)
    with pytest.raises(OverLimit):
        seal_metadata(KEY.key, OBJECT, bytes(101))


def test_the_two_versions_of_a_header_say_so_and_open_as_themselves_only() -> None:
    for packed in (False, True):
        envelope = seal_envelope(KEY, IDENTITY, OBJECT, SYNTAX, DIGEST, packed=packed)
        assert parse_header(envelope.header).packed == packed
        assert read_label(KEY.key, envelope.header).identity == IDENTITY
        opened = open_envelope(KEY.key, IDENTITY, row(envelope), packed=packed)
        assert opened == (envelope.dek, envelope.context)
        with pytest.raises(Tampered):
            open_envelope(KEY.key, IDENTITY, row(envelope), packed=not packed)
        other = (MAGIC if packed else PACKED_MAGIC) + envelope.header[len(MAGIC) :]
        with pytest.raises(Tampered):
            read_label(KEY.key, other)


def test_a_body_that_is_not_as_long_as_a_plain_one_is_packed() -> None:
    plain = replace(row(made()), plaintext_length=1000, stored_length=len(made().header) + sealed_length(1000))

    assert not is_packed(plain)
    assert is_packed(replace(plain, stored_length=plain.stored_length - 1))
