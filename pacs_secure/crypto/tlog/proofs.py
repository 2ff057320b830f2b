"""Proofs from published tiles: as many tiles are read as the tree has levels of them, however large it is."""

from collections.abc import Callable, Sequence
from hashlib import sha256

from pacs_secure.core.errors import Malformed
from pacs_secure.crypto.tlog.tiles import WIDTH
from pacs_secure.crypto.tlog.tree import Frontier, node_hash, split_size

Tiles = Callable[[int, int, int], Sequence[bytes]]
"""Reads the first hashes of one tile: its level, its number, and how many are wanted (C2SP tlog-tiles)."""

_HEIGHT = 8
"""Levels of the tree between two levels of tiles."""


def inclusion_from_tiles(tiles: Tiles, index: int, size: int) -> list[bytes]:
    """Return the audit path of one leaf in the tree of ``size``, from the leaf upwards (RFC 9162 2.1.3.1).

    Raises:
        Malformed: the tree has no such leaf.
        Tampered: a tile is missing or damaged; what `tiles` raises passes.
    """
    if not 0 <= index < size:
        raise Malformed("the tree has no such entry")
    tree, start, stop = _Tree(tiles, size), 0, size
    path: list[bytes] = []
    while stop - start > 1:
        middle = start + split_size(stop - start)
        if index < middle:
            path.append(tree.root(middle, stop))
            stop = middle
        else:
            path.append(tree.root(start, middle))
            start = middle
    return path[::-1]


def consistency_from_tiles(tiles: Tiles, old_size: int, size: int) -> list[bytes]:
    """Return the proof that the tree of ``size`` begins with that of ``old_size`` (RFC 9162 2.1.4.1).

    Raises:
        Malformed: the old tree is empty, or larger than the new one.
        Tampered: a tile is missing or damaged; what `tiles` raises passes.
    """
    if not 0 < old_size <= size:
        raise Malformed("the tree has no such prefix")
    tree, start, stop = _Tree(tiles, size), 0, size
    path: list[bytes] = []
    while old_size != stop:
        middle = start + split_size(stop - start)
        if old_size <= middle:
            path.append(tree.root(middle, stop))
            stop = middle
        else:
            path.append(tree.root(start, middle))
            start = middle
    # Whoever asks knows the old root: it is told only where it is a part of the new tree's right side.
    return ([tree.root(start, stop)] if start else []) + path[::-1]


def frontier_from_tiles(tiles: Tiles, at: int, size: int) -> Frontier:
    """Return the right edge that the tree of ``size`` had when it was of ``at``, to grow it anew from there.

    Raises:
        Malformed: it never was of that size.
        Tampered: a tile is missing or damaged; what `tiles` raises passes.
    """
    if not 0 <= at <= size:
        raise Malformed("the tree has no such prefix")
    tree, nodes, start = _Tree(tiles, size), [], 0
    for height in reversed(range(at.bit_length())):
        if at >> height & 1:
            nodes.append(tree.root(start, start + (1 << height)))
            start += 1 << height
    return Frontier.from_bytes(at.to_bytes(8, "big") + b"".join(nodes))


class _Tree:
    """The roots of subtrees, each tile read once."""

    def __init__(self, tiles: Tiles, size: int) -> None:
        self._tiles = tiles
        self._size = size
        self._read: dict[tuple[int, int], Sequence[bytes]] = {}

    def root(self, start: int, stop: int) -> bytes:
        """Return the root over leaves ``start`` to ``stop``, a subtree as RFC 6962 splits it."""
        count = stop - start
        if count & count - 1:
            middle = start + split_size(count)
            return node_hash(self.root(start, middle), self.root(middle, stop))
        level, above = divmod(count.bit_length() - 1, _HEIGHT)
        first = start >> level * _HEIGHT
        number, place = divmod(first, WIDTH)
        return _full_root(self._tile(level, number)[place : place + (1 << above)])

    def _tile(self, level: int, number: int) -> Sequence[bytes]:
        if (level, number) not in self._read:
            width = min(WIDTH, (self._size >> level * _HEIGHT) - number * WIDTH)
            self._read[level, number] = self._tiles(level, number, width)
        return self._read[level, number]


def _full_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over a power of two of hashes."""
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
    return hashes[0]
