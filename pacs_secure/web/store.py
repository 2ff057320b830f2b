"""STOW-RS: each part of an upload is stored, durably, as soon as it has arrived (PS3.18 10.5)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus

from anyio import CancelScope
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pacs_secure.archive import Archive
from pacs_secure.archive.ingest import Received, Reception
from pacs_secure.core.access import AccessRequest, Action
from pacs_secure.core.errors import ArchiveError, Malformed, OverLimit, Unavailable
from pacs_secure.core.identifiers import Uid, uid
from pacs_secure.dicom.header import scan
from pacs_secure.dicom.part10 import split
from pacs_secure.web import origin
from pacs_secure.web.accept import DICOM, JSON_OFFERS, MULTIPART, negotiate, parameters
from pacs_secure.web.identity import Caller, Identification
from pacs_secure.web.multipart import Lease, Memory, Part, RelatedParts, SinglePart, UploadLimits
from pacs_secure.web.outcome import STUDY_UID_MISMATCH, Failure, Outcome, reason_of
from pacs_secure.web.record import on_record

DETAILS = {"protocol": "STOW-RS"}


@dataclass(frozen=True, slots=True)
class _Act:
    """One upload while it is being taken in."""

    caller: Caller
    reception: Reception
    study_instance_uid: Uid | None
    outcome: Outcome = field(default_factory=Outcome)


@dataclass(frozen=True, slots=True)
class Store:
    """The Store transaction of the Studies Service."""

    archive: Archive
    identification: Identification
    limits: UploadLimits
    memory: Memory

    async def store(self, request: Request) -> Response:
        """Store SOP Instances; when the path names a study, those of another are refused one by one."""
        caller = await run_in_threadpool(self.identification.identify, request)
        lease = Lease(self.memory)
        try:
            study_instance_uid, cutter = await run_in_threadpool(self._demand, request, caller, lease)
            async with self._reception(caller) as reception:
                act = _Act(caller, reception, study_instance_uid)
                await self._take_in(request, act, cutter, lease)
        finally:
            lease.close()
        return act.outcome.response(origin.base(request))

    def _demand(self, request: Request, caller: Caller, lease: Lease) -> tuple[Uid | None, RelatedParts | SinglePart]:
        """Refuse, before a byte of the body is taken, what no body could mend; above all who may never store."""
        with on_record(self.archive.guard, caller, Action.STUDY_CREATE, dict(DETAILS)):
            negotiate(request, JSON_OFFERS)
            study = request.path_params.get("study")
            study_instance_uid = None if study is None else uid(study)
            cutter = self._cutter(request, lease)
        self.archive.guard.decide(
            AccessRequest(caller.subject, Action.STUDY_CREATE, caller.purpose, details=dict(DETAILS))
        )
        return study_instance_uid, cutter

    def _cutter(self, request: Request, lease: Lease) -> RelatedParts | SinglePart:
        media_type, found = parameters(request.headers.get("content-type", ""))
        if media_type == DICOM:
            return SinglePart(DICOM, self.limits, lease)
        if media_type == MULTIPART and found.get("type", DICOM).lower() == DICOM:
            return RelatedParts(found.get("boundary", ""), self.limits, lease)
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send application/dicom, alone or as multipart/related.")

    @asynccontextmanager
    async def _reception(self, caller: Caller) -> AsyncIterator[Reception]:
        """Open a Reception whose end, which waits for the ledger, does not hold up the event loop."""
        reception = self.archive.ingest.begin(caller.subject, caller.purpose, dict(DETAILS))
        try:
            yield reception.__enter__()
        except BaseException as error:
            await _undisturbed(partial(reception.__exit__, type(error), error, error.__traceback__))
            raise
        await _undisturbed(partial(reception.__exit__, None, None, None))

    async def _take_in(self, request: Request, act: _Act, cutter: RelatedParts | SinglePart, lease: Lease) -> None:
        try:
            async for chunk in _body(request, self.limits.seconds_of_silence):
                for part in cutter.feed(chunk):
                    await self._take(act, part, lease)
            rest = cutter.finish()
        except (Malformed, OverLimit) as error:
            await run_in_threadpool(self._record, act, error)
            raise
        for part in rest:
            await self._take(act, part, lease)

    async def _take(self, act: _Act, part: Part, lease: Lease) -> None:
        try:
            await run_in_threadpool(self._store_part, act, part)
        finally:
            lease.give(len(part.body))

    def _store_part(self, act: _Act, part: Part) -> None:
        """Store one part and note what became of it; raises only `Unavailable`, before anything was stored."""
        try:
            received = _received(part, act.study_instance_uid)
        except ArchiveError as error:
            self._record(act, error)
            act.outcome.failures.append(Failure(reason_of(error)))
            return
        try:
            stored = act.reception.store(received)
        except ArchiveError as error:
            if isinstance(error, Unavailable) and not act.outcome.stored:
                raise
            act.outcome.failures.append(_failure(error, received))
        else:
            act.outcome.stored.append(stored.identity)

    def _record(self, act: _Act, error: ArchiveError) -> None:
        """Record what was refused before the Reception could see it."""
        request = AccessRequest(act.caller.subject, Action.STUDY_CREATE, act.caller.purpose, details=dict(DETAILS))
        self.archive.guard.refuse(request, {"error": type(error).__name__})


def _received(part: Part, study_instance_uid: Uid | None) -> Received:
    media_type, _ = parameters(part.content_type)
    if media_type not in {"", DICOM}:
        raise Malformed("a part is no application/dicom")
    stream = split(part.body)
    return Received(
        stream.data_set, stream.transfer_syntax_uid, stream.file_meta, study_instance_uid=study_instance_uid
    )


def _failure(error: ArchiveError, received: Received) -> Failure:
    """Name the instance that failed, when its header can be read."""
    try:
        header = scan(received.data_set, received.transfer_syntax_uid)
    except ArchiveError:
        return Failure(reason_of(error))
    wanted = received.study_instance_uid
    mismatch = isinstance(error, Malformed) and wanted is not None and wanted != header.study_instance_uid
    reason = STUDY_UID_MISMATCH if mismatch else reason_of(error)
    return Failure(reason, header.sop_class_uid, header.sop_instance_uid)


async def _body(request: Request, seconds: float) -> AsyncIterator[bytes]:
    """Yield the body as it arrives; a sender that falls silent is not waited for."""
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(seconds):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, "The body did not arrive in time.") from None
        if chunk:
            yield chunk


async def _undisturbed(work: Callable[[], object]) -> None:
    """Do blocking work in a thread, to its end even when the request is cancelled."""
    with CancelScope(shield=True):
        await run_in_threadpool(work)
