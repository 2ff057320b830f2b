"""Why somebody did what needs a reason: a sentence that another person can judge later."""

from pacs_secure.core.errors import Malformed

SHORTEST, LONGEST = 10, 500


def reason(text: str) -> str:
    """Accept ``text`` as a reason, without the blanks around it.

    Raises:
        Malformed: it is shorter than 10 or longer than 500 characters, or holds what is no text.
    """
    stripped = text.strip()
    if not SHORTEST <= len(stripped) <= LONGEST or not all(one.isprintable() or one == "\n" for one in stripped):
        raise Malformed(f"a reason of {SHORTEST} to {LONGEST} characters is required")
    return stripped
