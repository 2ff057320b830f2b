"""WADO-RS over a whole archive: what goes out is what came in, to whom it may, and recorded first."""

import hashlib
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless

from pacs_secure.core.access import Role
from pacs_secure.web.delivery import BATCH
from pacs_secure.web.multipart import Lease, Memory, RelatedParts, UploadLimits
from tests.builders import ELSEWHERE
from tests.web_client import WebClient
from tests.web_house import WebHouse, open_house
from tests.web_instances import (
    compressed_frame,
    instance_uid,
    native_frame,
    part10,
    series_uid,
    study_uid,
)
from tests.world import World

STUDY = f"/dicom-web/studies/{study_uid(1)}"
SERIES = f"{STUDY}/series/{series_uid(1)}"
INSTANCE = f"{SERIES}/instances/{instance_uid(1)}"
ANY = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
FRAMES = {"Accept": "multipart/related; type=application/octet-stream; transfer-syntax=*"}


@pytest.fixture
def web(tmp_path: Path, world: World) -> WebHouse:
    return open_house(tmp_path, world)


def parts_of(content_type: str, content: bytes) -> list[tuple[str, bytes]]:
    boundary = content_type.rpartition("boundary=")[2]
    cutter = RelatedParts(boundary, UploadLimits(), Lease(Memory(1 << 30)))
    return [(part.content_type, bytes(part.body)) for part in cutter.feed(content) + cutter.finish()]


def data_set(stream: bytes) -> bytes:
    """Return what stands behind preamble and File Meta."""
    length = int.from_bytes(stream[140:144], "little")
    return stream[144 + length :]


