"""The tree, held to the roots everyone knows and to itself at every size."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_secure.core.errors import Tampered
from pacs_secure.crypto.tlog import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

# The eight leaves and roots of the Certificate Transparency reference tests (RFC 6962 implementations share them).
LEAVES = [
    leaf_hash(bytes.fromhex(text))
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
MANY = [sha256(bytes([number])).digest() for number in range(40)]


def test_the_roots_are_the_published_ones() -> None:
    assert root([]) == EMPTY_ROOT == bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    assert [root(LEAVES[:size]).hex() for size in range(1, 9)] == ROOTS


def test_the_paths_are_the_published_ones() -> None:
    assert [node.hex() for node in inclusion_proof(LEAVES, 0)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    assert [node.hex() for node in consistency_proof(LEAVES, 6)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def test_every_leaf_of_every_size_is_proved_and_no_other() -> None:
    for size in range(1, len(MANY)):
        leaves = MANY[:size]
        head = root(leaves)
        for index in range(size):
            proof = inclusion_proof(leaves, index)
            assert verify_inclusion(leaves[index], index, size, proof, head)
            assert not verify_inclusion(leaves[index - 1], index, size, proof, head) or size == 1
            assert not verify_inclusion(leaves[index], index, size, [*proof, head], head)
            assert not proof or not verify_inclusion(leaves[index], index, size, proof[:-1], head)
            assert not verify_inclusion(leaves[index], (index + 1) % size, size, proof, head) or size == 1


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_a_leaf_outside_the_tree_is_never_proved(index: int, size: int) -> None:
    assert not verify_inclusion(MANY[0], index, size, [], root(MANY[:size]))


def test_every_growth_is_proved_and_nothing_else() -> None:
    for size in range(1, len(MANY)):
        head = root(MANY[:size])
        for old_size in range(1, size + 1):
            old = root(MANY[:old_size])
            proof = consistency_proof(MANY[:size], old_size)
            assert verify_consistency(old_size, size, old, head, proof)
            assert not verify_consistency(old_size, size, MANY[39], head, proof)
            assert not verify_consistency(old_size, size, old, MANY[39], proof)
            assert not verify_consistency(old_size, size, old, head, [*proof, head])
            assert not proof or not verify_consistency(old_size, size, old, head, proof[:-1])


def test_sizes_that_cannot_be_are_never_consistent() -> None:
    head = root(MANY[:8])
    assert verify_consistency(0, 8, EMPTY_ROOT, head, [])
    assert not verify_consistency(0, 8, head, head, [])
    assert not verify_consistency(0, 8, EMPTY_ROOT, head, [head])
    assert not verify_consistency(9, 8, head, head, [head])
    assert not verify_consistency(-3, 8, head, head, [head])
    assert not verify_consistency(3, 8, head, head, [])


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_frontier_written_down_grows_on_as_before(first: int, more: int) -> None:
    leaves = [sha256(number.to_bytes(2, "big")).digest() for number in range(first + more)]
    frontier = Frontier()
    for leaf in leaves[:first]:
        frontier.append(leaf)
    twin = Frontier.from_bytes(frontier.to_bytes())
    copy = frontier.copy()
    for leaf in leaves[first:]:
        twin.append(leaf)
        copy.append(leaf)
    assert (frontier.size, frontier.root()) == (first, root(leaves[:first]))
    assert (twin.size, twin.root()) == (copy.size, copy.root()) == (first + more, root(leaves))


@pytest.mark.parametrize("written", [b"", bytes(7), bytes(9), bytes([0] * 7 + [3]) + bytes(32), bytes(8 + 32)])
def test_a_frontier_that_does_not_fit_its_size_is_refused(written: bytes) -> None:
    with pytest.raises(Tampered):
        Frontier.from_bytes(written)


def test_leaves_and_nodes_are_hashed_apart() -> None:
    assert leaf_hash(MANY[0] + MANY[1]) != node_hash(MANY[0], MANY[1])
