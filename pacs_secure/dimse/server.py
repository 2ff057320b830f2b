"""The listening end of the DICOM door: it accepts at once and shakes hands elsewhere.

A client that connects and says nothing costs one thread three seconds, and nobody else anything.
"""

import logging
import socket
import ssl
import threading
import time
from typing import Any

from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.transport import AddressInformation, ThreadedAssociationServer

from pacs_secure.archive import Archive
from pacs_secure.archive.refusals import Refusals
from pacs_secure.core.identifiers import Institution
from pacs_secure.crypto.certificates import CertificateFacts
from pacs_secure.crypto.revocation import RevocationList
from pacs_secure.dimse.association import Accepting
from pacs_secure.dimse.budget import Budget
from pacs_secure.dimse.connection import part, sever
from pacs_secure.dimse.connections import Connections, Place
from pacs_secure.dimse.handlers import Visit
from pacs_secure.dimse.household import Household, People
from pacs_secure.dimse.identity import refused, stranger
from pacs_secure.dimse.limits import Limits
from pacs_secure.dimse.quiet import hush
from pacs_secure.dimse.upper_layer import MAXIMUM_PDU
from pacs_secure.ports import Devices

LOGGER = logging.getLogger(__name__)


class DicomServer:
    """The DICOM door: C-ECHO and C-STORE over mutual TLS."""

    def __init__(
        self,
        archive: Archive,
        devices: Devices,
        institution: Institution,
        ae_title: str,
        host: str,
        port: int,
        ssl_context: ssl.SSLContext,
        limits: Limits | None = None,
        people: People | None = None,
    ) -> None:
        """``institution`` is where callers who belong to none are recorded; port 0 takes any free one.

        Without ``people`` whoever says that a person stands behind them is refused.
        """
        hush()
        self._limits = limits or Limits()
        refusals = Refusals(archive.guard, self._limits.refusals_per_second)
        self._household = Household(
            archive, devices, refusals, ae_title, institution, self._limits.look_again, self._is_revoked, people
        )
        self._revocation_lists: tuple[RevocationList, ...] = ()
        self._address = (host, port)
        self._ssl_context = ssl_context
        self._listener: _Listener | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> int:
        """Listen, and return the port."""
        self._listener = _Listener(self._household, self._address, self._ssl_context, self._limits)
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.1,), name="dicom-listener")
        self._thread.start()
        return int(self._listener.server_address[1])

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._listener.connections) if self._listener else 0

    def replace_certificate(
        self, ssl_context: ssl.SSLContext, revocation_lists: tuple[RevocationList, ...] = ()
    ) -> None:
        """Use another context from the next connection on; running associations go on with theirs.

        Those whose own certificate is in one of the revocation lists are ended with the next sweep.
        """
        self._ssl_context, self._revocation_lists = ssl_context, revocation_lists
        if self._listener:
            self._listener.ssl_context = ssl_context

    def _is_revoked(self, certificate: CertificateFacts) -> bool:
        return any(one.names(certificate) for one in self._revocation_lists)

    def stop(self, patience: float = 5.0) -> None:
        """Stop listening, let running stores end, abort what is open, and return when it is gone."""
        if not self._listener or not self._thread:
            return
        self._listener.shutdown()
        self._thread.join()
        self._listener.end(patience)
        self._household.refusals.flush(refused(stranger(self._household.institution, ""), "turned away in a flood"))
        self._listener = self._thread = None


