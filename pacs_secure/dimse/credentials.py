"""Keeps the DICOM door's TLS context current: new certificate files and new revocation lists act without a restart.

A context is always built anew and swapped whole, for a live one can only add authorities and
lists. What cannot be read or verified changes nothing: the door goes on with what it has, and when
no list is good any more it lets nobody in.
"""

import logging
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pacs_secure.core.errors import ArchiveError, Malformed
from pacs_secure.crypto.revocation import RevocationList, read_lists
from pacs_secure.dimse.tls import add_lists, server_context
from pacs_secure.ports import RevocationLists

LOGGER = logging.getLogger(__name__)

NO_LIST = "no valid revocation list: no device is let in"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the door's certificate, its key and the authorities of the devices lie, PEM."""

    certificate: Path
    key: Path
    authorities: Path


Install = Callable[[ssl.SSLContext, tuple[RevocationList, ...]], None]


class Credentials:
    """Makes the door's contexts from its files and the newest revocation lists that were verified."""

    def __init__(
        self,
        files: TlsFiles,
        sources: Sequence[RevocationLists],
        alarm: Callable[[str], None],
        now: Callable[[], datetime],
    ) -> None:
        """``alarm`` hears, once each time, that no list is good any more."""
        self._files = files
        self._sources = sources
        self._alarm = alarm
        self._now = now
        self._lists: tuple[RevocationList, ...] = ()
        self._closed = False
        self._troubles: dict[RevocationLists, str | None] = {}
        self._install: Install = lambda _context, _lists: None
        self._last: ssl.SSLContext | None = None
        self._lock = threading.RLock()

    def install_by(self, install: Install) -> None:
        """Hand every new context to ``install``, beginning with the one of now."""
        with self._lock:
            self._install = install
            self._renew(self.context())

    def context(self) -> ssl.SSLContext:
        """Build a context of what is there now.

        Raises:
            Malformed: certificate, key or authorities cannot be used.
        """
        files = self._files
        try:
            return server_context(str(files.certificate), str(files.key), str(files.authorities), self._pem)
        except (OSError, ValueError):
            raise Malformed("the DICOM door's certificate, key or authorities cannot be used") from None

    def look_at_files(self) -> bool:
        """Use the files as they are now; say False, and go on as before, when they cannot be used."""
        with self._lock:
            try:
                self._renew(self.context())
            except Malformed as error:
                LOGGER.error("the DICOM door keeps its certificate: %s", error)  # noqa: TRY400 - the words say it
                return False
        LOGGER.info("the DICOM door has read its certificate again")
        return True

    def look_at_lists(self) -> bool:
        """Fetch the revocation lists and use them when they are newer; say whether those in use are good."""
        with self._lock:
            for source in self._sources:
                trouble = self._look_at(source)
                if trouble and trouble != self._troubles.get(source):
                    LOGGER.warning("revocation lists could not be fetched: %s", trouble)
                self._troubles[source] = trouble
            self._judge()
            return not self._closed

    def _look_at(self, source: RevocationLists) -> str | None:
        """Take over what one source has; say what went wrong, and leave the others alone."""
        try:
            if any(one.stale(self._now()) for one in self._take_over(source)):
                source.renew()
                self._take_over(source)
        except ArchiveError as error:
            return str(error)
        return None

    def _take_over(self, source: RevocationLists) -> tuple[RevocationList, ...]:
        """Use what is newer; an older list in the place of a newer one would let the revoked in again."""
        found = self._verified(source)
        known = {one.issuer: one for one in self._lists}
        newest = known | {one.issuer: one for one in found if _is_newer(one, known.get(one.issuer))}
        lists = tuple(newest[issuer] for issuer in sorted(newest))
        if lists != self._lists:
            self._lists = lists
            self._renew(self._with_lists())
        return found

    def _with_lists(self) -> ssl.SSLContext:
        """Return a context with the newest lists, even while somebody replaces the files and they do not fit."""
        try:
            return self.context()
        except Malformed:
            if self._last is None:
                raise
            add_lists(self._last, self._pem)
            return self._last

    def _renew(self, context: ssl.SSLContext) -> None:
        self._last = context
        self._install(context, self._lists)

    @property
    def _pem(self) -> bytes:
        return b"".join(one.pem for one in self._lists)

    def _verified(self, source: RevocationLists) -> tuple[RevocationList, ...]:
        try:
            authorities = self._files.authorities.read_bytes()
        except OSError:
            raise Malformed("the authorities cannot be read") from None
        return read_lists(source.fetch(), authorities, self._now())

    def _judge(self) -> None:
        now = self._now()
        closed = not any(not one.expired(now) for one in self._lists)
        if closed and not self._closed:
            LOGGER.error(NO_LIST)
            self._alarm(NO_LIST)
        elif self._closed and not closed:
            LOGGER.info("a valid revocation list is there")
        self._closed = closed


def _is_newer(one: RevocationList, known: RevocationList | None) -> bool:
    return known is None or (one.made_at, one.number) > (known.made_at, known.number)
