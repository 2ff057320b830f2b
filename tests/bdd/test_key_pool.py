"""Keys that are made beforehand, as features/key_pool.feature tells it."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.adapters.sql import SqlSnapshots
from pacs_secure.archive.key_pool import KeyPool, Level
from pacs_secure.ports import Shelf
from tests.bdd.hospital import PART10, Hospital, Keys, hospital_below
from tests.bdd.keys import VaultKeys
from tests.bdd.pictures import Picture, picture
from tests.bdd.story import RADIOLOGIST, SUCCESS, TRY_AGAIN
from tests.builders import digest

scenarios("key_pool.feature")


@dataclass
class Taken:
    """What was taken in while the key store was sealed."""

    pictures: list[Picture] = field(default_factory=list)
    shelf: dict[Shelf, int] = field(default_factory=dict)


@pytest.fixture
def taken() -> Taken:
    return Taken()


@pytest.fixture
def hospital(keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hospital]:
    """Lend an archive that keeps keys ready."""
    temporary = tmp_path / "archive" / "tmp"
    temporary.mkdir(parents=True)
    for name in ("TMPDIR", "SQLITE_TMPDIR"):
        monkeypatch.setenv(name, str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with hospital_below(tmp_path, keys, pool=2) as hospital:
        yield hospital


def _pool(hospital: Hospital) -> KeyPool:
    pool = hospital.world.house.engines.pool
    assert pool is not None
    return pool


@given('an archive with the modality "CT1" of radiology, which keeps 2 keys of each kind ready')
def _modality(hospital: Hospital) -> None:
    hospital.enrol("CT1", "radiology")


@given("the keys are made")
def _made(hospital: Hospital) -> None:
    assert _pool(hospital).fill() == 4
    assert _pool(hospital).level() == Level(0, 4)


@given("a minute later a backup of the key store was made, restored and found whole")
def _snapshot(hospital: Hospital) -> None:
    taken_at = datetime.now(UTC) + timedelta(minutes=1)
    SqlSnapshots(hospital.world.database).add(taken_at, taken_at, digest("snapshot"))
    assert _pool(hospital).fill() == 0


@when("the archive lets go of them")
def _drop(hospital: Hospital) -> None:
    _pool(hospital).drop()


@then('"CT1" can send pictures of 2 more studies')
def _more_studies(hospital: Hospital, taken: Taken) -> None:
    taken.pictures = [picture(), *(picture(study=study) for study in (11, 12))]
    assert hospital.send("CT1", *taken.pictures[1:]) == [SUCCESS, SUCCESS]


@then('"CT1" can send more of the first study')
def _more(hospital: Hospital, taken: Taken) -> None:
    taken.pictures.append(picture(number=2))
    assert hospital.send("CT1", taken.pictures[-1]) == [SUCCESS]


@then('"CT1" hears that it must try again later for yet another study')
def _later(hospital: Hospital) -> None:
    assert hospital.send("CT1", picture(study=13)) == [TRY_AGAIN]


@then("every picture that was taken in is there, byte for byte")
def _there(hospital: Hospital, taken: Taken) -> None:
    assert len(taken.pictures) == 4
    for one in taken.pictures:
        answer = hospital.get(RADIOLOGIST, one.path, PART10)
        assert answer.status_code == 200
        assert answer.content.endswith(one.data_set)


@then(parsers.parse("{count:d} keys of each kind are ready"))
def _ready(hospital: Hospital, count: int) -> None:
    assert _pool(hospital).level() == Level(2 * count, 0)


@then("no key is ready, and what lies on the shelf of them is wrapped")
def _wrapped(hospital: Hospital) -> None:
    keys = hospital.keys
    assert _pool(hospital).level() == Level(0, 0)
    assert isinstance(keys, VaultKeys)
    with keys.vault.administering() as vault:
        names = vault.list(f"shelf/study/{keys.institution}").find("data", "keys")
        assert isinstance(names, list)
        assert len(names) == 3
        for name in names:
            entry = vault.get(f"shelf/study/{keys.institution}/{name}").mapping("data")
            assert set(entry) == {"wrapped"}
            assert str(entry["wrapped"]).startswith("vault:v1:")
