"""Frames of RFC 5425 around messages of RFC 5424."""

import re
from dataclasses import replace

import pytest

from pacs_secure.core.audit import Outcome
from pacs_secure.core.vocabulary import Action
from pacs_secure.messages.dicom_xml import render
from pacs_secure.messages.syslog import frame
from tests.audit_drafts import draft_of, every_kind, occurrence

HEADER = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (?P<host>[!-~]{1,255}) pacs_secure - "
    r"DICOM\+RFC3881 - \ufeff"
)


def test_a_frame_says_how_many_bytes_it_holds() -> None:
    for one in every_kind():
        length, _, message = frame(one).partition(b" ")
        assert int(length) == len(message)
        header = HEADER.match(message.decode())
        assert header is not None
        assert message.decode()[header.end() :] == render(one)


@pytest.mark.parametrize(
    ("outcome", "priority"),
    [(Outcome.COMPLETED, "85"), (Outcome.BEGUN, "85"), (Outcome.ABORTED, "84"), (Outcome.REFUSED, "83")],
)
def test_what_went_wrong_is_told_with_more_weight(outcome: Outcome, priority: str) -> None:
    header = HEADER.match(frame(occurrence(draft_of(Action.STUDY_READ, outcome))).partition(b" ")[2].decode())

    assert header is not None
    assert (header["pri"], header["host"]) == (priority, "archive.example")


def test_a_host_that_no_header_can_hold_is_left_out() -> None:
    one = replace(occurrence(draft_of(Action.STUDY_READ, Outcome.BEGUN)), origin="ü /ledger")

    assert b"Z - pacs_secure" in frame(one)
