import struct

import pytest

from pacs_secure.core.errors import Malformed, OverLimit
from pacs_secure.dicom.elements import Element, walk
from pacs_secure.dicom.limits import Limits
from pacs_secure.dicom.syntaxes import Coding
from tests.data_sets import (
    ITEM,
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    Writer,
    big,
    explicit,
    fragments,
    implicit,
    item,
    mark,
    sequence,
)

NAME = explicit(0x00100010, "PN", b"Doe ")


def elements(data: bytes, coding: Coding = Coding.EXPLICIT_LITTLE, limits: Limits | None = None) -> list[Element]:
    return list(walk(memoryview(data), coding, limits or Limits()))


def shape(data: bytes, coding: Coding = Coding.EXPLICIT_LITTLE) -> list[tuple[int, str, int]]:
    return [(element.tag, element.vr, element.depth) for element in elements(data, coding)]


@pytest.mark.parametrize("undefined_items", [True, False])
@pytest.mark.parametrize("undefined", [True, False])
@pytest.mark.parametrize(
    ("coding", "write"),
    [(Coding.EXPLICIT_LITTLE, explicit), (Coding.EXPLICIT_BIG, big), (Coding.IMPLICIT_LITTLE, implicit)],
)
def test_sequences_are_walked_in_every_coding_with_and_without_lengths(
    coding: Coding, write: Writer, *, undefined: bool, undefined_items: bool
) -> None:
    order = ">" if write is big else "<"
    inner = sequence(0x00081140, item(undefined=undefined_items, order=order), undefined=undefined, write=write)
    one = item(write(0x00080100, "SH", b"A "), inner, undefined=undefined_items, order=order)
    data = sequence(0x00081032, one, one, undefined=undefined, write=write) + write(0x00100010, "PN", b"Doe ")
    inside = [(ITEM, "", 1), (0x00080100, "SH", 1), (0x00081140, "SQ", 1), (ITEM, "", 2)]

    assert shape(data, coding) == [(0x00081032, "SQ", 0), *inside, *inside, (0x00100010, "PN", 0)]


def test_a_value_is_found_where_it_lies() -> None:
    element = elements(explicit(0x00080005, "CS") + NAME)[1]

    assert element == Element(0x00100010, "PN", 16, 4, 0, "<", undefined=False)


def test_un_of_undefined_length_is_a_sequence_in_implicit_little_endian() -> None:
    hidden = item(implicit(0x00080100, "SH", b"A "), undefined=True)

    for write, coding in ((explicit, Coding.EXPLICIT_LITTLE), (big, Coding.EXPLICIT_BIG)):
        data = write(0x00091001, "UN", hidden + mark(SEQUENCE_END), UNDEFINED) + write(0x00100010, "PN", b"Doe ")
        assert shape(data, coding) == [
            (0x00091001, "SQ", 0),
            (ITEM, "", 1),
            (0x00080100, "SH", 1),
            (0x00100010, "PN", 0),
        ]


def test_un_of_defined_length_is_passed_over_whole() -> None:
    assert shape(explicit(0x00091001, "UN", b"anything") + NAME)[1] == (0x00100010, "PN", 0)


def test_encapsulated_values_are_passed_over_and_measured() -> None:
    icon = explicit(0x7FE00010, "OB", mark(ITEM) + mark(ITEM, 2) + b"ab" + mark(SEQUENCE_END), UNDEFINED)
    inside, outside = elements(sequence(0x00880200, item(icon)) + fragments(b"abcd", b"ef"))[2:]

    assert (inside.undefined, inside.length, inside.depth) == (True, 26, 1)
    assert (outside.undefined, outside.length, outside.depth) == (True, 38, 0)


def test_an_item_length_that_looks_like_a_vr_is_still_a_length() -> None:
    long = explicit(0x00091001, "UN", bytes(0x5343 - 12))  # an item of 0x5343 bytes: "CS" where a VR would stand

    assert shape(sequence(0x00081032, item(long)))[1:] == [(ITEM, "", 1), (0x00091001, "UN", 1)]


def test_items_that_leave_out_their_vrs_are_read_without() -> None:
    data = sequence(0x00081032, item(implicit(0x00080100, "SH", b"A ")), item(explicit(0x00080100, "SH", b"B ")))

    assert [vr for _, vr, depth in shape(data) if depth] == ["", "SH", "", "SH"]


def test_group_lengths_odd_lengths_private_elements_and_trailing_padding_pass() -> None:
    data = (
        explicit(0x00080000, "UL", bytes(4))
        + explicit(0x00080050, "SH", b"odd")
        + explicit(0x00090010, "LO", b"ACME")
        + sequence(0x00091002, item(explicit(0x00091003, "UN", b"?")), undefined=True)
        + explicit(0xFFFCFFFC, "OB", bytes(64))
    )

    assert len(elements(data)) == 7


