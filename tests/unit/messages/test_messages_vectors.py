"""The messages kept as vectors are what the archive writes today."""

from tests.vectors import generate_messages


def test_making_the_vectors_anew_gives_the_same_bytes() -> None:
    assert generate_messages.text() == generate_messages.FILE.read_text(encoding="utf-8")
