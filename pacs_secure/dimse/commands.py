"""Command Sets on the wire: Implicit VR Little Endian, a handful of elements (PS3.7 6.3.1, Annex E).

Written by hand because a general Data Set codec costs more here than sealing half a megabyte does.
"""

import struct
from dataclasses import dataclass

from pacs_secure.core.errors import Malformed
from pacs_secure.dimse.statuses import Status

C_STORE_RQ = 0x0001
C_ECHO_RQ = 0x0030
C_CANCEL_RQ = 0x0FFF
RESPONSE = 0x8000
"""The bit that makes a request's Command Field its response's."""
NO_DATA_SET = 0x0101

LAST_COMMAND, DATA, LAST_DATA = 0x03, 0x00, 0x02
"""Message control headers (PS3.8 E.2)."""

P_DATA_HEADER = struct.Struct(">BxLLBB")
"""PDU type and length, then length, context and control header of its only value (PS3.8 9.3.5)."""

_COMMAND_GROUP_LENGTH = 0x0000
_AFFECTED_SOP_CLASS_UID = 0x0002
_COMMAND_FIELD = 0x0100
_MESSAGE_ID = 0x0110
_MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
_PRIORITY = 0x0700
_COMMAND_DATA_SET_TYPE = 0x0800
_STATUS = 0x0900
_ERROR_COMMENT = 0x0902
_AFFECTED_SOP_INSTANCE_UID = 0x1000

_HEAD = struct.Struct("<HHL")
_PAD = b"\0 "
_LONGEST_UID = 64
_SHORT = 2


@dataclass(frozen=True, slots=True)
class Request:
    """What a peer asks for, and on which presentation context."""

    context_id: int
    command_field: int
    message_id: int
    sop_class_uid: bytes = b""
    """As sent, without padding; empty when there is none or it is too long to be one."""
    sop_instance_uid: bytes = b""
    has_data_set: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a response says."""

    message_id: int
    """Of the request it answers."""
    status: Status


def parse_request(context_id: int, encoded: bytes | bytearray) -> Request:
    """Return the request that a Command Set is.

    Raises:
        Malformed: it is truncated, no request, or lacks Command Field or Message ID.
    """
    elements = _elements(encoded)
    command_field = _number(elements, _COMMAND_FIELD)
    if command_field is None or command_field & RESPONSE:
        raise Malformed("a command is no request")
    message_id = _number(elements, _MESSAGE_ID)
    if message_id is None and command_field != C_CANCEL_RQ:  # names only what it cancels (PS3.7 9.3.2.3)
        raise Malformed("a request has no Message ID")
    return Request(
        context_id=context_id,
        command_field=command_field,
        message_id=message_id or 0,
        sop_class_uid=_uid(elements, _AFFECTED_SOP_CLASS_UID),
        sop_instance_uid=_uid(elements, _AFFECTED_SOP_INSTANCE_UID),
        has_data_set=_number(elements, _COMMAND_DATA_SET_TYPE) != NO_DATA_SET,
    )


def parse_answer(encoded: bytes | bytearray) -> Answer:
    """Return what a response says.

    Raises:
        Malformed: it is truncated or no response.
    """
    elements = _elements(encoded)
    command_field = _number(elements, _COMMAND_FIELD)
    message_id = _number(elements, _MESSAGE_ID_BEING_RESPONDED_TO)
    status = _number(elements, _STATUS)
    if command_field is None or not command_field & RESPONSE or message_id is None or status is None:
        raise Malformed("a command is no response")
    comment = elements.get(_ERROR_COMMENT, b"").decode("ascii", "replace").strip("\0 ")
    return Answer(message_id, Status(status, comment))


def response(request: Request, status: Status) -> bytes:
    """Return the P-DATA-TF PDU with the response to a request; it has no Data Set (PS3.7 9.3.1.2, 9.3.5.2)."""
    command = _command_set(
        _element(_AFFECTED_SOP_CLASS_UID, request.sop_class_uid, b"\0") if request.sop_class_uid else b"",
        _element(_COMMAND_FIELD, _us(request.command_field | RESPONSE)),
        _element(_MESSAGE_ID_BEING_RESPONDED_TO, _us(request.message_id)),
        _element(_COMMAND_DATA_SET_TYPE, _us(NO_DATA_SET)),
        _element(_STATUS, _us(status.code)),
        _element(_ERROR_COMMENT, status.comment.encode("ascii"), b" ") if status.comment else b"",
        _element(_AFFECTED_SOP_INSTANCE_UID, request.sop_instance_uid, b"\0") if request.sop_instance_uid else b"",
    )
    return p_data(request.context_id, LAST_COMMAND, command)


def request_pdu(request: Request) -> bytes:
    """Return the P-DATA-TF PDU with a request of medium priority (PS3.7 9.3.1.1, 9.3.5.1)."""
    command = _command_set(
        _element(_AFFECTED_SOP_CLASS_UID, request.sop_class_uid, b"\0"),
        _element(_COMMAND_FIELD, _us(request.command_field)),
        _element(_MESSAGE_ID, _us(request.message_id)),
        _element(_PRIORITY, _us(0)) if request.has_data_set else b"",
        _element(_COMMAND_DATA_SET_TYPE, _us(1 if request.has_data_set else NO_DATA_SET)),
        _element(_AFFECTED_SOP_INSTANCE_UID, request.sop_instance_uid, b"\0") if request.sop_instance_uid else b"",
    )
    return p_data(request.context_id, LAST_COMMAND, command)


def p_data(context_id: int, control: int, value: bytes) -> bytes:
    """Return a P-DATA-TF PDU with one presentation data value (PS3.8 9.3.5)."""
    item = len(value) + 2
    return P_DATA_HEADER.pack(0x04, item + 4, item, context_id, control) + value


def _elements(encoded: bytes | bytearray) -> dict[int, bytes]:
    elements: dict[int, bytes] = {}
    place, end = 0, len(encoded)
    while place < end:
        if end - place < _HEAD.size:
            raise Malformed("a command element is truncated")
        group, element, length = _HEAD.unpack_from(encoded, place)
        place += _HEAD.size
        if group or length > end - place:
            raise Malformed("a command element is no command element or is truncated")
        elements[element] = bytes(encoded[place : place + length])
        place += length
    return elements


def _number(elements: dict[int, bytes], element: int) -> int | None:
    value = elements.get(element)
    return int.from_bytes(value, "little") if value is not None and len(value) == _SHORT else None


def _uid(elements: dict[int, bytes], element: int) -> bytes:
    value = elements.get(element, b"").rstrip(_PAD)
    return value if len(value) <= _LONGEST_UID else b""  # what is echoed must fit the smallest PDU


def _us(number: int) -> bytes:
    return number.to_bytes(2, "little")


def _element(element: int, value: bytes, pad: bytes = b"") -> bytes:
    if len(value) % 2:
        value += pad
    return _HEAD.pack(0, element, len(value)) + value


def _command_set(*elements: bytes) -> bytes:
    command = b"".join(elements)
    return _element(_COMMAND_GROUP_LENGTH, len(command).to_bytes(4, "little")) + command
