"""Messages put together from fragments, however they are cut, and refused when they break the rules."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_secure.core.errors import Malformed
from pacs_secure.dimse.budget import Budget
from pacs_secure.dimse.commands import Request
from pacs_secure.dimse.messages import Messages
from pacs_secure.dimse.statuses import OUT_OF_RESOURCES, SUCCESS, Status
from tests.dicom_door import ECHO_COMMAND, command, store_command, us, value

LIMIT, TOTAL = 1000, 1500


@dataclass
class Served:
    """What the messages asked for, and what was answered."""

    budget: Budget = field(default_factory=lambda: Budget(TOTAL))
    stored: list[bytes | None] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    breaks: bool = False

    def serve(self, request: Request, data_set: bytearray | None) -> Status:
        if self.breaks:
            raise RuntimeError
        self.stored.append(None if data_set is None else bytes(data_set))
        return SUCCESS

    def messages(self) -> Messages:
        return Messages(self.serve, lambda _, status: self.statuses.append(status), LIMIT, self.budget)


def feed(messages: Messages, *values: bytes) -> None:
    messages.feed(memoryview(b"".join(values)))


@given(st.binary(min_size=1, max_size=300), st.lists(st.integers(0, 300)), st.lists(st.integers(0, 100)))
def test_a_data_set_is_the_same_however_it_is_cut(content: bytes, cuts: list[int], command_cuts: list[int]) -> None:
    served = Served()
    messages = served.messages()

    for flag, whole, places in ((1, store_command(), command_cuts), (0, content, cuts)):
        edges = [0, *sorted(place for place in places if place < len(whole)), len(whole)]
        for start, end in pairwise(edges):
            feed(messages, value(flag | (2 if end == len(whole) and start != end else 0), whole[start:end]))

    assert (served.stored, served.statuses, served.budget.left) == ([content], [SUCCESS], TOTAL)


def test_one_pdu_may_hold_many_values() -> None:
    served = Served()

    feed(served.messages(), value(3, store_command()), value(0, b"ab"), value(2, b"cd"), value(3, ECHO_COMMAND))

    assert served.stored == [b"abcd", None]


def test_only_a_store_keeps_its_data_set() -> None:
    served = Served()
    odd = command((0x0100, us(0x0020)), (0x0110, us(1)), (0x0800, us(1)))

    feed(served.messages(), value(3, odd), value(2, b"x" * 5000))

    assert served.stored == [None]


def test_a_cancel_is_not_answered() -> None:
    served = Served()

    feed(served.messages(), value(3, command((0x0100, us(0x0FFF)), (0x0120, us(4)), (0x0800, us(0x0101)))))

    assert (served.stored, served.statuses) == ([], [])


def test_a_data_set_over_the_limit_is_read_to_its_end_and_refused_and_the_next_is_taken() -> None:
    served = Served()
    messages = served.messages()

    feed(messages, value(3, store_command()), value(0, b"x" * LIMIT), value(0, b"x"), value(2, b"x" * LIMIT))
    feed(messages, value(3, store_command()), value(2, b"small"))

    assert [status.code for status in served.statuses] == [0xC010, 0]
    assert served.stored == [b"small"]
    assert served.budget.left == TOTAL


def test_what_all_together_would_take_too_much_memory_is_asked_to_try_again() -> None:
    served = Served()
    one, other = served.messages(), served.messages()

    feed(one, value(3, store_command()), value(0, b"x" * 900))
    feed(other, value(3, store_command()), value(2, b"x" * 900))
    feed(one, value(2, b"x"))

    assert served.statuses == [OUT_OF_RESOURCES, SUCCESS]
    assert served.budget.left == TOTAL


def test_a_message_that_never_ends_gives_its_memory_back() -> None:
    served = Served()
    messages = served.messages()
    feed(messages, value(3, store_command()), value(0, b"x" * 900))

    messages.close()

    assert served.budget.left == TOTAL


def test_a_store_that_breaks_gives_its_memory_back() -> None:
    served = Served(breaks=True)

    with pytest.raises(RuntimeError):
        feed(served.messages(), value(3, store_command()), value(2, b"x" * 900))

    assert served.budget.left == TOTAL


@pytest.mark.parametrize(
    "values",
    [
        (b"",),
        (b"\0\0",),
        (value(3, b"", length=1),),
        (value(3, b"x", length=9),),
        (value(2, b"data first"),),
        (value(3, store_command()), value(3, store_command())),
        (value(3, store_command()), value(0, b"x", context_id=3)),
        (value(1, store_command()[:20]), value(3, store_command()[20:], context_id=3)),
        (value(1, b"\0" * 16_000), value(1, b"\0" * 1000)),
        (value(3, b"\0\0\0"),),
    ],
    ids=[
        "no value",
        "a head cut short",
        "a value shorter than its head",
        "a value longer than its PDU",
        "a Data Set before its command",
        "a command where a Data Set was due",
        "a Data Set on another context",
        "a command on two contexts",
        "a command of 17 kB",
        "a command cut short",
    ],
)
def test_what_breaks_the_rules_is_malformed(values: tuple[bytes, ...]) -> None:
    served = Served()

    with pytest.raises(Malformed):
        feed(served.messages(), *values)

    assert served.stored == []
