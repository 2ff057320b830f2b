"""The published directory: its layout, its verifier's verdict, and what a crash leaves."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pacs_secure import audit_verify
from pacs_secure.adapters.tile_directory import TileDirectory
from pacs_secure.core.audit import LedgerEntry, Outcome
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.crypto.tlog import (
    NO_ENTRY,
    checkpoint_text,
    compose_entry,
    encode_bundle,
    leaf_hash,
    root,
    sign_note,
    state,
)
from tests.builders import draft

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
LOG = "log.example.org"


def _chain(length: int) -> list[LedgerEntry]:
    entries: list[LedgerEntry] = []
    for index in range(length):
        entries.append(
            compose_entry(
                state(replace(draft(Outcome.REFUSED, details=None), actor="")),
                index,
                entries[-1].leaf_hash if entries else NO_ENTRY,
            )
        )
    return entries


CHAIN = _chain(1300)
LEAVES = [entry.leaf_hash for entry in CHAIN]


def note(size: int, leaves: list[bytes] = LEAVES) -> bytes:
    text = checkpoint_text(LOG, size, root(leaves[:size]))
    return sign_note(text, LOG, PUBLIC, KEY.sign(text))


def publish(place: Path, *sizes: int) -> TileDirectory:
    directory = TileDirectory(place)
    for size in sizes:
        directory.publish(CHAIN[directory.published() : size], size, note(size))
    return directory


def findings(place: Path) -> list[str]:
    verification = audit_verify.Verification(audit_verify.Directory(place), KEY.public_key())
    verification.run()
    return [str(finding) for finding in verification.findings]


def names(place: Path) -> set[str]:
    return {str(file.relative_to(place)) for file in place.rglob("*") if file.is_file()}


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_verify, "PATIENCE", (0.0,))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "some" / "where"


class TestLayout:
    """C2SP tlog-tiles."""

    def test_files_lie_where_tlog_tiles_says(self, place: Path) -> None:
        publish(place, 5, 600)

        assert names(place) == {
            ".lock",
            "checkpoint",
            f"checkpoints/{5:020}",
            f"checkpoints/{600:020}",
            *(f"tile/{kind}/{name}" for kind in ("0", "entries") for name in ("000", "001", "002.p/88")),
            "tile/1/000.p/2",
        }

    def test_tiles_hold_hashes_and_bundles_hold_entries(self, place: Path) -> None:
        publish(place, 5, 600)

        assert (place / "tile/0/001").read_bytes() == b"".join(LEAVES[256:512])
        assert (place / "tile/0/002.p/88").read_bytes() == b"".join(LEAVES[512:600])
        assert (place / "tile/1/000.p/2").read_bytes() == root(LEAVES[:256]) + root(LEAVES[256:512])
        assert (place / "tile/entries/000").read_bytes() == encode_bundle(CHAIN[:256])
        assert (place / "tile/entries/002.p/88").read_bytes() == encode_bundle(CHAIN[512:600])

    def test_the_third_level_and_long_numbers_are_reached(self, place: Path) -> None:
        contents = [b"%d" % number for number in range(66_000)]
        entries = [LedgerEntry(at, content, leaf_hash(content), NO_ENTRY) for at, content in enumerate(contents)]
        leaves = [entry.leaf_hash for entry in entries]
        directory = TileDirectory(place)
        directory.publish(entries[:65_536], 65_536, note(65_536, leaves))
        directory.publish(entries[65_536:], 66_000, note(66_000, leaves))

        assert (place / "tile/2/000.p/1").read_bytes() == root(leaves[:65_536])
        assert (place / "tile/1/000").stat().st_size == 256 * 32
        assert {"tile/1/001.p/1", "tile/0/257.p/208", "tile/entries/257.p/208"} <= names(place)
        assert list(directory.leaf_hashes(65_530, 66_000)) == leaves[65_530:]

    def test_a_partial_tile_goes_when_the_full_one_stands(self, place: Path) -> None:
        publish(place, 5)
        assert {"tile/0/000.p/5", "tile/entries/000.p/5"} <= names(place)
        publish(place, 300)

        assert not {name for name in names(place) if "/000.p" in name and not name.startswith("tile/1")}

    @pytest.mark.parametrize("sizes", [(1,), (255, 256, 257), (1, 1000, 1300), tuple(range(1, 1300, 113))], ids=len)
    def test_the_stand_alone_verifier_finds_it_sound_at_every_step(self, place: Path, sizes: tuple[int, ...]) -> None:
        for size in sizes:
            publish(place, size)
            assert findings(place) == []

    def test_nobody_else_may_write_there(self, place: Path) -> None:
        publish(place, 300)

        assert {file.stat().st_mode & 0o022 for file in place.rglob("*")} == {0}


class Killed(BaseException):
    """Stands for the process's end: nothing of ours catches it."""


def _is_ended(act: Callable[[], object]) -> bool:
    try:
        act()
    except Killed:
        return True
    return False


