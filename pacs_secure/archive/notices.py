"""What the data-protection officer was told: read, and acknowledged one by one; both are on record."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from pacs_secure.archive.guard import Guard
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.noticing import told_by
from pacs_secure.core.access import AccessRequest, Action, Purpose, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import ArchiveError
from pacs_secure.core.notices import KeptNotice
from pacs_secure.ports import Notices

MOST_LISTED = 500


@dataclass(frozen=True, slots=True)
class ReadNotice:
    """A notice with what its box says."""

    kept: KeptNotice
    told: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class NoticeBook:
    """The verb: see what there is to know, and say that it was seen."""

    guard: Guard
    notices: Notices
    seals: InstitutionSeals
    now: Callable[[], datetime]

    def list(
        self, subject: Subject, purpose: Purpose | None, *, acknowledged: bool, details: dict[str, str]
    ) -> Sequence[ReadNotice]:
        """List the newest notices of the institution, those that wait for somebody to read them or those read.

        Raises:
            Denied: they are not for the subject.
        """
        grant = self.guard.admit(AccessRequest(subject, Action.NOTICE_LIST, purpose, details=details))
        try:
            found = self.notices.listed(subject.institution, MOST_LISTED, acknowledged=acknowledged)
            read = [ReadNotice(kept, told_by(self.seals, kept.notice)) for kept in found]
        except ArchiveError as error:
            self.guard.finish(grant, Outcome.FAILED, {"error": type(error).__name__})
            raise
        self.guard.finish(grant, Outcome.COMPLETED, {"notices": len(read)})
        return read

    def acknowledge(
        self, subject: Subject, purpose: Purpose | None, notice_id: str, *, details: dict[str, str]
    ) -> None:
        """Say that a notice was read; nobody is reminded of it any more.

        Raises:
            Denied: it is not for the subject.
            NotFound: there is no such notice.
            Conflict: somebody has acknowledged it before.
        """
        request = AccessRequest(subject, Action.NOTICE_ACKNOWLEDGE, purpose, details=details)
        permit = self.guard.decide(request)
        try:
            named = UUID(notice_id)
        except ValueError:
            raise self.guard.not_found(request) from None
        actor = self.guard.pseudonym(subject.institution, subject.identifier)
        draft = self.guard.draft(permit, Outcome.COMPLETED, {"notice": str(named)})
        try:
            self.notices.acknowledge(permit, named, actor, self.now(), draft)
        except ArchiveError as error:
            self.guard.refuse(request, {"error": type(error).__name__})
            raise
