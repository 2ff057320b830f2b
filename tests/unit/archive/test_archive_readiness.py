"""Readiness: keys are in memory only while the canary sings."""

import logging
import threading
import time

import pytest

from pacs_secure.archive import readiness
from pacs_secure.archive.readiness import Readiness
from pacs_secure.core.errors import Unavailable
from tests.fakes import MemoryLedger
from tests.fakes_keys import FakeKeyring


class House:
    def __init__(self) -> None:
        self.keyring, self.ledger, self.dropped = FakeKeyring(), MemoryLedger(), 0
        self.readiness = Readiness(self.keyring, self.ledger, self.drop)

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


def test_without_a_ledger_the_archive_is_not_ready(house: House) -> None:
    house.readiness.listen()
    house.ledger.down = True

    assert not ready(house)


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
