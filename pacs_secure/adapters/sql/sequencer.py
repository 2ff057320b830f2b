"""The sequencer: of all archives on one database, the one that gives what was said its place in the ledger.

It leads by an advisory lock of the very session in which it sequences: whoever loses the lock has lost the
transaction with it, so no two ever extend one chain, and the key of the ledger's table would refuse the second.
Others stand by and take over when that session is gone, at the latest a quarter of a second later.
"""

import logging
import threading
import time
from collections.abc import Callable

from sqlalchemy import Engine, func, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from pacs_secure.adapters.sql.outbox import Sequenced, sequence_in, set_aside_in
from pacs_secure.adapters.sql.outbox_tables import audit_outbox
from pacs_secure.core.errors import ArchiveError, Unavailable
from pacs_secure.ports import Alarm

log = logging.getLogger(__name__)

EVERY_SECONDS = 0.025
STANDBY_SECONDS = 0.25
PATIENCE = 15.0

LOCK = int.from_bytes(b"pacs-seq")
_take = text("SELECT pg_try_advisory_lock(:key)").bindparams(key=LOCK)
_give = text("SELECT pg_advisory_unlock(:key)").bindparams(key=LOCK)
_newest = select(func.max(audit_outbox.c.id))


class Sequencer:
    """`pacs_secure.ports.Leader` among all archives on one PostgreSQL database."""

    def __init__(self, make_engine: Callable[[], Engine]) -> None:
        self._make_engine = make_engine
        self._leading = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._alarm: Alarm | None = None
        self._untold: list[dict[str, str | int]] = []
        self._unreadable: list[int] = []
        self._told: list[int] = []
        """Rows that the officer hears of, and that are set aside once the ledger takes something again."""

    def start(self, alarm: Alarm) -> None:
        """Lead from now on, or stand by until the place is free."""
        self._alarm = alarm
        self._thread = threading.Thread(target=self._keep_on, name="sequencer", daemon=True)
        self._thread.start()

    def leads(self) -> bool:
        """Say whether this process leads."""
        return self._leading.is_set()

    def stop(self) -> None:
        """Give the place up; a second call does nothing."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(PATIENCE)

    def _keep_on(self) -> None:
        engine = self._make_engine()
        while not self._ending.is_set():
            try:
                with engine.connect() as connection:
                    self._stand_by(connection)
                    self._lead(connection)
            except SQLAlchemyError as error:
                log.warning("the sequencer lost its session: %s", type(error).__name__)
            except Exception:
                # One that dies silently would leave the ledger behind for ever.
                log.exception("the sequencer goes on")
            finally:
                self._leading.clear()
            self._ending.wait(STANDBY_SECONDS)
        engine.dispose()

    def _stand_by(self, connection: Connection) -> None:
        while not self._ending.is_set() and not taken(connection):
            self._ending.wait(STANDBY_SECONDS)

    def _lead(self, connection: Connection) -> None:
        while not self._ending.is_set():
            began = time.monotonic()
            brought = once(connection, self._unreadable)
            self._leading.set()
            self._look_at(brought)
            if self._told and brought.placed:
                self._set_aside(connection, self._told.pop(0))
            self._ending.wait(max(0.0, EVERY_SECONDS - (time.monotonic() - began)))

    def _look_at(self, brought: Sequenced) -> None:
        """Tell what was found; the ledger goes on whatever it was."""
        self._unreadable += brought.unreadable
        for row in brought.unreadable:
            log.error("row %d of the outbox is nothing that an archive wrote; it gets no place", row)
            self._untold.append({"found": "unreadable", "row": row})
        for writer, due, came in brought.missing:
            log.error("writer %s left out a number: %d was due, %d came", writer, due, came)
            self._untold.append({"found": "number", "writer": str(writer), "due": due, "came": came})
        while self._untold and self._alarm is not None:
            try:
                self._alarm("ledger writer", self._untold[0])
            except ArchiveError as error:
                log.warning("an alarm waits: %s", error)
                return
            if isinstance(named := self._untold.pop(0).get("row"), int):
                self._told.append(named)

    def _set_aside(self, connection: Connection, row: int) -> None:
        """Take a row out of the way for good, unless it was the ledger that took nothing at that time."""
        with connection.begin() as transaction:
            if unreadable := sequence_in(connection, only=row).unreadable:
                transaction.rollback()
        if unreadable:
            with connection.begin():
                set_aside_in(connection, row)
            log.error("row %d of the outbox was set aside", row)
        self._unreadable.remove(row)


def taken(connection: Connection) -> bool:
    """Take the place, for as long as this session lasts, when it is free."""
    with connection.begin():
        return bool(connection.execute(_take).scalar_one())


def once(connection: Connection, leave: list[int]) -> Sequenced:
    """Give the oldest statements their places, in one commit of whoever has the place."""
    with connection.begin() as transaction:
        brought = sequence_in(connection, leave)
        if brought.unreadable:
            transaction.rollback()
    return brought


def settle(engine: Engine, patience: float = PATIENCE) -> None:
    """Wait until everything that was committed by now has its place; give it one where nobody leads.

    Raises:
        Unavailable: the ledger did not come so far.
    """
    ends = time.monotonic() + patience
    leave: list[int] = []
    with engine.connect() as connection:
        newest = _waiting(connection)
        while newest and _waiting(connection, newest, leave):
            if taken(connection):
                leave += once(connection, leave).unreadable
                with connection.begin():
                    connection.execute(_give)
            elif time.monotonic() > ends:
                raise Unavailable("the ledger lags behind")
            else:
                time.sleep(EVERY_SECONDS)


def _waiting(connection: Connection, newest: int | None = None, leave: list[int] | None = None) -> int:
    wanted = _newest
    if newest is not None:
        wanted = _newest.where(audit_outbox.c.id <= newest, audit_outbox.c.id.not_in(leave or []))
    with connection.begin():
        found: int | None = connection.execute(wanted).scalar()
    return found or 0
