import struct

import pytest

from pacs_secure.dicom.character_sets import CharacterSet, character_set
from pacs_secure.dicom.values import DECODERS, little_endian

LATIN = CharacterSet()


def decoded(vr: str, value: bytes, order: str = "<") -> list[object]:
    return DECODERS[vr](value, LATIN, order)


@pytest.mark.parametrize(
    ("vr", "value", "expected"),
    [
        ("CS", b"ORIGINAL\\ PRIMARY ", ["ORIGINAL", "PRIMARY"]),
        ("UI", b"1.2\\1.3\0", ["1.2", "1.3"]),
        ("DA", b"20200229\\", ["20200229", None]),
        ("LO", b" A \\B", ["A", "B"]),
        ("UC", b" A \\B", [" A", "B"]),
        ("LT", b" A\\B \0", [" A\\B"]),
        ("UT", b"   ", [None]),
        ("UR", b"https://a/b\\c ", ["https://a/b\\c"]),
        ("IS", b"+5 \\-03\\\\1.5\\99999999999999", [5, -3, None, "1.5", "99999999999999"]),
        ("DS", b"1.5\\-.5e1 \\\\x\\nan\\1e999\\1_0", [1.5, -5.0, None, "x", "nan", "1e999", "1_0"]),
        ("AT", b"\x08\x00\x50\x00", ["00080050"]),
        ("US", b"\x01\x00\xff\xff", [1, 65_535]),
        ("SS", b"\xff\xff", [-1]),
        ("UL", b"\xff\xff\xff\xff", [0xFFFFFFFF]),
        ("SL", b"\xff\xff\xff\xff", [-1]),
        ("UV", struct.pack("<2Q", 5, 1 << 60), [5, str(1 << 60)]),
        ("SV", struct.pack("<2q", -5, -(1 << 60)), [-5, str(-(1 << 60))]),
        ("FL", struct.pack("<3f", 0.5, float("inf"), float("nan")), [0.5, "inf", "NaN"]),
        ("FD", struct.pack("<2d", -0.5, float("-inf")), [-0.5, "-inf"]),
        ("PN", b"Doe^John \\", [{"Alphabetic": "Doe^John"}, None]),
        ("PN", b"A=B=C=D", [{"Alphabetic": "A", "Ideographic": "B", "Phonetic": "C"}]),
        ("PN", b"==C", [{"Phonetic": "C"}]),
    ],
)
def test_a_value_is_what_dicom_json_writes_for_it(vr: str, value: bytes, expected: list[object]) -> None:
    assert decoded(vr, value) == expected


def test_binary_values_are_read_in_their_byte_order() -> None:
    assert decoded("US", b"\x00\x01\x00\x02", ">") == [1, 2]
    assert decoded("AT", b"\x00\x08\x00\x50", ">") == ["00080050"]
    assert decoded("FD", struct.pack(">d", 1.5), ">") == [1.5]


@pytest.mark.parametrize(("vr", "value"), [("US", b"\1"), ("FD", bytes(7)), ("AT", bytes(3)), ("UV", bytes(9))])
def test_bytes_that_are_no_whole_number_of_values_are_an_error(vr: str, value: bytes) -> None:
    with pytest.raises(struct.error):
        decoded(vr, value)


@pytest.mark.parametrize(
    ("vr", "turned"),
    [("OB", b"abcdefgh!"), ("UN", b"abcdefgh!"), ("OW", b"badcfehg!"), ("OL", b"dcbahgfe!"), ("OD", b"hgfedcba!")],
)
def test_bulk_words_are_turned_to_little_endian(vr: str, turned: bytes) -> None:
    assert little_endian(b"abcdefgh!", vr, ">") == turned
    assert little_endian(b"abcdefgh!", vr, "<") == b"abcdefgh!"


@pytest.mark.parametrize(
    ("terms", "value", "text"),
    [
        ([], b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
        (["ISO_IR 100"], b"J\xe9r\xf4me", "Jérôme"),
        (["ISO IR 100 "], b"J\xe9r\xf4me", "Jérôme"),
        (["iso-ir-100"], b"J\xe9r\xf4me", "Jérôme"),
        (["ISO_IR 192"], "Müller=山田".encode(), "Müller=山田"),
        (["ISO_IR 192"], b"caf\xc3", "caf\ufffd"),
        (["GB18030"], "王^小东".encode("gb18030"), "王^小东"),
        (["GBK"], "王^小东".encode("gbk"), "王^小东"),
        (["ISO_IR 144"], "Люксембург".encode("iso8859_5"), "Люксембург"),
        (["ISO_IR 166"], "นามสกุล".encode("iso8859_11"), "นามสกุล"),
        (["ISO_IR 13"], b"\xd4\xcf\xc0\xde", "ﾔﾏﾀﾞ"),
        (["", "ISO 2022 IR 87"], b"Yamada=\x1b$B;3ED\x1b(B^x", "Yamada=山田^x"),
        (["", "ISO 2022 IR 149"], b"Hong=\x1b$)C\xfb\xf3", "Hong=洪"),
        (["ISO 2022 IR 13", "ISO 2022 IR 87"], b"\xd4\xcf=\x1b$B;3\x1b(J\xc0", "ﾔﾏ=山ﾀ"),
        (["", "ISO 2022 IR 144"], b"A\\\x1b-L\xbb\xee", "A\\Лю"),
        (["", "ISO 2022 IR 58"], b"\x1b$)A\xcd\xf5", "王"),
        ([""], b"a\x1b(Zb", "a(Zb"),
        (["nonsense"], b"J\xe9", "Jé"),
    ],
)
def test_text_is_decoded_by_its_character_set_and_its_escapes(terms: list[str], value: bytes, text: str) -> None:
    assert character_set(terms).decode(value) == text


@pytest.mark.parametrize("codec", ["iso2022_jp", "shift_jis", "euc_kr", "gb18030", "utf-8", "latin-1", "iso2022_jp_2"])
def test_no_bytes_are_too_bad_to_be_decoded(codec: str) -> None:
    hostile = bytes(range(256)) + b"\x1b" * 50 + b"\x1b$B\xff\x1b$(D\xff\x1b$)C\xff"

    assert isinstance(CharacterSet(codec).decode(hostile), str)
