"""Cuts an uploaded body into its parts while it arrives, one part in memory at a time (RFC 2387, PS3.18 8.6.1.2)."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from pacs_secure.core.errors import Malformed, OverLimit, Unavailable

MOST_PART_HEADERS = 16
LONGEST_PART_HEADER = 4 * 1024

_BOUNDARY = re.compile(r"[ A-Za-z0-9'()+_,./:=?-]{0,69}[A-Za-z0-9'()+_,./:=?-]", re.ASCII)
"""RFC 2046 5.1.1."""


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What one upload, and all uploads together, may cost."""

    part_bytes: int = 2 * 1024**3
    parts: int = 10_000
    bytes_in_memory: int = 4 * 1024**3
    """Of all uploads together; beyond it a sender is asked to try again later."""
    seconds_of_silence: float = 60.0
    """How long a sender may send nothing."""


@dataclass(slots=True)
class Memory:
    """Counts the bytes that uploads hold; used from the event loop only, so that it needs no lock."""

    most: int
    held: int = 0

    def take(self, octets: int) -> None:
        """Account for more bytes.

        Raises:
            Unavailable: too much is being received at once.
        """
        if self.held + octets > self.most:
            raise Unavailable("too much is being received at once")
        self.held += octets


@dataclass(slots=True)
class Lease:
    """The share of the memory that one upload holds."""

    memory: Memory
    held: int = 0

    def take(self, octets: int) -> None:
        """Hold more; raises as `Memory.take` does."""
        self.memory.take(octets)
        self.held += octets

    def give(self, octets: int) -> None:
        """Hold that much less."""
        self.memory.held -= octets
        self.held -= octets

    def close(self) -> None:
        """Hold nothing any more."""
        self.give(self.held)


@dataclass(slots=True)
class Part:
    """One part of an upload."""

    content_type: str = ""
    body: bytearray = field(default_factory=bytearray, repr=False)


class SinglePart:
    """A body that is one part by itself."""

    def __init__(self, content_type: str, limits: UploadLimits, lease: Lease) -> None:
        self._part = Part(content_type)
        self._limits = limits
        self._lease = lease

    def feed(self, chunk: bytes) -> list[Part]:
        """Take in a piece of the body; the part is never complete before its end."""
        _extend(self._part, chunk, self._limits, self._lease)
        return []

    def finish(self) -> list[Part]:
        """Return the part, or nothing when the body was empty."""
        return [self._part] if self._part.body else []


class RelatedParts:
    """A multipart/related body, cut as it arrives."""

    def __init__(self, boundary: str, limits: UploadLimits, lease: Lease) -> None:
        if not _BOUNDARY.fullmatch(boundary):
            raise Malformed("multipart needs a boundary of 1 to 70 characters")
        self._limits = limits
        self._lease = lease
        self._part = Part()
        self._name = bytearray()
        self._value = bytearray()
        self._complete: list[Part] = []
        self._parts = 0
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_header_field": self._collect("_name"),
                "on_header_value": self._collect("_value"),
                "on_header_end": self._header,
                "on_end": self._finish,
            },
            max_header_count=MOST_PART_HEADERS,
            max_header_size=LONGEST_PART_HEADER,
        )

    def feed(self, chunk: bytes) -> list[Part]:
        """Take in a piece of the body and return the parts that it completed.

        Raises:
            Malformed: the body is no multipart body of this boundary.
            OverLimit: a part is too large, or there are too many.
            Unavailable: too much is being received at once.
        """
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise Malformed("the multipart body is broken") from None
        complete, self._complete = self._complete, []
        return complete

    def finish(self) -> list[Part]:
        """Say that the body has ended; raise `Malformed` when its closing boundary never came."""
        if not self._ended:
            raise Malformed("the multipart body ends before its closing boundary")
        return []

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > self._limits.parts:
            raise OverLimit("the upload has too many parts")
        self._part = Part()

    def _data(self, data: bytes, start: int, end: int) -> None:
        with memoryview(data) as view:
            _extend(self._part, view[start:end], self._limits, self._lease)

    def _end(self) -> None:
        self._complete.append(self._part)

    def _finish(self) -> None:
        self._ended = True

    def _collect(self, attribute: str) -> Callable[[bytes, int, int], None]:
        collected: bytearray = getattr(self, attribute)

        def collect(data: bytes, start: int, end: int) -> None:
            collected.extend(data[start:end])

        return collect

    def _header(self) -> None:
        if self._name.lower() == b"content-type":
            self._part.content_type = self._value.decode("latin-1").strip()
        self._name.clear()
        self._value.clear()


def _extend(part: Part, octets: bytes | memoryview, limits: UploadLimits, lease: Lease) -> None:
    if len(part.body) + len(octets) > limits.part_bytes:
        raise OverLimit("a part of the upload is too large")
    lease.take(len(octets))
    part.body += octets
