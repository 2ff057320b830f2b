"""Proofs from tiles, held to those that are made from every leaf."""

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_secure.core.errors import Malformed
from pacs_secure.crypto.tlog import (
    WIDTH,
    Frontier,
    consistency_from_tiles,
    consistency_proof,
    frontier_from_tiles,
    inclusion_from_tiles,
    inclusion_proof,
    root,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [sha256(number.to_bytes(4, "big")).digest() for number in range(70_000)]
"""Beyond one tile of the second level."""


class Published:
    """Tiles as they are published, computed once, and how often each was read."""

    def __init__(self) -> None:
        self.levels = [LEAVES]
        while len(below := self.levels[-1]) >= WIDTH:
            self.levels.append(
                [root(below[first : first + WIDTH]) for first in range(0, len(below) - WIDTH + 1, WIDTH)]
            )
        self.read: Counter[tuple[int, int]] = Counter()

    def tile(self, level: int, number: int, width: int) -> Sequence[bytes]:
        assert 0 < width <= WIDTH
        self.read[level, number] += 1
        found = self.levels[level][number * WIDTH :][:width]
        assert len(found) == width, "more hashes were wanted than the tree has"
        return found


PUBLISHED = Published()


@st.composite
def two_sizes(draw: st.DrawFn) -> tuple[int, int]:
    size = draw(st.one_of(st.integers(1, 1200), st.sampled_from([255, 256, 257, 512, 65_535, 65_536, 65_537, 70_000])))
    return draw(st.integers(1, size)), size


@settings(max_examples=100, deadline=None)
@given(two_sizes())
def test_a_tree_grows_anew_from_any_size_that_it_had(sizes: tuple[int, int]) -> None:
    at, size = sizes
    frontier = frontier_from_tiles(PUBLISHED.tile, at - 1, size)
    grown = Frontier()
    for leaf in LEAVES[: at - 1]:
        grown.append(leaf)
    assert frontier.to_bytes() == grown.to_bytes()
    frontier.append(LEAVES[at - 1])
    assert frontier.root() == root(LEAVES[:at])


@pytest.mark.parametrize("at", [-1, 301])
def test_a_tree_never_was_of_a_size_beyond_it(at: int) -> None:
    with pytest.raises(Malformed):
        frontier_from_tiles(PUBLISHED.tile, at, 300)


@settings(max_examples=60, deadline=None)
@given(two_sizes())
def test_both_proofs_are_those_made_from_every_leaf(sizes: tuple[int, int]) -> None:
    old, size = sizes
    leaves = LEAVES[:size]

    assert inclusion_from_tiles(PUBLISHED.tile, old - 1, size) == inclusion_proof(leaves, old - 1)
    assert consistency_from_tiles(PUBLISHED.tile, old, size) == consistency_proof(leaves, old)


def test_every_leaf_and_every_growth_of_small_trees_is_proved() -> None:
    roots = [root(LEAVES[:size]) for size in range(20)]
    for size in range(1, 20):
        for index in range(size):
            path = inclusion_from_tiles(PUBLISHED.tile, index, size)
            assert verify_inclusion(LEAVES[index], index, size, path, roots[size])
            growth = consistency_from_tiles(PUBLISHED.tile, index + 1, size)
            assert verify_consistency(index + 1, size, roots[index + 1], roots[size], growth)


def test_a_proof_reads_no_tile_twice_and_few_of_them() -> None:
    published = Published()

    inclusion_from_tiles(published.tile, 12_345, 70_000)

    assert max(published.read.values()) == 1
    assert len(published.read) <= 2 * 3  # On each of three levels the leaf's own tile, and that at the edge.


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (5, 5), (0, 0)])
def test_what_is_not_in_the_tree_has_no_path(index: int, size: int) -> None:
    with pytest.raises(Malformed):
        inclusion_from_tiles(PUBLISHED.tile, index, size)


@pytest.mark.parametrize(("old", "size"), [(0, 5), (6, 5), (-1, 5)])
def test_what_the_tree_does_not_begin_with_is_not_proved(old: int, size: int) -> None:
    with pytest.raises(Malformed):
        consistency_from_tiles(PUBLISHED.tile, old, size)
