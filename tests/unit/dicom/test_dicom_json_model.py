import struct
from base64 import b64decode

import pytest

from pacs_secure.dicom.json_model import LONGEST_INLINE, LONGEST_VALUE, MOST_INLINE, Attributes, to_json
from pacs_secure.dicom.syntaxes import Coding
from tests.data_sets import SEQUENCE_END, UNDEFINED, big, explicit, fragments, implicit, item, mark, sequence


def written(data: bytes, coding: Coding = Coding.EXPLICIT_LITTLE) -> Attributes:
    return to_json(memoryview(data), coding)


def test_every_attribute_stands_under_its_tag_with_its_vr() -> None:
    data = explicit(0x00100010, "PN", b"Doe ") + explicit(0x00280010, "US", b"\2\0") + explicit(0x00100040, "CS")

    assert written(data) == {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe"}]},
        "00280010": {"vr": "US", "Value": [2]},
        "00100040": {"vr": "CS"},
    }


def test_what_is_no_attribute_of_an_instance_is_left_out() -> None:
    data = (
        explicit(0x00020010, "UI", b"1.2\0")
        + explicit(0x00041220, "SQ")
        + explicit(0x00080000, "UL", bytes(4))
        + explicit(0xFFFCFFFC, "OB", bytes(4))
    )

    assert written(data) == {}


@pytest.mark.parametrize("undefined", [True, False])
def test_sequences_hold_one_object_an_item(*, undefined: bool) -> None:
    code = item(explicit(0x00080100, "SH", b"A "), undefined=undefined)
    nested = item(sequence(0x00081140, code, undefined=undefined), undefined=undefined)
    data = sequence(0x00081032, code, item(), nested, undefined=undefined) + explicit(0x00081111, "SQ")

    expected = {"00080100": {"vr": "SH", "Value": ["A"]}}
    assert written(data) == {
        "00081032": {"vr": "SQ", "Value": [expected, {}, {"00081140": {"vr": "SQ", "Value": [expected]}}]},
        "00081111": {"vr": "SQ"},
    }


def test_bulk_data_stays_where_it_is_and_is_found_by_its_path() -> None:
    long, short = explicit(0x00420011, "OB", bytes(LONGEST_INLINE + 1)), explicit(0x00420011, "OB", b"ab")
    data = sequence(0x54000100, item(short), item(sequence(0x00081140, item(long)))) + fragments(b"")

    attributes = written(long + data)

    items = attributes["54000100"]["Value"]
    assert isinstance(items, list)
    first, second = items
    assert attributes["00420011"] == {"vr": "OB", "BulkDataURI": "bulkdata/00420011"}
    assert attributes["7FE00010"] == {"vr": "OB", "BulkDataURI": "bulkdata/7FE00010"}
    assert first["00420011"] == {"vr": "OB", "InlineBinary": "YWI="}
    deep = second["00081140"]["Value"][0]["00420011"]
    assert deep == {"vr": "OB", "BulkDataURI": "bulkdata/54000100/2/00081140/1/00420011"}


def test_a_long_text_is_bulk_data() -> None:
    assert "Value" in written(explicit(0x00081190, "UT", b"a" * LONGEST_VALUE))["00081190"]
    assert "BulkDataURI" in written(explicit(0x00081190, "UT", b"a" * (LONGEST_VALUE + 1)))["00081190"]


def test_once_all_values_together_are_too_much_only_short_ones_stand_in_the_json() -> None:
    rows = [explicit(0x00090000 + number, "UT", b"a" * LONGEST_VALUE) for number in range(0x1001, 0x1006)]

    attributes = written(b"".join(rows) + explicit(0x00100010, "PN", b"Doe "))

    kept = [tag for tag, attribute in attributes.items() if "Value" in attribute]
    assert MOST_INLINE == 4 * LONGEST_VALUE
    assert kept == ["00091001", "00091002", "00091003", "00091004", "00100010"]


