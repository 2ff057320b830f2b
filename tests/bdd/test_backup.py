"""Backups that bring everything back but what was erased, as features/backup.feature tells it."""

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.adapters.backup_directory import BackupDirectory
from pacs_secure.adapters.sql import SqlBackups
from pacs_secure.adapters.vault_provisioning import VaultRole
from pacs_secure.adapters.vault_session import Token, VaultSession
from pacs_secure.adapters.vault_shelf import VaultShelf
from pacs_secure.adapters.vault_snapshots import PATIENCE, RaftSnapshots, VaultTrials, restore_snapshot
from pacs_secure.archive.backup_proof import Proof
from pacs_secure.archive.backup_schedule import AFTER_FAILURE, BackupSchedule
from pacs_secure.archive.forgetting import LONGEST_MEMORY
from pacs_secure.archive.readiness import Readiness
from pacs_secure.core.access import Role
from pacs_secure.core.backups import Manifest
from pacs_secure.core.errors import NotFound, Unavailable
from pacs_secure.core.forgetting import Stage
from pacs_secure.core.identifiers import KeyId, Uid
from pacs_secure.ports import KeyEraser, Shelf
from tests.bdd.hospital import Hospital
from tests.bdd.keys import VaultKeys
from tests.bdd.pictures import WORDS, Picture, picture
from tests.bdd.story import SUCCESS
from tests.bdd.traces import traces
from tests.fakes_metrics import MemoryGauges
from tests.keeping import NOTE, Kept
from tests.vault_fixture import RunningVault
from tests.world import DiskWorld, disk_world

scenarios("backup.feature")

ERIKA, OTHER, NEWER = picture(), picture("US"), picture("DX")


@dataclass
class Tale:
    """The backups of one scenario, and the archives that are made of them."""

    hospital: Hospital
    vault: RunningVault
    kept: Kept
    snapshot_role: VaultSession
    stack: ExitStack
    manifest: Manifest | None = None
    proof: Proof | None = None
    forgotten: set[KeyId] = field(default_factory=set)
    restored: Kept | None = None
    damaged: str = ""

    @property
    def name(self) -> str:
        assert self.manifest is not None
        return self.manifest.name

    @property
    def folder(self) -> Path:
        return self.kept.folder(self.name)

    def another(self, name: str, *, eraser: KeyEraser | None, objects: Path | None = None) -> Kept:
        """Open an archive on another machine, with the same vault and the same tombstones."""
        directory = self.hospital.outside / name
        if not directory.exists():
            directory.mkdir()
            (directory / "tombstones").symlink_to(self.hospital.directory / "tombstones")
            if objects is not None:
                shutil.copytree(objects, directory / "objects")
        keys = self.hospital.keys
        reader = self.vault.session(VaultRole.READER)
        self.stack.callback(reader.close)
        world = self.stack.enter_context(
            disk_world(
                directory,
                keys.wrapper,
                keys.unwrapper,
                keys.signer,
                None,
                eraser,
                keys.institution,
                shelf=VaultShelf(reader),
            )
        )
        return replace(self.kept, world=world, trial=None)  # the scenario before has tried the snapshot


@pytest.fixture
def keys(openbao: RunningVault) -> Iterator[VaultKeys]:
    """Lend a real vault: its snapshots are the point."""
    lent = VaultKeys(openbao)
    yield lent
    lent.close()


@pytest.fixture
def tale(hospital: Hospital, openbao: RunningVault) -> Iterator[Tale]:
    with ExitStack() as stack:
        role = VaultSession(openbao.address, openbao.ca_file, openbao.credentials[VaultRole.SNAPSHOT], timeout=PATIENCE)
        stack.callback(role.close)
        place = BackupDirectory(hospital.outside / "backups")
        stack.callback(place.close)
        keys = hospital.keys
        trial = VaultTrials(openbao.secrets.shares, openbao.credentials[VaultRole.READER])
        kept = Kept(hospital.world, place, keys.signer, RaftSnapshots(role), trial, home=keys.institution)
        yield Tale(hospital, openbao, kept, role, stack)


