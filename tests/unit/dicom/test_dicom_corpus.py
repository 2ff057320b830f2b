"""Every Part 10 stream of pydicom and pydicom-data, read by our scanner and by pydicom, comes out the same."""

import warnings
from pathlib import Path

import pytest
from pydicom import Dataset, config, dcmread
from pydicom.encaps import generate_frames

from pacs_secure.core.errors import ArchiveError, Malformed
from pacs_secure.dicom.fragments import strip_item_headers
from pacs_secure.dicom.header import Header, scan
from pacs_secure.dicom.part10 import Part10, split
from tests.data_sets import real_streams

UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")

REFUSED = {
    "DICOMDIR-nooffset": "an element is longer than what holds it",
    "MR_truncated.dcm": "an element is longer than what holds it",
    "bad_sequence.dcm": "a UID must be 1 to 64 digits and dots",  # its UIDs were hashed into hexadecimal digits
    "emri_small_jpeg_2k_lossless_too_short.dcm": "encapsulated data is cut short",
    "meta_missing_tsyntax.dcm": "a UID must be 1 to 64 digits and dots",
    "rtplan_truncated.dcm": "an element is longer than what holds it",
}
"""Streams that are broken, and what is said of them."""


def read(path: Path) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = dcmread(path)
        list(dataset)  # everything is read now, while nobody is warned
    return dataset


def frames_of(stream: Part10, header: Header) -> list[bytes]:
    spans = zip(header.frames.offsets, header.frames.lengths, strict=True)
    frames = [stream.data_set[offset : offset + length] for offset, length in spans]
    encapsulated = header.pixel_data is not None and header.pixel_data.encapsulated
    return [strip_item_headers(frame) if encapsulated else bytes(frame) for frame in frames]


@pytest.mark.parametrize("path", real_streams(), ids=lambda path: path.name)
def test_a_real_stream_is_scanned_as_pydicom_reads_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.settings, "_reading_validation_mode", config.IGNORE)
    if path.name in REFUSED:
        with pytest.raises(ArchiveError, match=REFUSED[path.name]):
            stream = split(path.read_bytes())
            scan(stream.data_set, stream.transfer_syntax_uid)
        return
    dataset = read(path)
    stream = split(path.read_bytes())
    if not all(dataset.get(keyword) for keyword in UIDS):
        with pytest.raises(Malformed, match="a UID must be"):
            scan(stream.data_set, stream.transfer_syntax_uid)
        return

    header = scan(stream.data_set, stream.transfer_syntax_uid)

    found = (header.study_instance_uid, header.series_instance_uid, header.sop_instance_uid, header.sop_class_uid)
    assert found == tuple(dataset[keyword].value for keyword in UIDS)
    assert header.rows == (dataset.get("Rows") or 0)
    assert header.columns == (dataset.get("Columns") or 0)
    assert stream.transfer_syntax_uid == dataset.file_meta.TransferSyntaxUID
    if path.name == "badVR.dcm":
        assert header.number_of_frames == 0  # it says "1A"
    elif "PixelData" in dataset and not stream.transfer_syntax_uid.endswith(".99"):
        number = int(dataset.get("NumberOfFrames") or 1)
        frames = frames_of(stream, header)
        assert header.number_of_frames == len(frames) == number
        if header.pixel_data is not None and header.pixel_data.encapsulated:
            assert frames == list(generate_frames(dataset.PixelData, number_of_frames=number))
        else:
            assert dataset.PixelData.startswith(b"".join(frames))


def test_the_corpus_is_there() -> None:
    assert len(real_streams()) > 200
