"""How the files of a policy are read and their words written."""

import pytest

from pacs_secure.adapters.policy_files import despite_of, joined, read_policy, split, written
from pacs_secure.core.access import LABELS, Safeguard
from pacs_secure.core.errors import Malformed


@pytest.mark.parametrize(
    ("cell", "passed"),
    [
        ("-", frozenset()),
        ("*", frozenset(Safeguard)),
        ("ended", {Safeguard.ENDED}),
        ("protected", LABELS),
        ("ended protected", LABELS | {Safeguard.ENDED}),
        ("genetics vip", {Safeguard.GENETICS, Safeguard.VIP}),
    ],
)
def test_what_a_rule_passes_is_read_and_written_alike(cell: str, passed: frozenset[Safeguard]) -> None:
    assert despite_of(cell) == passed
    assert written(frozenset(passed)) == cell


def test_an_unknown_safeguard_is_no_safeguard() -> None:
    with pytest.raises(ValueError, match="royal"):
        despite_of("royal")


@pytest.mark.parametrize("safeguards", [frozenset(), frozenset({Safeguard.VIP, Safeguard.ENDED}), frozenset(Safeguard)])
def test_a_set_of_safeguards_is_one_word_list(safeguards: frozenset[Safeguard]) -> None:
    assert split(joined(safeguards)) == safeguards


def test_a_policy_needs_all_of_its_files() -> None:
    with pytest.raises(Malformed, match=r"model\.conf"):
        read_policy({})
