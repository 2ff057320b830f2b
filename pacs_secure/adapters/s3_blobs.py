"""Sealed objects in a bucket of S3 or of what speaks like it, by obstore.

An id is written once: small objects by a conditional put, large ones as parts under a name of their own, from where
the store itself copies them to the id, again on condition that it is free. Whatever went wrong, the caller learns one
of three things: taken (`Conflict`), missing (`NotFound`), or out of reach (`Unavailable`).
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from pacs_secure.adapters.s3_place import S3Place
from pacs_secure.core.errors import Conflict, NotFound, Unavailable
from pacs_secure.core.identifiers import ObjectId
from pacs_secure.ports import StoredName

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Credential  # words for the type checker only, says the library

log = logging.getLogger(__name__)

WHOLE = 16 << 20
"""Bytes up to which an object is put at once; what is larger goes in parts of this size."""
WINDOW = 256 << 10
"""Bytes that opening fetches: the header of any object, and the whole of a small one."""
PARTS_AT_ONCE = 4
LISTED_AT_ONCE = 1000
CONNECT = timedelta(seconds=3)
RETRIES = 3
LONGEST_RETRYING = timedelta(seconds=10)

OBJECTS = "objects"
UNFINISHED = "unfinished"

Part = bytes | bytearray | memoryview


class S3Blob:
    """One stored object; its beginning is in hand."""

    def __init__(self, store: S3Store, path: str, length: int, window: bytes) -> None:
        self._store = store
        self._path = path
        self._length = length
        self._window = window

    @property
    def length(self) -> int:
        """Stored bytes."""
        return self._length

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes there, fewer only at the end; raise `NotFound` when the object was removed meanwhile."""
        stop = min(offset + length, self._length)
        there = self._window[offset:stop]
        begin = offset + len(there)
        if begin >= stop:
            return there
        with _told("an object cannot be read"):
            rest = obstore.get_range(self._store, self._path, start=begin, end=stop)
            return there + bytes(rest) if there else bytes(rest)


class S3Blobs:
    """`pacs_secure.ports.Blobs` in a bucket; keys are fanned out by the last two digits of the id."""

    def __init__(self, place: S3Place) -> None:
        """Prepare to ask; nothing is asked yet.

        Raises:
            Unavailable: authority or credentials cannot be read.
        """
        self._place = place
        place.credentials()
        self._store = _make_store(place)

    def put(self, object_id: ObjectId, parts: Iterable[Part]) -> int:
        """Write the parts as one object; durable on return as far as the store keeps its word; return its length.

        Raises:
            Conflict: the id is taken.
            Unavailable: the store is out of reach, full, or refuses.
        """
        remaining = iter(parts)
        start = _take(remaining)
        if len(start) <= WHOLE:
            self._put_small(self._path(object_id), start)
            return len(start)
        return self._put_large(self._path(object_id), chain([start], remaining))

    @contextmanager
    def open(self, object_id: ObjectId) -> Iterator[S3Blob]:
        """Open one object; raise `NotFound` when there is none."""
        yield self._open(self._path(object_id))

    def remove(self, object_id: ObjectId) -> None:
        """Remove one object; nothing happens when there is none."""
        with suppress(NotFound), _told("an object cannot be removed"):
            obstore.delete(self._store, self._path(object_id))

    def names(self) -> Iterator[StoredName]:
        """List every object, in no order; strangers' keys are no objects."""
        for path, length, written_at in self._listed(OBJECTS):
            object_id = _object_id(path.rpartition("/")[2])
            if object_id is not None and path == self._path(object_id):
                yield StoredName(object_id, length, written_at)

    def sweep_temporary(self, older_than: timedelta) -> int:
        """Remove what writers that died have left, when it is older than any write lasts; return how many.

        Parts that were never put together show in no listing: the bucket's own rule ends those (ADR 24).
        """
        before = datetime.now(UTC) - older_than
        stale = [path for path, _, written_at in self._listed(UNFINISHED) if written_at < before]
        for path in stale:
            with suppress(NotFound), _told("what was left behind cannot be removed"):
                obstore.delete(self._store, path)
        return len(stale)

    def _put_small(self, path: str, content: bytes | bytearray) -> None:
        try:
            with _told("an object cannot be stored"):
                obstore.put(self._store, path, content, mode="create", use_multipart=False)
        except Conflict:
            # A put whose answer was lost is put again, and then meets itself.
            there = self._open(path)
            if there.length != len(content) or there.read_at(0, len(content)) != content:
                raise

    def _put_large(self, path: str, parts: Iterable[Part]) -> int:
        temporary = self._place.key(UNFINISHED, str(uuid4()))
        counted = _Counted(parts)
        try:
            with _told("an object cannot be stored"):
                obstore.put(
                    self._store,
                    temporary,
                    counted,
                    use_multipart=True,
                    chunk_size=WHOLE,
                    max_concurrency=PARTS_AT_ONCE,
                )
                obstore.copy(self._store, temporary, path, overwrite=False)
        except Conflict:
            there = self._open(path)
            if (there.length, there.read_at(0, WINDOW)) != (counted.length, counted.start):
                raise
        finally:
            with suppress(BaseError, OSError):
                obstore.delete(self._store, temporary)
        return counted.length

    def _listed(self, folder: str) -> Iterator[tuple[str, int, datetime]]:
        with _told("the object store cannot be listed"):
            for page in obstore.list(self._store, self._place.key(folder), chunk_size=LISTED_AT_ONCE):
                for one in page:
                    yield one["path"], one["size"], one["last_modified"]

    def _open(self, path: str) -> S3Blob:
        with _told("an object cannot be opened"):
            try:
                got = obstore.get(self._store, path, options={"range": (0, WINDOW)})
                blob = S3Blob(self._store, path, got.meta["size"], bytes(got.bytes()))
            except BaseError as error:
                if not _says(error, "416 Range Not Satisfiable"):
                    raise
                blob = S3Blob(self._store, path, 0, b"")  # nothing can be read of what is empty
        return blob

    def _path(self, object_id: ObjectId) -> str:
        return self._place.key(OBJECTS, object_id.hex[-2:], str(object_id))


