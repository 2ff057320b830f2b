"""What every place that the ledger is published to keeps, held against the directory and the one in memory alike."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pacs_secure.adapters.tile_directory import TileDirectory
from pacs_secure.core.audit import LedgerEntry
from pacs_secure.core.errors import Conflict, Tampered
from pacs_secure.crypto.tlog import NO_ENTRY, checkpoint_text, compose_entry, root, sign_note, state
from pacs_secure.ports import Publisher
from tests.builders import draft
from tests.fakes import MemoryPublisher


def chain(length: int) -> list[LedgerEntry]:
    entries: list[LedgerEntry] = []
    for index in range(length):
        entries.append(compose_entry(state(draft()), index, entries[-1].leaf_hash if entries else NO_ENTRY))
    return entries


CHAIN = chain(1300)
"""Beyond five tiles."""


def note(size: int, entries: list[LedgerEntry] = CHAIN) -> bytes:
    """Sign with nobody's key: a publisher does not ask who signed."""
    text = checkpoint_text("log.example.org", size, root(entry.leaf_hash for entry in entries[:size]))
    return sign_note(text, "log.example.org", bytes(32), bytes(64))


@pytest.fixture(params=["directory", "memory"])
def publisher(request: pytest.FixtureRequest, tmp_path: Path) -> Publisher:
    return MemoryPublisher() if request.param == "memory" else TileDirectory(tmp_path / "published")


@pytest.fixture
def publish(publisher: Publisher) -> Callable[[int], None]:
    """Publish up to a size from where the publisher stands."""
    return lambda size: publisher.publish(CHAIN[publisher.published() : size], size, note(size))


def test_nothing_is_published_at_first(publisher: Publisher) -> None:
    assert (publisher.published(), publisher.checkpoint(), list(publisher.leaf_hashes(0, 9))) == (0, None, [])


@pytest.mark.parametrize(
    "sizes",
    [(1,), (255, 256, 257), (256, 512), (1, 2, 3, 300), (1300,), (10, 1000, 1300), (512, 512), (0, 5)],
    ids=str,
)
def test_what_was_published_is_read_back_whole(
    publisher: Publisher, publish: Callable[[int], None], sizes: tuple[int, ...]
) -> None:
    for size in sizes:
        publish(size)
        assert (publisher.published(), publisher.checkpoint()) == (size, note(size))
        assert list(publisher.leaf_hashes(0, size)) == [entry.leaf_hash for entry in CHAIN[:size]]


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 1), (250, 260), (255, 256), (256, 512), (599, 600), (590, 9999), (700, 800)]
)
def test_any_range_of_leaf_hashes_can_be_read(
    publisher: Publisher, publish: Callable[[int], None], start: int, stop: int
) -> None:
    publish(600)

    assert list(publisher.leaf_hashes(start, stop)) == [entry.leaf_hash for entry in CHAIN[start : min(stop, 600)]]


def test_any_entry_and_tile_of_a_published_tree_can_be_read(
    publisher: Publisher, publish: Callable[[int], None]
) -> None:
    for size in (300, 600):
        publish(size)

    leaves = [entry.leaf_hash for entry in CHAIN]
    for index, size in ((0, 300), (299, 300), (255, 600), (256, 600), (599, 600)):
        assert publisher.content(index, size) == CHAIN[index].content
    assert publisher.tile(0, 1, 44) == leaves[256:300]
    assert publisher.tile(0, 2, 88) == leaves[512:600]
    assert publisher.tile(1, 0, 1) == [root(leaves[:256])]
    assert publisher.tile(1, 0, 2) == [root(leaves[:256]), root(leaves[256:512])]


def test_what_was_not_published_is_not_read(publisher: Publisher, publish: Callable[[int], None]) -> None:
    publish(300)

    with pytest.raises(Tampered):
        publisher.tile(0, 1, 256)
    with pytest.raises(Tampered):
        publisher.content(700, 800)


def test_entries_that_are_published_already_may_come_again(publisher: Publisher) -> None:
    publisher.publish(CHAIN[:300], 300, note(300))
    publisher.publish(CHAIN[:300], 300, note(300))
    publisher.publish(CHAIN[200:400], 400, note(400))

    assert list(publisher.leaf_hashes(0, 400)) == [entry.leaf_hash for entry in CHAIN[:400]]


