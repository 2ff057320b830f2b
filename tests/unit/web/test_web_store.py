"""STOW-RS over a whole archive: what is stored, what is refused, and that both are recorded."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacs_secure.core.access import Purpose, Role
from pacs_secure.web.multipart import UploadLimits
from pacs_secure.web.store import DETAILS
from tests.web_client import WebClient
from tests.web_house import MULTIPART, WebHouse, open_house
from tests.web_instances import instance_uid, part10, related, study_uid
from tests.world import World

STUDIES = "/dicom-web/studies"
SINGLE = {"Content-Type": "application/dicom"}


@pytest.fixture
def web(tmp_path: Path, world: World) -> WebHouse:
    return open_house(tmp_path, world)


def stored(body: dict[str, dict[str, list[dict[str, dict[str, list[str]]]]]]) -> list[str]:
    return [item["00081155"]["Value"][0] for item in body.get("00081199", {"Value": []})["Value"]]


def failed(body: dict[str, dict[str, list[dict[str, dict[str, list[int]]]]]]) -> list[int]:
    return [item["00081197"]["Value"][0] for item in body.get("00081198", {"Value": []})["Value"]]


def test_every_part_of_an_upload_is_stored_and_recorded_once(web: WebHouse) -> None:
    answer = web.client().post(STUDIES, related(part10(1, 1), part10(1, 2)), MULTIPART)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/dicom+json"
    assert stored(answer.json()) == [instance_uid(1, 1), instance_uid(1, 2)]
    assert answer.json()["00081190"]["Value"] == [f"https://pacs.example{STUDIES}/{study_uid(1)}"]
    assert web.recorded() == [("study:create", "begun"), ("study:create", "completed")]
    assert web.world.entries()[-1]["facts"]["protocol"] == DETAILS["protocol"]


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/related; type=application/dicom; boundary=b0undary",
        'Multipart/Related; boundary="b0undary"; type="application/dicom"',
        "multipart/related; boundary=b0undary",
    ],
)
def test_the_content_type_may_be_quoted_or_not(web: WebHouse, content_type: str) -> None:
    assert web.client().post(STUDIES, related(part10()), {"Content-Type": content_type}).status_code == 200


def test_a_part_may_come_without_content_type(web: WebHouse) -> None:
    assert web.client().post(STUDIES, related(part10(), head=""), MULTIPART).status_code == 200


def test_a_single_instance_may_be_the_whole_body(web: WebHouse) -> None:
    assert stored(web.client().post(STUDIES, part10(), SINGLE).json()) == [instance_uid(1)]


def test_the_same_bytes_again_are_success_and_other_bytes_are_a_conflict(web: WebHouse) -> None:
    web.store(part10(1, 1))

    again = web.client().post(STUDIES, related(part10(1, 1)), MULTIPART)
    other = web.client().post(STUDIES, related(part10(1, 1, PatientComments="other")), MULTIPART)

    assert (again.status_code, stored(again.json())) == (200, [instance_uid(1)])
    assert (other.status_code, failed(other.json())) == (409, [45070])
    assert other.json()["00081198"]["Value"][0]["00081155"]["Value"] == [instance_uid(1)]


def test_one_bad_part_does_not_harm_the_good_ones(web: WebHouse) -> None:
    answer = web.client().post(STUDIES, related(part10(1, 1), b"no DICOM", part10(1, 2)), MULTIPART)

    assert answer.status_code == 202
    assert stored(answer.json()) == [instance_uid(1, 1), instance_uid(1, 2)]
    assert failed(answer.json()) == [43264]
    assert ("study:create", "refused") in web.recorded()


@pytest.mark.parametrize("part", [b"", b"no DICOM", part10()[:300], b"\0" * 128 + b"DICM"])
def test_parts_that_are_no_instance_are_refused_and_recorded(web: WebHouse, part: bytes) -> None:
    answer = web.client().post(STUDIES, related(part), MULTIPART)

    assert (answer.status_code, failed(answer.json())) == (409, [43264])
    assert web.recorded() == [("study:create", "refused")]


def test_a_part_of_another_media_type_is_refused(web: WebHouse) -> None:
    answer = web.client().post(STUDIES, related(part10(), head="Content-Type: image/jpeg\r\n"), MULTIPART)

    assert answer.status_code == 409


def test_an_upload_to_a_study_takes_only_its_instances(web: WebHouse) -> None:
    answer = web.client().post(f"{STUDIES}/{study_uid(1)}", related(part10(1), part10(2)), MULTIPART)

    assert answer.status_code == 202
    assert stored(answer.json()) == [instance_uid(1)]
    assert failed(answer.json()) == [43265]


def test_an_upload_without_parts_has_no_content(web: WebHouse) -> None:
    assert web.client().post(STUDIES, related(), MULTIPART).status_code == 204
    assert web.client().post(STUDIES, b"", SINGLE).status_code == 204


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("multipart/related; type=application/dicom", 400),
        ("multipart/related; type=application/dicom+xml; boundary=b0undary", 415),
        ("multipart/form-data; boundary=b0undary", 415),
        ("application/zip", 415),
        ("", 415),
    ],
)
def test_other_media_types_are_not_taken(web: WebHouse, content_type: str, status: int) -> None:
    assert web.client().post(STUDIES, related(part10()), {"Content-Type": content_type}).status_code == status


def test_an_answer_in_xml_is_not_offered(web: WebHouse) -> None:
    headers = {**MULTIPART, "Accept": "application/dicom+xml"}

    assert web.client().post(STUDIES, related(part10()), headers).status_code == 406
    assert web.recorded() == [("study:create", "refused")]


def test_a_study_that_is_no_uid_is_malformed(web: WebHouse) -> None:
    assert web.client().post(f"{STUDIES}/a..b", related(part10()), MULTIPART).status_code == 400


def test_a_broken_body_keeps_and_records_what_was_whole(web: WebHouse) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield related(part10(1, 1), part10(1, 2))[:-200]

    async def chunked() -> AsyncIterator[bytes]:
        body = related(part10(1, 1), part10(1, 2))
        for start in range(0, len(body) - 200, 100):
            yield body[start : start + 100]

    answer = web.client().post(STUDIES, chunked(), MULTIPART)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert web.recorded() == [("study:create", "begun"), ("study:create", "refused"), ("study:create", "aborted")]
    assert web.world.entries()[-1]["facts"]["new"] == 1
    del pieces


def test_limits_on_size_and_number_end_the_upload(web: WebHouse) -> None:
    body = related(part10(1, 1), part10(1, 2))

    for limits in (UploadLimits(part_bytes=100), UploadLimits(parts=1)):
        assert web.client(limits=limits).post(STUDIES, body, MULTIPART).status_code == 413
    assert web.client(limits=UploadLimits(bytes_in_memory=100)).post(STUDIES, body, MULTIPART).status_code == 503


def test_memory_is_given_back_after_every_part(web: WebHouse) -> None:
    client = web.client(limits=UploadLimits(bytes_in_memory=3 * len(part10())))

    for first in (1, 3):
        assert client.post(STUDIES, related(part10(1, first), part10(1, first + 1)), MULTIPART).status_code == 200


def test_a_sender_that_falls_silent_is_not_waited_for(web: WebHouse) -> None:
    async def silent() -> AsyncIterator[bytes]:
        yield related(part10())[:50]
        await asyncio.sleep(5)
        yield b""

    client = web.client(limits=UploadLimits(seconds_of_silence=0.05))

    assert client.post(STUDIES, silent(), MULTIPART).status_code == 408


def test_whoever_may_not_store_is_denied(web: WebHouse) -> None:
    for role, purpose in ((Role.DPO, None), (Role.RADIOLOGIST, Purpose.HEALTH_RESEARCH)):
        answer = web.client(role, purpose=purpose).post(STUDIES, related(part10()), MULTIPART)
        assert answer.status_code in {403, 404}
        assert stored({}) == []
    assert {outcome for _, outcome in web.recorded()} == {"refused"}


def test_what_cannot_be_recorded_is_not_accepted(web: WebHouse) -> None:
    client = web.client()
    web.world.ledger.down = True

    answer = client.post(STUDIES, related(part10()), MULTIPART)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_without_a_token_nothing_is_read(web: WebHouse) -> None:
    answer = WebClient(web.app()).post(STUDIES, related(part10()), MULTIPART)

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(st.binary(max_size=400), st.binary(max_size=400).map(lambda part: related(b"\0" * 128 + b"DICM" + part)))
)
def test_whatever_is_uploaded_is_never_a_failure_of_the_server(web: WebHouse, body: bytes) -> None:
    assert web.client().post(STUDIES, body, MULTIPART).status_code in {204, 400, 409}
