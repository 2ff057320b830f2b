"""C-STORE commands on the wire: Implicit VR Little Endian, a handful of elements (PS3.7 6.3.1, 9.3.1).

Written by hand because a general Data Set codec costs more here than sealing half a megabyte does.
"""

import struct
from dataclasses import dataclass

from pacs_secure.core.errors import Malformed
from pacs_secure.dimse.statuses import Status

C_STORE_RQ = 0x0001
C_STORE_RSP = 0x8001
NO_DATA_SET = 0x0101

_COMMAND_GROUP_LENGTH = 0x0000
_AFFECTED_SOP_CLASS_UID = 0x0002
_COMMAND_FIELD = 0x0100
_MESSAGE_ID = 0x0110
_MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
_COMMAND_DATA_SET_TYPE = 0x0800
_STATUS = 0x0900
_ERROR_COMMENT = 0x0902
_AFFECTED_SOP_INSTANCE_UID = 0x1000

_HEAD = struct.Struct("<HHL")
_P_DATA_TF = struct.Struct(">BxLLBB")
_LAST_COMMAND_FRAGMENT = 0x03
_PAD = b"\0 "


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """A C-STORE-RQ: what it asks, and the context it came on."""

    context_id: int
    message_id: int
    sop_class_uid: bytes
    """As sent, without padding."""
    sop_instance_uid: bytes


def command_elements(encoded: bytes | bytearray) -> dict[int, bytes]:
    """Return the elements of a Command Set by element number.

    Raises:
        Malformed: it is truncated or holds another group than 0000.
    """
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


def store_request(context_id: int, elements: dict[int, bytes]) -> StoreRequest | None:
    """Return the C-STORE-RQ that a Command Set is, or None when it is another command.

    Raises:
        Malformed: it is one, but lacks its Message ID.
    """
    if _number(elements, _COMMAND_FIELD) != C_STORE_RQ:
        return None
    message_id = _number(elements, _MESSAGE_ID)
    if message_id is None:
        raise Malformed("a C-STORE request without a Message ID")
    return StoreRequest(
        context_id=context_id,
        message_id=message_id,
        sop_class_uid=elements.get(_AFFECTED_SOP_CLASS_UID, b"").rstrip(_PAD),
        sop_instance_uid=elements.get(_AFFECTED_SOP_INSTANCE_UID, b"").rstrip(_PAD),
    )


def has_data_set(elements: dict[int, bytes]) -> bool:
    """Say whether a Data Set follows a command."""
    return _number(elements, _COMMAND_DATA_SET_TYPE) != NO_DATA_SET


def store_response(request: StoreRequest, status: Status) -> bytes:
    """Return the P-DATA-TF PDU with the C-STORE-RSP to a request (PS3.8 9.3.5)."""
    command = b"".join(
        (
            _element(_AFFECTED_SOP_CLASS_UID, request.sop_class_uid, b"\0"),
            _element(_COMMAND_FIELD, C_STORE_RSP.to_bytes(2, "little")),
            _element(_MESSAGE_ID_BEING_RESPONDED_TO, request.message_id.to_bytes(2, "little")),
            _element(_COMMAND_DATA_SET_TYPE, NO_DATA_SET.to_bytes(2, "little")),
            _element(_STATUS, status.code.to_bytes(2, "little")),
            _element(_ERROR_COMMENT, status.comment.encode("ascii"), b" ") if status.comment else b"",
            _element(_AFFECTED_SOP_INSTANCE_UID, request.sop_instance_uid, b"\0"),
        )
    )
    command = _element(_COMMAND_GROUP_LENGTH, len(command).to_bytes(4, "little")) + command
    item = len(command) + 2
    return _P_DATA_TF.pack(0x04, item + 4, item, request.context_id, _LAST_COMMAND_FRAGMENT) + command


def _number(elements: dict[int, bytes], element: int) -> int | None:
    value = elements.get(element)
    return int.from_bytes(value, "little") if value is not None and len(value) == 2 else None  # noqa: PLR2004 - US


def _element(element: int, value: bytes, pad: bytes = b"") -> bytes:
    if len(value) % 2:
        value += pad
    return _HEAD.pack(0, element, len(value)) + value
