"""Devices over the API: who may, what is said, and that a key is said once."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from pacs_secure.core.access import Role
from pacs_secure.crypto.certificates import read_certificate
from pacs_secure.web.api_devices import NewDevice
from tests.builders import ELSEWHERE, device, draft, permit, subject
from tests.certificates import Authority
from tests.web_client import WebClient
from tests.web_house import WebHouse, open_house
from tests.world import World

JSON = {"Content-Type": "application/json"}
DEVICES = "/api/v1/devices"
WS1: dict[str, Any] = {
    "ae_title": "WS1",
    "department": "surgery",
    "allow": ["store", "find", "move"],
    "host": "192.0.2.7",
    "port": 104,
    "networks": ["192.0.2.0/24"],
    "sop_classes": ["1.2.840.10008.5.1.4.1.1.2"],
    "also_ae_titles": ["WS1_B"],
    "identity_required": True,
}


@pytest.fixture
def house(world: World, tmp_path: Path) -> WebHouse:
    return open_house(tmp_path, world)


@pytest.fixture
def admin(house: WebHouse) -> WebClient:
    return house.client(Role.ADMIN)


def enrol(client: WebClient, **changed: object) -> httpx.Response:
    return client.post(DEVICES, json.dumps(WS1 | changed).encode(), JSON)


def revoke(client: WebClient, title: str = "WS1", reason: str = "stolen") -> httpx.Response:
    return client.request("DELETE", f"{DEVICES}/{title}", JSON, json.dumps({"reason": reason}).encode())


def test_a_device_is_enrolled_and_its_key_is_answered_once(house: WebHouse, admin: WebClient) -> None:
    answer = enrol(admin)

    told = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    assert "PRIVATE KEY" in told["key"]
    serial = read_certificate(told["certificate"].encode()).serial
    (listed,) = admin.get(DEVICES).json()
    assert listed == {**WS1, "allow": ["find", "move", "store"]} | {
        "serial": serial,
        "not_after": listed["not_after"],
        "revoked_at": None,
    }
    assert "PRIVATE KEY" not in str(house.world.devices.kept) + str(house.world.entries())
    assert house.recorded() == [("device:enrol", "completed"), ("device:list", "begun"), ("device:list", "completed")]


def test_a_device_that_has_a_certificate_is_issued_none(house: WebHouse, admin: WebClient, tmp_path: Path) -> None:
    pair = Authority(tmp_path, "vendor").issue("ws1")

    answer = enrol(admin, certificate=pair.certificate.read_text())

    assert answer.json() == {"ae_title": "WS1", "certificate": None, "key": None, "ca": None}
    assert house.world.devices.kept["WS1"].spki_sha256 == read_certificate(pair.der).spki_sha256
    assert house.world.authority.issued == {}


def test_a_device_is_renewed_and_revoked(house: WebHouse, admin: WebClient) -> None:
    first = enrol(admin).json()["certificate"]

    renewed = admin.request("POST", f"{DEVICES}/WS1/certificate")
    revoked = revoke(admin)

    assert (renewed.status_code, revoked.status_code) == (201, 200)
    assert renewed.json()["certificate"] != first
    assert revoked.json()["revoked_at"]
    serials = [read_certificate(one.encode()).serial for one in (first, renewed.json()["certificate"])]
    assert house.world.authority.revoked == serials
    assert admin.request("POST", f"{DEVICES}/WS1/certificate").status_code == 409


@pytest.mark.parametrize("role", [Role.RADIOLOGIST, Role.DPO, Role.CLINICIAN])
def test_others_enrol_and_revoke_nothing(house: WebHouse, admin: WebClient, role: Role) -> None:
    enrol(admin)
    before = dict(house.world.devices.kept)
    other = house.client(role)

    assert enrol(other, ae_title="WS2").status_code == 403
    assert other.request("POST", f"{DEVICES}/WS1/certificate").status_code == 403
    assert revoke(other).status_code == 403
    assert house.world.devices.kept == before
    assert house.recorded()[1:] == [
        ("device:enrol", "refused"),
        ("device:enrol", "refused"),
        ("device:revoke", "refused"),
    ]


@pytest.mark.parametrize("title", ["WS9", "CT1"])
def test_a_device_that_is_not_there_and_one_of_others_look_alike(house: WebHouse, admin: WebClient, title: str) -> None:
    theirs = permit(subject(of=ELSEWHERE))
    house.world.house.engines.devices.enrol(theirs, device("CT1", of=ELSEWHERE), draft())

    for answer in (revoke(admin, title), admin.request("POST", f"{DEVICES}/{title}/certificate")):
        assert (answer.status_code, answer.json()["detail"]) == (404, "There is no such object.")


@pytest.mark.parametrize(
    "changed",
    [
        {"ae_title": "A\\B"},
        {"networks": ["everywhere"]},
        {"sop_classes": ["CT"]},
        {"allow": []},
        {"allow": ["delete"]},
        {"port": 70_000},
        {"certificate": "no certificate"},
        {"institution": "south"},
    ],
)
def test_what_describes_no_device_is_refused_and_recorded(
    house: WebHouse, admin: WebClient, changed: dict[str, object]
) -> None:
    assert enrol(admin, **changed).status_code == 400
    assert house.world.devices.kept == {}
    assert house.recorded() == [("device:enrol", "refused")]


def test_an_ae_title_that_is_none_is_refused_and_recorded(house: WebHouse, admin: WebClient) -> None:
    assert revoke(admin, "LONGER_THAN_SIXTEEN").status_code == 400
    assert house.recorded() == [("device:revoke", "refused")]


def test_an_authority_out_of_reach_is_said(house: WebHouse, admin: WebClient) -> None:
    house.world.authority.down = True

    assert enrol(admin).status_code == 503
    assert house.world.devices.kept == {}


def test_a_device_stores_any_class_from_anywhere_unless_it_is_said() -> None:
    wanted = NewDevice(ae_title="CT1", allow=["store"])

    assert (wanted.networks, wanted.sop_classes, wanted.identity_required) == ((), (), False)
