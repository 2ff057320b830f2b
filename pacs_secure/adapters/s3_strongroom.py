"""A strongroom in a bucket with object lock: whoever holds every key of it may add, and nothing else.

Each content is locked in COMPLIANCE mode until a day: neither its owner nor the administrator of the store may remove
it, shorten the time or weaken the mode before. A bucket with object lock keeps every version: what is put over a
content, or a marker that says it was deleted, hides nothing here, for the first version is what counts.
"""

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from xml.etree.ElementTree import Element, ParseError, fromstring

from pacs_secure.adapters.s3_place import S3Place
from pacs_secure.adapters.s3_requests import Answer, S3Requests
from pacs_secure.core.errors import Conflict, Unavailable

MODE = "COMPLIANCE"
_LOCK = "x-amz-object-lock-mode"
_UNTIL = "x-amz-object-lock-retain-until-date"
_ZULU = "%Y-%m-%dT%H:%M:%SZ"


class S3Strongroom:
    """`pacs_secure.ports.Strongroom`; each content is locked for ``days`` from when it is put."""

    def __init__(self, place: S3Place, days: int, now: Callable[[], datetime]) -> None:
        self._place = place
        self._requests = S3Requests(place)
        self._days = timedelta(days=days)
        self._now = now

    def keep(self, name: str, content: bytes) -> None:
        """Put a content under lock, unless it is there; prove that the store locked it.

        Raises:
            Conflict: another content was kept under this name first.
            Unavailable: the store is out of reach, refuses, or does not lock.
        """
        there = self.read(name)
        if there is None:
            self._put(name, content)
            there = self.read(name)
        if there != content:
            raise Conflict("another content was kept under this name first")

    def read(self, name: str) -> bytes | None:
        """Return what was first kept under a name; None when nothing was."""
        key = self._place.key(name)
        oldest = [version for found, version in self._versions(key) if found == key][-1:]
        return self._ask("GET", key, {"versionId": oldest[0]}).body if oldest else None

    def names(self, after: str) -> Iterator[str]:
        """Yield in order the names of the same folder beyond one; what was hidden is named too."""
        folder, _, number = after.rpartition("/")
        beyond = self._place.key(folder, "")
        seen = beyond + number
        for key, _ in self._versions(beyond, seen):
            if key > seen:
                seen = key
                yield f"{folder}/{key.removeprefix(beyond)}"

    def _put(self, name: str, content: bytes) -> None:
        until = (self._now() + self._days).strftime(_ZULU)
        digest = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        headers = {"content-md5": digest, "if-none-match": "*", _LOCK: MODE, _UNTIL: until}
        answer = self._requests.ask("PUT", self._place.key(name), headers=headers, body=content)
        if answer.status == HTTPStatus.PRECONDITION_FAILED:
            return  # somebody came first: what is there is compared
        if answer.status != HTTPStatus.OK:
            raise Unavailable("the strongroom does not take what is to be locked")
        self._demand_locked(name, {"versionId": answer.headers.get("x-amz-version-id", "")}, until)

    def _demand_locked(self, name: str, version: Mapping[str, str], until: str) -> None:
        """Believe the store's own account only: one that ignores locks answers a put as if it knew them."""
        answer = self._ask("HEAD", self._place.key(name), version)
        if answer.headers.get(_LOCK) != MODE or answer.headers.get(_UNTIL, "")[:19] < until[:19]:
            raise Unavailable("the strongroom does not lock")

    def _versions(self, prefix: str, after: str = "") -> Iterator[tuple[str, str]]:
        """Yield key and version, keys in order, the newest version of each first; markers that hide are left out."""
        query = {"versions": "", "prefix": prefix, "key-marker": after}
        while True:
            page = _parsed(self._ask("GET", "", query))
            yield from ((_text(one, "Key"), _text(one, "VersionId")) for one in page.iterfind("{*}Version"))
            if _text(page, "IsTruncated") != "true":
                return
            query["key-marker"] = _text(page, "NextKeyMarker")
            query["version-id-marker"] = _text(page, "NextVersionIdMarker")

    def _ask(self, method: str, key: str, query: Mapping[str, str]) -> Answer:
        answer = self._requests.ask(method, key, query)
        if answer.status != HTTPStatus.OK:
            raise Unavailable("the strongroom does not answer")
        return answer


def _parsed(answer: Answer) -> Element:
    try:
        return fromstring(answer.body)  # noqa: S314 - bounded, from a server that proved itself; expat limits expansion
    except ParseError:
        raise Unavailable("the strongroom does not answer") from None


def _text(element: Element, name: str) -> str:
    return element.findtext(f"{{*}}{name}") or ""
