"""Giving back: located, decided, recorded, and only then opened chunk by chunk.

1. locate   the study, without opening anything
2. decide   by the Guard, once a request and study; only then are its rows looked for, so that what is
            hidden takes no longer than what is missing
3. record   durable before the first byte leaves
4. open     sealed chunks, each verified before it is released
5. deliver  about 1 MiB a yield

Leaving a `Retrieval` records its outcome: bytes, and whether the delivery was completed.
Missing and forbidden look alike to a stranger, and both are recorded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from pacs_secure.archive.facts import Facts
from pacs_secure.archive.guard import Guard
from pacs_secure.archive.seals import Opener
from pacs_secure.core.access import AccessRequest, Action, Grant, Purpose, StudyFacts, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import ArchiveError, Malformed, NotFound
from pacs_secure.core.identifiers import Uid, uid
from pacs_secure.core.instance import InstanceRow
from pacs_secure.dicom.header import strip_item_headers
from pacs_secure.dicom.syntaxes import is_encapsulated
from pacs_secure.ports import Records


class Retrieval:
    """One granted delivery of the instances of one study; a context whose end is recorded."""

    def __init__(self, guard: Guard, opener: Opener, grant: Grant, rows: Sequence[InstanceRow]) -> None:
        self.rows = rows
        self._guard = guard
        self._opener = opener
        self._grant = grant
        self._octets = 0
        self._outcome = Outcome.ABORTED
        self._error = ""
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(error)

    def close(self, error: BaseException | None = None) -> None:
        """Record how the delivery came out; a second call does nothing."""
        if not self._open:
            return
        self._open = False
        facts: dict[str, str | int] = {"bytes": self._octets, "objects": len(self.rows)}
        if isinstance(error, ArchiveError):
            self._outcome = Outcome.FAILED
            facts["error"] = type(error).__name__
        self._guard.finish_later(self._grant, self._outcome, facts)

    def complete(self) -> None:
        """Say that everything was delivered; without it the outcome is aborted."""
        self._outcome = Outcome.COMPLETED

    def part10(self, row: InstanceRow) -> Iterator[bytes]:
        """Yield the whole Part 10 stream as stored, about 1 MiB at a time (PS3.10 7)."""
        return self._counted(self._opener.whole(self._grant, row))

    def data_set(self, row: InstanceRow) -> Iterator[bytes]:
        """Yield the Data Set exactly as it was received (INT-01)."""
        return self._counted(self._opener.span(self._grant, row, row.data_set_offset, row.sealed.plaintext_length))

    def frame(self, row: InstanceRow, number: int) -> Iterator[bytes]:
        """Yield one frame's pixel data, 1 the first; encapsulated frames without their item headers.

        Raises:
            NotFound: the instance has no such frame, or none that can be told apart.
        """
        if not 1 <= number <= len(row.frames):
            raise NotFound("no such frame")
        start, length = row.frames.offsets[number - 1], row.frames.lengths[number - 1]
        span = self._opener.span(self._grant, row, start, start + length)
        if is_encapsulated(row.transfer_syntax_uid):
            return self._counted(iter([strip_item_headers(b"".join(span))]))
        return self._counted(span)

    def metadata(self) -> Iterator[bytes]:
        """Yield one serialised DICOM JSON object an instance, in row order."""
        return self._counted(self._opener.metadata(self._grant, self.rows))

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._octets += len(piece)
            yield piece


@dataclass(frozen=True, slots=True)
class Retrieve:
    """The verb: give back a study, a series or an instance."""

    guard: Guard
    facts: Facts
    records: Records
    opener: Opener

    def begin(
        self,
        subject: Subject,
        purpose: Purpose | None,
        study_instance_uid: str,
        series_instance_uid: str | None = None,
        sop_instance_uid: str | None = None,
        *,
        details: dict[str, str],
        device: Subject | None = None,
    ) -> Retrieval:
        """Locate, decide and record; nothing has been opened when this returns.

        ``device`` is the enrolled device that a person acts through, when they do.

        Raises:
            Malformed: a UID is none.
            NotFound: there is no such object, or the caller may not know of it (`Hidden`).
            Denied: the caller may know but not read.
            Unavailable: the ledger or the index is out of reach.
        """
        try:
            study, series, instance = uid(study_instance_uid), _uid(series_instance_uid), _uid(sop_instance_uid)
        except Malformed:
            request = AccessRequest(subject, Action.STUDY_READ, purpose, details=details, device=device)
            self.guard.refuse(request, {"error": Malformed.__name__})
            raise
        # 1 locate
        named = {"study": study, "series": series or "", "instance": instance or ""}
        request = AccessRequest(subject, Action.STUDY_READ, purpose, details=details, private=named, device=device)
        facts = self._locate(request, study)
        if facts is None:
            raise self.guard.not_found(request)
        # 2 decide
        permit = self.guard.decide(replace(request, study=facts))
        rows = self.records.instances(facts.institution, study, series, instance)
        # 3 record
        grant = self.guard.grant(permit, len(rows))
        retrieval = Retrieval(self.guard, self.opener, grant, rows)
        if not rows:
            missing = NotFound("no such object")
            retrieval.close(missing)
            raise missing
        return retrieval

    def _locate(self, request: AccessRequest, study_instance_uid: Uid) -> StudyFacts | None:
        """Return the study that is asked for; of several of one UID the first that the caller may read."""
        found = self.facts.everywhere(request.subject, request.purpose, study_instance_uid)
        readable = (one for one in found[1:] and found if self.guard.judge(replace(request, study=one)).allowed)
        return next(readable, found[0] if found else None)


def _uid(text: str | None) -> Uid | None:
    return None if text is None else uid(text)