@pytest.mark.parametrize(
    ("entries", "size"),
    [(slice(11, 20), 20), (slice(10, 20), 21), (slice(10, 21), 20), (slice(0, 0), 20), (slice(0, 5), 5)],
    ids=["gap", "too few", "too many", "none", "smaller tree"],
)
def test_entries_that_do_not_reach_from_there_to_the_size_are_a_conflict(
    publisher: Publisher, publish: Callable[[int], None], entries: slice, size: int
) -> None:
    publish(10)

    with pytest.raises(Conflict):
        publisher.publish(CHAIN[entries], size, note(size))
    assert (publisher.published(), publisher.checkpoint()) == (10, note(10))


def test_another_note_of_the_published_size_is_tampering(publisher: Publisher, publish: Callable[[int], None]) -> None:
    publish(10)

    with pytest.raises(Tampered):
        publisher.publish([], 10, note(10, chain(10)))
    assert publisher.checkpoint() == note(10)


def witnessed(size: int, cosignature: int, entries: list[LedgerEntry] = CHAIN) -> bytes:
    text = note(size, entries).rpartition(b"\n\n")[0] + b"\n"
    return sign_note(text, "w.example", bytes(32), bytes([cosignature] * 64))


def test_nothing_is_witnessed_or_stamped_at_first(publisher: Publisher) -> None:
    assert (publisher.witnessed(), publisher.time_stamp(3)) == (None, None)


def test_the_newest_witnessed_note_is_found_and_never_goes_back(publisher: Publisher) -> None:
    for size, cosignature in [(3, 1), (5, 2), (5, 3), (4, 4)]:
        publisher.add_witnessed(size, witnessed(size, cosignature))

    assert publisher.witnessed() == witnessed(5, 3)


def test_the_first_witnessed_note_behind_a_size_is_found(publisher: Publisher) -> None:
    assert publisher.witnessed_from(0) is None
    for size, cosignature in [(3, 1), (5, 2), (5, 3)]:
        publisher.add_witnessed(size, witnessed(size, cosignature))

    assert [publisher.witnessed_from(size) for size in (1, 3, 4, 5, 6)] == [
        *[witnessed(3, 1)] * 2,
        *[witnessed(5, 2)] * 2,
        None,
    ]


def test_another_tree_head_of_a_witnessed_size_is_tampering(publisher: Publisher) -> None:
    publisher.add_witnessed(5, witnessed(5, 1))

    with pytest.raises(Tampered):
        publisher.add_witnessed(5, witnessed(5, 2, chain(5)))
    assert publisher.witnessed() == witnessed(5, 1)


def test_the_first_time_stamp_of_a_size_stays(publisher: Publisher) -> None:
    publisher.add_time_stamp(5, b"first")
    publisher.add_time_stamp(5, b"second")

    assert (publisher.time_stamp(5), publisher.time_stamp(6)) == (b"first", None)


def test_the_first_witnessed_note_of_a_size_stays_in_its_file(tmp_path: Path) -> None:
    directory = TileDirectory(tmp_path)
    directory.add_witnessed(5, witnessed(5, 1))
    directory.add_witnessed(5, witnessed(5, 2))

    assert (tmp_path / "witnessed" / f"{5:020}").read_bytes() == witnessed(5, 1)
    assert (tmp_path / "witnessed-checkpoint").read_bytes() == witnessed(5, 2)


def test_many_small_steps_and_one_large_one_come_to_the_same(tmp_path: Path) -> None:
    steps, at_once = TileDirectory(tmp_path / "steps"), TileDirectory(tmp_path / "at-once")
    for size in (*range(1, 1300, 97), 1300):
        steps.publish(CHAIN[steps.published() : size], size, note(size))
    at_once.publish(CHAIN, 1300, note(1300))

    def tiles(of: str) -> dict[str, bytes]:
        return {str(file.relative_to(tmp_path / of)): file.read_bytes() for file in files(tmp_path / of / "tile")}

    assert {name: tiles("steps").get(name) for name in tiles("at-once")} == tiles("at-once")


def files(below: Path) -> Iterator[Path]:
    return (file for file in sorted(below.rglob("*")) if file.is_file())
