"""One archive forgets a study while another takes in pictures of it, on one PostgreSQL: a fence is a barrier."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pacs_secure.adapters.sql import Database
from pacs_secure.archive.forgetting import LONGEST_MEMORY
from pacs_secure.core.access import Role
from pacs_secure.core.forgetting import Forgetting, Stage
from pacs_secure.core.identifiers import uid
from pacs_secure.ports import Added, Shelf
from tests.builders import HERE, subject
from tests.fakes_keys import FakeKeyring
from tests.unit.archive.instances import TECHNOLOGIST, data_set, received, study_uid
from tests.world import DiskWorld, disk_world

pytestmark = pytest.mark.real

OPERATOR = subject(Role.OPERATOR, identifier="os:root", department="")
RADIOLOGIST = subject(Role.RADIOLOGIST)
PICTURES, FENCES = 60, 3


@pytest.fixture
def worlds(postgres_url: str, tmp_path: Path) -> Iterator[list[DiskWorld]]:
    keyring = FakeKeyring()
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                disk_world(tmp_path, keyring, keyring, keyring, eraser=keyring, database=Database(postgres_url))
            )
            for _ in range(2)
        ]


def carry_on(world: DiskWorld, later: timedelta = timedelta()) -> list[Forgetting]:
    verb = world.archive.forget
    late = replace(verb, now=lambda: verb.now() + later)
    return list(late.carry_on(OPERATOR, None, details={}))


def test_every_picture_that_was_accepted_is_gone_or_there_whole(worlds: list[DiskWorld]) -> None:
    storing, forgetting = worlds
    fenced, accepted = list[Forgetting](), list[Added]()

    def store() -> None:
        with storing.archive.ingest.begin(TECHNOLOGIST, None, {}) as reception:
            for number in range(1, PICTURES + 1):
                accepted.append(reception.store(received(data_set(1, number))).added)

    modality = threading.Thread(target=store)
    modality.start()
    for _ in range(FENCES):
        while not forgetting.house.engines.records.instances(HERE, uid(study_uid())):
            assert modality.is_alive()
        forgetting.archive.forget.request(OPERATOR, None, study_uid(), details={})
        fenced += [one for one in carry_on(forgetting) if one.stage is Stage.FENCED]
    modality.join(60)
    assert not modality.is_alive()

    engines = forgetting.house.engines
    rows = engines.records.instances(HERE, uid(study_uid()))
    gone = {object_id for one in engines.forgettings.under_way() for object_id in one.object_ids}
    assert accepted == [Added.NEW] * PICTURES
    assert len(rows) + len(gone) == PICTURES
    assert engines.records.epoch(HERE, uid(study_uid())) == len({one.forgetting_id for one in fenced}) >= 1
    dead = {key_id for one in engines.forgettings.under_way() for key_id in one.key_ids}
    living = {row.sealed.study_key_id for row in rows}
    assert dead.isdisjoint(living)

    carry_on(storing, LONGEST_MEMORY + timedelta(seconds=1))

    assert list(engines.forgettings.under_way()) == []
    assert engines.unwrapper.fetch(HERE, Shelf.STUDY, dead | living).keys() == living
    assert {one.object_id for one in engines.blobs.names()} == {row.sealed.object_id for row in rows}
    if rows:
        with storing.archive.retrieve.begin(RADIOLOGIST, None, study_uid(), details={}) as retrieval:
            assert all(b"".join(retrieval.part10(row)) for row in retrieval.rows)
            retrieval.complete()
