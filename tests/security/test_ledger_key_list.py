"""Whoever owns the database may write any row of the list of ledger keys, and has the archive erase none by it."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from pacs_secure.core.access import Role
from pacs_secure.core.errors import Tampered
from pacs_secure.ports import Shelf
from tests.builders import HERE, subject
from tests.fakes_keys import FakeKeyring
from tests.world import DiskWorld, disk_world

DPO = subject(Role.DPO)
OPERATOR = subject(Role.OPERATOR, identifier="os:root", department="")


@pytest.fixture
def keyring() -> FakeKeyring:
    return FakeKeyring()


@pytest.fixture
def world(tmp_path: Path, keyring: FakeKeyring) -> Iterator[DiskWorld]:
    """Hold a ledger of today."""
    with disk_world(tmp_path, keyring, keyring, keyring, eraser=keyring) as world:
        for _ in range(3):
            world.archive.verify.check_ledger(DPO)
        world.notary.attest()
        yield world


def meddle(world: DiskWorld, statement: str, *rows: Sequence[object]) -> None:
    with closing(sqlite3.connect(world.index_file)) as index:
        assert index.executemany(statement, rows or [()]).rowcount > 0
        index.commit()


def test_a_key_of_today_that_is_dated_back_is_not_erased(world: DiskWorld, keyring: FakeKeyring) -> None:
    meddle(world, "UPDATE ledger_keys SET year = 2001 WHERE year > ?", (2001,))
    before = dict(keyring._shelf)

    with pytest.raises(Tampered):
        world.archive.ledger_retention.expire(OPERATOR, None, details={})

    assert before.items() <= keyring._shelf.items()
    read = world.archive.ledger_reading.entry(DPO, None, 0, opened=True, details={})
    assert read.told == {"subject": DPO.identifier}


@pytest.mark.parametrize("whose", ["institution", "writer"])
def test_the_keys_of_institutions_and_writers_are_not_erased(
    world: DiskWorld, keyring: FakeKeyring, whose: str
) -> None:
    named = {
        "institution": world.archive.search.seals.ledger_keys(HERE).ledger,
        "writer": UUID(world.entries()[0]["writer"]),
    }[whose]
    meddle(
        world,
        "INSERT INTO ledger_keys (key_id, institution, patient_alias, year, proof) VALUES (?, ?, ?, 2001, ?)",
        (named.bytes, HERE, bytes(16), bytes(16)),
    )
    before = dict(keyring._shelf)

    with pytest.raises(Tampered):
        world.archive.ledger_retention.expire(OPERATOR, None, details={})

    assert before.items() <= keyring._shelf.items()
    # Not even somebody who had a proof could: they lie where no key is ever erased.
    assert {place[1] for place in keyring._shelf if place[2] == named} == {Shelf(whose)}
    world.notary.attest()
    assert world.archive.verify.check_ledger(DPO).sound


@pytest.mark.parametrize("name", ["../../sys", "here/../index", "", "HERE"])
def test_what_a_row_calls_an_institution_never_becomes_a_path_unless_it_is_a_name(world: DiskWorld, name: str) -> None:
    meddle(world, "UPDATE ledger_keys SET institution = ?, year = 2001", (name,))

    with pytest.raises(Tampered):
        world.archive.ledger_retention.expire(OPERATOR, None, details={})
