"""Sending: `pacs-secure store PATH…` and the quickstart's samples, over TLS as any modality would.

The encoded Data Set leaves as it lies in the file, in PDUs read one by one: nothing is decoded,
and a file larger than memory is no different from a small one.
"""

import queue
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID, MediaStorageDirectoryStorage
from pynetdicom import _config
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dsutils import split_dataset
from pynetdicom.presentation import build_context
from pynetdicom.transport import AddressInformation, AssociationSocket

from pacs_secure.core.errors import Denied, Unavailable
from pacs_secure.dimse.connection import CallingSocket
from pacs_secure.dimse.quiet import hush
from pacs_secure.dimse.upper_layer import MAXIMUM_PDU

CONTEXTS_PER_ASSOCIATION = 128
"""Odd context ids from 1 to 255 (PS3.8 9.3.2.2)."""

_QUEUED_PDUS = 8
_SILENCE = 120.0
_CONNECT = 10.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one file."""

    path: Path
    status: int | None
    """The C-STORE status; None when it was not sent or not answered."""
    problem: str
    """Why it has no status, else empty."""
    done: int
    """How many files are done, this one included."""
    total: int

    @property
    def stored(self) -> bool:
        """Whether the archive has it: Success, or a warning (PS3.4 Table B.2-1)."""
        return self.status is not None and (self.status == 0 or self.status >> 12 == 0xB)  # noqa: PLR2004 - Bxxx


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of everything that was to be sent."""

    sent: tuple[Sent, ...]
    skipped: int
    """Files that are no SOP Instance."""

    @property
    def stored(self) -> int:
        """How many instances the archive has."""
        return sum(one.stored for one in self.sent)

    @property
    def failed(self) -> tuple[Sent, ...]:
        """Return the files that were not stored."""
        return tuple(one for one in self.sent if not one.stored)


@dataclass(frozen=True, slots=True)
class _Instance:
    """One Part 10 file that can be sent, and the context it needs."""

    path: Path
    sop_class_uid: UID
    transfer_syntax_uid: UID

    @property
    def context(self) -> tuple[UID, UID]:
        return self.sop_class_uid, self.transfer_syntax_uid


def send(
    paths: Iterable[Path],
    host: str,
    port: int,
    called_ae: str,
    calling_ae: str,
    ssl_context: ssl.SSLContext,
    progress: Callable[[Sent], None] = lambda _sent: None,
) -> Summary:
    """Send files, and whatever lies in folders, by C-STORE; ``progress`` hears of each when it is done.

    Raises:
        Denied: the peer rejected the association for good (AE titles, certificate).
        Unavailable: the peer cannot be reached or is not taking any now, and nothing was sent yet.
    """
    hush()
    _config.STORE_SEND_CHUNKED_DATASET = True  # files go out as they are, never decoded
    instances, skipped = _gather(paths)
    entity = _Entity(calling_ae)
    entity.acse_timeout = entity.connection_timeout = _CONNECT
    entity.dimse_timeout = entity.network_timeout = _SILENCE
    sent: list[Sent] = []

    def done(instance: _Instance, status: int | None, problem: str = "") -> None:
        sent.append(Sent(instance.path, status, problem, len(sent) + 1, len(instances)))
        progress(sent[-1])

    for batch in _batches(instances):
        rest = batch
        while rest:
            try:
                association = _associate(entity, rest, (host, port), called_ae, ssl_context)
            except (Denied, Unavailable):
                if not sent:
                    raise
                for instance in rest:
                    done(instance, None, "no association")
                break
            rest = _send_over(association, rest, done)
    return Summary(tuple(sent), skipped)


def _send_over(
    association: Association, instances: Sequence[_Instance], done: Callable[[_Instance, int | None, str], None]
) -> Sequence[_Instance]:
    """Send over one association; return what is left when it breaks."""
    accepted = {(context.abstract_syntax, context.transfer_syntax[0]) for context in association.accepted_contexts}
    for place, instance in enumerate(instances):
        if instance.context not in accepted:
            done(instance, None, "SOP class or transfer syntax not accepted")
            continue
        try:
            response = association.send_c_store(instance.path, msg_id=place % 0xFFFF + 1)
        except (OSError, RuntimeError, ValueError, AttributeError):
            response = Dataset()
        if "Status" in response:
            done(instance, int(response.Status), "")
        else:
            done(instance, None, "no answer")
            association.abort()
            return instances[place + 1 :]
    association.release()
    return ()


def _associate(
    entity: ApplicationEntity,
    instances: Sequence[_Instance],
    address: tuple[str, int],
    called_ae: str,
    ssl_context: ssl.SSLContext,
) -> Association:
    contexts = dict.fromkeys(instance.context for instance in instances)
    association = entity.associate(
        *address,
        contexts=[build_context(abstract, [transfer]) for abstract, transfer in contexts],
        ae_title=called_ae,
        max_pdu=MAXIMUM_PDU,
        tls_args=(ssl_context, address[0]),
    )
    if not association.is_established:
        answer = association.acceptor.primitive
        if association.is_rejected and answer is not None and answer.result == 1:
            raise Denied("the archive rejected the association")
        raise Unavailable("no association with the archive")
    association.dul.to_provider_queue = _Throttled(association)
    return association


class _Entity(ApplicationEntity):
    """A calling application entity with our end of the connection."""

    def _create_socket(
        self, assoc: Association, address: AddressInformation, tls_args: tuple[ssl.SSLContext, str] | None
    ) -> AssociationSocket:
        connection = CallingSocket(assoc, address=address)
        connection.tls_args = tls_args
        return connection


class _Throttled(queue.Queue[Any]):
    """A short queue of PDUs to send: the library's own would take the whole file into memory."""

    def __init__(self, association: Association) -> None:
        super().__init__(_QUEUED_PDUS)
        self._association = association

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002 - queue's
        while True:
            try:
                return super().put(item, block, timeout or 1.0)
            except queue.Full:
                if not self._association.dul.is_alive():
                    raise ConnectionError("the association has ended") from None


def _gather(paths: Iterable[Path]) -> tuple[list[_Instance], int]:
    """Find every SOP Instance in files and folders, folders in order of name; count what is none."""
    instances: list[_Instance] = []
    skipped = 0
    for path in _files(paths):
        instance = _instance(path)
        if instance is None:
            skipped += 1
        else:
            instances.append(instance)
    return instances, skipped


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(inner for inner in path.rglob("*") if inner.is_file())
        else:
            yield path


def _instance(path: Path) -> _Instance | None:
    """Read the File Meta of a Part 10 file (PS3.10 7.1); None when it is none or is a DICOMDIR."""
    try:
        meta, _ = split_dataset(path)
        sop_class_uid, transfer_syntax_uid = UID(meta.MediaStorageSOPClassUID), UID(meta.TransferSyntaxUID)
        known = bool(meta.MediaStorageSOPInstanceUID)
    except Exception:  # noqa: BLE001 - whatever the parser makes of a stray file, it is no instance
        return None
    if not known or sop_class_uid == MediaStorageDirectoryStorage:
        return None
    return _Instance(path, sop_class_uid, transfer_syntax_uid)


def _batches(instances: Sequence[_Instance]) -> Iterator[Sequence[_Instance]]:
    """Cut the instances into runs that need no more contexts than one association has."""
    contexts: set[tuple[UID, UID]] = set()
    start = 0
    for place, instance in enumerate(instances):
        if instance.context not in contexts and len(contexts) == CONTEXTS_PER_ASSOCIATION:
            yield instances[start:place]
            start, contexts = place, set()
        contexts.add(instance.context)
    if start < len(instances):
        yield instances[start:]
