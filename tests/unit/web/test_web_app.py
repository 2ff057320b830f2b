"""The application as a whole: what is routed, described and left shut."""

from pathlib import Path

import pytest

from pacs_secure.web.app import OPENAPI_URL
from tests.web_client import WebClient
from tests.web_house import WebHouse, open_house
from tests.world import World


@pytest.fixture
def web(tmp_path: Path, world: World) -> WebHouse:
    return open_house(tmp_path, world)


def test_the_api_describes_itself_in_one_place_only(web: WebHouse) -> None:
    client = WebClient(web.app())
    paths = client.get(OPENAPI_URL).json()["paths"]

    assert "/dicom-web/studies/{study}/metadata" in paths
    assert [one["name"] for one in paths["/dicom-web/studies/{study}/series"]["get"]["parameters"]] == ["study"]
    for closed in ("/docs", "/redoc", "/openapi.json", "/dicom-web/studies/"):
        assert client.get(closed).status_code == 404


def test_readiness_follows_what_it_is_told(web: WebHouse) -> None:
    client = WebClient(web.app())

    assert (client.get("/healthz").status_code, client.get("/readyz").status_code) == (200, 200)
    web.ready[0] = False
    assert (client.get("/healthz").status_code, client.get("/readyz").status_code) == (200, 503)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD", "OPTIONS", "TRACE"])
def test_other_methods_are_not_allowed(web: WebHouse, method: str) -> None:
    assert web.client().request(method, "/dicom-web/studies").status_code == 405
