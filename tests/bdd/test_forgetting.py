"""Studies whose keys are forgotten, as features/forgetting.feature tells it."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.adapters.disk_blobs import DiskBlobs
from pacs_secure.adapters.sql import Database, SqlRecords
from pacs_secure.adapters.vault_keyring import shelf_path
from pacs_secure.archive.copies import Copies
from pacs_secure.archive.forgetting import LONGEST_MEMORY
from pacs_secure.archive.resurrection import Resurrection
from pacs_secure.archive.seals import Opener
from pacs_secure.archive.study_keys import StudyKeys
from pacs_secure.core.access import Action, Role
from pacs_secure.core.classification import Reclassification
from pacs_secure.core.errors import ArchiveError, Denied, Held, NotFound, Unavailable
from pacs_secure.core.identifiers import KeyId, uid
from pacs_secure.core.instance import InstanceRow
from pacs_secure.ports import Shelf
from tests.bdd.hospital import PART10, Hospital
from tests.bdd.keys import MemoryKeys, VaultKeys
from tests.bdd.pictures import PATIENT_ID, picture
from tests.bdd.story import RADIOLOGIST, STUDY, SUCCESS, Story
from tests.builders import grant, study_facts, subject
from tests.world import DiskWorld, disk_world

scenarios("forgetting.feature")

NOTE = {"protocol": "test"}


@dataclass
class Past:
    """What somebody has kept from before."""

    disks: Path
    rows: list[InstanceRow] = field(default_factory=list)
    bring_back: Callable[[], object] = lambda: None
    error: ArchiveError | None = None

    @property
    def keys(self) -> set[KeyId]:
        return {row.sealed.study_key_id for row in self.rows}


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path / "copied")


@pytest.fixture
def left(tmp_path: Path) -> Path:
    return tmp_path / "left"


# --- before ---------------------------------------------------------------------------------------


@given("somebody has copied every disk of the archive")
def _copied(hospital: Hospital, past: Past) -> None:
    shutil.copytree(hospital.world.directory, past.disks)
    with closing(Database(past.disks / "index.db")) as database:
        past.rows = list(SqlRecords(database).every_instance(grant(subject())))
    assert past.rows
    assert read(hospital, past.disks, past.rows[0])


@given("somebody has a snapshot of the key store")
def _snapshot(hospital: Hospital, past: Past) -> None:
    keys, of = hospital.keys, hospital.keys.institution
    if isinstance(keys, MemoryKeys):
        keyring, shelf = keys.keyring, keys.keyring.snapshot()
        past.bring_back = lambda: keyring.restore({**shelf, **keyring.snapshot()})
        return
    assert isinstance(keys, VaultKeys)
    vault, places = keys.vault, [shelf_path(of, Shelf.STUDY, key_id) for key_id in past.keys]
    with vault.administering() as shell:
        wrapped = {place: shell.get(place).demand_done().mapping("data") for place in places}

    def bring_back() -> None:
        with vault.administering() as shell:
            for place, entry in wrapped.items():
                shell.post(place, entry).demand_done()

    past.bring_back = bring_back


@given("an officer has put a legal hold on that study")
def _hold(hospital: Hospital) -> None:
    change = Reclassification(held=True)
    officer = hospital.subject(Role.OFFICER)
    hospital.world.archive.classify.change(officer, None, picture().study_instance_uid, change, "a court asks")


# --- what happens ---------------------------------------------------------------------------------


@when(parsers.re("an? (?P<role>[a-z]+) asks to have that study forgotten"))
@when(parsers.re("the (?P<role>[a-z]+) asks to have that study forgotten"))
def _ask(hospital: Hospital, past: Past, role: str) -> None:
    with pytest.raises(ArchiveError) as refused:
        request(hospital, Role(role))
    past.error = refused.value


@when("the operator has that study forgotten")
def _forgotten(hospital: Hospital) -> None:
    request(hospital, Role.OPERATOR)
    carry_on(hospital, timedelta())


@when("five minutes later no process can have its keys in memory any more")
def _later(hospital: Hospital) -> None:
    carry_on(hospital, LONGEST_MEMORY + timedelta(seconds=1))


@when('"CT1" sends another picture of that study')
def _another(hospital: Hospital) -> None:
    assert hospital.send("CT1", picture(number=2)) == [SUCCESS]


@when("the old disks and the old keys are put back")
def _put_back(past: Past) -> None:
    past.bring_back()


@when("an archive starts that may delete keys")
def _starts(hospital: Hospital, past: Past) -> None:
    with restored(hospital, past) as world:
        assert world.house.resurrection.look_at_all() == len(past.keys)
        world.house.resurrection.check()


@when("somebody takes the newest tombstones away")
def _taken_away(hospital: Hospital, left: Path) -> None:
    shutil.copytree(hospital.world.directory, left)
    max((left / "tombstones").glob("[0-9]*")).unlink()


@when("an archive starts on what is left")
def _starts_on(hospital: Hospital, past: Past, left: Path) -> None:
    with opened(hospital, left) as world:
        assert world.house.unburied.look() == len(past.keys)


# --- how it comes out -----------------------------------------------------------------------------


@then("there is no such study")
def _no_study(story: Story) -> None:
    assert story.answer.status_code == 404


@then("no search finds it")
def _not_found(hospital: Hospital) -> None:
    assert hospital.search(RADIOLOGIST, PatientID=PATIENT_ID).json() == []


@then("its keys are gone from the key store, and each has its tombstone")
def _gone(hospital: Hospital, past: Past) -> None:
    assert hospital.keys.unwrapper.fetch(hospital.keys.institution, Shelf.STUDY, past.keys) == {}
    assert {one.key_id for one in hospital.world.house.engines.tombstones.all()} == past.keys


@then("its pictures are gone from the store")
def _swept(hospital: Hospital) -> None:
    assert hospital.objects() == hospital.rows() == 0


@then("of the disks that were copied neither a picture nor what is said of it opens any more")
def _dead(hospital: Hospital, past: Past) -> None:
    for row in past.rows:
        with pytest.raises(NotFound):
            read(hospital, past.disks, row)


@then("the ledger says of each step that it was done")
def _told(hospital: Hospital) -> None:
    said = [entry for entry in hospital.entries() if entry["action"] == Action.STUDY_FORGET]
    assert [entry["facts"]["stage"] for entry in said] == ["requested", "fenced", "drained", "forgotten", "swept"]
    assert {entry["outcome"] for entry in said} == {"completed"}


@then("the archive opens nothing of that study")
def _opens_nothing(hospital: Hospital, past: Past) -> None:
    assert read(hospital, past.disks, past.rows[0])  # whoever has the keys of the key store still could
    with restored(hospital, past) as world:
        radiologist = hospital.subject(Role.RADIOLOGIST)
        study = picture().study_instance_uid
        with world.archive.retrieve.begin(radiologist, None, study, details=NOTE) as retrieval:
            for row in retrieval.rows:
                with pytest.raises(NotFound):
                    b"".join(retrieval.part10(row))
            with pytest.raises(NotFound):
                b"".join(retrieval.metadata())


@then("an archive that may not delete keys is not ready, and names nobody")
def _not_ready(hospital: Hospital, past: Past) -> None:
    with restored(hospital, past) as world:
        engines = world.house.engines
        watch = Resurrection(engines.tombstones, engines.shelf, None, world.archive.guard, engines.home, now)
        with pytest.raises(Unavailable) as refused:
            watch.look_at_all()
        with pytest.raises(Unavailable):
            watch.check()
    assert str(refused.value).startswith("a forgotten key is back")
    assert not any(word in str(refused.value) for word in (PATIENT_ID, picture().study_instance_uid))


@then("it says so on record, deletes them again and is ready")
def _deleted_again(hospital: Hospital, past: Past) -> None:
    assert hospital.keys.unwrapper.fetch(hospital.keys.institution, Shelf.STUDY, past.keys) == {}
    with restored(hospital, past) as world:
        alarms = [entry["facts"] for entry in world.entries() if entry["action"] == Action.SYSTEM_ALARM]
        assert world.house.resurrection.look_at_all() == 0
        world.house.resurrection.check()
    assert [one["alarm"] for one in alarms] == ["forgotten keys are back"] * 3
    assert [one.get("deleting") for one in alarms] == ["no", "yes", None]


@then("they get the picture that came in late, and no other")
def _late(hospital: Hospital, story: Story) -> None:
    assert story.answer.status_code == 200
    late, old = picture(number=2), picture()
    assert late.data_set in story.answer.content
    assert old.data_set not in story.answer.content
    assert hospital.rows() == hospital.objects() == 1
    assert hospital.get(RADIOLOGIST, old.path, PART10).status_code == 404


@then("they hear that a legal hold forbids it")
def _is_held(past: Past) -> None:
    assert isinstance(past.error, Held)


@then("they hear that they may not")
def _denied(past: Past) -> None:
    assert isinstance(past.error, Denied)


@then("nothing of it is gone")
def _all_there(hospital: Hospital, past: Past) -> None:
    assert hospital.get(RADIOLOGIST, STUDY, PART10).status_code == 200
    found = hospital.keys.unwrapper.fetch(hospital.keys.institution, Shelf.STUDY, past.keys)
    assert found.keys() == past.keys
    assert list(hospital.world.house.engines.tombstones.all()) == []


@then("it says on record that tombstones are missing")
def _missing(hospital: Hospital, left: Path) -> None:
    with opened(hospital, left) as world:
        alarms = [entry["facts"]["alarm"] for entry in world.entries() if entry["action"] == Action.SYSTEM_ALARM]
        assert alarms == ["tombstones are missing"]
        assert world.house.unburied.look() == 0


@then("its keys have their tombstones again")
def _buried_again(hospital: Hospital, past: Past, left: Path) -> None:
    with opened(hospital, left) as world:
        assert {one.key_id for one in world.house.engines.tombstones.all()} == past.keys


# --- helpers --------------------------------------------------------------------------------------


def now() -> datetime:
    return datetime.now(UTC)


def request(hospital: Hospital, role: Role) -> None:
    hospital.world.archive.forget.request(hospital.subject(role), None, picture().study_instance_uid, details=NOTE)


def carry_on(hospital: Hospital, later: timedelta) -> None:
    verb = replace(hospital.world.archive.forget, now=lambda: now() + later)
    verb.carry_on(hospital.subject(Role.OPERATOR), None, details=NOTE)


def read(hospital: Hospital, disks: Path, row: InstanceRow) -> bytes:
    """Open a picture and what is said of it with everything that the key store gives, and no archive in between."""
    keys = StudyKeys(hospital.keys.wrapper, hospital.keys.unwrapper, lambda: 0.0)
    with closing(DiskBlobs(disks / "objects")) as blobs:
        opener = Opener(keys, Copies([blobs], lambda: 0.0))
        study = study_facts(uid(row.identity.study_instance_uid), of=row.identity.institution)
        allowed = grant(subject(of=row.identity.institution), study=study)
        said = b"".join(opener.metadata(allowed, [row]))
        return said + b"".join(opener.whole(allowed, row))


def restored(hospital: Hospital, past: Past) -> AbstractContextManager[DiskWorld]:
    """Open an archive on the old disks; tombstones are in no backup, so they are those of today."""
    shutil.copytree(hospital.world.directory / "tombstones", past.disks / "tombstones", dirs_exist_ok=True)
    return opened(hospital, past.disks)


def opened(hospital: Hospital, disks: Path) -> AbstractContextManager[DiskWorld]:
    """Open an archive with the same key store on other disks."""
    keys = hospital.keys
    return disk_world(disks, keys.wrapper, keys.unwrapper, keys.signer, eraser=keys.eraser, home=keys.institution)
