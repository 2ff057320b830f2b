"""Rows of forgettings that somebody else wrote into the database: found, passed over, and nothing is done by them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pacs_secure.archive.forgetting import LONGEST_MEMORY
from pacs_secure.core.access import Role
from pacs_secure.core.errors import Tampered
from pacs_secure.core.forgetting import Stage
from tests.builders import subject
from tests.fakes_keys import FakeKeyring
from tests.unit.archive.instances import data_set, store, study_uid
from tests.world import DiskWorld, disk_world

OPERATOR = subject(Role.OPERATOR, identifier="os:root", department="")


@contextmanager
def archive(place: Path) -> Iterator[DiskWorld]:
    keyring = FakeKeyring()
    with disk_world(place, keyring, keyring, keyring, eraser=keyring, key_list=keyring) as made:
        store(made, data_set(1, 1), data_set(2, 1))
        yield made


def tamper(world: DiskWorld, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(world.index_file)) as database, database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        database.execute(statement, values)


def carry_on(world: DiskWorld, later: timedelta = timedelta()) -> list[Stage]:
    verb = world.archive.forget
    late = replace(verb, now=lambda: verb.now() + later)
    return [one.stage for one in late.carry_on(OPERATOR, None, details={})]


def alarms(world: DiskWorld) -> list[str]:
    return [entry["facts"]["alarm"] for entry in world.entries() if entry["action"] == "system:alarm"]


MALFORMED = {
    "a stage that is none": "UPDATE {row} SET stage = 'x' {this}",
    "a stage that is no text": "UPDATE {row} SET stage = CAST(x'ff' AS TEXT) {this}",
    "a list of keys that is none": "UPDATE {row} SET key_ids = x'01', stage = 'forgotten' {this}",
    "an id that is none": "UPDATE {row} SET forgetting_id = x'01', stage = 'swept' {this}",
    "an id that is a text": "UPDATE {row} SET forgetting_id = 'x', stage = 'swept' {this}",
    "a department that is no text": "UPDATE {row} SET department = CAST(x'fffe' AS TEXT), stage = 'swept' {this}",
    "a time that is none": "UPDATE {row} SET requested_at = 9223372036854775807 {this}",
    "an alias that is a number": "UPDATE {row} SET study_alias = 7 {this}",
    "a house that is bytes": "UPDATE {row} SET institution = x'ff' {this}",
}


@pytest.mark.parametrize("malformed", MALFORMED)
def test_a_row_that_is_no_forgetting_is_an_alarm_and_keeps_no_start_and_no_other_study_waiting(
    tmp_path: Path, malformed: str
) -> None:
    with archive(tmp_path) as world:
        forget = world.archive.forget
        first, _ = (forget.request(OPERATOR, None, study_uid(study), details={}) for study in (1, 2))
        statement = MALFORMED[malformed].format(row="forgettings", this="WHERE forgetting_id = ?")
        tamper(world, statement, first.forgetting_id.bytes)

        assert world.house.engines.forgettings.malformed() == 1
        assert world.house.unburied.look() == 0
        assert "forgettings are forged" in alarms(world)
        for later in (timedelta(), LONGEST_MEMORY + timedelta(seconds=1)):
            with pytest.raises(Tampered):
                carry_on(world, later)
        assert world.house.engines.forgettings.under_way() == []
        assert len(list(world.house.engines.tombstones.all())) == 1
        assert world.house.unburied.look() == 0
