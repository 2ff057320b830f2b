"""Every Part 10 stream of pydicom and pydicom-data, read by our scanner and by pydicom, comes out the same."""

import json
import warnings
from base64 import b64decode
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, config, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames

from pacs_secure.core.errors import ArchiveError, Malformed
from pacs_secure.dicom.fragments import strip_item_headers
from pacs_secure.dicom.header import Header, scan
from pacs_secure.dicom.inflation import inflate
from pacs_secure.dicom.json_model import to_json
from pacs_secure.dicom.metadata import describe
from pacs_secure.dicom.part10 import Part10, guess_transfer_syntax, split
from pacs_secure.dicom.syntaxes import Coding, syntax_of
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


def scan_stream(path: Path) -> Header:
    stream = split(path.read_bytes())
    return scan(stream.data_set, stream.transfer_syntax_uid)


@pytest.mark.parametrize("path", real_streams(), ids=lambda path: path.name)
def test_a_real_stream_is_scanned_as_pydicom_reads_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.settings, "_reading_validation_mode", config.IGNORE)
    if path.name in REFUSED:
        with pytest.raises(ArchiveError, match=REFUSED[path.name]):
            scan_stream(path)
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


OURS_ALONE = {
    "00080005": "JSON is UTF-8 and always says so",
    "00280008": "badVR.dcm says 1A, which pydicom cannot take for an IS; the text is kept (PS3.18 F.2.3)",
    "300C0002": "the RT Dose streams close it in a way that pydicom gives up on",
}
"""Attributes that pydicom leaves out of its JSON, or writes otherwise, and why we do not."""


def without_filler(dataset: Dataset) -> Dataset:
    """Take off what is no attribute of an instance: group lengths, trailing padding, directory records."""
    kept = Dataset()
    for element in dataset:
        if element.tag.element and 0x0008 <= element.tag.group < 0xFFFC:
            if element.VR == "SQ":
                element.value = [without_filler(item) for item in element.value]
            kept.add(element)
    return kept


OTHER_VRS = {
    ("OW", "OB"): "pixel data that is written as OW although it is encapsulated: pydicom mends that",
    ("UN", "SQ"): "a sequence hidden in UN of defined length is bulk data to us: nobody has vouched for what is in it",
}
"""VRs that differ in our JSON and in pydicom's, and why."""


def plain(value: object) -> object:
    """Take off padding, which pydicom leaves on codes, and write no value as null (PS3.18 F.2.5)."""
    return (value.strip() or None) if isinstance(value, str) else value


def compare(ours: Mapping[str, Mapping[str, object]], theirs: Mapping[str, Mapping[str, object]], *, big: bool) -> None:
    assert set(theirs) - set(ours) == set()
    assert set(ours) - set(theirs) - set(OURS_ALONE) == set()
    for tag, their in theirs.items():
        our = ours[tag]
        vrs = (str(our["vr"]), str(their["vr"]))
        assert vrs[0] == vrs[1] or vrs in OTHER_VRS, tag
        if vrs == ("UN", "SQ"):
            continue
        if vrs[0] == "SQ":
            for mine, other in zip(our.get("Value", []), their.get("Value", []), strict=True):  # type: ignore[call-overload]
                compare(mine, other, big=big)
        elif "BulkDataURI" in our:
            assert "BulkDataURI" in their or "InlineBinary" in their, tag
            assert str(our["BulkDataURI"]).endswith(tag)
        elif "InlineBinary" in our:
            # Bulk values longer than a tenth of the threshold are not in theirs; big endian words are not turned.
            value = b64decode(str(our["InlineBinary"]))
            other = b64decode(str(their["InlineBinary"])) if "InlineBinary" in their else value
            assert value == (swapped(other) if big and our["vr"] == "OW" and other != value else other), tag
        elif tag != "00080005":
            assert [*map(plain, our.get("Value", []))] == [*map(plain, their.get("Value", []))], tag  # type: ignore[call-overload]


def swapped(words: bytes) -> bytes:
    return b"".join(words[place : place + 2][::-1] for place in range(0, len(words), 2))


@pytest.mark.parametrize("path", real_streams(), ids=lambda path: path.name)
def test_the_metadata_of_a_real_stream_is_what_pydicom_makes_of_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.settings, "_reading_validation_mode", config.IGNORE)
    stream = split(path.read_bytes())
    syntax = stream.transfer_syntax_uid
    whole = scanned(stream)
    data = inflate(stream.data_set) if syntax_of(syntax).deflated else stream.data_set

    ours = to_json(memoryview(data), syntax_of(syntax).coding)

    if whole is not None:
        assert json.loads(describe(stream.data_set, syntax, whole).metadata_json).keys() == ours.keys() | {"00080005"}
    if path.name not in BROKEN_OFF:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = without_filler(read(path)).to_json_dict(
                bulk_data_threshold=1024, bulk_data_element_handler=lambda _: "", suppress_invalid_tags=True
            )
        compare(ours, theirs, big=syntax_of(syntax).coding is Coding.EXPLICIT_BIG)


BROKEN_OFF = {
    "rtplan_truncated.dcm",
    "MR_truncated.dcm",
    "DICOMDIR-nooffset",
    "emri_small_jpeg_2k_lossless_too_short.dcm",
}


def scanned(stream: Part10) -> Header | None:
    try:
        return scan(stream.data_set, stream.transfer_syntax_uid)
    except ArchiveError:
        return None


def test_no_more_of_the_corpus_is_refused_than_has_to_be() -> None:
    refused = {path.name for path in real_streams() if scanned(split(path.read_bytes())) is None}

    assert refused == BROKEN_OFF | UNIDENTIFIED


UNIDENTIFIED = {
    *(
        "DICOMDIR",
        "DICOMDIR-bigEnd",
        "DICOMDIR-empty.dcm",
        "DICOMDIR-implicit",
        "DICOMDIR-nopatient",
        "DICOMDIR-reordered",
    ),
    *(
        "JPEGLSNearLossless_08.dcm",
        "JPEGLSNearLossless_16.dcm",
        "SC_rgb_jls_lossy_line.dcm",
        "SC_rgb_jls_lossy_sample.dcm",
    ),
    *("UN_sequence.dcm", "bad_sequence.dcm", "chrSQEncoding.dcm", "chrSQEncoding1.dcm", "empty_charset_LEI.dcm"),
    *("meta_missing_tsyntax.dcm", "nested_priv_SQ.dcm", "no_meta_group_length.dcm", "priv_SQ.dcm"),
}
"""Streams whose Data Set lacks one of its four UIDs, or has one that is none."""


@pytest.mark.parametrize(
    ("name", "syntax"),
    [
        ("ExplVR_BigEndNoMeta.dcm", "1.2.840.10008.1.2.2"),
        ("ExplVR_LitEndNoMeta.dcm", "1.2.840.10008.1.2.1"),
        ("rtstruct.dcm", "1.2.840.10008.1.2"),
        ("OT-PAL-8-face.dcm", "1.2.840.10008.1.2"),
    ],
)
def test_a_raw_data_set_without_file_meta_information_is_recognised_and_read(name: str, syntax: str) -> None:
    data_set = Path(str(get_testdata_file(name, download=False))).read_bytes()

    assert guess_transfer_syntax(data_set) == syntax
    assert scan(data_set, syntax).sop_instance_uid == dcmread(BytesIO(data_set), force=True).SOPInstanceUID
