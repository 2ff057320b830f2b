"""Cutting an upload into its parts: however it is sliced, and whatever it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_secure.core.errors import Malformed, OverLimit, Unavailable
from pacs_secure.web.multipart import Lease, Memory, Part, RelatedParts, SinglePart, UploadLimits

BOUNDARY = "b0undary"
GENEROUS = UploadLimits()


def body(*parts: bytes, head: str = "Content-Type: application/dicom\r\n") -> bytes:
    pieces = [f"--{BOUNDARY}\r\n{head}\r\n".encode() + part + b"\r\n" for part in parts]
    return b"".join(pieces) + f"--{BOUNDARY}--\r\n".encode()


def lease(most: int = 1 << 30) -> Lease:
    return Lease(Memory(most))


def cut(octets: bytes, size: int = 1 << 20, limits: UploadLimits = GENEROUS, held: Lease | None = None) -> list[Part]:
    cutter = RelatedParts(BOUNDARY, limits, held or lease())
    parts: list[Part] = []
    for start in range(0, len(octets), size):
        parts += cutter.feed(octets[start : start + size])
    return parts + cutter.finish()


@given(st.lists(st.binary(max_size=200), max_size=4), st.integers(1, 64))
def test_parts_come_out_as_they_went_in_however_the_body_is_sliced(parts: list[bytes], size: int) -> None:
    if any(f"\r\n--{BOUNDARY}".encode() in b"\r\n" + part for part in parts):
        return
    found = cut(body(*parts), size)

    assert [bytes(part.body) for part in found] == parts
    assert all(part.content_type == "application/dicom" for part in found)


def test_bytes_that_nearly_are_a_boundary_stay_in_the_part() -> None:
    content = f"\r\n--{BOUNDARY[:-1]}x\r\n-\r\r\n--".encode()

    for size in range(1, 30):
        assert [bytes(part.body) for part in cut(body(content), size)] == [content]


def test_a_part_may_come_without_headers() -> None:
    assert cut(body(b"x", head=""))[0].content_type == ""


def test_header_names_are_read_without_case_and_others_are_passed_over() -> None:
    head = "content-TYPE:  application/dicom; transfer-syntax=1.2 \r\nContent-Location: /x\r\n"

    assert cut(body(b"x", head=head), 3)[0].content_type == "application/dicom; transfer-syntax=1.2"


def test_a_body_without_parts_has_none() -> None:
    assert cut(body()) == []


def test_what_follows_the_closing_boundary_is_passed_over() -> None:
    assert len(cut(body(b"x") + b"epilogue")) == 1


@pytest.mark.parametrize(
    "broken",
    [b"", b"x", body(b"x")[:-6], body(b"x")[2:], f"--{BOUNDARY}\r\nno header\r\n\r\nx".encode()],
    ids=["empty", "no boundary", "cut off", "begins amiss", "no header"],
)
def test_a_broken_body_is_malformed(broken: bytes) -> None:
    with pytest.raises(Malformed):
        cut(broken)


@pytest.mark.parametrize("head", ["A: b\r\n" * 17, f"A: {'b' * 5_000}\r\n"], ids=["too many", "too long"])
def test_too_many_or_too_long_part_headers_are_malformed(head: str) -> None:
    with pytest.raises(Malformed):
        cut(body(b"x", head=head))


@pytest.mark.parametrize("boundary", ["", " ", "b" * 71, "ä", "a\r\nb", 'a"b'])
def test_a_boundary_must_be_one(boundary: str) -> None:
    with pytest.raises(Malformed):
        RelatedParts(boundary, GENEROUS, lease())


def test_a_part_too_large_is_over_the_limit() -> None:
    limits = UploadLimits(part_bytes=10)

    assert len(cut(body(b"x" * 10), limits=limits)) == 1
    with pytest.raises(OverLimit):
        cut(body(b"x" * 11), limits=limits)


def test_too_many_parts_are_over_the_limit() -> None:
    with pytest.raises(OverLimit):
        cut(body(b"", b"", b""), limits=UploadLimits(parts=2))


def test_all_uploads_together_hold_no_more_than_the_memory() -> None:
    memory = Memory(100)
    first, second = Lease(memory), Lease(memory)
    cut(body(b"x" * 60), held=first)

    with pytest.raises(Unavailable):
        cut(body(b"x" * 60), held=second)
    first.close()
    second.close()

    assert memory.held == 0
    assert len(cut(body(b"x" * 60), held=second)) == 1


def test_a_single_body_is_one_part_or_none() -> None:
    single = SinglePart("application/dicom", GENEROUS, lease())

    assert single.finish() == []
    assert single.feed(b"DI") == single.feed(b"CM") == []
    assert [bytes(part.body) for part in single.finish()] == [b"DICM"]


@given(st.binary(max_size=300), st.integers(1, 50))
def test_whatever_is_sent_is_cut_or_refused(octets: bytes, size: int) -> None:
    for prefix in (b"", f"--{BOUNDARY}\r\n".encode(), f"--{BOUNDARY}\r\nA: b\r\n\r\n".encode()):
        try:
            cut(prefix + octets, size)
        except (Malformed, OverLimit):
            continue