def test_a_study_comes_back_with_every_data_set_as_it_was_sent(web: WebHouse) -> None:
    sent = [part10(1, 1), part10(1, 2), part10(1, 1, series=2)]
    web.store(*sent)

    answer = web.client().get(STUDY, ANY)
    parts = parts_of(answer.headers["content-type"], answer.content)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith('multipart/related; type="application/dicom"; boundary=')
    assert answer.headers["content-length"] == str(len(answer.content))
    assert {kind for kind, _ in parts} == {f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"}
    assert sorted(data_set(body) for _, body in parts) == sorted(data_set(one) for one in sent)
    assert all(body[:132] == b"\0" * 128 + b"DICM" for _, body in parts)


def test_a_delivery_is_recorded_before_and_after(web: WebHouse) -> None:
    web.store(part10())
    answer = web.client().get(STUDY)

    assert web.recorded()[-2:] == [("study:read", "begun"), ("study:read", "completed")]
    assert web.world.entries()[-1]["facts"]["bytes"] == len(
        parts_of(answer.headers["content-type"], answer.content)[0][1]
    )


@pytest.mark.parametrize("path", [SERIES, INSTANCE])
def test_a_series_or_an_instance_comes_alone(web: WebHouse, path: str) -> None:
    web.store(part10(1, 1), part10(1, 1, series=2))
    answer = web.client().get(path, ANY)

    assert len(parts_of(answer.headers["content-type"], answer.content)) == 1


def test_one_instance_may_be_the_whole_answer(web: WebHouse) -> None:
    web.store(part10())
    answer = web.client().get(INSTANCE, {"Accept": "application/dicom"})

    assert answer.headers["content-type"] == f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert data_set(answer.content) == data_set(part10())


def test_another_transfer_syntax_than_stored_is_not_acceptable(web: WebHouse) -> None:
    web.store(part10(1, 1, syntax=JPEG2000Lossless), part10(1, 2))

    explicit = {"Accept": f"multipart/related; type=application/dicom; transfer-syntax={ExplicitVRLittleEndian}"}
    assert web.client().get(INSTANCE, explicit).status_code == 406
    assert web.client().get(STUDY, explicit).status_code == 406
    assert web.client().get(STUDY, ANY).status_code == 200
    assert web.client().get(STUDY, {"Accept": "application/dicom"}).status_code == 406


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_native_frames_come_as_octets(web: WebHouse, syntax: str) -> None:
    web.store(part10(syntax=syntax, frames=3))
    answer = web.client().get(f"{INSTANCE}/frames/3,1", FRAMES)

    kind = f"application/octet-stream; transfer-syntax={ExplicitVRLittleEndian}"
    assert parts_of(answer.headers["content-type"], answer.content) == [
        (kind, native_frame(3)),
        (kind, native_frame(1)),
    ]


def test_compressed_frames_come_without_item_headers_in_a_type_of_their_own(web: WebHouse) -> None:
    web.store(part10(syntax=JPEG2000Lossless, frames=2))

    octets = web.client().get(f"{INSTANCE}/frames/1,2", FRAMES)
    image = web.client().get(f"{INSTANCE}/frames/2", {"Accept": "image/jp2"})

    named = f"transfer-syntax={JPEG2000Lossless}"
    parts = parts_of(octets.headers["content-type"], octets.content)
    assert [kind for kind, _ in parts] == [f"application/octet-stream; {named}"] * 2
    assert [body.rstrip(b"\0") for _, body in parts] == [compressed_frame(1), compressed_frame(2)]
    assert image.headers["content-type"] == f"image/jp2; {named}"
    assert image.content.rstrip(b"\0") == compressed_frame(2)


def test_one_frame_may_be_the_whole_answer(web: WebHouse) -> None:
    web.store(part10())
    answer = web.client().get(f"{INSTANCE}/frames/2", {"Accept": "application/octet-stream; transfer-syntax=*"})

    assert answer.content == native_frame(2)


@pytest.mark.parametrize(
    ("frames", "status"), [("0", 400), ("-1", 400), ("x", 400), ("1,", 400), ("3", 404), ("1,99", 404)]
)
def test_frames_that_are_none_are_refused(web: WebHouse, frames: str, status: int) -> None:
    web.store(part10())

    assert web.client().get(f"{INSTANCE}/frames/{frames}", FRAMES).status_code == status


def test_metadata_is_dicom_json_with_bulk_data_on_our_origin(web: WebHouse) -> None:
    web.store(part10(1, 1), part10(1, 2))
    answer = web.client().get(f"{STUDY}/metadata")
    first = answer.json()[0]

    assert answer.headers["content-type"] == "application/dicom+json"
    assert [one["00080018"]["Value"] for one in answer.json()] == [[instance_uid(1, 1)], [instance_uid(1, 2)]]
    assert first["00100010"]["Value"] == [{"Alphabetic": "Mustermann^Max"}]
    assert first["7FE00010"]["BulkDataURI"] == f"https://pacs.example{INSTANCE}/bulkdata/7FE00010"


def test_metadata_that_is_known_is_not_sent_again(web: WebHouse) -> None:
    web.store(part10(1, 1))
    tag = web.client().get(f"{SERIES}/metadata").headers["etag"]

    known = web.client().get(f"{SERIES}/metadata", {"If-None-Match": f'"x", W/{tag}'})
    web.store(part10(1, 2))
    changed = web.client().get(f"{SERIES}/metadata", {"If-None-Match": tag})

    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_metadata_in_xml_is_not_acceptable(web: WebHouse) -> None:
    web.store(part10())

    assert web.client().get(f"{STUDY}/metadata", {"Accept": "application/dicom+xml"}).status_code == 406


@pytest.mark.parametrize("path", [STUDY, SERIES, INSTANCE, f"{STUDY}/metadata", f"{INSTANCE}/frames/1"])
def test_missing_and_forbidden_are_answered_alike_byte_for_byte(web: WebHouse, path: str) -> None:
    stranger = web.client(Role.RADIOLOGIST, of=ELSEWHERE)
    missing = stranger.get(path)
    web.store(part10())
    forbidden = stranger.get(path)

    assert missing.status_code == 404
    assert (missing.content, missing.headers) == (forbidden.content, forbidden.headers)


def test_what_a_department_may_not_know_of_looks_missing(web: WebHouse) -> None:
    clinician = web.client(Role.CLINICIAN, "surgery")
    missing = clinician.get(STUDY)
    web.store(part10())
    hidden = clinician.get(STUDY)

    assert (missing.status_code, missing.content, missing.headers) == (404, hidden.content, hidden.headers)
    assert web.recorded()[-1] == ("study:read", "refused")


@pytest.mark.parametrize("uid", ["a", "1..x", "1" * 65, "%00", "1%2F2"])
def test_what_is_no_uid_is_malformed_or_no_route(web: WebHouse, uid: str) -> None:
    assert web.client().get(f"/dicom-web/studies/{uid}").status_code in {400, 404}


def test_nothing_is_delivered_that_cannot_be_recorded(web: WebHouse) -> None:
    web.store(part10())
    client = web.client()
    web.world.ledger.down = True

    assert client.get(STUDY).status_code == 503


def test_what_was_tampered_with_is_not_delivered(web: WebHouse) -> None:
    web.store(part10())
    web.world.blobs.damage()

    answer = web.client().get(STUDY)

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert web.recorded()[-1] == ("study:read", "failed")


def test_a_large_instance_is_streamed_whole(web: WebHouse) -> None:
    frames = 5 * BATCH // 64
    web.store(part10(frames=frames))
    answer = web.client().get(INSTANCE, {"Accept": "application/dicom"})

    assert hashlib.sha256(data_set(answer.content)).digest() == hashlib.sha256(data_set(part10(frames=frames))).digest()


def test_a_client_that_goes_away_leaves_an_aborted_delivery(web: WebHouse) -> None:
    import asyncio

    from starlette.types import Message

    web.store(part10(frames=3 * BATCH // 64))
    client = web.client()
    scope = {
        "type": "http",
        "method": "GET",
        "path": INSTANCE,
        "raw_path": INSTANCE.encode(),
        "query_string": b"",
        "headers": [(b"authorization", client.headers["Authorization"].encode())],
        "scheme": "https",
        "client": ("192.0.2.1", 1),
        "asgi": {"spec_version": "2.3"},
    }

    async def visit() -> None:
        gone = asyncio.Event()

        async def receive() -> Message:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                gone.set()
                await asyncio.sleep(0.01)

        await web.app()(scope, receive, send)

    asyncio.run(visit())

    assert web.recorded()[-1] == ("study:read", "aborted")


def test_nothing_is_ever_deleted_through_dicomweb(web: WebHouse) -> None:
    web.store(part10())
    answer = web.client().delete(STUDY)

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    assert "/api/v1" in answer.json()["detail"]
    assert web.client().get(STUDY).status_code == 200
    assert WebClient(web.app()).delete(STUDY).status_code == 401
