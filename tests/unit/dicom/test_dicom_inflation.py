import zlib

import pytest

from pacs_secure.core.errors import Malformed, OverLimit
from pacs_secure.dicom.inflation import inflate
from pacs_secure.dicom.limits import Limits
from tests.data_sets import identity


def deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


@pytest.mark.parametrize("trailer", [b"", b"\0", zlib.crc32(identity()).to_bytes(4, "little") + bytes(4)])
def test_what_was_deflated_is_inflated_whatever_trailer_follows(trailer: bytes) -> None:
    assert inflate(deflate(identity()) + trailer) == identity()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 50,
        deflate(identity())[:-3],
        deflate(identity()) + bytes(10),
        zlib.compress(identity()),
        identity(),
    ],
)
def test_what_is_no_whole_deflate_stream_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        inflate(data)


def test_growth_is_bounded_absolutely_and_by_ratio() -> None:
    bomb = deflate(bytes(100_000))

    assert len(inflate(bomb, Limits(inflated_bytes=100_000))) == 100_000
    with pytest.raises(OverLimit):
        inflate(bomb, Limits(inflated_bytes=99_999))
    with pytest.raises(OverLimit):
        inflate(bomb, Limits(unquestioned_bytes=1_000, inflation_ratio=100))
