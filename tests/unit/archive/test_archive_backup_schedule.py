"""Backups come by themselves, and who watches hears when one fails or is late."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from pacs_secure.archive.backup_schedule import AFTER_FAILURE, BackupSchedule
from pacs_secure.archive.backup_sets import name_of, newest_known, taken_at
from pacs_secure.core.backups import PROVEN, SNAPSHOT
from pacs_secure.core.errors import Unavailable
from pacs_secure.ports import KeyUnwrapper
from tests.fakes_keys import FakeKeyring
from tests.fakes_metrics import MemoryGauges
from tests.keeping import OPERATOR, FakeVault, Kept, keep
from tests.unit.archive.instances import acts, data_set, store
from tests.world import disk_world

DAY = timedelta(days=1)


@dataclass
class Watch:
    """A schedule, and what comes of it."""

    kept: Kept
    leads: bool = True
    reachable: bool = True
    alarms: list[tuple[str, dict[str, str | int]]] = field(default_factory=list)
    gauges: MemoryGauges = field(default_factory=MemoryGauges)

    def __post_init__(self) -> None:
        self.schedule = self.begin()

    def begin(self) -> BackupSchedule:
        def place() -> "nullcontext[object]":
            if not self.reachable:
                raise Unavailable("the place for backups cannot be used")
            return nullcontext(self.kept.place)

        return BackupSchedule(
            self.kept.backup,
            self.kept.proof,
            place,  # type: ignore[arg-type]
            OPERATOR,
            DAY,
            lambda: self.leads,
            lambda kind, facts: self.alarms.append((kind, dict(facts))),
            self.gauges,
        )

    def look(self, later: timedelta = timedelta()) -> None:
        self.kept.ahead += later
        self.schedule.look()

    @property
    def sets(self) -> int:
        return len(self.kept.place.names())


class Failing(FakeVault):
    """A vault that gives no snapshots for a while."""

    away = True

    def take(self, to: Path) -> None:
        if self.away:
            raise Unavailable("the vault is out of reach")
        super().take(to)


@pytest.fixture
def keyring() -> FakeKeyring:
    return FakeKeyring()


@pytest.fixture
def kept(tmp_path: Path, keyring: FakeKeyring) -> Iterator[Kept]:
    with disk_world(tmp_path / "archive", keyring, keyring, keyring) as world:
        made = keep(world, tmp_path / "backups", keyring)
        store(world, data_set(1))
        yield made
        made.place.close()


def test_a_backup_is_taken_and_proven_when_it_is_due_and_not_before(kept: Kept) -> None:
    watch = Watch(kept)
    watch.look()
    assert acts(kept.world)[-1] == ("backup:verify", "completed")
    assert kept.world.entries()[-1]["facts"]["job"] == "backup"
    watch.look(DAY - timedelta(minutes=1))
    assert watch.sets == 1
    watch.look(timedelta(minutes=2))
    assert watch.sets == 2
    assert watch.alarms == []

    told = watch.gauges.now()
    assert told["backup_failed"] == 0
    assert 0 <= told["backup_age_seconds"] < 60
    assert 0 <= told["backup_proven_age_seconds"] < 60


def test_a_restart_takes_no_backup_that_is_not_due(kept: Kept) -> None:
    Watch(kept).look()
    again = Watch(kept)
    again.look(timedelta(hours=1))

    assert again.sets == 1
    assert 3600 <= again.gauges.now()["backup_age_seconds"] < 3700


def test_whoever_does_not_lead_takes_none_and_raises_no_alarm(kept: Kept) -> None:
    watch = Watch(kept, leads=False)
    watch.look(9 * DAY)

    assert (watch.sets, watch.alarms) == (0, [])
    assert watch.gauges.now() == {}


def test_one_that_fails_is_one_alarm_and_is_tried_again(kept: Kept, keyring: FakeKeyring) -> None:
    vault = Failing(keyring)
    kept.vault = vault
    watch = Watch(kept)
    watch.look()
    watch.look(timedelta(minutes=5))
    assert watch.alarms == [("backup failed", {"error": "Unavailable"})]
    assert acts(kept.world).count(("backup:create", "begun")) == 1
    assert watch.gauges.now()["backup_failed"] == 1
    watch.look(AFTER_FAILURE)
    assert acts(kept.world).count(("backup:create", "begun")) == 2
    assert len(watch.alarms) == 1

    vault.away = False
    watch.look(AFTER_FAILURE)
    assert watch.sets == 1
    assert watch.alarms[1:] == [("backup failed", {"recovered": "a backup was taken and proven"})]


def test_a_backup_that_is_not_sound_is_a_failure(kept: Kept, keyring: FakeKeyring) -> None:
    class Lying(FakeVault):
        def take(self, to: Path) -> None:
            to.write_text("[]")

    kept.vault = Lying(keyring)
    watch = Watch(kept)
    watch.look()

    assert watch.alarms == [("backup failed", {"error": "Tampered"})]
    assert "backup_proven_age_seconds" not in watch.gauges.now()


def test_a_place_that_is_away_is_a_failure(kept: Kept) -> None:
    watch = Watch(kept, reachable=False)
    watch.look()
    assert watch.alarms == [("backup failed", {"error": "Unavailable"})]


def test_none_proven_for_two_intervals_is_late(kept: Kept, keyring: FakeKeyring) -> None:
    vault = Failing(keyring)
    vault.away = False
    kept.vault = vault
    watch = Watch(kept)
    watch.look()
    vault.away = True
    watch.look(DAY)
    watch.look(DAY + timedelta(minutes=1))
    assert [kind for kind, _ in watch.alarms] == ["backup failed", "backup late"]
    assert watch.alarms[-1][1] == {"hours": 24}

    vault.away = False
    watch.look(AFTER_FAILURE)
    assert watch.alarms[2:] == [
        ("backup failed", {"recovered": "a backup was taken and proven"}),
        ("backup late", {"recovered": "a backup was taken and proven"}),
    ]


def test_a_place_tells_what_was_proven_and_a_stranger_in_it_tells_nothing(kept: Kept) -> None:
    name = kept.take().manifest.name
    watch = Watch(kept)
    watch.look()
    assert "backup_proven_age_seconds" not in watch.gauges.now()
    kept.verify(name)
    watch.look()
    assert watch.gauges.now()["backup_proven_age_seconds"] < 60
    forge(kept, "9999")
    forge(kept, name_of(kept.now()))
    watch.look()
    assert watch.gauges.now()["backup_age_seconds"] < 60
    assert watch.alarms == []


def forge(kept: Kept, name: str) -> None:
    files = kept.place.begin(name)
    files.write("manifest.json", b"{}")
    files.write("proven", b"9999-01-01T00:00:00+00:00")
    kept.place.finish(name)


@pytest.mark.parametrize("how", ["made by a stranger", "taken by a clock that was ahead"])
def test_a_set_from_the_future_is_an_alarm_and_stops_no_backup(kept: Kept, how: str) -> None:
    name = "99990101T000000000000Z"
    if how == "made by a stranger":
        forge(kept, name)
    else:
        kept.ahead = timedelta(days=3650)
        name = kept.take().manifest.name
        kept.verify(name)
        kept.ahead = timedelta()
    watch = Watch(kept)
    for _ in range(3):
        watch.look(DAY + timedelta(minutes=1))

    assert watch.sets == 1 + 3
    assert 0 <= watch.gauges.now()["backup_proven_age_seconds"] < 60
    assert watch.alarms == [("backup dated ahead", {"sets": 1})]
    kept.place.remove(name)
    watch.look()
    assert watch.alarms[1:] == [("backup dated ahead", {"recovered": "no set is dated in the future"})]


@pytest.mark.parametrize(
    "said", [b"2026-01-01", b"9999-01-01T00:00:00+00:00", b"never", b"\xff", b"2026-01-01T00:00:00+00:00" + bytes(99)]
)
def test_what_is_no_time_of_a_proof_proves_nothing(kept: Kept, said: bytes) -> None:
    first, second = (kept.take().manifest.name for _ in range(2))
    kept.verify(first)
    kept.place.get(second).write(PROVEN, said)

    known = newest_known(kept.place, kept.now())
    assert known is not None
    assert (known.name, known.proven_of) == (second, taken_at(first))


def test_a_pipe_in_the_place_of_a_proof_holds_nobody(kept: Kept) -> None:
    name = kept.take().manifest.name
    os.mkfifo(kept.folder(name) / PROVEN)

    known = newest_known(kept.place, kept.now())
    assert known is not None
    assert known.proven_at is None


def test_nothing_is_pruned_before_the_new_set_is_proven(kept: Kept, keyring: FakeKeyring) -> None:
    class Looking(FakeVault):
        """A vault whose trial sees which sets there are when a set is proven."""

        @contextmanager
        def restored(self, snapshot: Path) -> Iterator[KeyUnwrapper]:
            seen.append(len(kept.place.names()))
            with super().restored(snapshot) as unwrapper:
                yield unwrapper

    seen: list[int] = []
    kept.trial = Looking(keyring)
    watch = Watch(kept)
    watch.look()
    watch.look(DAY + timedelta(minutes=1))
    watch.look(timedelta(days=45))  # the clock is a month ahead

    assert seen == [1, 2, 3]
    assert watch.sets == 1


def test_snapshots_of_the_vault_go_in_their_time_also_while_backups_fail(kept: Kept, keyring: FakeKeyring) -> None:
    vault = Failing(keyring)
    vault.away = False
    kept.vault = vault
    watch = Watch(kept)
    watch.look()
    old = kept.place.names()[0]
    watch.look(DAY + timedelta(minutes=1))
    vault.away = True
    watch.look(timedelta(days=15))

    assert watch.sets == 2
    assert SNAPSHOT not in kept.place.get(old).names()
    assert ("backup:create", "failed") in acts(kept.world)
