"""What taking, proving, restoring and pruning a backup set have in common: its manifest, its lists, its copies."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import Protocol, TypeVar

from pacs_secure.core.backups import (
    MANIFEST,
    OBJECTS,
    PROVEN,
    PUBLISHED,
    SIGNATURE,
    FileDigest,
    HeldObject,
    Manifest,
    NamedObject,
    read_files,
    read_manifest,
    read_objects,
)
from pacs_secure.core.errors import NotFound, Tampered
from pacs_secure.core.identifiers import ObjectId
from pacs_secure.crypto.tlog import sign_note, verify_note
from pacs_secure.ports import Blob, Blobs, Signer
from pacs_secure.ports.backups import BackupPlace, Files

PUBLISHED_LATELY = ("witnessed-checkpoint", "checkpoint")
"""What changes of the published ledger, in the order in which it is read: a witness never vouches for more."""
_AT_ONCE = 1 << 20
_COPIERS, _AHEAD = 8, 64
"""How many copy at once, and how far they may be ahead of who writes the list."""
_NAME = "%Y%m%dT%H%M%S%fZ"
_LONGEST_TIME = 64
SKEW = timedelta(minutes=5)
"""How far the clock of another process that takes sets may be ahead."""


T = TypeVar("T")
R = TypeVar("R")
Believed = Callable[[str], bool]


class Digest(Protocol):
    """A hash under way."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes in."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the newest set that is believed refers to, so that it need not be read again."""

    files: Files | None
    published: dict[str, FileDigest] = field(default_factory=dict)

    def objects(self) -> Iterator[HeldObject]:
        """Yield its objects in the order of their ids."""
        if self.files is not None:
            yield from objects_of(self.files)


@dataclass(frozen=True, slots=True)
class Known:
    """What the place itself says of its newest sets; a hint for whoever watches, and no proof."""

    name: str
    taken_at: datetime
    proven_at: datetime | None
    """When a set was last found sound; None: never."""
    proven_of: datetime | None
    """When the newest set that was found sound was taken."""


def newest_known(place: BackupPlace, now: datetime, believed: Believed = lambda _: True) -> Known | None:
    """Return what the place says of its newest sets; None where there is none.

    A set that is dated in the future counts as none: it would else be the newest for as long as it is.
    """
    dated = {name: at for name in place.names() if (at := taken_at(name)) is not None and at <= now + SKEW}
    names = [name for name in dated if believed(name)]
    if not names:
        return None
    proven = [(name, at) for name in names if (at := proven_at(place.get(name), now)) is not None]
    proven_of = dated[proven[-1][0]] if proven else None
    return Known(names[-1], dated[names[-1]], max((at for _, at in proven), default=None), proven_of)


def dated_ahead(place: BackupPlace, now: datetime) -> int:
    """Return how many sets say that they were taken later than now: a clock was wrong, or somebody made them."""
    return sum(is_ahead(name, now) for name in place.names())


def is_ahead(name: str, now: datetime) -> bool:
    """Say whether a set's name says that it was taken later than now."""
    at = taken_at(name)
    return at is not None and at > now + SKEW


def note_proven(files: Files, at: datetime) -> None:
    """Leave word in a set that it was found sound."""
    files.write(PROVEN, at.isoformat().encode())


def name_of(at: datetime) -> str:
    """Return what a set that is begun at a moment is called."""
    return f"{at:{_NAME}}"


def taken_at(name: str) -> datetime | None:
    """Return when a set was begun, as its name says; None where it says nothing."""
    try:
        return datetime.strptime(name, _NAME).replace(tzinfo=UTC)
    except ValueError:
        return None


def proven_at(files: Files, now: datetime) -> datetime | None:
    """Return when a set was last found sound, as the place says; None: never, or nothing that can be."""
    try:
        if files.length(PROVEN) > _LONGEST_TIME:
            return None
        at = datetime.fromisoformat(files.read(PROVEN).decode())
    except (NotFound, ValueError):
        return None
    return at if at.tzinfo is not None and at <= now + SKEW else None


def signing_name(origin: str) -> str:
    """Return the name of the key for backup sets of a ledger."""
    return f"{origin}/backup"


def seal_manifest(files: Files, manifest: Manifest, signer: Signer) -> None:
    """Write a manifest and the note that binds it to the ledger's key (C2SP signed-note)."""
    name, written = signing_name(manifest.origin), manifest.to_json()
    text = _text(name, written)
    files.write(MANIFEST, written)
    files.write(SIGNATURE, sign_note(text, name, signer.public_key(), signer.sign(text)))


