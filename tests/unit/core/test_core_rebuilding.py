"""What a rebuild cannot know is said in words."""

from pacs_secure.core.rebuilding import UNKNOWN


def test_what_falls_to_the_safer_side_is_named() -> None:
    told = " ".join(UNKNOWN)
    assert all(word in told for word in ("holds", "shares", "restricted", "devices", "ledger"))
