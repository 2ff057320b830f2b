"""What one association is to the archive: who came, what they may do, and what they brought."""

import logging
import ssl
import threading
from collections.abc import Callable
from typing import Any

from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import A_ASSOCIATE

from pacs_secure.archive.ingest import Received, Reception
from pacs_secure.core.access import AccessRequest, Action, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import ArchiveError, Denied, Malformed, OverLimit, Tampered, Unauthenticated
from pacs_secure.dicom.header import scan
from pacs_secure.dimse import statuses
from pacs_secure.dimse.commands import C_ECHO_RQ, C_STORE_RQ, Request
from pacs_secure.dimse.contexts import is_verification, supported
from pacs_secure.dimse.household import Household
from pacs_secure.dimse.identity import Caller, Mismatch, certificate_of, refused, stranger, subject_of
from pacs_secure.dimse.statuses import Status
from pacs_secure.dimse.visitor import Refused, Visitor, admit
from pacs_secure.ports import Device

LOGGER = logging.getLogger(__name__)

_REJECTED_PERMANENT, _REJECTED_TRANSIENT = 0x01, 0x02
_BY_USER, _BY_PRESENTATION = 0x01, 0x03
_TEMPORARY_CONGESTION, _LOCAL_LIMIT_EXCEEDED = 0x01, 0x02


