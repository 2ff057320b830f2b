"""Deflated Data Sets (PS3.5 A.5), inflated within bounds: a megabyte may claim to be gigabytes."""

import zlib

from pacs_secure.core.errors import Malformed, OverLimit
from pacs_secure.dicom.limits import STANDARD, Limits

_TRAILER = 9
"""Bytes that may follow the stream: the checksum and length some writers take over from gzip, and padding."""


def inflate(data: bytes | bytearray | memoryview, limits: Limits = STANDARD) -> bytes:
    """Inflate a raw deflate stream, reserving nothing that it merely promises.

    Raises:
        OverLimit: it grows past the absolute cap, or past what its own length allows.
        Malformed: it is no deflate stream, is cut short, or more than a trailer follows it.
    """
    most = max(len(data) * limits.inflation_ratio, limits.unquestioned_bytes)
    most = min(most, limits.inflated_bytes)
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = engine.decompress(data, most + 1)
    except zlib.error:
        raise Malformed("the deflated Data Set cannot be inflated") from None
    if len(inflated) > most:
        raise OverLimit("the deflated Data Set grows beyond every measure")
    if not engine.eof or len(engine.unused_data) > _TRAILER:
        raise Malformed("the deflated Data Set is cut short or followed by something else")
    return inflated
