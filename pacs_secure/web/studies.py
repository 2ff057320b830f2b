"""The Studies Service: what DICOMweb clients search and retrieve (PS3.18 10)."""

import hashlib
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pacs_secure.archive import Archive
from pacs_secure.archive.refusals import Refusals
from pacs_secure.archive.retrieve import Retrieval
from pacs_secure.core.access import AccessRequest, Action
from pacs_secure.core.errors import Malformed, OverLimit, TooOften
from pacs_secure.core.identifiers import Uid, uid
from pacs_secure.core.instance import InstanceRow
from pacs_secure.core.query import Level
from pacs_secure.web import origin, qido
from pacs_secure.web.accept import DICOM, JSON_OFFERS, MULTIPART, Offer, negotiate
from pacs_secure.web.delivery import Delivery
from pacs_secure.web.frames import check_frames, frame_numbers, frame_offers, named_syntax
from pacs_secure.web.identity import Caller, Identification
from pacs_secure.web.limits import Throttle
from pacs_secure.web.parts import Part, deliver
from pacs_secure.web.record import on_record

_PLACEHOLDER = b'"BulkDataURI":"bulkdata/'
"""As metadata is stored; unescaped quotation marks cannot stand inside a JSON string, so it is never a value."""

_TRUNCATED = '299 pacs-secure "There are more results than the limit let through."'


SEARCHES_AT_ONCE, SECONDS_A_SEARCH = 10_000, 0.01
"""How many searches a person may send at once, and how fast they may go on: a viewer never meets it, a loop does."""


