"""QIDO-RS over a whole archive: what is found, within the caller's reach."""

from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacs_secure.core.access import Role
from pacs_secure.web import studies
from tests.builders import ELSEWHERE, HERE
from tests.web_client import WebClient
from tests.web_house import HOUR, WebHouse, open_house
from tests.web_instances import instance_uid, part10, series_uid, study_uid
from tests.world import World

WEB = "/dicom-web"
OHIF = "limit=101&offset=0&fuzzymatching=true&includefield=00081030,00080060,00080090,00100030"


@pytest.fixture
def web(tmp_path: Path, world: World) -> WebHouse:
    return open_house(tmp_path, world)


def test_studies_are_found_newest_first_each_with_its_url(web: WebHouse) -> None:
    web.store(part10(1), part10(2))
    answer = web.client().get(f"{WEB}/studies?{OHIF}")

    assert answer.headers["content-type"] == "application/dicom+json"
    assert [one["0020000D"]["Value"] for one in answer.json()] == [[study_uid(2)], [study_uid(1)]]
    assert answer.json()[0]["00081190"] == {"vr": "UR", "Value": [f"https://pacs.example{WEB}/studies/{study_uid(2)}"]}
    assert "warning" not in answer.headers


def test_nothing_found_is_an_empty_list(web: WebHouse) -> None:
    answer = web.client().get(f"{WEB}/studies?PatientID=NOBODY")

    assert (answer.status_code, answer.content) == (200, b"[]")


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/series", f"/studies/{study_uid(1)}/series/{series_uid(1)}"),
        (f"/studies/{study_uid(1)}/series", f"/studies/{study_uid(1)}/series/{series_uid(1)}"),
        ("/instances", f"/studies/{study_uid(1)}/series/{series_uid(1)}/instances/{instance_uid(1)}"),
        (
            f"/studies/{study_uid(1)}/instances",
            f"/studies/{study_uid(1)}/series/{series_uid(1)}/instances/{instance_uid(1)}",
        ),
        (
            f"/studies/{study_uid(1)}/series/{series_uid(1)}/instances",
            f"/studies/{study_uid(1)}/series/{series_uid(1)}/instances/{instance_uid(1)}",
        ),
    ],
)
def test_series_and_instances_are_found_at_every_level(web: WebHouse, path: str, url: str) -> None:
    web.store(part10(1))
    (found,) = web.client().get(WEB + path).json()

    assert found["00081190"]["Value"] == [f"https://pacs.example{WEB}{url}"]


def test_a_cut_off_answer_says_so(web: WebHouse) -> None:
    web.store(part10(1), part10(2))

    assert web.client().get(f"{WEB}/studies?limit=1").headers["warning"].startswith("299 ")
    assert "warning" not in web.client().get(f"{WEB}/studies?limit=2").headers


def test_a_query_parameter_never_stands_in_for_the_path(web: WebHouse) -> None:
    assert web.client().get(f"{WEB}/series?study=1.2").status_code == 400


def test_a_search_in_no_study_s_name_is_malformed(web: WebHouse) -> None:
    assert web.client().get(f"{WEB}/studies/x/series").status_code == 400


def test_another_institution_finds_nothing(web: WebHouse) -> None:
    web.store(part10(1))

    assert web.client(of=ELSEWHERE).get(f"{WEB}/studies").content == b"[]"
    assert web.client(Role.CLINICIAN, "surgery").get(f"{WEB}/studies").content == b"[]"


def test_whoever_may_not_search_is_denied(web: WebHouse) -> None:
    assert web.client(Role.DPO).get(f"{WEB}/studies").status_code == 403


def test_a_search_in_xml_is_not_acceptable(web: WebHouse) -> None:
    assert web.client().get(f"{WEB}/studies", {"Accept": "application/dicom+xml"}).status_code == 406


NAMES = st.sampled_from(
    [
        "PatientName",
        "StudyDate",
        "StudyTime",
        "ModalitiesInStudy",
        "StudyInstanceUID",
        "PatientID",
        "SeriesNumber",
        "00100010",
    ]
)
VALUES = st.one_of(
    st.text(max_size=12),
    st.lists(st.sampled_from(["*", "?", "-", "2026", "0301", "\\", ",", "^", "a", "1.2", ":"]), max_size=6).map(
        "".join
    ),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, VALUES, max_size=3), st.sampled_from(["/studies", "/series", "/instances"]))
def test_no_question_is_ever_a_failure_of_the_server(web: WebHouse, asked: dict[str, str], path: str) -> None:
    question = "&".join(f"{name}={quote(value)}" for name, value in asked.items())

    assert web.client().get(f"{WEB}{path}?{question}").status_code in {200, 400}


def test_one_person_s_flood_of_searches_is_slowed_down_and_nobody_else_s(
    web: WebHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studies, "SEARCHES_AT_ONCE", 3)
    monkeypatch.setattr(studies, "SECONDS_A_SEARCH", 60.0)
    app = web.app()

    def search(user: str) -> httpx.Response:
        token = web.issuer.issue(Role.RADIOLOGIST, user, "radiology", None, HERE, HOUR)
        return WebClient(app, {"Authorization": f"Bearer {token}"}).get(f"{WEB}/studies")

    assert [search("in a loop").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    assert int(search("in a loop").headers["retry-after"]) > 0
    assert search("somebody else").status_code == 200
    refused = [entry for entry in web.world.entries() if entry["outcome"] == "refused"]
    assert {entry["facts"]["error"] for entry in refused} == {"TooOften"}
