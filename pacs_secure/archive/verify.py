"""Verifying: the ledger against itself and against what was published, the objects against the index.

The verifier inside the house is for the quiet night; the stand-alone `pacs-audit-verify` trusts
neither this code nor its database.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from pacs_secure.archive.guard import Guard
from pacs_secure.archive.ledger_check import LedgerCheck
from pacs_secure.archive.ledger_walk import LedgerWalk, Progress
from pacs_secure.archive.store_check import Paced, StoreCheck
from pacs_secure.archive.writer_check import WriterCheck
from pacs_secure.core.access import AccessRequest, Action, Grant, Subject
from pacs_secure.core.audit import Outcome, Verdict
from pacs_secure.core.errors import ArchiveError, Malformed
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.ports import KeyUnwrapper, Ledger, Publisher, Retention, Shelf

_OLDEST_YEAR = 1970


@dataclass(frozen=True, slots=True)
class Verify:
    """The verb: say whether everything still is what it was."""

    guard: Guard
    store: StoreCheck
    ledger: Ledger
    publisher: Publisher
    retention: Retention
    home: Institution
    unwrapper: KeyUnwrapper
    origin: str
    public_key: Callable[[], bytes]
    now: Callable[[], datetime]

    def check_ledger(
        self, subject: Subject, progress: Progress = lambda _: None, since: datetime | None = None
    ) -> Verdict:
        """Verify chain, writers, tree and every checkpoint; the reading is itself recorded first.

        Every finding names the position it concerns, the first one of each divergence. ``since`` leaves out
        what is older, as far as the next checkpoint proves it.

        Raises:
            Malformed: no ledger is as old as that.
        """
        if since is not None and since.year < _OLDEST_YEAR:
            raise Malformed(f"there is no ledger from before {_OLDEST_YEAR}")
        told = {} if since is None else {"since": since.isoformat()}
        grant = self.guard.admit(AccessRequest(subject, Action.LEDGER_VERIFY, None, details=told))
        with self._recorded(grant):
            check = self.new_check(from_the_start=since is None)
            if since is not None:
                self.walk.begin_since(check, since)
            begun = check.position
            size = self.walk.take(check, progress)
            facts = {"signatures": "verified" if check.signatures else "not verified: the vault is away"}
            return self._finish(grant, Verdict(size - begun, tuple(check.findings)), facts)

    def new_check(self, *, from_the_start: bool = True) -> LedgerCheck:
        """Return a check that has seen nothing yet, for whoever reads the ledger under a grant of their own."""
        writers = WriterCheck(self.writer_key, from_the_start=from_the_start)
        return LedgerCheck(self.origin, self.public_key(), writers)

    def informed_check(self) -> LedgerCheck:
        """Return a check that knows what was signed and has seen no entry; the size is asked for after it."""
        check = self.new_check()
        self.walk.learn(check)
        return check

    @property
    def walk(self) -> LedgerWalk:
        """Return the way along the ledger."""
        return LedgerWalk(self.ledger, self.publisher, self.retention)

    def writer_key(self, writer: KeyId) -> bytes | None:
        """Return the first key of a writer, None when the shelf has none; raise `Unavailable` without the vault."""
        found = self.unwrapper.fetch(self.home, Shelf.WRITER, [writer]).get(writer)
        return None if found is None else found.key

    def check_archive(self, subject: Subject, *, deep: bool, paced: Paced = lambda _: None) -> Verdict:
        """Verify that every row has its object and key; ``deep``: that each opens and parses, and every proof holds.

        What no row names any longer is swept (`StoreCheck.take`).

        Raises:
            Unavailable: keys, index or store are out of reach; that says nothing of what they hold.
        """
        request = AccessRequest(subject, Action.ARCHIVE_VERIFY, None, details={"deep": str(deep).lower()})
        grant = self.guard.admit(request)
        with self._recorded(grant):
            verdict = self.store.take(grant, deep=deep, paced=paced)
            return self._finish(grant, verdict, verdict.told)

    @contextmanager
    def _recorded(self, grant: Grant) -> Iterator[None]:
        """Record that a verification failed before it came to a verdict."""
        try:
            yield
        except ArchiveError as error:
            self.guard.finish_later(grant, Outcome.FAILED, {"error": type(error).__name__})
            raise

    def _finish(self, grant: Grant, verdict: Verdict, facts: Mapping[str, str | int]) -> Verdict:
        counts = {"checked": verdict.checked, "findings": len(verdict.findings)}
        self.guard.finish(grant, Outcome.COMPLETED, {**counts, **facts})
        return verdict
