"""Tombstones on a disk: what others buried, what a crash leaves, and what nobody can change unnoticed."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pacs_secure.adapters.tombstone_directory import TombstoneDirectory
from pacs_secure.core.errors import Tampered, Unavailable
from tests.contract.test_tombstones_contract import tombstone


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir() if not path.name.startswith("."))


def test_what_another_process_buried_is_known_at_once(tmp_path: Path) -> None:
    one, other = TombstoneDirectory(tmp_path), TombstoneDirectory(tmp_path)
    assert not other.holds(tombstone(1).key_id)

    one.bury([tombstone(1)])
    other.bury([tombstone(1), tombstone(2)])

    assert one.holds(tombstone(2).key_id)
    assert list(one.all()) == list(other.all()) == [tombstone(1), tombstone(2)]
    assert names(tmp_path) == [f"{number:020}" for number in range(2)]


def test_of_many_that_bury_at_once_nobody_loses_a_tombstone(tmp_path: Path) -> None:
    graves = [TombstoneDirectory(tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: graves[number % 4].bury([tombstone(number)]), range(40)))

    assert {one.key_id for one in graves[0].all()} == {tombstone(number).key_id for number in range(40)}


def test_a_file_names_no_more_than_key_institution_shelf_and_time(tmp_path: Path) -> None:
    TombstoneDirectory(tmp_path).bury([tombstone(1)])

    assert (tmp_path / f"{0:020}").read_text(encoding="ascii") == (
        f'{{"before":"{"0" * 64}"}}\n'
        '{"key":"00000000-0000-4000-8000-000000000001","institution":"here","shelf":"study",'
        '"at":"2026-03-04T05:06:08.891011+00:00"}\n'
    )


def test_what_a_crash_left_half_written_is_no_burial(tmp_path: Path) -> None:
    (tmp_path / f".{0:020}.new").write_bytes(b'{"before"')

    TombstoneDirectory(tmp_path).bury([tombstone(1)])

    assert list(TombstoneDirectory(tmp_path).all()) == [tombstone(1)]
    assert names(tmp_path) == [f"{0:020}"]


@pytest.mark.parametrize("number", [0, 1])
def test_a_burial_that_is_missing_in_the_middle_is_noticed(tmp_path: Path, number: int) -> None:
    for count in range(3):
        TombstoneDirectory(tmp_path).bury([tombstone(count)])
    (tmp_path / f"{number:020}").unlink()

    for act in everything(tmp_path):
        with pytest.raises(Tampered):
            act()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.replace(b"here", b"hera"),
        lambda content: content.replace(b'"0000', b'"1000', 1),
        lambda content: content.replace(b'"study"', b'"cellar"'),
        lambda content: content[: content.rindex(b"\n", 0, -1) + 1],
        lambda content: content[:-1],
        lambda content: content.splitlines(keepends=True)[0],
        lambda _content: b"",
        lambda _content: b"\xff\n",
        lambda _content: b"[]\n[]\n",
        lambda content: content + b'{"key":"1"}\n',
    ],
    ids=["institution", "first", "shelf", "line", "end", "nobody", "empty", "no text", "no burial", "too little"],
)
def test_a_burial_that_was_changed_is_noticed(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    directory = TombstoneDirectory(tmp_path)
    directory.bury([tombstone(1), tombstone(2)])
    directory.bury([tombstone(3)])
    first = tmp_path / f"{0:020}"
    first.write_bytes(damage(first.read_bytes()))

    for act in everything(tmp_path):
        with pytest.raises(Tampered):
            act()
    assert names(tmp_path) == [f"{number:020}" for number in range(2)]


def everything(place: Path) -> tuple[Callable[[], object], ...]:
    return (
        lambda: list(TombstoneDirectory(place).all()),
        lambda: TombstoneDirectory(place).holds(tombstone(1).key_id),
        lambda: TombstoneDirectory(place).bury([tombstone(9)]),
    )


def test_a_directory_that_is_none_is_out_of_reach(tmp_path: Path) -> None:
    (tmp_path / "tombstones").write_bytes(b"")  # a file where a directory should be

    for act in everything(tmp_path / "tombstones"):
        with pytest.raises(Unavailable):
            act()


def test_a_full_disk_buries_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = TombstoneDirectory(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(Unavailable):
            directory.bury([tombstone(1)])

    assert list(TombstoneDirectory(tmp_path).all()) == []
    directory.bury([tombstone(1)])
    assert directory.holds(tombstone(1).key_id)


def full(_descriptor: int) -> None:
    raise OSError(28, "No space left on device")
