"""Keeps what became of each part of a STOW-RS request, and says it as PS3.18 10.5.3 wants it."""

from dataclasses import dataclass, field
from http import HTTPStatus

import orjson
from starlette.responses import Response

from pacs_secure.core.errors import (
    ArchiveError,
    Conflict,
    Denied,
    Hidden,
    Malformed,
    OverLimit,
    Unavailable,
)
from pacs_secure.core.instance import Identity
from pacs_secure.web.origin import retrieve_url

PROCESSING_FAILURE = 0x0110
NOT_AUTHORIZED = 0x0124
OUT_OF_RESOURCES = 0xA700
VALIDATION_FAILURE = 43264
STUDY_UID_MISMATCH = 43265
ALREADY_EXISTS = 45070

_REASONS: dict[type[ArchiveError], int] = {
    Conflict: ALREADY_EXISTS,
    Denied: NOT_AUTHORIZED,
    Hidden: NOT_AUTHORIZED,
    Malformed: VALIDATION_FAILURE,
    OverLimit: VALIDATION_FAILURE,
    Unavailable: OUT_OF_RESOURCES,
}

_SOP_CLASS, _SOP_INSTANCE = "00081150", "00081155"
_RETRIEVE_URL, _REASON, _FAILED, _REFERENCED = "00081190", "00081197", "00081198", "00081199"

Attributes = dict[str, dict[str, object]]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one part was not stored, and which instance it was when that could be read."""

    reason: int
    sop_class_uid: str = ""
    sop_instance_uid: str = ""


@dataclass(slots=True)
class Outcome:
    """What became of every part so far."""

    stored: list[Identity] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def response(self, root: str) -> Response:
        """Say it all: 200, 202 when some failed, 409 when all did, 204 when there was nothing.

        Raises:
            Denied: nothing was stored because nothing may be.
        """
        if not self.stored and not self.failures:
            return Response(status_code=HTTPStatus.NO_CONTENT)
        if not self.stored and {failure.reason for failure in self.failures} == {NOT_AUTHORIZED}:
            raise Denied("the policy does not allow this")
        status = HTTPStatus.OK
        if self.failures:
            status = HTTPStatus.ACCEPTED if self.stored else HTTPStatus.CONFLICT
        return Response(orjson.dumps(self._attributes(root)), status, media_type="application/dicom+json")

    def _attributes(self, root: str) -> Attributes:
        attributes: Attributes = {}
        studies = {identity.study_instance_uid for identity in self.stored}
        if len(studies) == 1:
            attributes[_RETRIEVE_URL] = _value("UR", retrieve_url(root, studies.pop()))
        if self.failures:
            attributes[_FAILED] = {"vr": "SQ", "Value": [_failed(failure) for failure in self.failures]}
        if self.stored:
            attributes[_REFERENCED] = {"vr": "SQ", "Value": [_stored(identity, root) for identity in self.stored]}
        return attributes


def reason_of(error: ArchiveError) -> int:
    """Return the Failure Reason (0008,1197) of an error."""
    return _REASONS.get(type(error), PROCESSING_FAILURE)


def _stored(identity: Identity, root: str) -> Attributes:
    url = retrieve_url(root, identity.study_instance_uid, identity.series_instance_uid, identity.sop_instance_uid)
    return {
        _SOP_CLASS: _value("UI", identity.sop_class_uid),
        _SOP_INSTANCE: _value("UI", identity.sop_instance_uid),
        _RETRIEVE_URL: _value("UR", url),
    }


def _failed(failure: Failure) -> Attributes:
    named = {
        tag: _value("UI", uid)
        for tag, uid in ((_SOP_CLASS, failure.sop_class_uid), (_SOP_INSTANCE, failure.sop_instance_uid))
        if uid
    }
    return {**named, _REASON: _value("US", failure.reason)}


def _value(vr: str, value: object) -> dict[str, object]:
    return {"vr": vr, "Value": [value]}
