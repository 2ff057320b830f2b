"""The scrub: every object within its period, evenly, resumed where it stood, and what is wanting raises the alarm."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from pacs_secure.archive import scrub as module
from pacs_secure.archive.copies import Copies
from pacs_secure.archive.object_check import ObjectCheck
from pacs_secure.archive.scrub import BETWEEN, MOST_ALARMS, Scrub
from pacs_secure.archive.seals import Opener
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.scrubs import ScrubRound
from tests.builders import HERE
from tests.fakes_blobs import MemoryBlobs
from tests.fakes_scrubs import MemoryScrubs
from tests.unit.archive.instances import acts, data_set, store
from tests.world import World

PERIOD = timedelta(days=100)


@dataclass
class Scrubbed:
    """A scrub whose clock the test moves, and the alarms it raised."""

    world: World
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    alarms: list[tuple[str, dict[str, str | int]]] = field(default_factory=list)
    scrubs: MemoryScrubs = field(default_factory=MemoryScrubs)
    second: ObjectCheck | None = None

    def new(self) -> Scrub:
        """Return a scrub as a process that has just started has it."""
        return Scrub(
            self.world.archive.guard,
            self.world.records,
            self.world.archive.verify.store.objects,
            self.scrubs,
            HERE,
            PERIOD,
            self._alarm,
            lambda: self.at,
            self.second,
        )

    def _alarm(self, kind: str, facts: Mapping[str, str | int]) -> None:
        self.alarms.append((kind, dict(facts)))

    def after(self, **by: float) -> int:
        self.at += timedelta(**by)
        return self.new().look()

    @property
    def round(self) -> ScrubRound:
        newest = self.scrubs.newest()
        assert newest is not None
        return newest


@pytest.fixture
def scrubbed(world: World) -> Scrubbed:
    return Scrubbed(world)


def test_an_empty_archive_has_its_rounds_too(scrubbed: Scrubbed) -> None:
    assert scrubbed.after() == 0
    assert scrubbed.round.finished_at == scrubbed.at
    assert scrubbed.after(days=99) == 0
    assert scrubbed.round.number == 1
    scrubbed.after(days=1)
    assert scrubbed.round.number == 2


def test_a_round_is_spread_over_its_period_and_reads_everything_once(scrubbed: Scrubbed) -> None:
    store(scrubbed.world, *(data_set(study) for study in range(1, 51)))
    read = [scrubbed.after(days=1) for _ in range(100)]

    assert sum(read) == 50
    assert max(read) == 1
    assert (scrubbed.round.number, scrubbed.round.objects, scrubbed.round.wanting) == (1, 50, 0)
    assert scrubbed.round.octets == sum(map(len, scrubbed.world.blobs.stored.values()))
    assert scrubbed.round.finished_at is not None


def test_slices_are_hours_apart_and_each_is_on_record(scrubbed: Scrubbed) -> None:
    store(scrubbed.world, *(data_set(study) for study in range(1, 11)))
    before = len(acts(scrubbed.world))
    assert scrubbed.after() == 1
    assert acts(scrubbed.world)[before:] == [("archive:verify", "begun"), ("archive:verify", "completed")]
    assert scrubbed.world.entries()[-1]["facts"] == {
        "checked": 1,
        "findings": 0,
        "round": 1,
        "job": "scrub",
    }
    scrubbed.scrubs.keep(scrubbed.round)
    assert scrubbed.after(minutes=59) == 0
    assert scrubbed.after(days=10) == 1
    assert scrubbed.after(hours=2) == 0  # nothing is due
    assert len(acts(scrubbed.world)) == before + 4


def test_a_restart_goes_on_where_the_round_stood(scrubbed: Scrubbed) -> None:
    store(scrubbed.world, *(data_set(study) for study in range(1, 11)))
    assert scrubbed.after() == 1
    assert scrubbed.after(days=50) == 5
    assert scrubbed.round.place == 6


def test_what_is_wanting_raises_one_alarm_each_and_is_counted(scrubbed: Scrubbed) -> None:
    store(scrubbed.world, *(data_set(study) for study in range(1, 4)))
    scrubbed.world.blobs.damage()
    scrubbed.after()
    scrubbed.after(days=100)

    assert [kind for kind, _ in scrubbed.alarms] == ["scrub"] * 3
    named = {str(row.sealed.object_id) for row in (one.row for one in scrubbed.world.records._instances.values())}
    assert {str(facts["found"]).split(":")[0] for _, facts in scrubbed.alarms} == named
    assert (scrubbed.round.wanting, scrubbed.round.told()["wanting"]) == (3, 3)
    assert scrubbed.round.told()["finished"] == scrubbed.at.isoformat()


def test_alarms_are_bounded_and_the_rest_is_counted(scrubbed: Scrubbed) -> None:
    store(scrubbed.world, *(data_set(1, number) for number in range(1, MOST_ALARMS + 4)))
    scrubbed.world.blobs.damage()
    scrubbed.after()
    scrubbed.alarms.clear()
    scrubbed.after(days=100)

    assert len(scrubbed.alarms) == MOST_ALARMS
    assert scrubbed.alarms[-1][1]["more"] == 2


def test_an_outage_is_no_finding_and_what_was_read_before_it_is_remembered(
    scrubbed: Scrubbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(scrubbed.world, *(data_set(study) for study in range(1, 4)))
    scrubbed.after()
    opened = scrubbed.world.blobs.open
    calls: list[object] = []

    def failing(name: object) -> object:
        calls.append(name)
        if len(calls) > 1:
            raise Unavailable("the disk is gone")
        return opened(name)  # type: ignore[arg-type]

    monkeypatch.setattr(scrubbed.world.blobs, "open", failing)
    with pytest.raises(Unavailable):
        scrubbed.after(days=100)

    assert (scrubbed.round.place, scrubbed.alarms) == (2, [])
    assert acts(scrubbed.world)[-1] == ("archive:verify", "failed")


def test_whoever_is_asked_to_end_stops_behind_the_object_in_hand(
    scrubbed: Scrubbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(scrubbed.world, *(data_set(study) for study in range(1, 9)))
    scrubbed.after()
    scrubbed.at += timedelta(days=100)
    scrub = scrubbed.new()
    read = scrubbed.world.archive.verify.store.objects.read

    def ending(*given: object) -> str:
        scrub.stop()
        return read(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(type(scrubbed.world.archive.verify.store.objects), "read", lambda _self, *given: ending(*given))

    assert scrub.look() == 1
    assert scrubbed.round.place == 2
    assert scrub.look() == 0


def test_a_slice_ends_with_its_time_and_whoever_is_late_has_more_of_it(
    scrubbed: Scrubbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 1)
    store(scrubbed.world, *(data_set(study) for study in range(1, 101)))
    read = scrubbed.world.archive.verify.store.objects.read

    def slow(*given: object) -> str:
        scrubbed.at += timedelta(minutes=6)
        return read(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(type(scrubbed.world.archive.verify.store.objects), "read", lambda _self, *given: slow(*given))

    assert scrubbed.after(days=0) == 1
    assert scrubbed.after(days=5) == 2  # five are due, and twelve minutes are two of them
    assert scrubbed.after(days=40) == BETWEEN / timedelta(minutes=6)


def test_what_arrives_behind_its_place_is_read_in_the_same_round_or_the_next(scrubbed: Scrubbed) -> None:
    store(scrubbed.world, data_set(1))
    assert scrubbed.after() == 1
    assert scrubbed.after(hours=2) == 0
    assert scrubbed.round.finished_at is not None
    store(scrubbed.world, data_set(2))
    assert scrubbed.after(days=50) == 0
    assert sum(scrubbed.after(days=10) for _ in range(14)) == 2


@pytest.fixture
def copied(scrubbed: Scrubbed) -> MemoryBlobs:
    """Give the scrub a second store that has one picture, which arrived on the first of January."""
    store(scrubbed.world, data_set(1))
    copy = MemoryBlobs()
    copy.stored = dict(scrubbed.world.blobs.stored)
    objects = scrubbed.world.archive.verify.store.objects
    copies = Copies([copy], lambda: 0.0)
    opener = Opener(objects.opener._keys, copies)
    scrubbed.second = replace(objects, opener=opener, blobs=copy)
    ((key, one),) = scrubbed.world.records._instances.items()
    scrubbed.world.records._instances[key] = replace(one, row=replace(one.row, received_at=scrubbed.at))
    for series in scrubbed.world.records._studies[key[0], one.row.identity.study_instance_uid].series.values():
        series.instances[:] = [scrubbed.world.records._instances[key]]
    return copy


def test_the_copy_in_the_second_store_is_read_too(scrubbed: Scrubbed, copied: MemoryBlobs) -> None:
    copied.damage()
    assert scrubbed.after(days=3) == 1

    ((kind, facts),) = scrubbed.alarms
    assert (kind, "in the second store" in str(facts["found"]), scrubbed.round.wanting) == ("scrub", True, 1)


def test_a_sound_copy_is_no_finding(scrubbed: Scrubbed, copied: MemoryBlobs) -> None:
    assert copied.stored
    assert scrubbed.after(days=3) == 1
    assert (scrubbed.alarms, scrubbed.round.wanting) == ([], 0)


@pytest.mark.parametrize("days", [0, 3])
def test_a_copy_on_its_way_and_one_out_of_reach_are_no_findings(
    scrubbed: Scrubbed, copied: MemoryBlobs, days: int
) -> None:
    copied.down = days > 0
    copied.stored.clear()
    assert scrubbed.after(days=days) == 1
    assert (scrubbed.alarms, scrubbed.round.wanting) == ([], 0)