@pytest.mark.parametrize(
    "data",
    [
        NAME[:-1],
        NAME[:7],
        explicit(0x00100010, "PN", b"Doe ", 6),
        explicit(0x00420011, "OB", b"", 0xFFFFFFF0),
        explicit(0x00420011, "OB", b"")[:10],
        explicit(0x00100010, "??", b"Doe "),
        explicit(0x00100010, "PN", b"", 0xFFFF),
        explicit(0x00081195, "UT", b"", UNDEFINED),
        sequence(0x00081032, NAME),
        sequence(0x00081032, item(NAME), undefined=True)[:-1],
        sequence(0x00081032, mark(ITEM, 100) + NAME),
        sequence(0x00081032, mark(ITEM, UNDEFINED) + NAME),
        sequence(0x00081032, mark(ITEM, UNDEFINED) + NAME + mark(SEQUENCE_END)),
        sequence(0x00081032, item(NAME) + mark(SEQUENCE_END)),
        explicit(0x00081032, "SQ", mark(ITEM_END), UNDEFINED),
        explicit(0x00081032, "SQ", item(NAME), UNDEFINED),
        mark(ITEM_END),
        mark(SEQUENCE_END),
        item(NAME),
        explicit(0x7FE00010, "OB", mark(ITEM), UNDEFINED),
        explicit(0x7FE00010, "OB", NAME + mark(SEQUENCE_END), UNDEFINED),
        explicit(0x7FE00010, "OB", mark(ITEM, 50) + mark(SEQUENCE_END), UNDEFINED),
        sequence(0x00880200, item(explicit(0x7FE00010, "OB", mark(ITEM), UNDEFINED))) + mark(SEQUENCE_END),
        b"\x08\x00",
        NAME + b"\0\0\1",
    ],
)
def test_lengths_that_lie_and_delimiters_that_do_not_match_are_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        elements(data)


def test_depth_items_elements_and_fragments_are_limited() -> None:
    nested = b""
    for _ in range(3):
        nested = sequence(0x00081032, item(nested))
    limits = Limits(depth=3, elements=8, items=2, fragments=3)

    assert len(elements(nested + NAME, limits=limits)) == 7
    assert len(elements(sequence(0x00081032, item(), item()) + fragments(b"", b""), limits=limits)) == 4
    for hostile in (
        sequence(0x00081032, item(nested)),
        sequence(0x00081032, item(), item(), item()),
        NAME * 9,
        fragments(b"", b"", b""),
    ):
        with pytest.raises(OverLimit):
            elements(hostile, limits=limits)


def test_zeros_that_fill_a_last_block_are_padding_and_nothing_else_is() -> None:
    for coding, write in ((Coding.EXPLICIT_LITTLE, explicit), (Coding.EXPLICIT_BIG, big)):
        assert len(elements(write(0x00100010, "PN", b"Doe ") + bytes(512), coding)) == 1
    for hostile in (NAME + bytes(1 << 17), NAME + bytes(511) + b"\1", sequence(0x00081032, item(bytes(12)))):
        with pytest.raises(Malformed):
            elements(hostile)


def test_a_vr_of_tomorrow_has_a_long_length_and_is_not_understood() -> None:
    data = struct.pack("<HH2sxxL", 0x0008, 0x9999, b"ZZ", 4) + b"abcd" + NAME

    assert shape(data) == [(0x00089999, "UN", 0), (0x00100010, "PN", 0)]


def test_explicit_vrs_that_nobody_announced_are_read() -> None:
    data = explicit(0x00080005, "CS", b"ISO_IR 100") + NAME

    assert shape(data, Coding.IMPLICIT_LITTLE) == [(0x00080005, "CS", 0), (0x00100010, "PN", 0)]


def test_explicit_vrs_within_un_are_read() -> None:
    hidden = item(explicit(0x00080100, "SH", b"A "), undefined=True) + mark(SEQUENCE_END)

    assert shape(explicit(0x00091001, "UN", hidden, UNDEFINED))[-1] == (0x00080100, "SH", 1)


def test_a_length_that_spells_a_vr_is_a_length_when_it_fits() -> None:
    data = implicit(0x00080005, "CS", bytes(0x5343))

    assert shape(data, Coding.IMPLICIT_LITTLE) == [(0x00080005, "CS", 0)]


def test_a_delimiter_beyond_what_holds_its_item_is_refused() -> None:
    begun = mark(ITEM, UNDEFINED)

    with pytest.raises(Malformed, match="longer than what holds it"):
        elements(explicit(0x00081032, "SQ", begun) + mark(ITEM_END) + NAME)


def test_fragments_are_counted_over_the_whole_data_set() -> None:
    icon = sequence(0x00880200, item(fragments(b"", b"")))

    assert elements(icon + fragments(b"", b""), limits=Limits(fragments=6))
    with pytest.raises(OverLimit):
        elements(icon + fragments(b"", b""), limits=Limits(fragments=5))
