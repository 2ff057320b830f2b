"""Command Sets as they stand on the wire, ours and hostile ones."""

from io import BytesIO

import pytest
from pynetdicom.dimse_messages import C_STORE_RSP
from pynetdicom.dsutils import decode

from pacs_secure.core.errors import Malformed
from pacs_secure.dimse.commands import (
    C_CANCEL_RQ,
    C_ECHO_RQ,
    C_STORE_RQ,
    P_DATA_HEADER,
    Request,
    parse_answer,
    parse_request,
    request_pdu,
    response,
)
from pacs_secure.dimse.statuses import SUCCESS, Status
from tests.data_sets import CT
from tests.dicom_door import ECHO_COMMAND, command, store_command, us

HEADER = P_DATA_HEADER.size
STORE = Request(3, C_STORE_RQ, 9, CT.encode(), b"1.2.3", has_data_set=True)


def test_a_request_reads_back_as_it_was_written() -> None:
    assert parse_request(3, request_pdu(STORE)[HEADER:]) == STORE


def test_an_echo_has_no_data_set_and_no_instance() -> None:
    request = parse_request(5, ECHO_COMMAND)

    assert (request.command_field, request.message_id, request.has_data_set) == (C_ECHO_RQ, 7, False)
    assert request.sop_instance_uid == b""


def test_a_response_answers_its_request_and_is_read_back() -> None:
    encoded = response(STORE, Status(0xA700, "out of resources"))

    answer = parse_answer(encoded[HEADER:])

    assert (answer.message_id, answer.status) == (9, Status(0xA700, "out of resources"))


def test_a_response_is_what_the_library_reads_too() -> None:
    encoded = response(STORE, Status(0xC000, "odd"))
    kind, length, item, context_id, control = P_DATA_HEADER.unpack_from(encoded)
    read = decode(BytesIO(encoded[HEADER:]), True, True)

    assert (kind, length, item, context_id, control) == (4, len(encoded) - 6, len(encoded) - 10, 3, 3)
    assert {element.keyword for element in read} == {element.keyword for element in C_STORE_RSP().command_set} - {
        "OffendingElement"
    }
    assert read.CommandGroupLength == len(encoded) - HEADER - 12
    assert (read.AffectedSOPClassUID, read.AffectedSOPInstanceUID) == (CT, "1.2.3")
    assert (read.Status, read.ErrorComment, read.CommandField) == (0xC000, "odd", 0x8001)


@pytest.mark.parametrize(
    "encoded",
    [
        b"\0\0\0\1",
        command((0x0100, us(1)), (0x0110, us(1)))[:-1],
        b"\x08\0\0\1\2\0\0\0\1\0",
        command((0x0110, us(1))),
        command((0x0100, us(1))),
        command((0x0100, b"\1\0\0\0"), (0x0110, us(1))),
        command((0x0100, us(0x8001)), (0x0110, us(1))),
        b"",
    ],
    ids=[
        "a head cut short",
        "a value cut short",
        "an element of another group",
        "no Command Field",
        "no Message ID",
        "a Command Field of four bytes",
        "a response",
        "nothing",
    ],
)
def test_what_is_no_request_is_malformed(encoded: bytes) -> None:
    with pytest.raises(Malformed):
        parse_request(1, encoded)


def test_a_cancel_needs_no_message_id() -> None:
    request = parse_request(1, command((0x0100, us(C_CANCEL_RQ)), (0x0120, us(4)), (0x0800, us(0x0101))))

    assert request.command_field == C_CANCEL_RQ


def test_a_request_without_a_data_set_type_is_one_that_brings_a_data_set() -> None:
    assert parse_request(1, store_command(x0800=None)).has_data_set


def test_what_is_too_long_to_be_a_uid_is_not_echoed() -> None:
    request = parse_request(1, store_command(x1000=b"1." * 500))

    assert request.sop_instance_uid == b""
    assert len(response(request, SUCCESS)) < 200


@pytest.mark.parametrize("encoded", [b"", store_command(), command((0x0100, us(0x8001)), (0x0120, us(1)))])
def test_what_is_no_response_is_malformed(encoded: bytes) -> None:
    with pytest.raises(Malformed):
        parse_answer(encoded)
