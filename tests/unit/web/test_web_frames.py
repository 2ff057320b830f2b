"""Which frames a URL asks for, and in which forms they may go out."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_secure.core.errors import Malformed, NotFound
from pacs_secure.core.identifiers import Uid
from pacs_secure.core.instance import FrameIndex
from pacs_secure.web.frames import check_frames, frame_numbers, frame_offers, named_syntax
from tests.builders import instance_row


@pytest.mark.parametrize(("text", "numbers"), [("1", [1]), ("3,1,2", [3, 1, 2]), ("007", [7])])
def test_frames_are_a_comma_list_from_one(text: str, numbers: list[int]) -> None:
    assert frame_numbers(text) == numbers


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "1,", ",1", "1, 2", "a", "1.5", "1-3", "٣", "9" * 30, ",".join("1" * 10_001)]
)
def test_what_is_no_frame_number_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        frame_numbers(text)


@given(st.text(max_size=20))
def test_whatever_is_asked_is_a_list_of_frames_or_refused(text: str) -> None:
    with suppress(Malformed):
        assert all(number > 0 for number in frame_numbers(text))


def test_a_frame_beyond_the_last_is_not_found() -> None:
    row = instance_row(frames=FrameIndex((0, 10), (10, 10)))

    check_frames([1, 2], row)
    with pytest.raises(NotFound):
        check_frames([1, 3], row)


def test_an_instance_without_frames_has_none() -> None:
    with pytest.raises(NotFound):
        check_frames([1], instance_row(frames=FrameIndex()))


def test_several_frames_go_out_as_multipart_only() -> None:
    assert {offer.media_type for offer in frame_offers(Uid("1.2.840.10008.1.2.1"), 2)} == {"multipart/related"}


def test_native_frames_are_said_to_be_explicit_and_compressed_ones_what_they_are() -> None:
    assert named_syntax(Uid("1.2.840.10008.1.2")) == "1.2.840.10008.1.2.1"
    assert named_syntax(Uid("1.2.840.10008.1.2.4.80")) == "1.2.840.10008.1.2.4.80"
