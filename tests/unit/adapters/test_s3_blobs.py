"""What is special about objects in a bucket: who is believed, what is left behind, and puts that meet themselves."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import obstore
import pytest

from pacs_secure.adapters import s3_blobs
from pacs_secure.adapters.s3_blobs import UNFINISHED, WINDOW, S3Blobs
from pacs_secure.adapters.s3_place import S3Place
from pacs_secure.adapters.s3_requests import S3Requests
from pacs_secure.core.errors import Conflict, NotFound, Tampered, Unavailable
from pacs_secure.core.identifiers import ObjectId, object_id
from tests.object_store_fixture import ObjectServer


def new_id() -> ObjectId:
    return object_id(1_790_000_000_000, os.urandom(10))


def keys(place: S3Place) -> str:
    return S3Requests(place).ask("GET", query={"list-type": "2", "prefix": place.prefix}).body.decode()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is larger than the least part of S3 go in parts."""
    monkeypatch.setattr(s3_blobs, "WHOLE", 5 << 20)


def test_a_large_object_is_put_in_parts_and_leaves_nothing_else(s3_place: S3Place, small: None) -> None:
    blobs, name, parts = S3Blobs(s3_place), new_id(), [os.urandom(1 << 20) for _ in range(12)]

    assert blobs.put(name, iter(parts)) == 12 << 20
    with blobs.open(name) as blob:
        assert (blob.length, blob.read_at(0, blob.length)) == (12 << 20, b"".join(parts))
        assert blob.read_at(WINDOW - 3, 10) == parts[0][WINDOW - 3 : WINDOW + 7]
    assert UNFINISHED not in keys(s3_place)


def test_a_large_object_under_a_taken_id_is_a_conflict_and_changes_nothing(s3_place: S3Place, small: None) -> None:
    blobs, name = S3Blobs(s3_place), new_id()
    blobs.put(name, [b"first"])

    with pytest.raises(Conflict):
        blobs.put(name, [bytes(1 << 20)] * 6)
    with blobs.open(name) as blob:
        assert blob.read_at(0, 99) == b"first"
    assert UNFINISHED not in keys(s3_place)


def test_an_error_while_many_parts_are_made_passes_and_stores_nothing(s3_place: S3Place, small: None) -> None:
    blobs = S3Blobs(s3_place)

    def parts() -> Iterator[bytes]:
        yield from [bytes(1 << 20)] * 14
        raise Tampered("half way")

    with pytest.raises(Tampered, match="half way"):
        blobs.put(new_id(), parts())
    assert list(blobs.names()) == []
    assert (
        UNFINISHED
        not in S3Requests(s3_place).ask("GET", query={"uploads": "", "prefix": s3_place.prefix}).body.decode()
    )


@pytest.mark.parametrize("size", [1000, 6 << 20], ids=["small", "large"])
def test_a_put_that_meets_itself_is_no_conflict(s3_place: S3Place, small: None, size: int) -> None:
    """An answer is lost, the library asks again, and finds what it has put itself."""
    blobs, name, content = S3Blobs(s3_place), new_id(), os.urandom(size)
    blobs.put(name, [content])

    assert blobs.put(name, [content]) == size


def test_what_a_dead_writer_left_is_swept_when_it_is_old(s3_place: S3Place) -> None:
    blobs = S3Blobs(s3_place)
    S3Requests(s3_place).ask("PUT", s3_place.key(UNFINISHED, "left"), body=b"half")

    assert blobs.sweep_temporary(timedelta(hours=1)) == 0
    assert blobs.sweep_temporary(timedelta(seconds=-5)) == 1
    assert "left" not in keys(s3_place)


def test_keys_of_strangers_are_no_objects(s3_place: S3Place) -> None:
    blobs, requests, name = S3Blobs(s3_place), S3Requests(s3_place), new_id()
    blobs.put(name, [b"abc"])
    for stranger in ("notes.txt", f"00/{name}x", f"zz/{name}"):
        requests.ask("PUT", s3_place.key("objects", stranger), body=b"x")

    assert [stored.object_id for stored in blobs.names()] == [name]


def test_an_object_that_is_removed_while_it_is_read_is_not_found(s3_place: S3Place) -> None:
    blobs, name = S3Blobs(s3_place), new_id()
    blobs.put(name, [os.urandom(WINDOW + 10)])

    with blobs.open(name) as blob:
        blobs.remove(name)
        assert len(blob.read_at(0, WINDOW)) == WINDOW
        with pytest.raises(NotFound):
            blob.read_at(WINDOW, 10)


def test_a_bucket_that_is_not_there_is_no_missing_object(s3_place: S3Place) -> None:
    blobs = S3Blobs(replace(s3_place, bucket="nobody-made-it"))

    for act in (lambda: blobs._open("x"), lambda: blobs.put(new_id(), [b"x"]), lambda: list(blobs.names())):
        with pytest.raises(Unavailable):
            act()


def test_a_server_that_nobody_vouches_for_is_not_spoken_to(s3_place: S3Place) -> None:
    blobs = S3Blobs(replace(s3_place, ca_file=None))

    with pytest.raises(Unavailable):
        blobs.put(new_id(), [b"x"])


def test_refused_credentials_are_out_of_reach_and_changed_ones_need_no_restart(
    object_server: ObjectServer, s3_place: S3Place
) -> None:
    file = object_server.write_credentials("not-the-secret", object_server.folder / "changing.json")
    blobs, name = S3Blobs(replace(s3_place, credentials_file=file)), new_id()
    refused = (lambda: blobs.put(name, [b"x"]), lambda: blobs._open("x"), lambda: blobs.remove(name))
    for act in (*refused, lambda: list(blobs.names())):
        with pytest.raises(Unavailable):
            act()

    content = json.loads(object_server.credentials_file.read_text())
    object_server.write_credentials(content["secret_access_key"], file)
    assert blobs.put(name, [b"x"]) == 1

    file.chmod(0o644)
    with pytest.raises(Unavailable):
        blobs.put(new_id(), [b"x"])
    file.unlink()
    with pytest.raises(Unavailable):
        S3Blobs(replace(s3_place, credentials_file=file))


def test_nothing_of_an_error_of_the_library_passes(s3_place: S3Place, caplog: pytest.LogCaptureFixture) -> None:
    name = new_id()
    with pytest.raises(Unavailable) as caught:
        S3Blobs(replace(s3_place, ca_file=None)).put(name, [b"x"])

    assert caught.value.__cause__ is None
    assert str(name) not in caplog.text + str(caught.value)
    assert obstore.exceptions.GenericError.__name__ in caplog.text
