"""Boards over HTTP: what is asked is read strictly, and what is told names persons to members only."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pacs_secure.core.access import Role
from pacs_secure.web.api_boards import BoardTold
from tests.web_house import WebHouse, open_house
from tests.web_instances import part10
from tests.world import World

JSON = {"Content-Type": "application/json"}
BOARDS = "/api/v1/boards"


@pytest.fixture
def web(tmp_path: Path, world: World) -> WebHouse:
    return open_house(tmp_path, world)


def asked(**changed: object) -> bytes:
    now = datetime.now(UTC)
    body = {
        "title": "Liver board",
        "meets_on": now.date().isoformat(),
        "until": (now + timedelta(days=7)).isoformat(),
        "members": [{"person": "m.herbst"}],
        "reason": "the cases of this week",
    }
    return json.dumps(body | changed).encode()


def test_a_board_is_told_as_it_was_convened(web: WebHouse) -> None:
    web.store(part10(1))
    answer = web.client(Role.CLINICIAN).post(BOARDS, asked(), JSON)

    assert answer.status_code == 201, answer.text
    told = BoardTold.model_validate_json(answer.content)
    assert (told.title, told.convener.person) == ("Liver board", "r.weber")
    assert [one.member.person for one in told.members] == ["m.herbst"]
    assert web.client(Role.CLINICIAN).get(f"{BOARDS}/{told.board}").content == answer.content


@pytest.mark.parametrize(
    "changed", [{"meets_on": "someday"}, {"members": [{"person": ""}]}, {"reason": "so"}, {"colour": "red"}]
)
def test_what_is_no_board_is_refused_and_recorded(web: WebHouse, changed: dict[str, object]) -> None:
    assert web.client(Role.CLINICIAN).post(BOARDS, asked(**changed), JSON).status_code == 400
    assert web.recorded() == [("board:convene", "refused")]


def test_a_board_that_is_not_there_is_missing(web: WebHouse) -> None:
    assert web.client(Role.CLINICIAN).get(f"{BOARDS}/nonsense").status_code == 404
