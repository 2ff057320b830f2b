"""Clients store, read and have studies forgotten, all at once, over real engines: forgetting is a barrier.

Each leaves a history of what it asked, when, and what it was told; the history is then held against what any order
of these acts could have brought about (crypto-and-ledger 9, concurrency).
"""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from pacs_secure.archive.forgetting import LONGEST_MEMORY
from pacs_secure.core.access import Role
from pacs_secure.core.errors import ArchiveError, Conflict, NotFound
from pacs_secure.core.forgetting import Stage
from pacs_secure.ports import Added, Shelf
from tests.builders import HERE, subject
from tests.fakes_keys import FakeKeyring
from tests.postgres_fixture import Settled
from tests.unit.archive.instances import TECHNOLOGIST, data_set, received, study_uid
from tests.world import DiskWorld, disk_world

CLIENTS, ACTS, STUDIES = 4, 45, 2
RADIOLOGIST, OPERATOR = subject(Role.RADIOLOGIST), subject(Role.OPERATOR, department="")
NOTE = {"protocol": "test"}


@dataclass(frozen=True)
class Event:
    """One act of one client."""

    act: str
    study: int
    began: float
    ended: float
    came: str
    """What came of it: ``kept``, ``gone``, ``read``, or the error."""
    value: int = 0
    """Which content was stored or read."""


def content(study: int, value: int) -> bytes:
    return data_set(study, 1, pixels=value.to_bytes(4, "big") * 16)


class Clients:
    """What each may do to one archive."""

    def __init__(self, world: DiskWorld) -> None:
        self.world = world
        now = world.archive.forget.now
        # Nobody waits five minutes here until no process has the key in memory.
        self.later = replace(world.archive.forget, now=lambda: now() + LONGEST_MEMORY + timedelta(hours=1))
        self.history: list[Event] = []
        self._values = iter(range(1, 1_000_000))
        self._lock = threading.Lock()

    def note(self, act: str, study: int, do: Callable[[int], tuple[str, int]]) -> None:
        with self._lock:
            value = next(self._values)
        began = monotonic()
        try:
            came, value = do(value)
        except ArchiveError as error:
            came = type(error).__name__
        event = Event(act, study, began, monotonic(), came, value)
        with self._lock:
            self.history.append(event)

    def store(self, study: int) -> None:
        def do(value: int) -> tuple[str, int]:
            with self.world.archive.ingest.begin(TECHNOLOGIST, None, NOTE) as reception:
                stored = reception.store(received(content(study, value)))
            assert stored.added is Added.NEW, "no content is sent twice"
            return "kept", value

        self.note("store", study, do)

    def read(self, study: int) -> None:
        def do(_: int) -> tuple[str, int]:
            place = (study_uid(study), None, None)
            with self.world.archive.retrieve.begin(RADIOLOGIST, None, *place, details=NOTE) as retrieval:
                (row,) = retrieval.rows
                read = b"".join(retrieval.data_set(row))
                retrieval.complete()
            return "read", int.from_bytes(read[-4:], "big")

        self.note("read", study, do)

    def forget(self, study: int) -> None:
        def do(value: int) -> tuple[str, int]:
            verb = self.world.archive.forget
            asked = verb.request(OPERATOR, None, study_uid(study), details=NOTE)
            verb.carry_on(OPERATOR, None, details=NOTE, only=asked.forgetting_id)
            stages = self.later.carry_on(OPERATOR, None, details=NOTE, only=asked.forgetting_id)
            return ("gone" if [one.stage for one in stages] == [Stage.SWEPT] else "under way"), value

        self.note("forget", study, do)

    def come(self, client: int) -> None:
        pick = random.Random(client)
        for _ in range(ACTS):
            act = pick.choices((self.store, self.read, self.forget), (5, 5, 2))[0]
            act(pick.randint(1, STUDIES))


@pytest.fixture
def clients(place: str | Path, tmp_path: Path) -> "object":
    keyring = FakeKeyring()
    with disk_world(
        tmp_path, keyring, keyring, keyring, eraser=keyring, key_list=keyring, database=Settled(place)
    ) as world:
        made = Clients(world)
        with ThreadPoolExecutor(CLIENTS) as threads:
            list(threads.map(made.come, range(CLIENTS)))
        yield made


def between(forgotten: list[Event], start: float, stop: float) -> bool:
    """Say whether a study was, or may have been, forgotten at some time of a span."""
    return any(one.ended > start and one.began < stop for one in forgotten)


def all_is_whole(clients: Clients) -> None:
    """No key that was forgotten lies on the shelf, and index, objects and ledger agree."""
    world = clients.world
    clients.later.carry_on(OPERATOR, None, details=NOTE)
    buried = [one.key_id for one in world.house.engines.tombstones.all()]
    assert buried
    assert world.house.engines.unwrapper.fetch(HERE, Shelf.STUDY, buried) == {}
    assert world.archive.verify.check_archive(OPERATOR, deep=True).findings == ()
    assert world.archive.verify.check_ledger(OPERATOR).findings == ()


def test_what_was_forgotten_is_never_read_again_and_nothing_else_is_lost(clients: Clients) -> None:
    told = [(event.act, event.came) for event in clients.history]
    assert told.count(("store", "kept")) > STUDIES
    assert told.count(("read", "read")) > STUDIES
    assert told.count(("forget", "gone")) > STUDIES
    for study in range(1, STUDIES + 1):
        events = [event for event in clients.history if event.study == study]
        kept = {event.value: event for event in events if (event.act, event.came) == ("store", "kept")}
        forgotten = [event for event in events if event.act == "forget" and event.came != "NotFound"]
        for read in (event for event in events if event.act == "read"):
            if read.came == "read":
                stored = kept[read.value]
                assert stored.began < read.ended
                # The barrier: what a forgetting found, nobody reads who asks after it.
                assert not [
                    f for f in forgotten if f.came == "gone" and stored.ended < f.began and f.ended < read.began
                ]
            else:
                assert read.came == NotFound.__name__ or between(forgotten, read.began, read.ended), read
                lost = [
                    one
                    for one in kept.values()
                    if one.ended < read.began and not between(forgotten, one.began, read.ended)
                ]
                assert lost == []
        for store in (event for event in events if event.act == "store" and event.came != "kept"):
            # Another content was there, or was just being forgotten.
            assert store.came == Conflict.__name__ or between(forgotten, store.began, store.ended), store
    all_is_whole(clients)