def crashes(before: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> Iterator[Path]:
    """Publish in one copy after another, each ended one file operation later than the one before."""
    for survived in range(1000):
        left = survived

        def ending(real: Any) -> Any:
            def call(*arguments: Any, **options: Any) -> Any:
                nonlocal left
                if left == 0:
                    raise Killed
                left -= 1
                return real(*arguments, **options)

            return call

        place = Path(shutil.copytree(before, before.with_name(f"ended-{survived}")))
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", ending(os.fsync))
            for name in ("rename", "unlink", "rmdir", "mkdir"):
                patched.setattr(Path, name, ending(getattr(Path, name)))
            ended = _is_ended(partial(publish, place, size))
        if not ended:
            return
        yield place
    raise AssertionError("publishing never came to its end")


class TestCrash:
    @pytest.fixture
    def before(self, request: pytest.FixtureRequest, place: Path) -> Path:
        place.mkdir(parents=True)
        publish(place, *([request.param] if request.param else []))
        return place

    @pytest.mark.parametrize(
        ("before", "size"), [(0, 5), (5, 9), (250, 300), (255, 256), (10, 600), (256, 257)], indirect=["before"]
    )
    def test_ended_anywhere_it_shows_one_whole_tree_and_then_continues(
        self, before: Path, size: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old, clean = TileDirectory(before).published(), Path(shutil.copytree(before, before.with_name("clean")))
        publish(clean, size)
        killed = 0
        for place in crashes(before, monkeypatch, size):
            killed += 1
            directory = TileDirectory(place)
            shown = directory.published()
            assert shown in {old, size}
            assert list(directory.leaf_hashes(0, size)) == LEAVES[:shown]
            publish(place, size)
            assert {name for name in names(place) if not name.endswith(".new")} == names(clean)
            assert findings(place) == []
        assert killed >= 12  # four files, each three operations

    @pytest.mark.parametrize("before", [10], indirect=True)
    def test_ended_anywhere_a_larger_tree_may_be_next(self, before: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for place in crashes(before, monkeypatch, 300):
            publish(place, 700)
            assert findings(place) == []
            assert not {"tile/0/000.p", "tile/0/001.p"} & {
                str(file.relative_to(place)) for file in (place / "tile/0").iterdir()
            }

    @pytest.mark.parametrize("before", [5], indirect=True)
    def test_half_a_file_never_bears_its_name(self, before: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = Path(shutil.copytree(before, before.with_name("whole")))
        publish(whole, 300)
        for place in crashes(before, monkeypatch, 300):
            for name in names(place) & names(whole) - {"checkpoint"}:
                assert (place / name).read_bytes() == (whole / name).read_bytes()


class TestTampering:
    def test_an_entry_that_differs_from_what_was_published_is_not_published_over_it(self, place: Path) -> None:
        publish(place, 5)
        (place / "checkpoint").unlink()

        with pytest.raises(Tampered):
            TileDirectory(place).publish(_chain(5), 5, note(5))
        assert (place / "tile/0/000.p/5").read_bytes() == b"".join(LEAVES[:5])

    @pytest.mark.parametrize("name", ["tile/0/000.p/5", "tile/entries/000.p/5"])
    @pytest.mark.parametrize("content", [None, b"", b"\xff\xff torn"])
    def test_a_missing_or_torn_file_stops_publishing(self, place: Path, name: str, content: bytes | None) -> None:
        publish(place, 5)
        (place / name).unlink()
        if content is not None:
            (place / name).write_bytes(content)

        with pytest.raises(Tampered):
            publish(place, 9)
        assert TileDirectory(place).published() == 5

    def test_a_missing_tile_stops_reading(self, place: Path) -> None:
        publish(place, 300)
        (place / "tile/0/000").unlink()

        with pytest.raises(Tampered):
            list(TileDirectory(place).leaf_hashes(0, 300))

    def test_a_checkpoint_that_is_none_is_tampered(self, place: Path) -> None:
        publish(place, 5)
        (place / "checkpoint").write_bytes(b"half a no")

        with pytest.raises(Tampered):
            TileDirectory(place).published()

    def test_a_checkpoint_that_was_taken_away_is_written_again_from_the_ledger(self, place: Path) -> None:
        publish(place, 5, 300)
        (place / "checkpoint").unlink()
        publish(place, 300)

        assert findings(place) == []


class TestReach:
    def test_a_place_that_cannot_be_written_is_unavailable_until_it_can(self, place: Path) -> None:
        place.parent.mkdir(parents=True)
        place.write_bytes(b"a file stands where the directory should be")
        with pytest.raises(Unavailable):
            publish(place, 5)
        place.unlink()

        assert publish(place, 5).published() == 5

    def test_a_full_disk_is_unavailable_and_then_continues(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        publish(place, 5)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", _no_space)
            with pytest.raises(Unavailable):
                publish(place, 300)
        assert TileDirectory(place).published() == 5
        publish(place, 300)

        assert findings(place) == []


def _no_space(_: int) -> None:
    raise OSError(28, "No space left on device")
