"""A reason is a sentence that somebody else can judge."""

import pytest

from pacs_secure.core.errors import Malformed
from pacs_secure.core.reasons import LONGEST, SHORTEST, reason


@pytest.mark.parametrize("text", ["x" * SHORTEST, "x" * LONGEST, "Unconscious,\nno time to ask."])
def test_a_sentence_is_a_reason(text: str) -> None:
    assert reason(f"  {text}\n") == text


@pytest.mark.parametrize("text", ["", "x" * (SHORTEST - 1), "x" * (LONGEST + 1), " " * 50, "bell\a and whistle"])
def test_anything_else_is_none_and_is_not_repeated(text: str) -> None:
    with pytest.raises(Malformed) as error:
        reason(text)

    assert "bell" not in str(error.value)
