"""Whoever has database or published files, and not the log's key, cannot pass off a theft as an expiry (LOG-05)."""

import shutil
import sqlite3
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pacs_secure import audit_verify
from pacs_secure.core.access import Action, Role
from pacs_secure.core.retention import Certificate
from pacs_secure.crypto.tlog import (
    WIDTH,
    certificate_text,
    certifier,
    decode_bundle,
    entries_path,
    read_certificate,
    root,
    sign_note,
    tile_path,
)
from tests.aged import write_past
from tests.builders import subject
from tests.fakes_keys import FakeKeyring
from tests.world import ORIGIN, DiskWorld, disk_world, told

OPERATOR, DPO = subject(Role.OPERATOR, department=""), subject(Role.DPO, department="")
COUNT, HORIZON = 800, 768
FORGED = "certificate: a certificate of expired entries is not signed by this log"


@pytest.fixture
def keyring() -> FakeKeyring:
    return FakeKeyring()


@pytest.fixture
def world(tmp_path: Path, keyring: FakeKeyring) -> Iterator[DiskWorld]:
    """A ledger of years, published, of which nothing has expired."""
    with disk_world(tmp_path, keyring, keyring, keyring, eraser=keyring) as world:
        write_past(world.house, COUNT)
        world.notary.attest()
        yield world


@pytest.fixture
def expired(world: DiskWorld) -> DiskWorld:
    """The same after three whole bundles have expired."""
    went = world.archive.ledger_retention.expire(OPERATOR, None, details={})
    assert (went.entries, went.plan.horizon) == (HORIZON, HORIZON)
    world.notary.attest()
    return world


def in_house(world: DiskWorld) -> list[str]:
    verdict = world.archive.verify.check_ledger(DPO)
    return [
        f"{finding.place}: {finding.problem}" if finding.position is None else f"{finding.position} {finding.place}"
        for finding in verdict.findings
    ]


def alone(directory: Path, keyring: FakeKeyring) -> list[str]:
    key = Ed25519PublicKey.from_public_bytes(keyring.public_key())
    verification = audit_verify.Verification(audit_verify.Directory(directory), key)
    verification.run()
    return [str(finding) for finding in verification.findings]


def shell(world: DiskWorld, *statements: tuple[str, tuple[object, ...]], guarded: bool = True) -> None:
    """Do what the owner of the database can do."""
    with closing(sqlite3.connect(world.index_file)) as index:
        if not guarded:
            for (name,) in index.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                index.execute(f"DROP TRIGGER {name}")
        for statement, values in statements:
            index.execute(statement, values)
        index.commit()


def forged(world: DiskWorld, keyring: FakeKeyring, horizon: int) -> bytes:
    """Write the certificate of somebody who has every number and another key."""
    leaves = list(world.house.engines.ledger.leaf_hashes(0, horizon))
    now = datetime.now(UTC)
    text = certificate_text(ORIGIN, Certificate(1, 0, horizon, root(leaves), now, 0, "", Role.OPERATOR, now, {}))
    other = FakeKeyring()
    # Named as the log's own key is.
    return sign_note(text, certifier(ORIGIN), keyring.public_key(), other.sign(text))


def tiles(world: DiskWorld, horizon: int) -> list[bytes]:
    leaves = list(world.house.engines.ledger.leaf_hashes(0, horizon))
    return [b"".join(leaves[start : start + WIDTH]) for start in range(0, horizon, WIDTH)]


def test_after_entries_have_expired_both_verifiers_are_content(expired: DiskWorld, keyring: FakeKeyring) -> None:
    assert in_house(expired) == alone(expired.checkpoints, keyring) == []
    assert not list((expired.checkpoints / "tile" / "entries").glob("00[012]"))


def test_nothing_of_an_expired_entry_is_left_on_any_disk(world: DiskWorld, keyring: FakeKeyring) -> None:
    ledger = world.house.engines.ledger
    acts = [told(entry)["act"].encode() for entry in ledger.entries(0, HORIZON)]
    boxes = [told(entry)["details"]["box"].encode() for entry in ledger.entries(0, HORIZON)]
    stays = next(told(entry)["act"].encode() for entry in ledger.entries(HORIZON, HORIZON + 1))

    world.archive.ledger_retention.expire(OPERATOR, None, details={})

    with closing(sqlite3.connect(world.index_file)) as index:
        index.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    written = b"".join(path.read_bytes() for path in world.directory.rglob("*") if path.is_file())
    assert stays in written
    assert not [one for one in acts + boxes if one in written]
    assert in_house(world) == []


def test_a_horizon_without_the_logs_signature_is_found_although_every_trigger_let_it_pass(
    world: DiskWorld, keyring: FakeKeyring
) -> None:
    note = forged(world, keyring, 256)
    shell(
        world,
        ("INSERT INTO retention_certificates VALUES (256, 0, ?)", (note,)),
        ("INSERT INTO retained_tiles VALUES (0, ?)", (tiles(world, 256)[0],)),
        ("DELETE FROM ledger WHERE entry_index < 256", ()),
    )
    shutil.rmtree(world.checkpoints / "retention", ignore_errors=True)
    (world.checkpoints / "retention").mkdir()
    (world.checkpoints / "retention" / f"{256:020}").write_bytes(note)
    (world.checkpoints / entries_path(0)).unlink()

    assert FORGED in in_house(world)
    assert "0 chain" in in_house(world)
    found = alone(world.checkpoints, keyring)
    assert any(line.startswith(f"retention/{256:020}: entries are said to have expired, but") for line in found)
    assert "position 0: entries 0 to 255 are missing" in found


