"""One association that this side opens: a blocking conversation, one request and its response at a time."""

import contextlib
import socket
import ssl
from collections.abc import Iterable, Sequence
from os import fstat
from types import TracebackType
from typing import BinaryIO, Self

from pydicom.uid import UID
from pynetdicom._globals import APPLICATION_CONTEXT_NAME
from pynetdicom.ae import ApplicationEntity
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ABORT,
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import build_context

from pacs_secure.core.errors import Denied, Malformed, Unavailable
from pacs_secure.dimse.commands import (
    C_STORE_RQ,
    DATA,
    LAST_DATA,
    P_DATA_HEADER,
    Answer,
    Request,
    parse_answer,
    request_pdu,
)
from pacs_secure.dimse.upper_layer import ASSOCIATE_LIMIT, HEADER, MAXIMUM_PDU, P_DATA_TF

CONTEXTS_PER_ASSOCIATION = 128
"""Odd context ids from 1 to 255 (PS3.8 9.3.2.2)."""

Context = tuple[str, str]
"""Abstract and transfer syntax."""

_CONNECT = 10.0
_SILENCE = 120.0
_ASSOCIATE_AC, _ASSOCIATE_RJ, _RELEASE_RP = 0x02, 0x03, 0x06
_RELEASE_RQ = b"\x05\0\0\0\0\x04\0\0\0\0"
_PERMANENT = b"\x01"
_VALUE_HEADER = 6
_LAST_COMMAND = 0x03


class Calling:
    """An association with an archive, from `call` to `release`."""

    def __init__(self, connection: ssl.SSLSocket, accepted: dict[Context, int], maximum: int) -> None:
        self._connection = connection
        self._accepted = accepted
        self._buffer = bytearray(P_DATA_HEADER.size + maximum - _VALUE_HEADER)
        self._messages = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError, Malformed):
            if kind is None:
                self._release()
            else:
                self._connection.sendall(_abort())
        self._connection.close()

    def accepts(self, context: Context) -> bool:
        """Say whether the archive takes this class in this transfer syntax."""
        return context in self._accepted

    def store(self, context: Context, sop_instance_uid: str, data_set: BinaryIO) -> Answer:
        """Send what is left of an open file as the Data Set of a C-STORE, and wait for the answer (PS3.7 9.1.1).

        Raises:
            OSError: the file or the connection broke; the association cannot go on.
            Malformed: the answer is none; likewise.
        """
        self._messages = self._messages % 0xFFFF + 1
        context_id = self._accepted[context]
        request = Request(
            context_id, C_STORE_RQ, self._messages, context[0].encode(), sop_instance_uid.encode(), has_data_set=True
        )
        self._connection.sendall(request_pdu(request))
        self._send_data_set(context_id, data_set)
        answer = self._answer()
        if answer.message_id != self._messages:
            raise Malformed("the answer is to another request")
        return answer

    def _send_data_set(self, context_id: int, data_set: BinaryIO) -> None:
        left = fstat(data_set.fileno()).st_size - data_set.tell()
        whole = memoryview(self._buffer)
        room = len(whole) - P_DATA_HEADER.size
        while True:
            size = min(left, room)
            value = whole[P_DATA_HEADER.size : P_DATA_HEADER.size + size]
            if data_set.readinto(value) != size:  # type: ignore[attr-defined]  # typeshed's BinaryIO lacks it
                raise OSError("the file became shorter while it was sent")
            left -= size
            control = DATA if left else LAST_DATA
            P_DATA_HEADER.pack_into(whole, 0, P_DATA_TF, size + _VALUE_HEADER, size + 2, context_id, control)
            self._connection.sendall(whole[: P_DATA_HEADER.size + size])
            if not left:
                return

    def _answer(self) -> Answer:
        command = bytearray()
        while True:
            kind, body = read_pdu(self._connection)
            if kind != P_DATA_TF:
                raise ConnectionAbortedError("the archive ended the association")
            place = 0
            while place < len(body):
                length = int.from_bytes(body[place : place + 4], "big")
                control = body[place + 5] if len(body) > place + 5 else 0
                command += body[place + _VALUE_HEADER : place + 4 + length]
                if control == _LAST_COMMAND:
                    return parse_answer(command)
                place += 4 + length

    def _release(self) -> None:
        self._connection.sendall(_RELEASE_RQ)
        while read_pdu(self._connection)[0] != _RELEASE_RP:
            pass


