"""Packing before sealing: a stream in groups that are compressed each for itself, so that any part opens alone.

| place                 | bytes | field                                                                        |
|-----------------------|-------|------------------------------------------------------------------------------|
| 0                     | ...   | the groups, one behind the other: of 128 KiB each but for the last           |
| behind them           | 0-1   | a zero byte, where the packed stream would be just as long as the plain one  |
| end - 8 - 4 n         | 4 n   | of each group: form (2 bits) and packed length (30 bits), big endian         |
| end - 8               | 8     | length of the plain stream, big endian                                       |

Form 0 is stored as it is, 1 is a zstd frame (RFC 8878), 2 a zstd frame of the even bytes followed by the odd ones: the
low and the high bytes of 16-bit pixels resemble each other more than their neighbours. All of it lies inside the
seal, so that nothing here is read that was not written by whoever held the key; limits are kept all the same.
"""

import struct
import threading
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from itertools import accumulate

import zstandard

from pacs_secure.crypto.box import tampered

GROUP = 1 << 17
"""Plain bytes of one group: eight sealed chunks, which is what a small read costs at most beside the table."""
PIECE = 1 << 20
"""Packed bytes given on at a time, about."""
LEVEL = 1
SAMPLE = 1 << 16
"""Bytes from the middle that say whether and how a stream is worth packing."""
WORTH = 0.9
"""Of its length that a sample may keep at most: what saves less is not worth the time of every reader."""

_TRAILER = 8
_ENTRY = 4
_LENGTH_BITS = 30

Part = bytes | bytearray | memoryview


