"""What one association is to the archive: who came, what they may do, and what they brought."""

import logging
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import A_ASSOCIATE

from pacs_secure.archive import Archive
from pacs_secure.archive.ingest import Received, Reception
from pacs_secure.core.access import AccessRequest, Action, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import ArchiveError, Denied
from pacs_secure.core.identifiers import Institution
from pacs_secure.dimse.commands import StoreRequest
from pacs_secure.dimse.contexts import supported
from pacs_secure.dimse.identity import device_of, mismatch, stranger, subject_of
from pacs_secure.dimse.refusals import Refusals
from pacs_secure.dimse.statuses import OTHER_INSTANCE, SOP_CLASS_NOT_SUPPORTED, SUCCESS, Status, store_status
from pacs_secure.ports import Device, Devices

LOGGER = logging.getLogger(__name__)

_LOOK_AGAIN = 5.0
"""Seconds after which a long association looks again whether its device was revoked."""
_REJECTED_PERMANENT, _REJECTED_TRANSIENT = 0x01, 0x02
_BY_USER, _BY_PRESENTATION = 0x01, 0x03
_TEMPORARY_CONGESTION = 0x01


@dataclass(frozen=True, slots=True)
class Household:
    """What every visit needs of the archive behind the door."""

    archive: Archive
    devices: Devices
    refusals: Refusals
    ae_title: str
    institution: Institution
    """In whose ledger strangers are recorded."""


class Visit:
    """One association from its request to its end. Handlers run in its two threads, one at a time."""

    def __init__(self, household: Household, address: str, welcomed: Callable[[], None]) -> None:
        self._household = household
        self._address = address
        self._welcomed = welcomed
        self._lock = threading.Lock()
        self._certificate: bytes | None = None
        self._device: Device | None = None
        self._looked_at = 0.0
        self._contexts: dict[int, tuple[str, str]] | None = None
        self._reception: Reception | None = None
        self._closed = False
        self._association: Association | None = None

    def requested(self, event: Event) -> None:
        """Let the association in or reject it (EVT_REQUESTED); without this no context is ever accepted."""
        association = event.assoc
        try:
            self._welcome(association)
        except Exception as error:  # noqa: BLE001 - the library would go on and accept
            LOGGER.warning("an association could not be decided: %s", type(error).__name__)
            _reject(association, _REJECTED_TRANSIENT, _BY_PRESENTATION, _TEMPORARY_CONGESTION)

    def echo(self, _event: Event) -> int:
        """Answer a C-ECHO (PS3.4 A.4)."""
        return SUCCESS.code

    def store(self, request: StoreRequest, data_set: bytearray) -> Status:
        """Store one instance; it is durable when the status says Success (PS3.4 B.2.3)."""
        with self._lock:
            try:
                return self._store(request, data_set)
            except Exception as error:  # noqa: BLE001 - the association outlives whatever one instance does
                if not isinstance(error, ArchiveError):
                    LOGGER.error("a C-STORE failed: %s", type(error).__name__)  # noqa: TRY400 - frames hold patients
                return store_status(error)

    def released(self, _event: Event) -> None:
        """Record what came, when the peer has released the association."""
        self.close(Outcome.COMPLETED)

    def aborted(self, _event: Event) -> None:
        """Record what came, when either side has aborted."""
        self.close(Outcome.ABORTED)

    def close(self, outcome: Outcome) -> None:
        """Record what was transferred, once; a store that is running is waited for."""
        with self._lock:
            self._closed = True
            reception, self._reception = self._reception, None
            if reception is None:
                return
            try:
                reception.close(outcome)
            except Exception as error:  # noqa: BLE001 - the thread ends here, and the act stays open in the ledger
                LOGGER.error("an association's end could not be recorded: %s", type(error).__name__)  # noqa: TRY400

    def _welcome(self, association: Association) -> None:
        request = association.requestor.primitive
        if not isinstance(request, A_ASSOCIATE):
            association.is_aborted = True
            association.kill()
            return
        self._certificate = _peer_certificate(association)
        device = device_of(self._household.devices, self._certificate)
        calling, called = request.calling_ae_title or "", request.called_ae_title or ""
        wrong = mismatch(device, calling, called, self._household.ae_title)
        if wrong or device is None:
            institution = device.institution if device else self._household.institution
            reason = str(wrong)
            titles = {"calling_ae_title": calling, "called_ae_title": called}
            self._household.refusals.record(stranger(institution, self._address), reason, titles)
            diagnostic = wrong.diagnostic if wrong else _TEMPORARY_CONGESTION
            _reject(association, _REJECTED_PERMANENT, _BY_USER, diagnostic)
            return
        self._device, self._looked_at, self._association = device, time.monotonic(), association
        association.acceptor.supported_contexts = supported(request.presentation_context_definition_list)
        self._welcomed()

    def _store(self, request: StoreRequest, data_set: bytearray) -> Status:
        context = self._context(request.context_id)
        sop_class_uid = request.sop_class_uid.decode("ascii", "replace")
        if context is None or context[0] != sop_class_uid:
            return SOP_CLASS_NOT_SUPPORTED
        reception = self._receiving()
        received = Received(data_set=data_set, transfer_syntax_uid=context[1], sop_class_uid=sop_class_uid)
        stored = reception.store(received)
        announced = request.sop_instance_uid.decode("ascii", "replace").rstrip("\0 ")
        return SUCCESS if stored.identity.sop_instance_uid == announced else OTHER_INSTANCE

    def _receiving(self) -> Reception:
        """Return the act of taking in that this association is, begun with its first instance."""
        subject = self._subject()
        if self._reception is None:
            self._reception = self._household.archive.ingest.begin(subject, None, {"protocol": "C-STORE"})
        return self._reception

    def _subject(self) -> Subject:
        """Return who stores, when they may; a device revoked meanwhile may no longer."""
        now = time.monotonic()
        if now - self._looked_at > _LOOK_AGAIN:
            self._device = device_of(self._household.devices, self._certificate)
            self._looked_at = now
        device = self._device
        if self._closed or device is None or device.revoked_at is not None:
            raise Denied("the device is not enrolled")
        subject = subject_of(device, self._address)
        if "store" not in device.operations:
            request = AccessRequest(subject, Action.STUDY_CREATE, None, details={"protocol": "C-STORE"})
            self._household.archive.guard.refuse(request, {"error": "operation not allowed to the device"})
            raise Denied("the device may not store")
        return subject

    def _context(self, context_id: int) -> tuple[str, str] | None:
        """Return abstract and transfer syntax of an accepted presentation context."""
        if self._contexts is None:
            accepted = self._association.accepted_contexts if self._association else []
            self._contexts = {
                context.context_id: (str(context.abstract_syntax), str(context.transfer_syntax[0]))
                for context in accepted
                if context.context_id is not None
            }
        return self._contexts.get(context_id)


def _peer_certificate(association: Association) -> bytes | None:
    connection = association.dul.socket.socket if association.dul.socket else None
    return connection.getpeercert(binary_form=True) if isinstance(connection, ssl.SSLSocket) else None


def _reject(association: Association, result: int, source: int, diagnostic: int) -> None:
    """Send an A-ASSOCIATE-RJ (PS3.8 9.3.4) and wait until it has left."""
    association.acse.send_reject(result, source, diagnostic)
    association.kill()
