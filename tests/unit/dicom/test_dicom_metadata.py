import sys
import time
import zlib

import orjson
import pytest

from pacs_secure.core.errors import OverLimit
from pacs_secure.core.instance import Description
from pacs_secure.dicom.header import Limits, scan
from pacs_secure.dicom.metadata import describe
from tests.data_sets import DEFLATED, EXPLICIT, explicit, identity, image, item, real, sequence, text


def described(*elements: bytes, syntax: str = EXPLICIT) -> Description:
    data_set = identity() + b"".join(elements)
    return describe(data_set, syntax, scan(data_set, syntax))


def test_what_an_index_needs_is_read_in_clear() -> None:
    description = described(
        text(0x00080020, "20200229"),
        text(0x00080030, "101500"),
        text(0x00080050, "A1"),
        text(0x00080060, "CT"),
        text(0x00080090, "House^G"),
        text(0x00100010, "Doe^J=X"),
        text(0x00100020, "4711"),
        text(0x00100021, "KH"),
        text(0x00100030, "1970.01.31"),
        text(0x00200011, "3"),
        text(0x00200013, "12"),
    )

    assert (description.study_date, description.study_time, description.modality) == ("20200229", "101500", "CT")
    assert (description.patient_id, description.issuer_of_patient_id) == ("4711", "KH")
    assert (description.patient_name, description.referring_physician_name) == ("Doe^J=X", "House^G")
    assert (description.patient_birth_date, description.accession_number) == ("19700131", "A1")
    assert (description.series_number, description.instance_number) == (3, 12)


def test_an_instance_that_says_nothing_of_itself_is_described_by_its_uids() -> None:
    description = described()

    assert (description.study_date, description.patient_name, description.series_number) == ("", "", None)
    assert orjson.loads(description.study_json).keys() == {"00080005", "0020000D"}
    assert orjson.loads(description.series_json).keys() == {"00080005", "0020000D", "0020000E"}
    assert orjson.loads(description.instance_json).keys() == {
        *("00080005", "00080016", "00080018", "00083002", "0020000D", "0020000E"),
    }


@pytest.mark.parametrize(
    ("written", "date"),
    [("1997.04.30", "19970430"), ("19970430", "19970430"), ("1997", ""), ("30041997x", ""), ("19970430\\19970501", "")],
)
def test_a_study_date_is_eight_digits_or_none(written: str, date: str) -> None:
    assert described(text(0x00080020, written)).study_date == date


@pytest.mark.parametrize(
    ("written", "number"),
    [("5", 5), ("-5", -5), ("5.0", 5), ("5.5", None), ("x", None), ("99999999999", None), ("", None), ("nan", None)],
)
def test_a_number_is_whole_and_fits_a_column_or_is_none(written: str, number: int | None) -> None:
    assert described(text(0x00200011, written)).series_number == number


def test_each_level_holds_its_own_attributes_and_no_bulk_data() -> None:
    description = described(
        text(0x00080060, "CT"),
        text(0x00100010, "Doe"),
        text(0x00200013, "1"),
        sequence(0x00400275, item(text(0x00400009, "STEP"))),
        explicit(0x00104000, "LT", b"note"),
        explicit(0x7FE00010, "OW", bytes(4)),
    )

    study, series = orjson.loads(description.study_json), orjson.loads(description.series_json)
    instance, metadata = orjson.loads(description.instance_json), orjson.loads(description.metadata_json)
    assert {"00100010", "00104000"} <= study.keys()
    assert not {"00080060", "00200013"} & study.keys()
    assert series["00400275"]["Value"] == [{"00400009": {"vr": "SH", "Value": ["STEP"]}}]
    assert instance["00200013"]["Value"] == [1]
    assert instance["00083002"]["Value"] == [EXPLICIT]
    assert metadata["7FE00010"] == {"vr": "OW", "BulkDataURI": "bulkdata/7FE00010"}
    assert "7FE00010" not in instance
    assert list(metadata) == sorted(metadata)


def test_the_identity_is_the_one_that_was_scanned() -> None:
    metadata = orjson.loads(described().metadata_json)

    assert metadata["00080018"]["Value"] == ["1.2.3.4.5"]


def test_a_deflated_data_set_is_described_within_limits() -> None:
    data_set = identity() + text(0x00100010, "Doe") + explicit(0x00420011, "OB", bytes(100_000))
    engine = zlib.compressobj(wbits=-15)
    deflated = engine.compress(data_set) + engine.flush()
    header = scan(deflated, DEFLATED)

    assert describe(deflated, DEFLATED, header).patient_name == "Doe"
    with pytest.raises(OverLimit):
        describe(deflated, DEFLATED, header, Limits(inflated_bytes=1_000))


@pytest.mark.skipif(sys.gettrace() is not None, reason="time means nothing while coverage is traced")
def test_a_typical_header_is_described_within_two_milliseconds() -> None:
    stream = real("693_UNCI.dcm")  # CT, 512 x 512
    header = scan(stream.data_set, stream.transfer_syntax_uid)

    def once() -> float:
        start = time.perf_counter()
        describe(stream.data_set, stream.transfer_syntax_uid, header)
        return time.perf_counter() - start

    assert (header.rows, header.columns) == (512, 512)
    assert min(once() for _ in range(50)) < 0.002  # the best of many: a busy machine proves nothing


def test_geometry_is_described_as_it_stands() -> None:
    data_set = image(4, 5, 16)
    instance = orjson.loads(describe(data_set, EXPLICIT, scan(data_set, EXPLICIT)).instance_json)

    assert (instance["00280010"]["Value"], instance["00280011"]["Value"]) == ([4], [5])