def test_json_says_that_it_is_in_utf_8_and_is() -> None:
    data = explicit(0x00080005, "CS", b"ISO_IR 100") + explicit(0x00100010, "PN", b"M\xfcller ")

    assert written(data) == {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller"}]},
    }


def test_items_inherit_the_character_set_and_may_declare_another() -> None:
    latin = explicit(0x00080104, "LO", b"\xfc ")
    own = explicit(0x00080005, "CS", b"ISO_IR 192") + explicit(0x00080104, "LO", "ü".encode())
    data = explicit(0x00080005, "CS", b"ISO_IR 100") + sequence(0x00081032, item(latin), item(own), item(latin))

    items = written(data)["00081032"]["Value"]
    assert [one["00080104"]["Value"] for one in items] == [["ü"]] * 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(("representation", "vr", "value"), [(b"\1\0", "SS", -1), (b"\0\0", "US", 65_535)])
def test_pixel_representation_settles_whether_a_value_is_signed(representation: bytes, vr: str, value: int) -> None:
    data = implicit(0x00280103, "US", representation) + implicit(0x00280106, "US", b"\xff\xff")

    assert written(data, Coding.IMPLICIT_LITTLE)["00280106"] == {"vr": vr, "Value": [value]}


def test_un_gets_its_vr_back_where_a_dictionary_knows_it() -> None:
    data = (
        explicit(0x00090010, "LO", b"GEMS_IDEN_01")
        + explicit(0x00091001, "UN", b"GE  ")
        + explicit(0x00091099, "UN", b"what")
        + explicit(0x000B0010, "UN", b"ACME")
        + explicit(0x000B1001, "UN", b"abcd")
        + explicit(0x00100020, "UN", b"4711")
        + explicit(0x00081140, "UN", item())
    )

    assert written(data) == {
        "00090010": {"vr": "LO", "Value": ["GEMS_IDEN_01"]},
        "00091001": {"vr": "LO", "Value": ["GE"]},
        "00091099": {"vr": "UN", "InlineBinary": "d2hhdA=="},
        "000B0010": {"vr": "LO", "Value": ["ACME"]},
        "000B1001": {"vr": "UN", "InlineBinary": "YWJjZA=="},
        "00100020": {"vr": "LO", "Value": ["4711"]},
        "00081140": {"vr": "UN", "InlineBinary": "/v8A4AAAAAA="},
    }


def test_un_is_little_endian_even_within_big_endian() -> None:
    data = big(0x00280010, "UN", b"\2\0") + big(0x00280011, "US", b"\0\2") + big(0x00281201, "OW", b"\0\1\0\2")

    attributes = written(data, Coding.EXPLICIT_BIG)
    assert attributes["00280010"]["Value"] == attributes["00280011"]["Value"] == [2]
    assert b64decode(str(attributes["00281201"]["InlineBinary"])) == struct.pack("<2H", 1, 2)


def test_un_of_undefined_length_is_written_as_the_sequence_it_is() -> None:
    hidden = item(implicit(0x00100020, "LO", b"4711"), undefined=True) + mark(SEQUENCE_END)

    assert written(explicit(0x00091001, "UN", hidden, UNDEFINED))["00091001"] == {
        "vr": "SQ",
        "Value": [{"00100020": {"vr": "LO", "Value": ["4711"]}}],
    }


@pytest.mark.parametrize(
    "bad", [explicit(0x00280010, "US", b"\1"), explicit(0x00280009, "AT", b"abc"), explicit(0x00080050, "SH", b"  ")]
)
def test_a_value_that_breaks_the_standard_leaves_its_place_empty(bad: bytes) -> None:
    attributes = written(bad + explicit(0x00100020, "LO", b"1 "))

    assert len(attributes) == 2
    assert next(iter(attributes.values())).keys() == {"vr"}


def test_a_data_set_that_breaks_off_is_written_as_far_as_it_goes() -> None:
    data = explicit(0x00100020, "LO", b"1 ") + explicit(0x00100030, "DA", b"1", 8)

    assert written(data).keys() == {"00100020"}
