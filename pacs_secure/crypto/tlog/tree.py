"""The tree over the ledger (RFC 6962 2.1, RFC 9162 2.1): roots, growth, and proofs of log size."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from hmac import compare_digest
from typing import Self

from pacs_secure.crypto.box import tampered

HASH = 32
EMPTY_ROOT = sha256(b"").digest()

_SIZE = 8


def leaf_hash(content: bytes) -> bytes:
    """Hash one entry's bytes as a leaf (RFC 6962 2.1)."""
    return sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into one (RFC 6962 2.1)."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: the roots of its full subtrees, largest first."""

    __slots__ = ("_nodes", "_size")

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._size = 0

    @property
    def size(self) -> int:
        """Leaves so far."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """Add the next leaf hash."""
        nodes, node, carry = self._nodes, leaf, self._size
        while carry & 1:
            node = sha256(b"\x01" + nodes.pop() + node).digest()
            carry >>= 1
        nodes.append(node)
        self._size += 1

    def root(self) -> bytes:
        """Return the root of the tree as it stands."""
        if not self._nodes:
            return EMPTY_ROOT
        node = self._nodes[-1]
        for left in self._nodes[-2::-1]:
            node = node_hash(left, node)
        return node

    def copy(self) -> Self:
        """Return a frontier that grows apart from this one."""
        twin = type(self)()
        twin._nodes, twin._size = self._nodes.copy(), self._size  # noqa: SLF001 - a twin of its own class
        return twin

    def to_bytes(self) -> bytes:
        """Write down: size, 8 bytes big endian, then the subtree roots, largest first."""
        return self._size.to_bytes(_SIZE, "big") + b"".join(self._nodes)

    @classmethod
    def from_bytes(cls, written: bytes) -> Self:
        """Read what `to_bytes` wrote; raise `Tampered` when the length does not fit the size."""
        frontier = cls()
        frontier._size = int.from_bytes(written[:_SIZE], "big")
        if len(written) != _SIZE + HASH * frontier._size.bit_count():
            raise tampered()
        frontier._nodes = [written[place : place + HASH] for place in range(_SIZE, len(written), HASH)]
        return frontier


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the root over the leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def split_size(size: int) -> int:
    """Return the largest power of two smaller than ``size``: where RFC 6962 splits a tree."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of one leaf, from the leaf upwards (RFC 9162 2.1.3.1)."""
    if len(leaves) == 1:
        return []
    split = split_size(len(leaves))
    if index < split:
        return [*inclusion_proof(leaves[:split], index), root(leaves[split:])]
    return [*inclusion_proof(leaves[split:], index - split), root(leaves[:split])]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> bool:
    """Say whether the path leads from the leaf at ``index`` to the root of a tree of ``size`` (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            node = node_hash(sibling, node)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and compare_digest(node, expected)


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """Return the proof that the first ``old_size`` leaves (at least one) are a prefix (RFC 9162 2.1.4.1)."""
    return _subproof(leaves, old_size, whole=True)


def _subproof(leaves: Sequence[bytes], old_size: int, *, whole: bool) -> list[bytes]:
    if old_size == len(leaves):
        return [] if whole else [root(leaves)]
    split = split_size(len(leaves))
    if old_size <= split:
        return [*_subproof(leaves[:split], old_size, whole=whole), root(leaves[split:])]
    return [*_subproof(leaves[split:], old_size - split, whole=False), root(leaves[:split])]


def verify_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Say whether a tree of ``new_size`` only grew from one of ``old_size`` (RFC 9162 2.1.4.2)."""
    if old_size == new_size:
        return not proof and compare_digest(old_root, new_root)
    if old_size == 0:
        return not proof and compare_digest(old_root, EMPTY_ROOT)
    # When the old tree was full, its root is the first node and the proof leaves it out.
    path = [old_root, *proof] if old_size & old_size - 1 == 0 else list(proof)
    if not 0 < old_size < new_size or not path:
        return False
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old_node = new_node = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old_node, new_node = node_hash(sibling, old_node), node_hash(sibling, new_node)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new_node = node_hash(new_node, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and compare_digest(old_node, old_root) and compare_digest(new_node, new_root)
