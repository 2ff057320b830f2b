"""The one thread of a process that writes, and the commits that its callers share.

The thread takes everything that waits, begins once, runs each piece in a savepoint of its own,
commits once (one fsync), and only then answers. A lone caller waits for nobody; under load the
price of durability is divided.
"""

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from sqlalchemy import Engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, ProgrammingError, SQLAlchemyError

from pacs_secure.adapters.sql.authorship import Authorship
from pacs_secure.adapters.sql.dialect import TAKES_TURNS
from pacs_secure.adapters.sql.presence import claim
from pacs_secure.core.errors import Malformed, Unavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_A_COMMIT = 200
MOST_WAITING = 1000
"""Pieces of work beyond which even those that nobody waits for are waited for."""

UNSTORABLE = (OverflowError, UnicodeEncodeError)
"""What a driver raises for a number beyond 64 bits or a lone surrogate; no DBAPI error stands around it."""

_SPOILS_ONLY_ITSELF = (DataError, IntegrityError, InterfaceError, ProgrammingError)
"""Errors of one statement; after any other the whole transaction is in doubt."""

_TAKEN = "23505"
"""SQLSTATE of a unique violation. Where writers do not take turns, somebody else's row may be why."""

_STOPPED = frozenset({"40001", "40P01"})
"""SQLSTATEs of a transaction that the engine stopped in favour of another: deadlock, serialization."""

_TRIES = 4

_LINGER_SECONDS = 0.05
"""How long work that nobody waits for may look for a commit to share."""


class _Item(Generic[T]):
    """One piece of work and where its answer goes."""

    def __init__(self, work: Callable[[Connection], T], *, awaited: bool) -> None:
        self.awaited = awaited
        self.future: Future[T] = Future()
        self._work = work
        self._settle: Callable[[], None] = self.fail

    def run(self, connection: Connection, authorship: Authorship) -> None:
        """Run the work in a savepoint: what fails takes only itself back.

        Whatever found a place free that somebody has taken meanwhile looks again.

        Raises:
            DBAPIError: the engine failed, so the whole transaction is in doubt.
        """
        self._settle = self.fail
        for tries_left in reversed(range(_TRIES)):
            connection.exec_driver_sql("SAVEPOINT item")
            again = self._run_once(connection, authorship)
            connection.exec_driver_sql("RELEASE SAVEPOINT item")
            if not (again and tries_left):
                return

    def _run_once(self, connection: Connection, authorship: Authorship) -> bool:
        """Run the work and say whether it met somebody else's, who came first."""
        mark = authorship.mark()
        try:
            answer = self._work(connection)
        except BaseException as error:  # every caller must hear of the end, whatever it was
            if isinstance(error, DBAPIError) and not isinstance(error, _SPOILS_ONLY_ITSELF):
                raise
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT item")
            authorship.rewind(mark)
            if isinstance(error, (*UNSTORABLE, DataError)):
                self._settle = _later(self.future.set_exception, Malformed("a value cannot be stored"))
            elif not isinstance(error, SQLAlchemyError):
                self._settle = _later(self.future.set_exception, error)
            return isinstance(error, IntegrityError) and _state(error) == _TAKEN
        self._settle = _later(self.future.set_result, answer)
        return False

    def answer(self) -> None:
        """Tell the caller how it came out; only after the commit."""
        self._settle()

    def fail(self) -> None:
        """Tell the caller that nothing was kept; each caller gets an error of its own."""
        self.future.set_exception(Unavailable("the database did not take the change"))


class Writer:
    """The writing thread and the queue in front of it."""

    def __init__(self, engine: Engine) -> None:
        self.authorship = Authorship()
        self._engine = engine
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._waiting: deque[_Item[Any]] = deque()
        self._urgent = False
        self._closed = False
        self._thread = threading.Thread(target=self._keep_on, name="sql-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Queue work that somebody waits for."""
        item = _Item(work, awaited=True)
        self._queue(item)
        return item.future

    def follow(self, work: Callable[[Connection], object]) -> None:
        """Queue work that nobody waits for, unless too much is waiting already."""
        item = _Item(work, awaited=False)
        item.future.add_done_callback(_log_failure)
        if self._queue(item) > MOST_WAITING:
            item.future.exception()

    def close(self) -> None:
        """Finish what waits and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _queue(self, item: _Item[Any]) -> int:
        if os.getpid() != self._process:
            raise RuntimeError("the database was opened before a fork")
        if threading.current_thread() is self._thread:
            raise RuntimeError("work inside a write must use the connection it was given")
        with self._changed:
            if self._closed:
                raise Unavailable("the database is closed")
            self._waiting.append(item)
            waiting = len(self._waiting)
            self._urgent = self._urgent or item.awaited or waiting > MOST_WAITING
            self._changed.notify()
        return waiting

    def _keep_on(self) -> None:
        while batch := self._take():
            self._commit(batch)

    def _take(self) -> list[_Item[Any]]:
        """Wait for work and take what is there; an empty answer means the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            self._changed.wait_for(lambda: self._urgent or self._closed, _LINGER_SECONDS)
            batch = [self._waiting.popleft() for _ in range(min(MOST_A_COMMIT, len(self._waiting)))]
            self._urgent = any(item.awaited for item in self._waiting)
            return batch

    def _commit(self, batch: list[_Item[Any]], tries_left: int = _TRIES) -> None:
        mark, committing = None, False
        try:
            with self._engine.connect() as connection:
                self.authorship.lend(connection)
                mark = self.authorship.mark()
                with connection.begin():
                    if not connection.get_execution_options().get(TAKES_TURNS, True):
                        claim(connection, self.authorship.names)
                    for item in batch:
                        item.run(connection, self.authorship)
                    committing = True
        except BaseException as error:  # noqa: BLE001 - the thread must outlive any failure, and answer
            if tries_left and isinstance(error, DBAPIError) and _state(error) in _STOPPED:
                # Whoever commits alone holds fewer rows that others wait for.
                self.authorship.rewind(mark)
                for item in batch:
                    self._commit([item], tries_left - 1)
                return
            if tries_left and isinstance(error, DBAPIError) and error.connection_invalidated and not committing:
                # The server had gone, maybe long ago, before it was asked to keep anything.
                self.authorship.rewind(mark)
                self._commit(batch, 0)
                return
            log.warning("a commit of %d failed: %s", len(batch), type(error).__name__)
            # Whether a commit that failed was kept, nobody knows: its numbers are never used again.
            self.authorship.abandon()
            # A descriptor whose fsync failed is not to be trusted again.
            self._engine.dispose()
            for item in batch:
                item.fail()
        else:
            self.authorship.keep()
            for item in batch:
                item.answer()


def _state(error: DBAPIError) -> str:
    """Return the SQLSTATE of an error, "" where the engine knows none."""
    return getattr(error.orig, "sqlstate", None) or ""


def _later(settle: Callable[[T], None], value: T) -> Callable[[], None]:
    return lambda: settle(value)


def _log_failure(future: Future[object]) -> None:
    error = future.exception()
    if error is not None:
        log.warning("work that nobody waits for failed: %s", type(error).__name__)
