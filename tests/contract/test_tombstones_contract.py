"""What every graveyard of keys keeps, held against the directory and the one in memory alike."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from pacs_secure.adapters.tombstone_directory import TombstoneDirectory
from pacs_secure.core.identifiers import Institution, KeyId, institution
from pacs_secure.ports import Shelf, Tombstone, Tombstones
from tests.fakes_keys import FakeKeyring
from tests.fakes_tombstones import MemoryTombstones

AT = datetime(2026, 3, 4, 5, 6, 7, 891011, tzinfo=UTC)


KEYRING = FakeKeyring()
ORIGIN = "tests.example/ledger"


def graveyard(place: Path) -> TombstoneDirectory:
    return TombstoneDirectory(place, ORIGIN, KEYRING.public_key, KEYRING)


def tombstone(number: int) -> Tombstone:
    key_id = KeyId(UUID(int=number, version=4))
    return Tombstone(key_id, institution("here"), Shelf.STUDY, AT + timedelta(seconds=number))


def lies(one: Tombstone) -> tuple[Institution, Shelf, KeyId]:
    return one.institution, one.shelf, one.key_id


@pytest.fixture(params=["directory", "memory"])
def tombstones(request: pytest.FixtureRequest, tmp_path: Path) -> Tombstones:
    return MemoryTombstones() if request.param == "memory" else graveyard(tmp_path / "below" / "tombstones")


def test_nobody_is_buried_at_first(tombstones: Tombstones) -> None:
    assert list(tombstones.all()) == []
    assert not tombstones.holds(*lies(tombstone(1)))


def test_what_was_buried_is_there_as_it_was_oldest_first(tombstones: Tombstones) -> None:
    tombstones.bury([tombstone(3), tombstone(1)])
    tombstones.bury([tombstone(2)])

    assert list(tombstones.all()) == [tombstone(3), tombstone(1), tombstone(2)]
    assert [tombstones.holds(*lies(tombstone(number))) for number in range(1, 5)] == [True, True, True, False]


def test_the_first_tombstone_of_a_key_stays(tombstones: Tombstones) -> None:
    later = replace(tombstone(1), forgotten_at=AT + timedelta(days=1))

    tombstones.bury([tombstone(1), later])
    tombstones.bury([later])
    tombstones.bury([later, tombstone(2)])

    assert list(tombstones.all()) == [tombstone(1), tombstone(2)]


@pytest.mark.parametrize("change", [{"institution": institution("elsewhere")}, {"shelf": Shelf.LEDGER}])
def test_a_tombstone_at_another_place_does_not_stand_for_this_one(
    tombstones: Tombstones, change: dict[str, object]
) -> None:
    elsewhere = replace(tombstone(1), **change)  # type: ignore[arg-type]

    tombstones.bury([elsewhere])
    assert tombstones.holds(*lies(elsewhere))
    assert not tombstones.holds(*lies(tombstone(1)))
    tombstones.bury([tombstone(1)])

    assert list(tombstones.all()) == [elsewhere, tombstone(1)]


def test_burying_nothing_changes_nothing(tombstones: Tombstones) -> None:
    tombstones.bury([])

    assert list(tombstones.all()) == []
