"""One association this archive accepts: its threads, its queues and its end."""

import queue
import socket
from collections.abc import Callable
from typing import Any

from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider

from pacs_secure.dimse.connection import ArchiveSocket
from pacs_secure.dimse.upper_layer import PATIENCE, UpperLayer

_BY_USER = 0x00


class _Announced(queue.Queue[Any]):
    """A queue that tells someone when something was put into it."""

    def __init__(self, announce: Callable[[], None]) -> None:
        super().__init__()
        self._announce = announce

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002 - queue's
        super().put(item, block, timeout)
        self._announce()


class _Inbox(DIMSEServiceProvider):
    """Where an acceptor's reactor sleeps until it is knocked up, instead of looking every millisecond.

    No message ever lies in it: `Messages` serves them before the library sees any.
    """

    def get_msg(self, block: bool = False) -> Any:  # noqa: FBT001, FBT002, ARG002 - the library's signature
        try:
            return self.msg_queue.get(timeout=PATIENCE)
        except queue.Empty:
            return None, None

    def knock(self) -> None:
        """Wake the reactor, as the library itself does when a connection ends."""
        self.msg_queue.put((None, None))


class Accepting(Association):
    """An association that this archive accepts; whoever opened it hears when it has ended."""

    def __init__(self, ae: ApplicationEntity, connection: socket.socket, ended: Callable[[], None]) -> None:
        super().__init__(ae, MODE_ACCEPTOR)
        self._ended = ended
        inbox = _Inbox(self)
        self.dimse = inbox
        self.upper_layer = UpperLayer(self)
        self.upper_layer.to_user_queue = _Announced(inbox.knock)
        self.dul = self.upper_layer
        # The timers belong to the provider, which is new.
        self.acse_timeout = ae.acse_timeout
        self.network_timeout = ae.network_timeout
        self.connection = ArchiveSocket(self, client_socket=connection)
        self.set_socket(self.connection)

    def hang_up(self) -> None:
        """Have the peer sent an A-ABORT once what is running is answered; return at once."""
        self.acse.send_abort(_BY_USER)

    def run_reactor(self) -> None:
        """Run until the association ends and nothing of it is left, then say so."""
        try:
            super().run_reactor()
        finally:
            self.upper_layer.kill_dul()
            self.connection.cut()
            self.upper_layer.join()
            self.connection.close()
            self._ended()