def read(world: DiskWorld, hospital: Hospital, wanted: Picture) -> bytes:
    """Return a picture's Data Set as a radiologist gets it."""
    by = hospital.subject(Role.RADIOLOGIST)
    place = (wanted.study_instance_uid, wanted.series_instance_uid, wanted.sop_instance_uid)
    with world.archive.retrieve.begin(by, None, *place, details=NOTE) as retrieval:
        (row,) = retrieval.rows
        content = b"".join(retrieval.data_set(row))
        retrieval.complete()
    return content


# --- given ------------------------------------------------------------------------------------


@given('"CT1" has sent an ultrasound of another study')
def _other(hospital: Hospital) -> None:
    assert hospital.send("CT1", OTHER) == [SUCCESS]


@given("a backup has been taken")
def _taken(tale: Tale) -> None:
    tale.manifest = tale.kept.take().manifest


@given("the study of Erika Mustermann has been forgotten")
def _forgotten(tale: Tale) -> None:
    world, by = tale.hospital.world, tale.hospital.subject(Role.OPERATOR)
    rows = world.house.engines.records.instances(tale.kept.home, Uid(ERIKA.study_instance_uid))
    tale.forgotten = {row.sealed.study_key_id for row in rows}
    verb = world.archive.forget
    asked = verb.request(by, None, ERIKA.study_instance_uid, details=NOTE)
    verb.carry_on(by, None, details=NOTE, only=asked.forgetting_id)
    # Nobody waits five minutes here until no process has the key in memory.
    later = replace(verb, now=lambda: verb.now() + LONGEST_MEMORY)
    (ended,) = later.carry_on(by, None, details=NOTE, only=asked.forgetting_id)
    assert ended.stage is Stage.SWEPT


@given('"CT1" has sent a newer picture since')
def _newer(hospital: Hospital) -> None:
    assert hospital.send("CT1", NEWER) == [SUCCESS]


@dataclass
class Moody:
    """A vault that gives its snapshots, or does not."""

    inner: RaftSnapshots
    gives: bool = True

    def take(self, to: Path) -> None:
        if not self.gives:
            raise Unavailable("the vault is out of reach")
        self.inner.take(to)


class Watch:
    """Backups by schedule, and who hears of them."""

    def __init__(self, tale: Tale) -> None:
        assert isinstance(tale.kept.vault, RaftSnapshots)
        self.vault = Moody(tale.kept.vault)
        self.kept, self.gauges = tale.kept, MemoryGauges()
        self.kept.vault = self.vault
        self.kept.trial = None
        guard, home = tale.hospital.world.archive.guard, tale.kept.home
        self.schedule = BackupSchedule(
            self.kept.backup,
            self.kept.proof,
            lambda: nullcontext(self.kept.place),
            tale.hospital.subject(Role.OPERATOR),
            timedelta(days=1),
            lambda: True,
            partial(guard.alarm, home),
            self.gauges,
        )

    def look(self, later: timedelta) -> None:
        self.kept.ahead += later
        self.schedule.look()


@pytest.fixture
def watch(tale: Tale) -> Watch:
    return Watch(tale)


@given("backups are taken by themselves once a day")
def _by_themselves(watch: Watch) -> None:
    watch.look(timedelta(days=1))
    assert watch.gauges.now()["backup_failed"] == 0


# --- when -------------------------------------------------------------------------------------


@when("the backup is verified")
def _verify(tale: Tale) -> None:
    if tale.damaged:
        tale.kept.trial = None  # what is damaged is found before any key is tried
    tale.proof = tale.kept.verify(tale.name)