def test_going_further_than_a_certificate_says_is_found(expired: DiskWorld, keyring: FakeKeyring) -> None:
    # The next bundle is not full yet, so more is written first.
    for _ in range(300):
        expired.archive.guard.announce(OPERATOR.institution, Action.SYSTEM_START, {})
    expired.notary.attest()
    shell(expired, ("DELETE FROM ledger WHERE entry_index < 1024", ()), guarded=False)
    (expired.checkpoints / entries_path(3)).unlink()

    assert f"{HORIZON} chain" in in_house(expired)
    assert f"position {HORIZON}: entries {HORIZON} to 1023 are missing" in alone(expired.checkpoints, keyring)


def test_another_leaf_hash_below_the_horizon_is_found(expired: DiskWorld, keyring: FakeKeyring) -> None:
    spoilt = bytearray(tiles(expired, 256)[0])
    spoilt[7 * 32] ^= 1
    shell(expired, ("UPDATE retained_tiles SET hashes = ? WHERE number = 0", (bytes(spoilt),)), guarded=False)
    assert "7 tree" in in_house(expired)

    tile = expired.checkpoints / tile_path(0, 0)
    tile.chmod(0o600)
    tile.write_bytes(bytes(spoilt))
    assert alone(expired.checkpoints, keyring)


def test_a_leaf_hash_that_is_missing_below_the_horizon_is_found(expired: DiskWorld, keyring: FakeKeyring) -> None:
    shell(expired, ("DELETE FROM retained_tiles WHERE number = 1", ()), guarded=False)
    assert "256 chain" in in_house(expired)

    (expired.checkpoints / tile_path(0, 1)).unlink()
    assert "tile: tile 1 of level 0, width 256, is missing" in alone(expired.checkpoints, keyring)


def test_without_its_certificate_what_has_expired_is_missing(expired: DiskWorld, keyring: FakeKeyring) -> None:
    shutil.rmtree(expired.checkpoints / "retention")
    assert "position 0: entries 0 to 255 are missing" in alone(expired.checkpoints, keyring)

    shell(expired, ("DELETE FROM retention_certificates", ()), guarded=False)
    assert "0 chain" in in_house(expired)


def test_a_certificate_is_read_under_its_own_horizon_only(expired: DiskWorld, keyring: FakeKeyring) -> None:
    folder = expired.checkpoints / "retention"
    (folder / f"{HORIZON:020}").rename(folder / f"{4096:020}")

    assert f"retention/{4096:020}: the certificate does not continue the one before it" in alone(
        expired.checkpoints, keyring
    )


def test_an_entry_that_was_left_behind_below_the_horizon_is_still_held_against_its_hash(
    world: DiskWorld, keyring: FakeKeyring
) -> None:
    bundle = world.checkpoints / entries_path(1)
    kept = bundle.read_bytes()
    world.archive.ledger_retention.expire(OPERATOR, None, details={})
    world.notary.attest()
    bundle.write_bytes(kept)
    assert alone(world.checkpoints, keyring) == []

    entries = decode_bundle(kept)
    entries[7] = entries[7].replace(b"radiology", b"pathology")
    bundle.write_bytes(b"".join(len(one).to_bytes(2, "big") + one for one in entries))
    assert f"position {WIDTH + 7}: entry does not match its leaf hash" in alone(world.checkpoints, keyring)


@pytest.mark.parametrize(("off", "problem"), [(-1, "missing"), (1, "number")])
def test_behind_the_horizon_each_writer_goes_on_where_the_certificate_says(
    expired: DiskWorld, keyring: FakeKeyring, off: int, problem: str
) -> None:
    file = expired.checkpoints / "retention" / f"{HORIZON:020}"
    said = read_certificate(file.read_bytes(), ORIGIN, keyring.public_key())
    assert said.writers
    text = certificate_text(ORIGIN, replace(said, writers={one: number + off for one, number in said.writers.items()}))
    note = sign_note(text, certifier(ORIGIN), keyring.public_key(), keyring.sign(text))
    file.chmod(0o600)
    file.write_bytes(note)
    shell(expired, ("UPDATE retention_certificates SET note = ?", (note,)), guarded=False)

    assert f"{HORIZON} writer" in in_house(expired)
    (found,) = alone(expired.checkpoints, keyring)
    assert found.startswith(f"position {HORIZON}:")
    assert problem in found


def test_a_certificate_names_nobody(expired: DiskWorld) -> None:
    (note,) = expired.house.engines.publisher.retained()

    for name in (OPERATOR.identifier, "m.alt"):
        assert name.encode() not in note
        assert b64encode(name.encode()) not in note
