"""Tombstones on a disk: what others buried, what a crash leaves, and what nobody can change unnoticed."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pacs_secure.adapters import tombstone_directory
from pacs_secure.adapters.tombstone_directory import TombstoneDirectory
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.crypto.tlog import sign_note
from tests.contract.test_tombstones_contract import KEYRING, ORIGIN, graveyard, lies, tombstone
from tests.fakes_keys import FakeKeyring

KEY = "key 00000000-0000-4000-8000-000000000001 here"


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir() if not path.name.startswith("."))


def test_what_another_process_buried_is_known_at_once(tmp_path: Path) -> None:
    one, other = graveyard(tmp_path), graveyard(tmp_path)
    assert not other.holds(*lies(tombstone(1)))

    one.bury([tombstone(1)])
    other.bury([tombstone(1), tombstone(2)])

    assert one.holds(*lies(tombstone(2)))
    assert list(one.all()) == list(other.all()) == [tombstone(1), tombstone(2)]
    assert names(tmp_path) == [f"{number:020}" for number in range(2)]


def test_of_many_that_bury_at_once_nobody_loses_a_tombstone(tmp_path: Path) -> None:
    graves = [graveyard(tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: graves[number % 4].bury([tombstone(number)]), range(40)))

    assert {one.key_id for one in graves[0].all()} == {tombstone(number).key_id for number in range(40)}


def test_a_file_names_no_more_than_key_institution_shelf_and_time(tmp_path: Path) -> None:
    graveyard(tmp_path).bury([tombstone(1)])

    text, _, signature = (tmp_path / f"{0:020}").read_text(encoding="utf-8").partition("\n\n")
    assert text.splitlines() == [
        "tests.example/ledger/tombstones",
        "number 0",
        f"before {'0' * 64}",
        f"{KEY} study 2026-03-04T05:06:08.891011Z",
    ]
    assert signature.startswith("\u2014 tests.example/ledger/tombstones ")


def test_more_than_one_file_holds_become_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tombstone_directory, "AT_ONCE", 2)
    many = [tombstone(number) for number in range(5)]

    graveyard(tmp_path).bury(many)

    assert list(graveyard(tmp_path).all()) == many
    assert len(names(tmp_path)) == 3


def test_who_may_not_sign_for_the_log_buries_nothing_and_reads_all(tmp_path: Path) -> None:
    graveyard(tmp_path).bury([tombstone(1)])
    reading = TombstoneDirectory(tmp_path, ORIGIN, KEYRING.public_key)

    with pytest.raises(Unavailable):
        reading.bury([tombstone(2)])
    reading.bury([tombstone(1)])
    assert list(reading.all()) == [tombstone(1)]


@pytest.mark.parametrize("origin", [ORIGIN, "another.example"])
def test_what_another_log_signed_is_no_burial_here(tmp_path: Path, origin: str) -> None:
    stranger = KEYRING if origin != ORIGIN else FakeKeyring()
    TombstoneDirectory(tmp_path, origin, stranger.public_key, stranger).bury([tombstone(1)])

    for act in everything(tmp_path):
        with pytest.raises(Tampered):
            act()


@pytest.mark.parametrize("moved", ["first", "last", "twice"])
def test_a_burial_at_another_place_is_noticed(tmp_path: Path, moved: str) -> None:
    for count in range(2):
        graveyard(tmp_path).bury([tombstone(count)])
    first, second = (tmp_path / f"{number:020}" for number in range(2))
    if moved == "first":
        first.write_bytes(second.read_bytes())
    elif moved == "last":
        second.write_bytes(first.read_bytes())
    else:
        (tmp_path / f"{2:020}").write_bytes(second.read_bytes())

    for act in everything(tmp_path):
        with pytest.raises(Tampered):
            act()


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"number 0\nbefore {'0' * 64}\n",
        f"number 0\nbefore {'0' * 64}\nkey a b c d\n",
        f"number 00\nbefore {'0' * 64}\n{KEY} study 2026-03-04T05:06:08.891011Z\n",
        f"number 0\nbefore {'0' * 64}\n{KEY} cellar 2026-03-04T05:06:08.891011Z\n",
        f"number 0\nbefore {'0' * 64}\n{KEY} study 2026-03-04T05:06:08Z\n",
    ],
    ids=["nothing", "nobody", "no key", "number", "shelf", "time"],
)
def test_what_is_signed_is_read_in_one_way_only(tmp_path: Path, text: str) -> None:
    name = f"{ORIGIN}/tombstones"
    signed = f"{name}\n{text}".encode()
    note = sign_note(signed, name, KEYRING.public_key(), KEYRING.sign(signed))
    (tmp_path / f"{0:020}").write_bytes(note)

    for act in everything(tmp_path):
        with pytest.raises(Tampered):
            act()


def test_what_a_crash_left_half_written_is_no_burial(tmp_path: Path) -> None:
    (tmp_path / f".{0:020}.new").write_bytes(b'{"before"')

    graveyard(tmp_path).bury([tombstone(1)])

    assert list(graveyard(tmp_path).all()) == [tombstone(1)]
    assert names(tmp_path) == [f"{0:020}"]


@pytest.mark.parametrize("number", [0, 1])
def test_a_burial_that_is_missing_in_the_middle_is_noticed(tmp_path: Path, number: int) -> None:
    for count in range(3):
        graveyard(tmp_path).bury([tombstone(count)])
    (tmp_path / f"{number:020}").unlink()

    for act in everything(tmp_path):
        with pytest.raises(Tampered):
            act()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.replace(b"here", b"hera"),
        lambda content: content.replace(b"before 0", b"before 1"),
        lambda content: content[:-1],
        lambda content: content.partition(b"\n\n")[0] + b"\n",
        lambda _content: b"",
        lambda _content: b"\xff\n",
    ],
    ids=["institution", "before", "end", "unsigned", "empty", "no text"],
)
def test_a_burial_that_was_changed_is_noticed(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    directory = graveyard(tmp_path)
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
        lambda: list(graveyard(place).all()),
        lambda: graveyard(place).holds(*lies(tombstone(1))),
        lambda: graveyard(place).bury([tombstone(9)]),
    )


def test_a_directory_that_is_none_is_out_of_reach(tmp_path: Path) -> None:
    (tmp_path / "tombstones").write_bytes(b"")  # a file where a directory should be

    for act in everything(tmp_path / "tombstones"):
        with pytest.raises(Unavailable):
            act()


def test_a_full_disk_buries_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = graveyard(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(Unavailable):
            directory.bury([tombstone(1)])

    assert list(graveyard(tmp_path).all()) == []
    directory.bury([tombstone(1)])
    assert directory.holds(*lies(tombstone(1)))


def full(_descriptor: int) -> None:
    raise OSError(28, "No space left on device")