def open_manifest(files: Files, origin: str, public_key: bytes) -> Manifest:
    """Read a manifest that the ledger's key has signed.

    Raises:
        Tampered: it was not signed so, or says another thing than was signed.
    """
    name = signing_name(origin)
    try:
        written = files.read(MANIFEST)
        if not compare_digest(verify_note(files.read(SIGNATURE), name, public_key), _text(name, written)):
            raise Tampered("the manifest is not the one that was signed")
    except NotFound:
        raise Tampered("the manifest or its signature is missing") from None
    return read_manifest(written)


def signed(place: BackupPlace, name: str, origin: str, public_key: bytes) -> Manifest | None:
    """Return the manifest of a set; None where the ledger's key has signed none for it."""
    try:
        manifest = open_manifest(place.get(name), origin, public_key)
    except (NotFound, Tampered):
        return None
    return manifest if manifest.name == name else None


def objects_of(files: Files) -> Iterator[HeldObject]:
    """Yield the objects of a set, in the order of their ids; raise `Tampered` when the list cannot be read."""
    return read_objects(files.lines(OBJECTS))


def published_of(files: Files) -> Iterator[FileDigest]:
    """Yield the published files that a set refers to; raise `Tampered` when the list cannot be read."""
    return read_files(files.lines(PUBLISHED))


def held_before(place: BackupPlace, origin: str, public_key: bytes) -> Held:
    """Return what the newest set refers to whose lists are those that were signed; nothing where there is none."""
    for name in reversed(place.names()):
        manifest = signed(place, name, origin, public_key)
        if manifest is not None and _lists_hold(files := place.get(name), manifest):
            return Held(files, {one.name: one for one in published_of(files)})
    return Held(None)


def _lists_hold(files: Files, manifest: Manifest) -> bool:
    try:
        found = [files.digest(said.name) for said in (manifest.published, manifest.objects_list)]
    except NotFound:
        return False
    return found == [manifest.published, manifest.objects_list]


def abreast(do: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Do something to each of many, several at a time, and yield what comes of it in their order."""
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(_COPIERS, thread_name_prefix="backup") as pool:
        for item in items:
            waiting.append(pool.submit(do, item))
            if len(waiting) >= _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def copied(source: Blobs, to: Blobs, one: NamedObject, known: HeldObject | None) -> tuple[HeldObject, bool]:
    """Return an object as it lies in the backup, and whether it had to be copied.

    ``known`` is what a signed set says of it. Of what lies there and no such set knows, the source is asked.

    Raises:
        NotFound: the source has none.
        Tampered: it has another length than its row says.
    """
    if known is not None and known.length == one.length and _length(to, one.object_id) == one.length:
        return known, False
    digest = sha256()
    with source.open(one.object_id) as blob:
        if blob.length != one.length:
            raise Tampered("an object has another length than its row says: verify the archive")
        there = _there(to, one)
        if there is not None and there.sha256 == digest_of_blob(blob):
            return there, False
        to.remove(one.object_id)  # what lies there is damaged
        to.put(one.object_id, pieces(blob, digest))
    return HeldObject(one.object_id, one.length, digest.hexdigest()), True


def _length(blobs: Blobs, object_id: ObjectId) -> int | None:
    try:
        with blobs.open(object_id) as blob:
            return blob.length
    except NotFound:
        return None


def _there(to: Blobs, one: NamedObject) -> HeldObject | None:
    """Return what lies there, as it is; None where there is none of that length."""
    try:
        with to.open(one.object_id) as blob:
            return HeldObject(one.object_id, one.length, digest_of_blob(blob)) if blob.length == one.length else None
    except NotFound:
        return None


def digest_of_blob(blob: Blob) -> str:
    """Return the SHA-256 of an object as it is stored."""
    digest = sha256()
    for _ in pieces(blob, digest):
        pass
    return digest.hexdigest()


def pieces(blob: Blob, digest: Digest) -> Iterator[bytes]:
    """Yield an object piece by piece, each counted into a digest."""
    for at in range(0, blob.length, _AT_ONCE):
        piece = blob.read_at(at, min(_AT_ONCE, blob.length - at))
        digest.update(piece)
        yield piece


def _text(name: str, written: bytes) -> bytes:
    # Two lines: a checkpoint has three, so neither can ever be taken for the other.
    return f"{name}\nsha256 {sha256(written).hexdigest()}\n".encode()