class _Counted:
    """Parts on their way, how long they are and how they begin."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self._parts = parts
        self.length = 0
        self.start = b""

    def __iter__(self) -> Iterator[Part]:
        for part in self._parts:
            if len(self.start) < WINDOW:
                self.start += bytes(part[: WINDOW - len(self.start)])
            self.length += len(part)
            yield part


def _take(parts: Iterator[Part]) -> bytearray:
    """Take parts until they are more than is put at once, or all."""
    start = bytearray()
    for part in parts:
        start += part
        if len(start) > WHOLE:
            break
    return start


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Translate what the library says; its own words hold addresses, so they go no further than the kind of error."""
    try:
        yield
    except FileNotFoundError as error:
        if _says(error, "NoSuchBucket"):
            raise Unavailable("the bucket does not exist") from None
        raise NotFound("there is no such object") from None
    except AlreadyExistsError:
        raise Conflict("an object of this id is stored") from None
    except (BaseError, OSError) as error:
        log.warning("%s: %s", what, type(error).__name__)
        raise Unavailable(what) from None


def _says(error: Exception, word: str) -> bool:
    return word in str(error)


def _object_id(name: str) -> ObjectId | None:
    try:
        value = UUID(name)
    except ValueError:
        return None
    return ObjectId(value) if str(value) == name else None


def _make_store(place: S3Place) -> S3Store:
    def credentials() -> "S3Credential":
        read = place.credentials()
        return {
            "access_key_id": read.access_key_id,
            "secret_access_key": read.secret_access_key,
            "token": read.session_token,
            "expires_at": datetime.now(UTC),  # so that they are read again: changed ones need no restart
        }

    client: ClientConfig = {"timeout": timedelta(seconds=place.seconds), "connect_timeout": CONNECT}
    client["allow_http"] = place.plain
    authority = place.authority()
    if authority is not None:
        client["root_certificate"] = authority
    return S3Store(
        place.bucket,
        endpoint=place.endpoint,
        region=place.region,
        virtual_hosted_style_request=False,
        copy_if_not_exists="multipart",
        client_options=client,
        retry_config={"max_retries": RETRIES, "retry_timeout": LONGEST_RETRYING},
        credential_provider=credentials,
    )
