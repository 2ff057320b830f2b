"""Every failure of the archive, said as PS3.4 Table B.2-1 and PS3.7 say it."""

import pytest

from pacs_secure.core import errors
from pacs_secure.dimse import statuses
from pacs_secure.dimse.statuses import STORE_STATUSES, Status, store_status


@pytest.mark.parametrize("error", errors.EVERY_ERROR)
def test_every_error_has_a_row(error: type[errors.ArchiveError]) -> None:
    assert store_status(error()) == STORE_STATUSES[error]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.Unauthenticated(), 0x0124),
        (errors.Denied(), 0x0124),
        (errors.NotFound(), 0x0124),
        (errors.Hidden(), 0x0124),
        (errors.Held(), 0x0124),
        (errors.Unavailable(), 0xA700),
        (errors.Malformed(), 0xC000),
        (errors.OverLimit(), 0xC010),
        (errors.Conflict(), 0xC111),
        (errors.Tampered(), 0xC110),
        (MemoryError(), 0xC000),
        (RecursionError(), 0xC000),
        (ZeroDivisionError(), 0xC110),
        (KeyError(), 0xC110),
    ],
)
def test_each_failure_has_its_code(error: Exception, code: int) -> None:
    assert store_status(error).code == code


def test_only_what_may_help_later_asks_to_try_again() -> None:
    assert [error for error, status in STORE_STATUSES.items() if status.code >> 8 == 0xA7] == [
        errors.Unavailable,
        errors.TooOften,
    ]


def test_a_new_error_is_said_as_what_it_is_a_kind_of() -> None:
    class Locked(errors.Unavailable):
        pass

    assert store_status(Locked()).code == 0xA700


def every_status() -> list[Status]:
    named = [value for value in vars(statuses).values() if isinstance(value, Status)]
    return named + list(STORE_STATUSES.values())


@pytest.mark.parametrize("status", every_status())
def test_comments_fit_their_element_and_no_status_is_success_but_success(status: Status) -> None:
    assert len(status.comment) <= 64
    assert status.comment.isascii()
    assert (status.code == 0) is (status is statuses.SUCCESS)