@when(parsers.parse("somebody changes one byte of {part} in the backup"))
def _damage(tale: Tale, part: str) -> None:
    place = tale.folder.parent
    files = {
        "the database": tale.folder / "database" / "index.db",
        "an object": next(path for path in (place / "objects").rglob("*") if path.is_file()),
        "the published ledger": next((place / "ledger" / "checkpoints").iterdir()),
        "the newest checkpoint": tale.folder / "ledger" / "checkpoint",
        "the list of objects": tale.folder / "objects.list",
        "the snapshot of the vault": tale.folder / "vault" / "snapshot",
        "the manifest": tale.folder / "manifest.json",
    }
    content = bytearray(files[part].read_bytes())
    content[len(content) // 2] ^= 1
    files[part].chmod(0o600)
    files[part].write_bytes(content)
    tale.damaged = files[part].name


@when("all disks are lost, and the vault is put back to the snapshot of the backup")
def _vault_back(tale: Tale) -> None:
    root = VaultSession(tale.vault.address, tale.vault.ca_file, Token(tale.vault.secrets.root_token), timeout=PATIENCE)
    restore_snapshot(root, tale.folder / "vault" / "snapshot")
    root.close()
    # Its own keys still open it, so that it unseals itself; a vault that was lost would be unsealed by its shares.
    until = time.monotonic() + 30
    while not _lying(tale):
        assert time.monotonic() < until, "the vault does not come back"
        time.sleep(0.1)


@when("the set is restored by a process that may not delete keys")
def _restore_without(tale: Tale) -> None:
    tale.restored = tale.another("elsewhere", eraser=None)
    with pytest.raises(Unavailable, match="a forgotten key is back"):
        tale.restored.restore(tale.name)


@when("a process starts that may replay the tombstones")
def _replay(tale: Tale) -> None:
    tale.restored = tale.another("elsewhere", eraser=tale.hospital.keys.eraser)
    assert tale.restored.world.house.resurrection.look_at_all() == len(tale.forgotten)


@when("the database is lost, and restored beside the objects that survived")
def _beside(tale: Tale) -> None:
    tale.restored = tale.another("elsewhere", eraser=None, objects=tale.hospital.world.objects)
    tale.restored.restore(tale.name, keep_objects=True)


@when("the vault gives no snapshot at the time of the next backup")
@when("the vault still gives none a day later")
def _gives_none(watch: Watch) -> None:
    watch.vault.gives = False
    watch.look(timedelta(days=1, minutes=1))


@when("the vault gives snapshots again")
def _gives_again(watch: Watch) -> None:
    watch.vault.gives = True
    watch.look(AFTER_FAILURE)


# --- then -------------------------------------------------------------------------------------


@then("it is sound")
def _sound(tale: Tale) -> None:
    assert tale.proof is not None
    assert tale.proof.verdict.findings == ()


@then("studies, objects and ledger have the roots that they have in the archive")
def _roots(tale: Tale) -> None:
    assert tale.manifest is not None
    here, said = SqlBackups(tale.hospital.world.database), tale.manifest
    assert said.content.studies == here.content(lambda _: None).studies
    assert said.content.studies.count == 2
    assert said.content.ledger == here.ledger(said.content.ledger.count)
    objects = tale.hospital.world.house.engines.blobs
    lines = []
    for stored in sorted(objects.names(), key=lambda one: one.object_id):
        with objects.open(stored.object_id) as blob:
            digest = sha256(blob.read_at(0, blob.length)).hexdigest()
        lines.append(f"{stored.object_id} {stored.length} {digest}\n")
    assert (tale.folder / "objects.list").read_text() == "".join(lines)
    assert said.objects.count == len(lines) == 2


@then("every key of the archive has come back from the snapshot, in a vault of its own")
def _keys(tale: Tale) -> None:
    assert tale.proof is not None
    assert tale.proof.keys == len(list(SqlBackups(tale.hospital.world.database).named_keys())) >= 5


@then("the snapshot counts as verified")
def _verified(tale: Tale) -> None:
    assert tale.manifest is not None
    assert tale.manifest.vault is not None
    assert tale.kept.snapshots.newest_verified() == tale.manifest.vault.taken_at


@then(parsers.parse("it is found wanting, and {named} is named"))
def _wanting(tale: Tale, named: str) -> None:
    assert tale.proof is not None
    said = " ".join(f"{finding.place}: {finding.problem}" for finding in tale.proof.verdict.findings)
    assert (tale.damaged if named == "its object id" else named) in said


@then("no file of the backup holds a canary name, or a piece of a picture")
def _no_trace(tale: Tale) -> None:
    pixels = [frame for one in (ERIKA, OTHER) for frame in one.frames]
    (tale.hospital.outside / "kept").mkdir()
    (tale.hospital.outside / "kept" / "one.dcm").write_bytes(ERIKA.stream)
    assert traces([tale.hospital.outside / "kept"], WORDS, ERIKA.frames)  # the same search would find it
    assert sum(1 for path in tale.folder.parent.rglob("*") if path.is_file()) > 10
    assert traces([tale.folder.parent], WORDS, pixels) == []


@then("the forgotten key is on the shelf again")
def _back(tale: Tale) -> None:
    assert _lying(tale) == tale.forgotten != set()


@then("it is not ready, and nothing opens")
def _not_ready(tale: Tale) -> None:
    assert tale.restored is not None
    with pytest.raises(Unavailable, match="a forgotten key is back"):
        _readiness(tale, tale.restored.world).check()
    with pytest.raises(NotFound):
        read(tale.restored.world, tale.hospital, ERIKA)


@then("it is ready, and the forgotten key is gone again")
def _ready(tale: Tale) -> None:
    assert tale.restored is not None
    _readiness(tale, tale.restored.world).check()
    assert tale.hospital.keys.unwrapper.fetch(tale.kept.home, Shelf.STUDY, tale.forgotten) == {}


@then("the study of Erika Mustermann is not found, and none of its pictures")
def _gone(tale: Tale) -> None:
    assert tale.restored is not None
    world = tale.restored.world
    with pytest.raises(NotFound):
        read(world, tale.hospital, ERIKA)
    content = SqlBackups(world.database).content(lambda _: None)
    assert content.studies.count == 1
    assert world.house.engines.records.instances(tale.kept.home, Uid(ERIKA.study_instance_uid)) == []
    assert len(list(world.house.engines.blobs.names())) == 1


@then("the other study is found, and opens as it was sent")
def _other_opens(tale: Tale) -> None:
    assert tale.restored is not None
    assert read(tale.restored.world, tale.hospital, OTHER) == OTHER.data_set


@then("the restored archive is sound")
def _restored_sound(tale: Tale) -> None:
    assert tale.restored is not None
    world, by = tale.restored.world, tale.hospital.subject(Role.OPERATOR)
    world.notary.attest()
    assert world.archive.verify.check_archive(by, deep=True).findings == ()
    assert world.archive.verify.check_ledger(by).findings == ()


@then("what the backup knew is found, and opens as it was sent")
def _both_open(tale: Tale) -> None:
    assert tale.restored is not None
    for one in (ERIKA, OTHER):
        assert read(tale.restored.world, tale.hospital, one) == one.data_set


@then("the newer picture is not served, and its ciphertext is kept")
def _newer_kept(tale: Tale) -> None:
    assert tale.restored is not None
    with pytest.raises(NotFound):
        read(tale.restored.world, tale.hospital, NEWER)
    assert len(list(tale.restored.world.house.engines.blobs.names())) == 3


def alarms(hospital: Hospital, watch: Watch) -> list[tuple[str, bool]]:
    """Return what the officer was told: which alarm, and whether it is over; each is on record and a notice."""
    found = [entry for entry in hospital.entries() if entry["action"] == "system:alarm"]
    notices = hospital.world.house.engines.notices.listed(watch.kept.home, 99, acknowledged=False)
    assert [one.notice.kind for one in notices] == ["alarm"] * len(found)
    return [(entry["facts"]["alarm"], "recovered" in entry["facts"]) for entry in found]


@then("the officer is told that a backup failed")
def _told_failed(hospital: Hospital, watch: Watch) -> None:
    assert alarms(hospital, watch) == [("backup failed", False)]


@then("whoever watches the machine reads that it failed, and how old the newest proven one is")
def _read_failed(watch: Watch) -> None:
    told = watch.gauges.now()
    assert told["backup_failed"] == 1
    assert 86_400 <= told["backup_proven_age_seconds"] < 86_400 + 600


@then("the officer is told that the backup is late")
def _told_late(hospital: Hospital, watch: Watch) -> None:
    assert alarms(hospital, watch) == [("backup failed", False), ("backup late", False)]


@then("the officer is told that both are over")
def _told_over(hospital: Hospital, watch: Watch) -> None:
    assert alarms(hospital, watch)[2:] == [("backup failed", True), ("backup late", True)]


def _lying(tale: Tale) -> set[KeyId]:
    try:
        return set(tale.hospital.keys.unwrapper.fetch(tale.kept.home, Shelf.STUDY, tale.forgotten))
    except Unavailable:
        return set()


def _readiness(tale: Tale, world: DiskWorld) -> Readiness:
    house = world.house
    readiness = Readiness(
        tale.hospital.keys.canary,
        house.engines.ledger,
        house.drop_keys,
        house.archive.guard,
        tale.kept.home,
        house.resurrection,
    )
    assert readiness.listen()
    return readiness
