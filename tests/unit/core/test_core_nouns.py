"""The other nouns: frames, verdicts, errors."""

from pacs_secure.core import errors
from pacs_secure.core.audit import Finding, Verdict
from pacs_secure.core.instance import FrameIndex


def test_frames_keep_their_lengths_when_something_is_put_in_front() -> None:
    frames = FrameIndex((0, 10), (10, 7))

    assert frames.shifted(300) == FrameIndex((300, 310), (10, 7))
    assert len(frames) == 2
    assert not FrameIndex()


def test_a_verdict_is_sound_when_nothing_was_found_wanting() -> None:
    assert Verdict(7, ()).sound
    assert not Verdict(7, (Finding("entry", 3, "changed"),)).sound


def test_every_error_of_the_archive_is_in_the_list_that_the_doors_translate() -> None:
    made = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ArchiveError)}

    assert made - {errors.ArchiveError} == set(errors.EVERY_ERROR)


def test_hidden_looks_like_not_found() -> None:
    assert issubclass(errors.Hidden, errors.NotFound)
    assert not issubclass(errors.NotFound, errors.Hidden)
