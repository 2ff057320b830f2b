"""What a crash may have left is young and older than a day, by every clock; the rest stays."""

from datetime import timedelta

from pacs_secure.archive.left_over import DEAD_AFTER, LONGEST_PUT, YOUNG_FOR, LeftOver, was_just_put
from pacs_secure.core.identifiers import object_id
from pacs_secure.core.rebuilding import RebuildState
from pacs_secure.ports import StoredName
from tests.builders import NOW

SECOND = timedelta(seconds=1)


def aged(age: timedelta, copied: timedelta | None = None) -> StoredName:
    made = int((NOW - age).timestamp() * 1000)
    return StoredName(object_id(made, bytes(16)), 1, NOW - (age if copied is None else copied))


def test_an_object_is_settled_a_day_after_it_by_the_clock_and_by_what_was_written_since() -> None:
    left, old = LeftOver(NOW, None), aged(DEAD_AFTER + SECOND)
    assert (left.is_old(old), left.is_old(aged(DEAD_AFTER))) == (True, False)
    assert left.is_settled(old)
    assert not left.is_settled(aged(DEAD_AFTER))
    left.saw(old)
    assert not left.is_settled(old)  # nothing came behind it: the clock may be ahead
    left.saw(aged(timedelta()))
    left.saw(old)
    assert left.is_settled(old)


def test_an_object_is_young_for_a_week_by_the_clock_by_its_id_and_by_what_was_written_since() -> None:
    left = LeftOver(NOW, None)
    assert left.is_young(aged(YOUNG_FOR))
    assert not left.is_young(aged(YOUNG_FOR + SECOND))
    assert not left.is_young(aged(YOUNG_FOR + SECOND, copied=timedelta()))
    behind = LeftOver(NOW - timedelta(days=100), None)
    behind.saw(aged(timedelta()))
    assert not behind.is_young(aged(YOUNG_FOR + SECOND))


def test_what_is_from_before_the_end_of_a_rebuild_is_known_by_its_id_also_where_it_was_copied_since() -> None:
    left = LeftOver(NOW, RebuildState(NOW - timedelta(hours=3), NOW - timedelta(hours=2)))
    assert left.is_from_before(aged(timedelta(hours=2), copied=timedelta()))
    assert not left.is_from_before(aged(timedelta(hours=1)))
    assert not left.is_open
    under_way = LeftOver(NOW, RebuildState(NOW))
    assert (under_way.is_open, under_way.is_from_before(aged(timedelta(hours=1)))) == (True, False)
    assert (LeftOver(NOW, None).is_open, LeftOver(NOW, None).is_from_before(aged(timedelta(hours=1)))) == (False, False)


def test_an_object_gets_its_row_long_before_it_may_be_swept() -> None:
    assert was_just_put(aged(LONGEST_PUT).object_id, NOW)
    assert not was_just_put(aged(LONGEST_PUT + SECOND).object_id, NOW)
    assert LONGEST_PUT * 10 < DEAD_AFTER
