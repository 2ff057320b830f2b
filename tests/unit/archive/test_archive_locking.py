"""The newest checkpoint is locked away; what contradicts it is an alarm."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from pacs_secure.archive.locking import ALARM_AFTER, CheckpointLock
from pacs_secure.core.errors import Unavailable
from pacs_secure.crypto.tlog import checkpoint_text, sign_note
from tests.fakes import MemoryPublisher
from tests.fakes_strongroom import MemoryStrongroom

ORIGIN = "tests.example/ledger"


def note(size: int, root: bytes = bytes(32), signer: int = 0) -> bytes:
    return sign_note(checkpoint_text(ORIGIN, size, root), ORIGIN, bytes(32), bytes([signer] * 64))


class Published(MemoryPublisher):
    """A publisher that says it has published a note, and another that witnesses signed."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 0
        self.note: bytes | None = None
        self.seen: bytes | None = None

    def published(self) -> int:
        return self.size

    def checkpoint(self) -> bytes | None:
        return self.note

    def witnessed(self) -> bytes | None:
        return self.seen

    def say(self, size: int, root: bytes = bytes(32), signer: int = 0) -> None:
        self.size, self.note = size, note(size, root, signer)


class Locked:
    def __init__(self) -> None:
        self.publisher = Published()
        self.strongroom = MemoryStrongroom()
        self.alarms: list[Mapping[str, str | int]] = []
        self.now = datetime(2026, 3, 1, tzinfo=UTC)
        self.restart()

    def restart(self) -> None:
        self.lock = CheckpointLock(self.publisher, self.strongroom, self.alarm, lambda: self.now)

    def alarm(self, kind: str, facts: Mapping[str, str | int]) -> None:
        assert kind == "strongroom"
        self.alarms.append(facts)


@pytest.fixture
def locked() -> Locked:
    return Locked()


def names(locked: Locked) -> list[str]:
    return [f"{kind}/{int(size)}" for kind, size in (name.split("/") for name in sorted(locked.strongroom.kept))]


def test_before_the_first_checkpoint_nothing_is_locked(locked: Locked) -> None:
    locked.lock.look()

    assert (locked.strongroom.kept, locked.lock.locked, locked.alarms) == ({}, 0, [])


def test_the_newest_checkpoint_and_the_newest_witnessed_one_are_locked_once(locked: Locked) -> None:
    locked.publisher.say(5)
    locked.publisher.seen = note(3, signer=1)
    locked.lock.look()
    locked.lock.look()
    locked.publisher.say(9)
    locked.lock.look()

    assert names(locked) == ["checkpoints/5", "checkpoints/9", "witnessed/3"]
    assert (locked.lock.locked, locked.alarms) == (9, [])


def test_after_a_restart_what_is_locked_already_is_no_alarm(locked: Locked) -> None:
    locked.publisher.say(5)
    locked.lock.look()
    locked.restart()
    locked.lock.look()
    locked.restart()
    locked.publisher.say(6)
    locked.lock.look()

    assert (names(locked), locked.alarms) == (["checkpoints/5", "checkpoints/6"], [])


def test_a_ledger_that_was_cut_is_found_by_what_is_locked(locked: Locked) -> None:
    locked.publisher.say(9)
    locked.lock.look()
    locked.publisher.say(5)
    locked.restart()
    locked.lock.look()
    locked.lock.look()

    assert locked.alarms == [{"problem": "a larger checkpoint is locked away than is published", "size": 9}]


@pytest.mark.parametrize("restarted", ["restarted", "running"])
def test_a_ledger_that_was_written_anew_is_found_by_what_is_locked(locked: Locked, restarted: str) -> None:
    locked.publisher.say(5)
    locked.lock.look()
    locked.publisher.say(5, b"\1" * 32)
    if restarted == "restarted":
        locked.restart()
    else:
        locked.lock._locked.clear()
    locked.lock.look()

    assert locked.alarms == [{"problem": "another checkpoint of this size is locked away", "size": 5}]


def test_other_signatures_under_the_same_tree_head_are_no_alarm(locked: Locked) -> None:
    locked.publisher.say(5)
    locked.publisher.seen = note(5, signer=1)
    locked.lock.look()
    locked.publisher.say(5, signer=3)
    locked.publisher.seen = note(5, signer=2)
    locked.restart()
    locked.lock.look()

    assert locked.alarms == []


def test_what_was_locked_and_is_no_checkpoint_is_an_alarm(locked: Locked) -> None:
    locked.strongroom.keep(f"checkpoints/{5:020}", b"nonsense")
    locked.publisher.say(5)
    locked.lock.look()

    assert locked.alarms[0]["size"] == 5


def test_a_strongroom_that_is_away_for_long_is_an_alarm_until_it_is_back(locked: Locked) -> None:
    locked.publisher.say(5)
    locked.strongroom.down = True
    for passed in (timedelta(0), ALARM_AFTER, timedelta(hours=1)):
        locked.now += passed
        with pytest.raises(Unavailable):
            locked.lock.look()
    assert locked.alarms == [{"problem": "out of reach", "since": "2026-03-01T00:00:00+00:00"}]

    locked.strongroom.down = False
    locked.lock.look()
    locked.lock.look()
    assert locked.alarms[1:] == [{"recovered": "yes"}]
    assert names(locked) == ["checkpoints/5"]
