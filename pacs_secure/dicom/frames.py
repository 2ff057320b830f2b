"""Finds where each frame lies, without any codec (PS3.5 8.2, A.4; PS3.3 C.7.6.6).

Two forms, told apart by the transfer syntax alone. Native: a span is the frame's own bytes. Encapsulated:
a span runs from the item header of the frame's first fragment to the end of its last, item headers
between them included, and is delivered through `fragments.strip_item_headers`.
"""

from dataclasses import dataclass
from itertools import pairwise
from struct import unpack_from

from pacs_secure.core.errors import OverLimit
from pacs_secure.core.instance import FrameIndex
from pacs_secure.dicom.fragments import HEADER, Fragments
from pacs_secure.dicom.limits import Limits

_NONE = FrameIndex()

_STREAM_BEGINS = {b"\xff\xd8\xff", b"\xff\x4f\xff"}
"""Start of image and the marker behind it, start of codestream and the one behind that."""
_STREAM_END = b"\xff\xd9"
"""End of image and end of codestream; a byte of padding may follow."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """What a Data Set declares of its pixels; zero where it declares nothing that can be read."""

    rows: int
    columns: int
    samples_per_pixel: int
    bits_allocated: int
    number_of_frames: int
    halved: bool
    """Native chrominance at half the columns: two samples a pixel instead of three (YBR_FULL_422)."""

    @property
    def bits(self) -> int:
        """Bits of one frame."""
        samples = 2 if self.halved and self.samples_per_pixel == 3 else self.samples_per_pixel  # noqa: PLR2004 - Y, Cb, Cr
        return self.rows * self.columns * samples * self.bits_allocated

    def check(self, limits: Limits) -> None:
        """Refuse dimensions that no decoder should be asked to reserve memory for.

        Raises:
            OverLimit: one frame, all of them together, or their number is too much.
        """
        frame = self.bits + 7 >> 3
        if self.number_of_frames > limits.frames:
            raise OverLimit("the instance declares too many frames")
        if frame > limits.frame_bytes or frame * self.number_of_frames > limits.pixel_bytes:
            raise OverLimit("the instance declares more pixels than any decoder should believe")


def native_frames(offset: int, length: int, geometry: Geometry) -> FrameIndex:
    """Return the frames of native pixel data that are wholly there.

    Pixel data shorter than declared keeps the frames it has. Frames of one bit a pixel that do not end
    on a byte share bytes with their neighbours and cannot be told apart.
    """
    size, rest = divmod(geometry.bits, 8)
    if not size or (rest and geometry.number_of_frames > 1):
        return _NONE
    size += bool(rest)
    count = min(geometry.number_of_frames, length // size)
    return FrameIndex(tuple(range(offset, offset + count * size, size)), (size,) * count)


def encapsulated_frames(
    data: memoryview, fragments: Fragments, number_of_frames: int, extended: memoryview | None
) -> FrameIndex:
    """Return the frames of encapsulated pixel data, each from its first fragment's item header on.

    ``extended`` is the Extended Offset Table (7FE0,0001) when there is one. A table that does not point
    at fragments is not believed: then one frame, one fragment a frame, or JPEG streams that their own
    first and last markers tell apart.
    """
    table, starts = fragments.starts[:1], fragments.starts[1:]
    if not starts or not number_of_frames:
        return _NONE
    if number_of_frames == 1:
        return _spans(starts[:1], fragments.stop)
    basic = data[table[0] + HEADER : starts[0]]
    for offsets in (_table(extended, "Q", number_of_frames), _table(basic, "L", number_of_frames)):
        begins = [starts[0] + offset for offset in offsets]
        if begins and begins[0] == starts[0] and _ascend(begins) and set(begins) <= set(starts):
            return _spans(begins, fragments.stop)
    begins = starts if len(starts) == number_of_frames else _streams(data, starts)
    whole = len(begins) == number_of_frames and begins[0] == starts[0]
    return _spans(begins, fragments.stop) if whole else _NONE


def _streams(data: memoryview, starts: list[int]) -> list[int]:
    """Return the fragments that begin a JPEG stream where the one before ended (ITU-T T.81 B.1.1, T.800 A.4)."""
    return [
        start
        for number, start in enumerate(starts)
        if data[start + HEADER : start + HEADER + 3].tobytes() in _STREAM_BEGINS
        and (number == 0 or _STREAM_END in data[start - 3 : start].tobytes())
    ]


def _table(table: memoryview | None, form: str, count: int) -> tuple[int, ...]:
    """Read an offset table with exactly one entry a frame; any other is none."""
    width = 8 if form == "Q" else 4
    return unpack_from(f"<{count}{form}", table) if table is not None and len(table) == width * count else ()


def _ascend(numbers: list[int]) -> bool:
    return all(one < other for one, other in pairwise(numbers))


def _spans(begins: list[int], stop: int) -> FrameIndex:
    return FrameIndex(tuple(begins), tuple(end - begin for begin, end in pairwise([*begins, stop])))
