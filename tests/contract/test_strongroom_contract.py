"""What every strongroom keeps, held against a real bucket with object lock and one in memory alike."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from pacs_secure.adapters.s3_strongroom import S3Strongroom
from pacs_secure.core.errors import Conflict
from pacs_secure.ports import Strongroom
from tests.fakes_strongroom import MemoryStrongroom
from tests.object_store_fixture import ObjectServer


@pytest.fixture(params=["s3", "memory"])
def strongroom(request: pytest.FixtureRequest) -> Iterator[Strongroom]:
    if request.param == "memory":
        yield MemoryStrongroom()
    else:
        server: ObjectServer = request.getfixturevalue("object_server")
        yield S3Strongroom(server.place(bucket=server.locked_bucket), 2, lambda: datetime.now(UTC))


def test_what_was_kept_is_read_back_and_may_come_again(strongroom: Strongroom) -> None:
    strongroom.keep("checkpoints/1", b"note")
    strongroom.keep("checkpoints/1", b"note")

    assert (strongroom.read("checkpoints/1"), strongroom.read("checkpoints/2")) == (b"note", None)


def test_another_content_under_a_name_is_a_conflict_and_changes_nothing(strongroom: Strongroom) -> None:
    strongroom.keep("checkpoints/1", b"note")

    with pytest.raises(Conflict):
        strongroom.keep("checkpoints/1", b"another")
    assert strongroom.read("checkpoints/1") == b"note"


def test_names_of_one_kind_come_in_order_from_behind_a_name(strongroom: Strongroom) -> None:
    for name in ("checkpoints/003", "checkpoints/010", "checkpoints/001", "witnessed/004"):
        strongroom.keep(name, name.encode())

    assert list(strongroom.names("checkpoints/001")) == ["checkpoints/003", "checkpoints/010"]
    assert list(strongroom.names("checkpoints/002")) == ["checkpoints/003", "checkpoints/010"]
    assert list(strongroom.names("checkpoints/010")) == []
    assert list(strongroom.names("witnessed/000")) == ["witnessed/004"]
    assert list(strongroom.names("nothing/000")) == []