def call(
    address: tuple[str, int], called_ae: str, calling_ae: str, contexts: Iterable[Context], ssl_context: ssl.SSLContext
) -> Calling:
    """Open an association, proposing one presentation context for each pair of syntaxes, 128 at most.

    Raises:
        Denied: the archive rejected the association for good, or one end's certificate does not satisfy the other.
        Unavailable: it cannot be reached, or takes no association now.
    """
    proposed = list(contexts)
    connection = _connect(address, ssl_context)
    try:
        with contextlib.suppress(OSError):  # an alert may be there before we speak: reading says which
            connection.sendall(_association_request(called_ae, calling_ae, proposed))
        kind, body = read_pdu(connection)
        return Calling(connection, *_negotiated(kind, body, proposed))
    except BaseException as error:
        connection.close()
        if _is_refusal(error):  # with TLS 1.3 the archive looks at our certificate after the handshake
            raise Denied("the archive did not take the device's certificate") from error
        if isinstance(error, (OSError, Malformed)):
            raise Unavailable("the archive ended the connection") from error
        raise


def read_pdu(connection: socket.socket) -> tuple[int, bytes]:
    """Read one PDU; return its type and what follows the header.

    Raises:
        OSError: the connection ended or broke, or nothing came in time.
        Malformed: it is longer than any answer may be.
    """
    header = _read(connection, HEADER)
    length = int.from_bytes(header[2:], "big")
    if length > ASSOCIATE_LIMIT:
        raise Malformed("a PDU is longer than any may be")
    return header[0], _read(connection, length)


def _read(connection: socket.socket, length: int) -> bytes:
    received = bytearray()
    while len(received) < length:
        part = connection.recv(min(length - len(received), 64 * 1024))
        if not part:
            raise ConnectionResetError("the archive closed the connection")
        received += part
    return bytes(received)


def _connect(address: tuple[str, int], ssl_context: ssl.SSLContext) -> ssl.SSLSocket:
    try:
        plain = socket.create_connection(address, _CONNECT)
    except OSError as error:
        raise Unavailable("the archive cannot be reached") from error
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = ssl_context.wrap_socket(plain, server_hostname=address[0])
    except OSError as error:
        plain.close()
        if _is_refusal(error):
            raise Denied("the certificates of device and archive do not fit") from error
        raise Unavailable("the archive ended the connection") from error
    connection.settimeout(_SILENCE)
    return connection


def _is_refusal(error: BaseException) -> bool:
    """Say whether TLS failed by what an end holds, not by a connection that ended."""
    ended = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    return isinstance(error, ssl.SSLError) and not ended


def _association_request(called_ae: str, calling_ae: str, proposed: Sequence[Context]) -> bytes:
    own = ApplicationEntity(calling_ae)
    longest = MaximumLengthNotification()
    longest.maximum_length_received = MAXIMUM_PDU
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = own.implementation_class_uid
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = own.implementation_version_name
    request = A_ASSOCIATE()
    request.application_context_name = APPLICATION_CONTEXT_NAME
    request.calling_ae_title = calling_ae
    request.called_ae_title = called_ae
    request.user_information = [longest, implementation, version]
    definitions = []
    for place, (abstract, transfer) in enumerate(proposed):
        definition = build_context(UID(abstract), [UID(transfer)])
        definition.context_id = 2 * place + 1
        definitions.append(definition)
    request.presentation_context_definition_list = definitions
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(request)
    return bytes(pdu.encode())


def _negotiated(kind: int, body: bytes, proposed: Sequence[Context]) -> tuple[dict[Context, int], int]:
    """Return the accepted contexts and the longest PDU the archive takes (PS3.8 9.3.3, 9.3.4)."""
    if kind == _ASSOCIATE_RJ and body[1:2] == _PERMANENT:
        raise Denied("the archive rejected the association")
    if kind != _ASSOCIATE_AC:
        raise Unavailable("the archive takes no association now")
    try:
        acceptance = A_ASSOCIATE_AC()
        acceptance.decode(bytes((kind, 0)) + len(body).to_bytes(4, "big") + body)
        answer = acceptance.to_primitive()
    except Exception as error:
        raise Malformed("the archive's answer cannot be decoded") from error
    accepted = {
        proposed[result.context_id // 2]: result.context_id
        for result in answer.presentation_context_definition_results_list
        if result.result == 0 and result.context_id is not None and result.context_id // 2 < len(proposed)
    }
    return accepted, min(answer.maximum_length_received or MAXIMUM_PDU, MAXIMUM_PDU)


def _abort() -> bytes:
    primitive = A_ABORT()
    primitive.abort_source = 0x00
    pdu = A_ABORT_RQ()
    pdu.from_primitive(primitive)
    return bytes(pdu.encode())
