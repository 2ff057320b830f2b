import struct
from io import BytesIO

import pytest
from pydicom import dcmread

from pacs_secure.core.errors import Malformed, OverLimit
from pacs_secure.core.identifiers import Institution, Uid
from pacs_secure.core.instance import Identity
from pacs_secure.dicom.part10 import PREFIX, compose_prefix, guess_transfer_syntax, split
from tests.data_sets import (
    BIG_ENDIAN,
    CT,
    EXPLICIT,
    IMPLICIT,
    INSTANCE,
    JPEG,
    SERIES,
    STUDY,
    big,
    explicit,
    file_meta,
    identity,
    implicit,
    part10,
)

IDENTITY = Identity(Institution("a"), Uid(STUDY), Uid(SERIES), Uid(INSTANCE), Uid(CT))


def test_a_stream_is_taken_apart_without_copying_its_data_set() -> None:
    stream = split(part10(identity()))

    assert stream.file_meta == file_meta()
    assert stream.data_set.tobytes() == identity()
    assert stream.transfer_syntax_uid == EXPLICIT
    assert stream.media_storage_sop_class_uid == CT
    assert stream.media_storage_sop_instance_uid == INSTANCE


def test_a_stream_without_a_group_length_is_taken_apart() -> None:
    meta = file_meta()[12:]

    assert split(part10(identity(), meta)).file_meta == meta


@pytest.mark.parametrize(("data_set", "syntax"), [(identity(), EXPLICIT), (identity(implicit), IMPLICIT)])
def test_a_transfer_syntax_that_is_not_named_is_guessed(data_set: bytes, syntax: str) -> None:
    stream = split(part10(data_set, explicit(0x00020001, "OB", b"\0\1")))

    assert (stream.transfer_syntax_uid, stream.media_storage_sop_class_uid) == (syntax, None)


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"DICM",
        bytes(131),
        bytes(128) + b"DIC ",
        PREFIX,
        part10(b"", file_meta()[:-1]),
        part10(b"", file_meta()[:20]),
        part10(identity(), file_meta() + explicit(0x00020010, "UI", b"1.2\0")),
        part10(identity(), file_meta(JPEG + ".x")),
        part10(identity(), explicit(0x00020010, "UI", b"1.2\0", 0xFFFF)),
        part10(identity(), implicit(0x00020010, "UI", b"1.2\0")),
    ],
)
def test_what_is_no_part_10_stream_is_refused(stream: bytes) -> None:
    with pytest.raises(Malformed):
        split(stream)


def test_endless_file_meta_information_is_refused() -> None:
    with pytest.raises(OverLimit):
        split(part10(identity(), explicit(0x00020102, "OB", bytes(2 << 20))))


def test_received_file_meta_information_is_kept_when_it_speaks_of_the_instance() -> None:
    received = file_meta(extra=explicit(0x00020016, "AE", b"CT1 "))

    assert compose_prefix(IDENTITY, EXPLICIT, received) == PREFIX + received


@pytest.mark.parametrize(
    "received",
    [
        None,
        b"",
        file_meta()[12:],
        file_meta(JPEG),
        file_meta(sop_instance_uid="9.9"),
        file_meta() + explicit(0x00020016, "AE", b"CT1 "),
        file_meta(extra=explicit(0x00020011, "UI", b"1.2\0")),
        file_meta().replace(b"\0\1", b"\0\2", 1),
        file_meta() + identity(),
        file_meta()[:-1],
        b"\x02\x00" * 30,
    ],
)
def test_file_meta_information_that_does_not_fit_is_written_anew(received: bytes | None) -> None:
    prefix = compose_prefix(IDENTITY, EXPLICIT, received)

    read = dcmread(BytesIO(prefix + identity()))
    meta = read.file_meta
    assert prefix.startswith(PREFIX)
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == (CT, INSTANCE)
    assert meta.TransferSyntaxUID == EXPLICIT
    assert meta.FileMetaInformationGroupLength == len(prefix) - len(PREFIX) - 12
    assert read.SOPInstanceUID == INSTANCE
    assert split(prefix + identity()).data_set.tobytes() == identity()


def test_a_preamble_that_is_a_program_never_comes_out_again() -> None:
    stream = split(part10(identity(), preamble=b"MZ" + bytes(126)))

    assert compose_prefix(IDENTITY, EXPLICIT, stream.file_meta)[:128] == bytes(128)


@pytest.mark.parametrize(
    ("data_set", "syntax"),
    [
        (identity(), EXPLICIT),
        (identity(big), BIG_ENDIAN),
        (identity(implicit), IMPLICIT),
        (b"", None),
        (b"\x08\x00", None),
        (b"PK\x03\x04\0\0\0\0", None),
        (bytes(64), None),
        (struct.pack(">HHL", 8, 0, 4), None),
    ],
)
def test_the_coding_of_a_raw_data_set_is_guessed_from_its_first_element(data_set: bytes, syntax: str | None) -> None:
    assert guess_transfer_syntax(data_set) == syntax