class _Listener(ThreadedAssociationServer):
    """Accepts in the loop, shakes hands in a thread of the connection's own."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, household: Household, address: tuple[str, int], context: ssl.SSLContext, limits: Limits) -> None:
        entity = ApplicationEntity(household.ae_title)
        entity.maximum_pdu_size = MAXIMUM_PDU
        entity.maximum_associations = limits.connections  # never reached: `Connections` counts before
        entity.acse_timeout = limits.association_request
        entity.dimse_timeout = limits.silence
        entity.network_timeout = limits.silence
        self._household = household
        self._limits = limits
        self._budget = Budget(limits.data_sets)
        self.connections = Connections(limits.connections, limits.associations, limits.unproven_per_address)
        self._places: dict[socket.socket, Place] = {}
        self._gate = threading.Lock()
        self._ending = False
        self._shaking: set[ssl.SSLSocket] = set()
        self._associations: dict[Accepting, Visit] = {}
        self._swept = threading.Event()
        self._sweeper = threading.Thread(target=self._sweep, name="dicom-sweeper", daemon=True)
        super().__init__(entity, address, household.ae_title, [], context)
        entity._servers.append(self)  # noqa: SLF001 - the library's `shutdown` takes it out again
        self._sweeper.start()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept, and nothing else: a handshake here would let one silent client stop all others."""
        assert self.socket is not None  # noqa: S101 - it was bound by the constructor
        try:
            connection, address = self.socket.accept()
        except OSError:
            time.sleep(0.05)  # no descriptor is free: the caller stays in the queue, and asking on would burn a core
            raise
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Turn away what is too much, without a thread."""
        place = self.connections.admit(client_address[0])
        if place is None:
            self._household.refusals.count()
            return False
        self._places[request] = place
        return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Shake hands, then let the association run in its own thread."""
        place = self._places.pop(request)
        connection: socket.socket = request
        try:
            connection = self._shake_hands(request)
            self._open(connection, client_address, place)
        except OSError as error:
            self._turn_away(connection, place)
            caller = stranger(self._household.institution, place.address)
            self._household.refusals.record(refused(caller, _reason(error)))
        except Exception as error:  # noqa: BLE001 - one connection never ends the listener
            self._turn_away(connection, place)
            LOGGER.error("a connection could not be served: %s", type(error).__name__)  # noqa: TRY400

    def handle_error(self, request: Any, _client_address: Any) -> None:
        """Give the place back when no thread could be started."""
        LOGGER.error("a connection could not be served: no thread")
        if place := self._places.pop(request, None):
            place.leave()

    def service_actions(self) -> None:
        """Collect no garbage here: a full collection on each connection would be felt by all others."""

    def end(self, patience: float) -> None:
        """End every handshake and association, and wait until they are gone."""
        deadline = time.monotonic() + patience
        self._swept.set()
        with self._gate:
            self._ending = True
            shaking, associations = list(self._shaking), list(self._associations)
        for connection in shaking:
            sever(connection)
        for association in associations:
            association.hang_up()
        if not self.connections.emptied(patience / 2):
            for association in associations:
                association.connection.cut()
            self.connections.emptied(deadline - time.monotonic())
        for association in associations:
            association.join(max(0.0, deadline - time.monotonic()))
        self._sweeper.join(max(0.0, deadline - time.monotonic()))

    def _sweep(self) -> None:
        """Send away, again and again, whoever was let in and may no longer be here."""
        told: set[Accepting] = set()
        while not self._swept.wait(self._limits.sweep):
            with self._gate:
                associations = dict(self._associations)
            told &= associations.keys()
            for association in told:
                association.connection.cut()  # it did not listen
            for association, visit in associations.items():
                if association not in told and _outstayed(visit):
                    association.hang_up()
                    told.add(association)

    def _shake_hands(self, request: socket.socket) -> ssl.SSLSocket:
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request.settimeout(self._limits.handshake)
        context = self.ssl_context
        if context is None:  # pragma: no cover - there is no way to build one without
            raise ssl.SSLError("no TLS")
        connection = context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        with self._gate:
            self._shaking.add(connection)
        try:
            connection.do_handshake()
        except BaseException:
            part(connection)
            raise
        finally:
            with self._gate:
                self._shaking.discard(connection)
        return connection

    def _open(self, connection: ssl.SSLSocket, client_address: Any, place: Place) -> None:
        visit = Visit(self._household, place.address, place.prove)

        def ended() -> None:
            visit.ended()
            with self._gate:
                self._associations.pop(association, None)
            place.leave()

        association = Accepting(self.ae, connection, ended)
        association.name = f"AcceptorThread@{client_address[0]}:{client_address[1]}"
        association._server = self  # noqa: SLF001 - as the library's own request handler does
        acceptor = association.acceptor
        acceptor.ae_title = self.ae_title
        acceptor.maximum_length = MAXIMUM_PDU
        acceptor.address_info = AddressInformation.from_tuple(connection.getsockname())
        acceptor.implementation_class_uid = self.ae.implementation_class_uid
        acceptor.implementation_version_name = self.ae.implementation_version_name
        association.requestor.address_info = AddressInformation.from_tuple(client_address)
        association.upper_layer.serve(visit.serve, self._limits.data_set, self._budget, visit.violated)
        association.bind(evt.EVT_REQUESTED, visit.requested)
        association.bind(evt.EVT_RELEASED, visit.released)
        association.bind(evt.EVT_USER_ID, visit.person)
        with self._gate:
            if self._ending:
                raise ConnectionAbortedError
            association.start()
            self._associations[association] = visit

    def _turn_away(self, connection: socket.socket, place: Place) -> None:
        sever(connection)
        connection.close()
        place.leave()


def _outstayed(visit: Visit) -> bool:
    try:
        return visit.outstayed()
    except Exception as error:  # noqa: BLE001 - what cannot be looked up now is looked up with the next sweep
        LOGGER.warning("an association could not be looked at again: %s", type(error).__name__)
        return False


def _reason(error: OSError) -> str:
    """Say in constant words why a handshake failed."""
    if isinstance(error, TimeoutError):
        return "TLS handshake: nothing came in time"
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"TLS handshake: {error.reason.replace('_', ' ').lower()}"
    return "TLS handshake: connection closed"
