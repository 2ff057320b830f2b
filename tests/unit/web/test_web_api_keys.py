"""The keys over the API: who may, and what is said."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pacs_secure.archive.rekey import SETTLING
from pacs_secure.core.access import Role
from pacs_secure.ports import Shelf
from pacs_secure.web import api_keys
from pacs_secure.web.api_keys import Keys, Rewrapping
from tests.builders import HERE
from tests.web_client import WebClient
from tests.web_house import WebHouse, open_house
from tests.world import World

KEYS = "/api/v1/keys"


@pytest.fixture
def house(world: World, tmp_path: Path) -> WebHouse:
    rekey = replace(world.archive.rekey, now=lambda: datetime.now(UTC) + 2 * SETTLING)
    opened = replace(world.house, archive=replace(world.archive, rekey=rekey))
    return open_house(tmp_path, replace(world, house=opened))


def post(client: WebClient, path: str) -> tuple[int, bytes]:
    answer = client.post(f"{KEYS}/{path}", b"", {})
    return answer.status_code, answer.content


def test_an_administrator_turns_the_key_and_has_the_shelf_wrapped_anew(house: WebHouse) -> None:
    admin = house.client(Role.ADMIN)
    house.world.keyring.mint(HERE, Shelf.STUDY)
    assert not Keys.model_validate_json(admin.get(KEYS).content).pending

    assert post(admin, "rotations")[0] == 201
    assert post(admin, "rotations")[0] == 409
    status = Keys.model_validate_json(admin.get(KEYS).content)
    assert (status.kek.newest, status.kek.least, status.pending) == (2, 1, True)
    code, told = post(admin, "rewrappings")

    rewrapping = Rewrapping.model_validate_json(told)
    assert (code, rewrapping.older_versions_stay, rewrapping.failed) == (200, "nothing", 0)
    status = Keys.model_validate_json(admin.get(KEYS).content)
    assert (status.kek.least, status.pending) == (2, False)
    assert {one.shelf: one.rewrapped for one in status.shelves}[Shelf.STUDY] == 1
    assert all(one.finished_at for one in status.shelves)


def test_a_request_that_takes_too_long_says_that_it_stopped(house: WebHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_keys, "LONGEST", 0.0)
    admin = house.client(Role.ADMIN)
    post(admin, "rotations")

    assert Rewrapping.model_validate_json(post(admin, "rewrappings")[1]).older_versions_stay == "stopped"


def test_oversight_sees_how_the_keys_stand_and_turns_none(house: WebHouse) -> None:
    dpo = house.client(Role.DPO, "")

    assert dpo.get(KEYS).status_code == 200
    assert [post(dpo, path)[0] for path in ("rotations", "rewrappings")] == [403, 403]


def test_others_are_refused_and_that_is_on_record(house: WebHouse) -> None:
    radiologist = house.client(Role.RADIOLOGIST)

    assert radiologist.get(KEYS).status_code == 403
    assert [post(radiologist, path)[0] for path in ("rotations", "rewrappings")] == [403, 403]
    assert house.recorded()[-3:] == [(f"keys:{act}", "refused") for act in ("status", "rotate", "rewrap")]
    assert house.world.keyring.state(HERE).newest == 1
    assert timedelta(0) < SETTLING