class Visit:
    """One association from its request to its end. Handlers run in its two threads, one at a time."""

    def __init__(self, household: Household, address: str, welcomed: Callable[[], bool]) -> None:
        """``welcomed`` is told that the caller is known, and says whether there is room for them."""
        self._household = household
        self._address = address
        self._welcomed = welcomed
        self._lock = threading.Lock()
        self._decided = False
        self._visitor: Visitor | None = None
        self._sent_away = False
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

    def serve(self, request: Request, data_set: bytearray | None) -> Status:
        """Carry out one request (PS3.7 9.1); an instance is durable when the status says Success (PS3.4 B.2.3)."""
        context = self._context(request.context_id)
        if context is None:
            return statuses.SOP_CLASS_NOT_SUPPORTED
        if is_verification(context[0]):
            return statuses.SUCCESS if request.command_field == C_ECHO_RQ else statuses.UNRECOGNISED_OPERATION
        if request.command_field != C_STORE_RQ:
            return statuses.UNRECOGNISED_OPERATION
        return self._try_to_store(request, data_set, *context)

    def violated(self, reason: str) -> None:
        """Record that the caller broke the protocol; the association ends by itself."""
        self._decided = True
        self._household.refusals.record(refused(self._who(), reason))

    def person(self, event: Any) -> tuple[bool, bytes]:
        """Answer that the person is known (EVT_USER_ID): an association with anybody else was rejected before.

        The token is sent back to where it came from, as the standard has it (PS3.7 Table D.3-15).
        """
        return True, event.primary_field

    def outstayed(self) -> bool:
        """Say whether who was let in may no longer be here, and record it when it is so.

        Raises:
            Unavailable: nobody can say now.
        """
        visitor = self._visitor
        if visitor is None or self._closed or self._sent_away:
            return False
        try:
            reason = visitor.look_again()
        except Tampered:
            reason = "device is not as it was enrolled"
        if reason is None:
            return False
        self._sent_away = True
        self._household.refusals.record(refused(visitor.actor().subject, f"association ended: {reason}"))
        return True

    def released(self, _event: Event) -> None:
        """Record what came, when the peer has released the association."""
        self._close(Outcome.COMPLETED)

    def ended(self) -> None:
        """Record what is not recorded yet: what came over an association that broke, or that nothing came at all."""
        self._close(Outcome.ABORTED)
        if not self._decided:
            self._household.refusals.record(refused(self._stranger(), "no association was asked for"))

    def _close(self, outcome: Outcome) -> None:
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
        if not isinstance(request, A_ASSOCIATE):  # the connection ended before anything was asked for
            association.is_aborted = True
            association.kill()
            return
        self._decided = True
        caller = Caller(request, certificate_of(_peer_certificate(association)), self._address)
        device, wrong = self._household.looked_up(caller)
        if wrong or device is None:
            institution = device.institution if device else self._household.institution
            self._refuse(stranger(institution, self._address), str(wrong), request)
            diagnostic = wrong.diagnostic if wrong else _TEMPORARY_CONGESTION
            _reject(association, _REJECTED_PERMANENT, _BY_USER, diagnostic)
        elif not self._welcomed():
            self._refuse(subject_of(device, self._address), "too many associations", request)
            _reject(association, _REJECTED_TRANSIENT, _BY_PRESENTATION, _LOCAL_LIMIT_EXCEEDED)
        else:
            self._admit(association, caller, device)

    def _admit(self, association: Association, caller: Caller, device: Device) -> None:
        try:
            visitor = admit(self._household, caller, device)
        except Unauthenticated:
            wrong = Mismatch.USER_IDENTITY
            self._refuse(subject_of(device, self._address), wrong, caller.request)
            _reject(association, _REJECTED_PERMANENT, _BY_USER, wrong.diagnostic)
            return
        self._association, self._visitor = association, visitor
        proposed = caller.request.presentation_context_definition_list
        association.acceptor.supported_contexts = supported(proposed)

    def _refuse(self, subject: Subject, reason: str, request: A_ASSOCIATE) -> None:
        titles = {"calling_ae_title": request.calling_ae_title, "called_ae_title": request.called_ae_title}
        private = {name: title or "" for name, title in titles.items()}
        self._household.refusals.record(refused(subject, reason, private))

    def _try_to_store(
        self, request: Request, data_set: bytearray | None, sop_class_uid: str, transfer_syntax_uid: str
    ) -> Status:
        if request.sop_class_uid.decode("ascii", "replace") != sop_class_uid:
            return statuses.SOP_CLASS_NOT_SUPPORTED
        if data_set is None:
            return statuses.CANNOT_UNDERSTAND
        with self._lock:
            try:
                return self._store(request, data_set, sop_class_uid, transfer_syntax_uid)
            except Exception as error:  # noqa: BLE001 - the association outlives whatever one instance does
                if not isinstance(error, ArchiveError):
                    LOGGER.error("a C-STORE failed: %s", type(error).__name__)  # noqa: TRY400 - frames hold patients
                if isinstance(error, Malformed) and _is_of_another_class(data_set, sop_class_uid, transfer_syntax_uid):
                    return statuses.OTHER_SOP_CLASS
                return statuses.store_status(error)

    def _store(self, request: Request, data_set: bytearray, sop_class_uid: str, transfer_syntax_uid: str) -> Status:
        reception = self._receiving(sop_class_uid)
        stored = reception.store(Received(data_set, transfer_syntax_uid, sop_class_uid=sop_class_uid))
        announced = request.sop_instance_uid.decode("ascii", "replace")
        return statuses.SUCCESS if stored.identity.sop_instance_uid == announced else statuses.OTHER_INSTANCE

    def _receiving(self, sop_class_uid: str) -> Reception:
        """Return the act of taking in that this association is, begun with its first instance."""
        visitor = self._visitor
        if visitor is None or self._closed:
            raise Denied("the association has ended")
        try:
            actor = visitor.storing(sop_class_uid)
        except Refused as error:
            self._record(error)
            raise
        if self._reception is None:
            begin = self._household.archive.ingest.begin
            self._reception = begin(actor.subject, actor.purpose, {"protocol": "C-STORE"}, actor.device)
        return self._reception

    def _record(self, error: Refused) -> None:
        """Record that a C-STORE was refused before any decision."""
        details = {"protocol": "C-STORE", "reason": str(error)}
        actor = error.actor
        request = AccessRequest(actor.subject, Action.STUDY_CREATE, actor.purpose, details=details, device=actor.device)
        self._household.archive.guard.refuse(request, {})

    def _who(self) -> Subject:
        return self._visitor.actor().subject if self._visitor else self._stranger()

    def _stranger(self) -> Subject:
        return stranger(self._household.institution, self._address)

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


def _is_of_another_class(data_set: bytearray, sop_class_uid: str, transfer_syntax_uid: str) -> bool:
    """Say whether a Data Set that was refused is sound but of another SOP class than announced (0xA9xx)."""
    try:
        return scan(data_set, transfer_syntax_uid).sop_class_uid != sop_class_uid
    except (Malformed, OverLimit):
        return False
