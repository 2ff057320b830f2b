"""Objects lie where the settings say: in a directory, or in a bucket."""

from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from pacs_secure.adapters.disk_blobs import DiskBlobs
from pacs_secure.adapters.s3_blobs import S3Blobs
from pacs_secure.adapters.s3_place import S3Place
from pacs_secure.core.errors import Malformed
from pacs_secure.core.identifiers import object_id
from pacs_secure.sections import ObjectStore
from pacs_secure.settings import load
from pacs_secure.stores import bucket, object_store, sweep
from tests.fakes_blobs import MemoryBlobs
from tests.settings_file import WHOLE, written

BUCKET = 'url = "s3://pictures/north"\nendpoint = "https://s3.example"\ncredentials_file = "s3.json"\n'


def test_a_directory_is_opened(tmp_path: Path) -> None:
    with ExitStack() as stack:
        assert isinstance(object_store(ObjectStore(directory=tmp_path / "objects"), stack), DiskBlobs)


def test_a_bucket_is_opened_and_works(s3_place: S3Place) -> None:
    told = ObjectStore(
        url=f"s3://{s3_place.bucket}/{s3_place.prefix}",
        endpoint=s3_place.endpoint,
        credentials_file=s3_place.credentials_file,
        ca_file=s3_place.ca_file,
    )
    with ExitStack() as stack:
        opened = object_store(told, stack)

    assert isinstance(opened, S3Blobs)
    assert opened.put(object_id(1_790_000_000_000, bytes(10)), [b"abc"]) == 3


def test_what_names_no_bucket_is_none(tmp_path: Path) -> None:
    with pytest.raises(Malformed):
        bucket(ObjectStore(directory=tmp_path))


def test_a_bucket_may_stand_in_the_settings(tmp_path: Path) -> None:
    told = load(written(tmp_path, WHOLE.replace('directory = "objects"\n', BUCKET))).objects

    assert (told.url, told.directory, told.request_seconds) == ("s3://pictures/north", None, 30)


def test_a_second_store_may_stand_in_the_settings_and_is_another_than_the_first(tmp_path: Path) -> None:
    told = load(written(tmp_path, f"{WHOLE}\n[objects.second]\n{BUCKET}")).objects
    assert told.second is not None
    assert (told.second.url, load(written(tmp_path, WHOLE)).objects.second) == ("s3://pictures/north", None)

    with pytest.raises(ValueError, match="is the first"):
        load(written(tmp_path, f'{WHOLE}\n[objects.second]\ndirectory = "objects"\n'))


@pytest.mark.parametrize(
    "text",
    [
        "",
        f'directory = "objects"\n{BUCKET}',
        'directory = "objects"\ncredentials_file = "s3.json"\n',
        'url = "s3://pictures"\nendpoint = "https://s3.example"\n',
        'url = "s3://pictures"\ncredentials_file = "s3.json"\n',
        BUCKET.replace("s3://", "https://"),
        BUCKET.replace("https://s3", "ftp://s3"),
        f"{BUCKET}secret_access_key = 'never here'\n",
        f"{BUCKET}request_seconds = 0\n",
    ],
)
def test_a_place_for_objects_that_makes_no_sense_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which of its kinds is pydantic's to say
        load(written(tmp_path, WHOLE.replace('directory = "objects"\n', text)))


def test_a_store_that_is_away_keeps_no_archive_from_starting(caplog: pytest.LogCaptureFixture) -> None:
    away, there = MemoryBlobs(), MemoryBlobs()
    away.down = True

    sweep([away, None, there], timedelta(hours=1))
    assert "stays until the next start" in caplog.text
