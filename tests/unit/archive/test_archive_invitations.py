"""What an invitation may say, and where what it says is kept."""

from uuid import UUID, uuid4

import pytest

from pacs_secure.archive.invitations import Invitations, identifier_of
from pacs_secure.core.errors import Tampered
from tests.builders import ELSEWHERE, HERE
from tests.world import World


@pytest.mark.parametrize("text", ["", "x", "1" * 33, f"{{{UUID(int=7)}}}", UUID(int=7).hex, f"urn:uuid:{UUID(int=7)}"])
def test_whatever_is_no_random_name_names_nothing(text: str) -> None:
    assert identifier_of(text) is None


def test_a_random_name_is_read() -> None:
    name = uuid4()
    assert identifier_of(str(name)) == identifier_of(str(name).upper()) == name


def test_what_is_sealed_opens_in_its_place_only(world: World) -> None:
    rules: Invitations = world.archive.sharing.invitations
    origin, row = uuid4(), uuid4()
    box = rules.seal("share", HERE, origin, row, {"word": "Wort"})

    assert rules.open("share", HERE, origin, row, box) == {"word": "Wort"}
    for level, of, group, one in (
        ("board", HERE, origin, row),
        ("share", ELSEWHERE, origin, row),
        ("share", HERE, row, row),
        ("share", HERE, origin, origin),
    ):
        with pytest.raises(Tampered):
            rules.open(level, of, group, one, box)
