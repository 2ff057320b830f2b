"""Writes Data Sets byte by byte, honest and hostile, and finds the real ones that come with the test packages."""

import struct
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pacs_secure.dicom.dictionary import vr_of
from pacs_secure.dicom.part10 import Part10, split

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG = "1.2.840.10008.1.2.4.50"
JPEG_2000 = "1.2.840.10008.1.2.4.90"

CT = "1.2.840.10008.5.1.4.1.1.2"
STUDY, SERIES, INSTANCE = "1.2.3", "1.2.3.4", "1.2.3.4.5"

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

LONG_VRS = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}

Writer = Callable[..., bytes]


def explicit(tag: int, vr: str, value: bytes = b"", length: int | None = None, order: str = "<") -> bytes:
    """Write one element of explicit VR; its length may lie."""
    said = len(value) if length is None else length
    start = struct.pack(f"{order}HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    return start + struct.pack(f"{order}xxL" if vr in LONG_VRS else f"{order}H", said) + value


def big(tag: int, vr: str, value: bytes = b"", length: int | None = None) -> bytes:
    return explicit(tag, vr, value, length, ">")


def implicit(tag: int, vr: str, value: bytes = b"", length: int | None = None) -> bytes:
    """Write one element of implicit VR; ``vr`` is only there to be called like the others."""
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def mark(tag: int, length: int = 0, order: str = "<") -> bytes:
    """Write an item header or a delimiter."""
    return struct.pack(f"{order}HHL", tag >> 16, tag & 0xFFFF, length)


def item(*elements: bytes, undefined: bool = False, order: str = "<") -> bytes:
    content = b"".join(elements)
    if undefined:
        return mark(ITEM, UNDEFINED, order) + content + mark(ITEM_END, 0, order)
    return mark(ITEM, len(content), order) + content


def sequence(tag: int, *items: bytes, undefined: bool = False, write: Writer = explicit, vr: str = "SQ") -> bytes:
    content = b"".join(items)
    if undefined:
        return write(tag, vr, content + mark(SEQUENCE_END, 0, ">" if write is big else "<"), UNDEFINED)
    return write(tag, vr, content)


def fragments(*values: bytes, table: bytes = b"") -> bytes:
    """Write encapsulated pixel data: offset table, fragments, delimiter."""
    content = b"".join(mark(ITEM, len(value)) + value for value in (table, *values))
    return explicit(0x7FE00010, "OB", content + mark(SEQUENCE_END), UNDEFINED)


def uid_value(text: str) -> bytes:
    return text.encode() + b"\0" * (len(text) & 1)


def identity(write: Writer = explicit) -> bytes:
    """Write the four identifying UIDs, in order."""
    return b"".join(
        write(tag, "UI", uid_value(value))
        for tag, value in ((0x00080016, CT), (0x00080018, INSTANCE), (0x0020000D, STUDY), (0x0020000E, SERIES))
    )


def image(
    rows: int = 2,
    columns: int = 3,
    bits: int = 8,
    frames: str | None = None,
    samples: int = 1,
    write: Writer = explicit,
) -> bytes:
    """Write an identity and the geometry of an image, without its pixels."""
    order = ">" if write is big else "<"
    number = struct.Struct(f"{order}H").pack
    counted = b"" if frames is None else write(0x00280008, "IS", frames.encode() + b" " * (len(frames) & 1))
    return b"".join(
        (
            identity(write),
            write(0x00280002, "US", number(samples)),
            counted,
            write(0x00280010, "US", number(rows)),
            write(0x00280011, "US", number(columns)),
            write(0x00280100, "US", number(bits)),
        )
    )


def text(keyword_tag: int, value: str | bytes) -> bytes:
    """Write one explicit element of the dictionary's VR, padded with a space."""
    encoded = value if isinstance(value, bytes) else value.encode("latin-1")
    return explicit(keyword_tag, vr_of(keyword_tag), encoded + b" " * (len(encoded) & 1))


def file_meta(transfer_syntax_uid: str = EXPLICIT, sop_instance_uid: str = INSTANCE, extra: bytes = b"") -> bytes:
    """Write File Meta Information as an honest sender does."""
    body = (
        explicit(0x00020001, "OB", b"\0\1")
        + explicit(0x00020002, "UI", uid_value(CT))
        + explicit(0x00020003, "UI", uid_value(sop_instance_uid))
        + explicit(0x00020010, "UI", uid_value(transfer_syntax_uid))
        + explicit(0x00020012, "UI", uid_value("1.2.9"))
        + extra
    )
    return explicit(0x00020000, "UL", struct.pack("<L", len(body))) + body


def part10(data_set: bytes, meta: bytes | None = None, preamble: bytes = bytes(128)) -> bytes:
    return preamble + b"DICM" + (file_meta() if meta is None else meta) + data_set


def _folders() -> Iterator[Path]:
    for package, folders in (("pydicom", ("data/test_files", "data/charset_files")), ("data_store", ("data",))):
        spec = find_spec(package)
        if spec is not None and spec.origin is not None:
            yield from (Path(spec.origin).parent / folder for folder in folders)


@cache
def real_streams() -> tuple[Path, ...]:
    """Find every Part 10 stream that comes with pydicom and pydicom-data."""
    paths = (path for folder in _folders() for path in sorted(folder.rglob("*")) if path.is_file())
    return tuple(path for path in paths if path.read_bytes()[128:132] == b"DICM")


def real(name: str) -> Part10:
    """Take one of them apart by the name of its file."""
    return split(next(path for path in real_streams() if path.name == name).read_bytes())