class _Engines(threading.local):
    """zstd's own memory, which takes longer to make than a group to pack; each thread has its own."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_engines = _Engines()


class Form(IntEnum):
    """How one group lies there."""

    STORED = 0
    ZSTD = 1
    PLANES = 2


def form_for(parts: Sequence[Part]) -> Form:
    """Return how a stream is packed best, from a sample; `Form.STORED` says: not at all."""
    longest = max(parts, key=len, default=b"")
    middle = (len(longest) - SAMPLE) // 2 & ~1
    sample = bytes(longest[max(middle, 0) :][:SAMPLE])
    if not sample:
        return Form.STORED
    lengths = {form: len(_compressed(sample, form)) for form in (Form.PLANES, Form.ZSTD)}
    best = min(lengths, key=lambda form: lengths[form])
    return best if lengths[best] <= WORTH * len(sample) else Form.STORED


def pack(parts: Iterable[Part], form: Form) -> Iterator[bytes]:
    """Yield the packed stream, about 1 MiB at a time; nothing is known of its length before it is over."""
    table: list[int] = []
    plain = packed = 0
    held = bytearray()
    for group in _groups(parts):
        content, chosen = _compressed(group, form), form
        if len(content) >= len(group):
            content, chosen = bytes(group), Form.STORED
        table.append(chosen << _LENGTH_BITS | len(content))
        plain, packed = plain + len(group), packed + len(content)
        held += content
        if len(held) >= PIECE:
            yield bytes(held)
            held.clear()
    if packed + _ENTRY * len(table) + _TRAILER == plain:
        held.append(0)
    yield bytes(held) + struct.pack(f">{len(table)}IQ", *table, plain)


def unpack(packed: bytes | bytearray) -> Iterator[bytes]:
    """Yield the plain stream of a whole packed one, which says itself how long it is.

    Raises:
        Tampered: this is no packed stream.
    """
    if len(packed) < _TRAILER:
        raise tampered()
    plain_length = int.from_bytes(packed[-_TRAILER:], "big")
    low, _ = Unpacker.table_range(plain_length, len(packed))
    unpacker = Unpacker(bytes(packed[low:]), plain_length, len(packed))
    for start in range(0, plain_length, PIECE):
        stop = min(start + PIECE, plain_length)
        begin, end = unpacker.covering(start, stop)
        yield unpacker.open(start, stop, packed[begin:end])


class Unpacker:
    """Opens any range of one packed stream from the groups that cover it."""

    def __init__(self, table: bytes, plain_length: int, packed_length: int) -> None:
        """Read the table, which is what `table_range` says.

        Raises:
            Tampered: it is not that of a stream of these lengths.
        """
        entries = struct.unpack(f">{(len(table) - _TRAILER) // _ENTRY}I", table[:-_TRAILER])
        lengths = [entry & (1 << _LENGTH_BITS) - 1 for entry in entries]
        self._forms = [entry >> _LENGTH_BITS for entry in entries]
        self._offsets = [0, *accumulate(lengths)]
        self._plain_length = plain_length
        over = packed_length - len(table) - self._offsets[-1]
        if int.from_bytes(table[-_TRAILER:], "big") != plain_length or over not in {0, 1}:
            raise tampered()

    @staticmethod
    def table_range(plain_length: int, packed_length: int) -> tuple[int, int]:
        """Return where the table lies in the packed stream; raise `Tampered` where it would not fit."""
        start = packed_length - _TRAILER - _ENTRY * -(-plain_length // GROUP)
        if start < 0:
            raise tampered()
        return start, packed_length

    def covering(self, start: int, stop: int) -> tuple[int, int]:
        """Return which packed bytes hold the plain bytes ``start`` to ``stop``."""
        if not 0 <= start < stop <= self._plain_length:
            raise tampered()
        return self._offsets[start // GROUP], self._offsets[(stop - 1) // GROUP + 1]

    def open(self, start: int, stop: int, packed: bytes | bytearray) -> bytes:
        """Return the plain bytes ``start`` to ``stop`` from the covering packed ones.

        Raises:
            Tampered: a group is not what its form says, or of another length.
        """
        first, last = start // GROUP, (stop - 1) // GROUP
        begin = self._offsets[first]
        view = memoryview(packed)
        groups = [
            self._group(number, view[self._offsets[number] - begin : self._offsets[number + 1] - begin])
            for number in range(first, last + 1)
        ]
        low = start - first * GROUP
        whole = groups[0] if len(groups) == 1 else b"".join(groups)
        return bytes(whole[low : low + stop - start])

    def _group(self, number: int, content: memoryview) -> bytes | bytearray | memoryview:
        length = min(GROUP, self._plain_length - number * GROUP)
        form = self._forms[number]
        plain = content if form == Form.STORED else self._inflated(content, length)
        if form > Form.PLANES or len(plain) != length:
            raise tampered()
        return _woven(plain) if form == Form.PLANES else plain

    def _inflated(self, content: memoryview, length: int) -> bytes:
        try:
            if zstandard.frame_content_size(content) != length:
                raise tampered()
            return _engines.decompressor.decompress(content)
        except zstandard.ZstdError:
            raise tampered() from None


def _groups(parts: Iterable[Part]) -> Iterator[Part]:
    """Yield groups of the joined parts, each whole but for the last; what lies in one part is not copied."""
    held = bytearray()
    for part in parts:
        view = memoryview(part).cast("B")
        if held:
            taken = GROUP - len(held)
            held += view[:taken]
            view = view[taken:]
            if len(held) < GROUP:
                continue
            yield held
            held = bytearray()
        whole = len(view) - len(view) % GROUP
        for start in range(0, whole, GROUP):
            yield view[start : start + GROUP]
        held += view[whole:]
    if held:
        yield held


def _compressed(group: Part, form: Form) -> bytes:
    if form is Form.STORED:
        return bytes(group)
    if form is Form.PLANES:
        whole = bytes(group)
        group = whole[0::2] + whole[1::2]
    return _engines.compressor.compress(group)


def _woven(planes: bytes | memoryview) -> bytearray:
    plain = bytearray(len(planes))
    half = (len(planes) + 1) // 2
    plain[0::2] = planes[:half]
    plain[1::2] = planes[half:]
    return plain