@dataclass(frozen=True, slots=True)
class Studies:
    """The Search and Retrieve transactions of the Studies Service; the path says of what."""

    archive: Archive
    identification: Identification
    searches: Throttle = field(default_factory=lambda: Throttle(SEARCHES_AT_ONCE, SECONDS_A_SEARCH), repr=False)
    _refusals: Refusals = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Let no flood of searches become a flood of the ledger."""
        object.__setattr__(self, "_refusals", Refusals(self.archive.guard))

    def search_studies(self, request: Request) -> Response:
        """Search for studies."""
        return self._search(request, Level.STUDY)

    def search_series(self, request: Request) -> Response:
        """Search for series, of one study or of all."""
        return self._search(request, Level.SERIES)

    def search_instances(self, request: Request) -> Response:
        """Search for instances, of one series, one study or all."""
        return self._search(request, Level.INSTANCE)

    def retrieve(self, request: Request) -> Response:
        """Retrieve the SOP Instances of a study, a series, or one alone, as stored."""
        caller = self.identification.identify(request)
        with ExitStack() as stack:
            retrieval = self._begin(request, caller, stack, "instances")
            offer = negotiate(request, _instance_offers(retrieval.rows))
            parts = [
                Part(
                    f"{DICOM}; transfer-syntax={row.transfer_syntax_uid}",
                    partial(retrieval.part10, row),
                    row.sealed.plaintext_length,
                )
                for row in retrieval.rows
            ]
            return deliver(stack, retrieval, offer, parts)

    def metadata(self, request: Request) -> Response:
        """Retrieve the metadata of a study, a series or an instance."""
        caller = self.identification.identify(request)
        with ExitStack() as stack:
            retrieval = self._begin(request, caller, stack, "metadata")
            offer = negotiate(request, JSON_OFFERS)
            root = origin.base(request)
            tag = _entity_tag(retrieval.rows, root)
            if tag in _known_tags(request):
                retrieval.complete()
                return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
            pieces = _json_array(retrieval, root)
            return Delivery(stack, retrieval, pieces, offer.media_type, {"ETag": tag})

    def frames(self, request: Request) -> Response:
        """Retrieve frames of one instance, as stored."""
        caller = self.identification.identify(request)
        with on_record(self.archive.guard, caller, Action.STUDY_READ, _wado("frames")):
            numbers = frame_numbers(request.path_params["frames"])
        with ExitStack() as stack:
            retrieval = self._begin(request, caller, stack, "frames")
            row = retrieval.rows[0]
            check_frames(numbers, row)
            offer = negotiate(request, frame_offers(row.transfer_syntax_uid, len(numbers)))
            kind = f"{offer.content_type}; transfer-syntax={named_syntax(row.transfer_syntax_uid)}"
            parts = [Part(kind, partial(retrieval.frame, row, number)) for number in numbers]
            return deliver(stack, retrieval, offer, parts)

    def erase(self, request: Request) -> Response:
        """Refuse to delete: an erasure is asked for and approved by two people, never done by one request."""
        caller = self.identification.identify(request)
        detail = "Nothing is deleted through DICOMweb; an erasure is requested through /api/v1."
        with on_record(self.archive.guard, caller, Action.STUDY_READ, {"protocol": "DELETE"}):
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, detail, {"Allow": "GET, POST"})

    def _search(self, request: Request, level: Level) -> Response:
        caller = self.identification.identify(request)
        details = {"protocol": "QIDO-RS"}
        self._slow_down(caller, details)
        with on_record(self.archive.guard, caller, Action.STUDY_SEARCH, details):
            offer = negotiate(request, JSON_OFFERS)
            within = _named(request, "study"), _named(request, "series")
            query = qido.query(level, request.scope["query_string"], *within)
        try:
            answer = self.archive.search.find(caller.subject, caller.purpose, query, details=details)
        except OverLimit as error:
            # 413 is about bodies: a search that asks too much is a request to be put differently.
            raise Malformed(str(error)) from None
        headers = {"Warning": _TRUNCATED} if answer.truncated else {}
        body = qido.answer(answer.results, origin.base(request))
        return Response(body, headers=headers, media_type=offer.media_type)

    def _slow_down(self, caller: Caller, details: dict[str, str]) -> None:
        """Let a person search no faster than a viewer could need: it is counted for them alone (ACC-04)."""
        subject = caller.subject
        try:
            self.searches.take(f"{subject.institution}/{subject.identifier}")
        except TooOften:
            asked = AccessRequest(subject, Action.STUDY_SEARCH, caller.purpose, details=details)
            self._refusals.record(asked, {"error": TooOften.__name__})
            raise

    def _begin(self, request: Request, caller: Caller, stack: ExitStack, resource: str) -> Retrieval:
        path = request.path_params
        return stack.enter_context(
            self.archive.retrieve.begin(
                caller.subject,
                caller.purpose,
                path["study"],
                path.get("series"),
                path.get("instance"),
                details=_wado(resource),
            )
        )


def _wado(resource: str) -> dict[str, str]:
    return {"protocol": "WADO-RS", "resource": resource}


def _named(request: Request, name: str) -> Uid | None:
    text = request.path_params.get(name)
    return None if text is None else uid(text)


def _instance_offers(rows: Sequence[InstanceRow]) -> list[Offer]:
    stored = frozenset(str(row.transfer_syntax_uid) for row in rows)
    syntaxes = stored if len(stored) == 1 else frozenset()
    alone = [Offer(DICOM, "", syntaxes)] if len(rows) == 1 else []
    return [Offer(MULTIPART, DICOM, syntaxes), *alone]


def _json_array(retrieval: Retrieval, root: str) -> Generator[bytes, None, None]:
    separator = b"["
    for row, attributes in zip(retrieval.rows, retrieval.metadata(), strict=True):
        yield separator + attributes.replace(_PLACEHOLDER, _absolute(row, root))
        separator = b","
    yield b"]"


def _absolute(row: InstanceRow, root: str) -> bytes:
    one = row.identity
    url = origin.retrieve_url(root, one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid)
    return f'"BulkDataURI":"{url}/bulkdata/'.encode()


def _known_tags(request: Request) -> set[str]:
    return {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}


def _entity_tag(rows: Sequence[InstanceRow], root: str) -> str:
    """Tag what the metadata is made of: the Data Sets in their order, and our own address inside it."""
    digest = hashlib.sha256(root.encode())
    for row in rows:
        digest.update(row.data_set_fingerprint)
    return f'"{digest.hexdigest()[:32]}"'
