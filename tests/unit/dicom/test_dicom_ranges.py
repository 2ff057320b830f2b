import pytest

from pacs_secure.core.errors import Malformed
from pacs_secure.dicom.ranges import Range, parse_range


@pytest.mark.parametrize(
    ("vr", "text", "low", "high"),
    [
        ("DA", "20200229", "20200229", "20200229"),
        ("DA", "2020.02.29", "20200229", "20200229"),
        ("DA", "20200101-20201231", "20200101", "20201231"),
        ("DA", " 20200101 - 20201231 ", "20200101", "20201231"),
        ("DA", "-20201231", "", "20201231"),
        ("DA", "20200101-", "20200101", ""),
        ("TM", "12", "120000000000", "129999999999"),
        ("TM", "1230-123059.5", "123000000000", "123059599999"),
        ("TM", "12:30:15-", "123015000000", ""),
        ("DT", "2020", "20200000000000000000", "20209999999999999999"),
        ("DT", "20200229120000+0100", "20200229110000000000", "20200229110000999999"),
        ("DT", "202002291200-0500-202002291300-0500", "20200229170000000000", "20200229180099999999"),
        ("DT", "2020+0100", "20200000000000000000", "20209999999999999999"),
        ("DT", "2020-0500", "20200000000000000000", "20209999999999999999"),
        ("DT", "2019-2020", "20190000000000000000", "20209999999999999999"),
    ],
)
def test_a_moment_lasts_as_long_as_its_precision_and_a_range_includes_its_ends(
    vr: str, text: str, low: str, high: str
) -> None:
    assert parse_range(vr, text) == Range(vr, low, high)


@pytest.mark.parametrize(
    ("vr", "text"),
    [
        ("DA", ""),
        ("DA", "-"),
        ("DA", "2020"),
        ("DA", "20200101-20200102-20200103"),
        ("DA", "\uff12\uff10200101"),
        ("TM", "1"),
        ("TM", "12.5"),
        ("TM", "120000.1234567"),
        ("DT", "20201399120000+0100"),
        ("DT", "00010101000000+1400"),
        ("DT", "2020+9900"),
    ],
)
def test_what_is_no_moment_and_no_range_is_refused(vr: str, text: str) -> None:
    with pytest.raises(Malformed):
        parse_range(vr, text)


@pytest.mark.parametrize(
    ("vr", "asked", "value", "expected"),
    [
        ("DA", "20200101-20201231", "20200630", True),
        ("DA", "20200101-20201231", "20210101", False),
        ("DA", "20201231-20200101", "20200630", False),
        ("DA", "20200101-", "garbage", False),
        ("TM", "1000-1200", "1200", True),
        ("TM", "1000-1200", "120059.999", True),
        ("TM", "1000-1200", "120100", False),
        ("TM", "1030", "10", True),
        ("DT", "20200229110000", "20200229120000+0100", True),
        ("DT", "2019-2021", "20209999999999+0100", False),
    ],
)
def test_a_moment_lies_within_when_any_of_it_may(vr: str, asked: str, value: str, *, expected: bool) -> None:
    assert parse_range(vr, asked).holds(value) is expected
