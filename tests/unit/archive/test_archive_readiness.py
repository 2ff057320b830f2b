"""Readiness: keys are in memory only while the canary sings."""

import logging
import threading
import time

import pytest

from pacs_secure.archive import readiness
from pacs_secure.archive.readiness import LONGEST_LAG, Readiness
from pacs_secure.core.access import AccessRequest, Action, Purpose
from pacs_secure.core.errors import Unavailable
from tests.builders import HERE, NOW, subject
from tests.fakes_keys import FakeKeyring
from tests.world import memory_world


class House:
    def __init__(self) -> None:
        self.world, self.keyring, self.dropped, self.now = memory_world(), FakeKeyring(), 0, NOW
        self.ledger = self.world.ledger
        guard = self.world.archive.guard
        self.resurrection = self.world.house.resurrection
        self.resurrection.look_at_all()
        self.readiness = Readiness(
            self.keyring, self.ledger, self.drop, guard, HERE, self.resurrection, lambda: self.now
        )

    def drop(self) -> None:
        self.dropped += 1


@pytest.fixture
def house() -> House:
    return House()


def ready(house: House) -> bool:
    try:
        house.readiness.check()
    except Unavailable:
        return False
    return True


def test_nothing_is_ready_before_the_canary_was_heard(house: House) -> None:
    assert not ready(house)
    assert house.readiness.listen()
    assert ready(house)
    assert house.dropped == 0


def test_when_the_canary_falls_silent_keys_are_dropped_each_time(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.readiness.listen()
    house.keyring.sealed = True

    assert not house.readiness.listen()
    assert not house.readiness.listen()
    assert not ready(house)
    assert house.dropped == 2
    assert len([one for one in caplog.records if one.levelno == logging.WARNING]) == 1


def test_when_it_sings_again_the_archive_is_ready_again(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    house.keyring.sealed = True
    house.readiness.listen()
    house.keyring.sealed = False
    house.readiness.listen()
    house.readiness.listen()

    assert ready(house)
    assert caplog.text.count("within reach") == 1


def test_with_a_forgotten_key_back_the_archive_is_not_ready(house: House) -> None:
    house.readiness.listen()
    house.world.tombstones.down = True
    with pytest.raises(Unavailable):
        house.resurrection.look_at_all()

    assert not ready(house)
    house.world.tombstones.down = False
    house.resurrection.look()
    assert ready(house)


def test_without_a_ledger_the_archive_is_not_ready(house: House) -> None:
    house.readiness.listen()
    house.ledger.down = True

    assert not ready(house)


def admit(house: House) -> None:
    house.world.archive.guard.admit(AccessRequest(subject(), Action.STUDY_SEARCH, Purpose.TREATMENT))


def test_while_what_was_said_gets_no_place_nothing_is_delivered_and_one_alarm_is_raised(house: House) -> None:
    house.readiness.listen()
    house.ledger.behind = NOW
    house.now += LONGEST_LAG
    house.readiness.look()
    assert ready(house)
    admit(house)

    house.now += LONGEST_LAG
    for _ in range(2):
        house.readiness.look()
        assert not ready(house)
        with pytest.raises(Unavailable):
            admit(house)

    house.ledger.behind = None
    for _ in range(2):
        house.readiness.look()
        assert ready(house)
        admit(house)
    alarms = [entry for entry in house.world.entries() if entry["action"] == "system:alarm"]
    assert [alarm["outcome"] for alarm in alarms] == ["failed", "completed"]


def test_a_ledger_out_of_reach_is_looked_at_again(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(readiness, "EVERY_SECONDS", 0.001)
    house.readiness.start()
    house.ledger.down = True
    until(lambda: "whether the ledger follows" in caplog.text)
    house.ledger.down, house.ledger.behind = False, NOW - 2 * LONGEST_LAG
    until(lambda: house.world.archive.guard.lags)
    house.readiness.stop()


def until(so: object, *, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not so():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_it_listens_in_a_thread_of_its_own_until_it_is_stopped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "EVERY_SECONDS", 0.001)
    house.readiness.start()
    assert ready(house)
    house.keyring.sealed = True
    until(lambda: not ready(house))
    house.keyring.sealed = False
    until(lambda: ready(house))
    dropped = house.dropped
    house.readiness.stop()

    assert not ready(house)
    assert house.dropped == dropped + 1
    assert "readiness" not in {thread.name for thread in threading.enumerate()}


def test_a_canary_that_fails_in_an_unforeseen_way_is_no_canary(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(readiness, "EVERY_SECONDS", 0.001)
    house.readiness.start()

    def choke() -> None:
        raise RuntimeError("out of breath")

    monkeypatch.setattr(house.keyring, "sing", choke)
    until(lambda: not ready(house))
    monkeypatch.undo()
    until(lambda: ready(house))
    house.readiness.stop()

    assert house.dropped >= 2
    assert "could not be heard" in caplog.text


def test_stopping_what_never_began_drops_keys_all_the_same(house: House) -> None:
    house.readiness.stop()

    assert house.dropped == 1
