"""The only way to ciphertext and back: the one module that touches plaintext cryptography.

Whoever wants plaintext brings a `Grant`. Every chunk is verified before it is released, and the
witness is the index row, never the stored header: a swapped, rolled back, edited or cut object
does not open.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TypeVar

from pacs_secure.archive.copies import Copies
from pacs_secure.archive.study_keys import StudyKeys
from pacs_secure.core.access import Action, Grant
from pacs_secure.core.errors import Denied, NotFound, Tampered
from pacs_secure.core.identifiers import Institution, KeyId, ObjectId, Uid
from pacs_secure.core.instance import Identity, InstanceRow, SealedObject
from pacs_secure.crypto.envelope import (
    LABEL_AT,
    LONGEST_LABEL,
    StoredHeader,
    is_packed,
    open_envelope,
    open_metadata,
    parse_header,
    read_label,
    seal_envelope,
    seal_metadata,
)
from pacs_secure.crypto.packing import Form, Unpacker, form_for, pack, unpack
from pacs_secure.crypto.stream import (
    BODY_HEADER,
    COMMITMENT,
    RangeOpener,
    final_chunk,
    open_stream,
    opened_length,
    seal,
)
from pacs_secure.dicom.syntaxes import is_native
from pacs_secure.ports import Blob, Blobs, ForgettableKey

PIECE = 1 << 20
"""Bytes read from the store at a time, so that memory stays flat whatever the object's size."""

Part = bytes | bytearray | memoryview
T = TypeVar("T")
Range = Callable[[int, int], bytes]
"""Opens plaintext bytes from one place to another."""


@dataclass(frozen=True, slots=True)
class SealedInstance:
    """One instance as it now lies in the store, and its metadata sealed beside the index row."""

    sealed: SealedObject
    metadata_box: bytes


@dataclass(frozen=True, slots=True)
class OpenedDataSet:
    """A whole Data Set in memory, for whoever verifies it."""

    sha256: bytes
    data_set: memoryview = field(repr=False)


class Sealer:
    """Seals; needs no key that opens anything older."""

    def __init__(
        self, keys: StudyKeys, blobs: Blobs, new_object_id: Callable[[], ObjectId], *, packs: bool = True
    ) -> None:
        self._keys = keys
        self._blobs = blobs
        self._new_object_id = new_object_id
        self._packs = packs

    def seal(
        self,
        identity: Identity,
        transfer_syntax_uid: Uid,
        data_set_sha256: bytes,
        parts: Sequence[Part],
        metadata_json: bytes,
        epoch: int = 0,
    ) -> SealedInstance:
        """Seal the parts of one Part 10 stream under a fresh DEK and put the ciphertext, durable on return.

        ``epoch`` is that of the study: a key from before a fence seals nothing behind it.

        Raises:
            Unavailable: the keys or the store are out of reach; nothing was stored.
        """
        key = self._keys.for_sealing(identity.institution, identity.study_instance_uid, epoch)
        object_id = self._new_object_id()
        metadata_box = seal_metadata(key.key, object_id, metadata_json)
        form = form_for(parts) if self._packs and is_native(transfer_syntax_uid) else Form.STORED
        packed = form is not Form.STORED
        envelope = seal_envelope(key, identity, object_id, transfer_syntax_uid, data_set_sha256, packed=packed)
        body = seal(envelope.dek, envelope.context, pack(parts, form) if packed else parts)
        stored_length = self._blobs.put(object_id, chain([envelope.header], body))
        self._keys.sealed(identity.institution, identity.study_instance_uid, stored_length, epoch)
        sealed = SealedObject(
            object_id=object_id,
            study_key_id=key.key_id,
            wrapped_dek=envelope.wrapped_dek,
            commitment=body.commitment,
            header_length=len(envelope.header),
            plaintext_length=sum(map(len, parts)),
            stored_length=stored_length,
        )
        return SealedInstance(sealed, metadata_box)


class Opener:
    """Opens what a `Grant` covers, and nothing else."""

    def __init__(self, keys: StudyKeys, copies: Copies) -> None:
        self._keys = keys
        self._copies = copies

    def whole(self, grant: Grant, row: InstanceRow) -> Iterator[bytes]:
        """Yield the Part 10 stream of one instance, about 1 MiB at a time.

        Where one copy fails half way, the next goes on: each chunk is proven, whichever copy it is from.

        Raises:
            Denied: the Grant is for something else.
            NotFound: the key was forgotten.
            Tampered: no stored copy is what was sealed.
            Unavailable: none could be read.
        """
        dek, context = self._unwrap(grant, row)

        def read(blobs: Blobs, start: int) -> Iterator[bytes]:
            if start or is_packed(row.sealed):
                yield from _span(blobs, row, dek, context, start, row.sealed.plaintext_length)
                return
            with _stored(blobs, row) as blob:
                yield from open_stream(dek, context, _pieces(blob, row.sealed), row.sealed.commitment)

        yield from self._copies.read(row.sealed.object_id, 0, read)

    def span(self, grant: Grant, row: InstanceRow, start: int, stop: int) -> Iterator[bytes]:
        """Yield plaintext bytes ``start`` to ``stop`` of the Part 10 stream, raising as `whole`."""
        dek, context = self._unwrap(grant, row)

        def read(blobs: Blobs, begin: int) -> Iterator[bytes]:
            return _span(blobs, row, dek, context, begin, stop)

        yield from self._copies.read(row.sealed.object_id, start, read)

    def metadata(self, grant: Grant, rows: Sequence[InstanceRow]) -> Iterator[bytes]:
        """Yield the DICOM JSON metadata of each row, in order; the keys are fetched in one batch."""
        for row in rows:
            _demand(grant, row)
        wanted = {row.sealed.study_key_id for row in rows}
        keys: dict[KeyId, ForgettableKey] = {}
        # Whose study it is, which need not be whose reader it is: one of theirs may have been invited.
        for institution in {row.identity.institution for row in rows}:
            keys |= self._keys.for_opening(institution, wanted)
        for row in rows:
            yield open_metadata(keys[row.sealed.study_key_id].key, row.sealed.object_id, row.metadata_box)

    def prove(self, grant: Grant, row: InstanceRow) -> OpenedDataSet:
        """Open everything of one instance, its metadata too, and return its Data Set: as much memory as it is long.

        Raises:
            NotFound: the key was forgotten.
            Tampered: the object, the metadata or the row is not what was stored.
        """
        stream = bytearray()
        for piece in self.whole(grant, row):
            stream += piece
        data_set = memoryview(stream)[row.data_set_offset :]
        key_id = row.sealed.study_key_id
        key = self._keys.for_opening(row.identity.institution, {key_id})[key_id]
        open_metadata(key.key, row.sealed.object_id, row.metadata_box)
        return OpenedDataSet(hashlib.sha256(data_set).digest(), data_set)

    def is_of(self, row: InstanceRow, key: ForgettableKey) -> bool:
        """Say whether an object is of the study that its row names and sealed under this key; nothing is opened.

        Wrapped DEK and key commitment say so, which bind key, institution, study and instance.
        """
        try:
            dek, context = open_envelope(key.key, row.identity, row.sealed, packed=is_packed(row.sealed))
            read = self._copies.read(row.sealed.object_id, 0, lambda blobs, _: _span(blobs, row, dek, context, 0, 0))
            b"".join(read)
        except (Tampered, NotFound):
            return False
        return True

    def names_key(self, row: InstanceRow) -> bool:
        """Say whether a stored object itself names the key that its row names; nothing of that is proven."""
        object_id = row.sealed.object_id

        def read(blobs: Blobs, _: int) -> Iterator[bytes]:
            with blobs.open(object_id) as blob:
                yield _own_header(blob, object_id)[1].study_key_id.bytes

        try:
            return b"".join(self._copies.read(object_id, 0, read)) == row.sealed.study_key_id.bytes
        except (Tampered, NotFound):
            return False

    def _unwrap(self, grant: Grant, row: InstanceRow) -> tuple[bytes, bytes]:
        _demand(grant, row)
        key_id = row.sealed.study_key_id
        key = self._keys.for_opening(row.identity.institution, {key_id})[key_id]
        return open_envelope(key.key, row.identity, row.sealed)


def _span(blobs: Blobs, row: InstanceRow, dek: bytes, context: bytes, start: int, stop: int) -> Iterator[bytes]:
    body = row.sealed.header_length
    with _stored(blobs, row) as blob:
        opener = RangeOpener(dek, context, blob.read_at(body, BODY_HEADER), row.sealed.commitment)
        open_range = _packed_range if is_packed(row.sealed) else _plain_range
        opened = open_range(blob, row.sealed, opener, stop)
        while start < stop:
            until = min(stop, (start // PIECE + 1) * PIECE)
            yield opened(start, until)
            start = until


def _plain_range(blob: Blob, sealed: SealedObject, opener: RangeOpener, stop: int) -> Range:
    """Return what opens ranges up to ``stop``; the end of the stream is proven where it is asked for."""
    body = sealed.header_length
    if stop == sealed.plaintext_length:
        offset, length = final_chunk(stop)
        opener.check_end(stop, blob.read_at(body + offset, length))

    def opened(start: int, until: int) -> bytes:
        offset, length = opener.covering(start, until)
        return opener.open(start, until, blob.read_at(body + offset, length))

    return opened


def _packed_range(blob: Blob, sealed: SealedObject, opener: RangeOpener, _: int) -> Range:
    """Return what opens ranges of a packed stream; its table is at its end, which is proven first."""
    body, packed_length = sealed.header_length, opened_length(sealed.stored_length - sealed.header_length)
    low, high = Unpacker.table_range(sealed.plaintext_length, packed_length)
    offset, length = opener.covering(low, high)
    tail = blob.read_at(body + offset, sealed.stored_length - body - offset)
    opener.check_end(packed_length, tail[final_chunk(packed_length)[0] - offset :])
    unpacker = Unpacker(opener.open(low, high, tail[:length]), sealed.plaintext_length, packed_length)

    def opened(start: int, until: int) -> bytes:
        begin, end = unpacker.covering(start, until)
        place, length = opener.covering(begin, end)
        return unpacker.open(start, until, opener.open(begin, end, blob.read_at(body + place, length)))

    return opened


@contextmanager
def _stored(blobs: Blobs, row: InstanceRow) -> Iterator[Blob]:
    with blobs.open(row.sealed.object_id) as blob:
        if blob.length != row.sealed.stored_length:
            raise Tampered("the stored object has another length")
        yield blob


@dataclass(frozen=True, slots=True)
class Recovered:
    """One object that was opened by what it says of itself, all of it proven by its study key."""

    identity: Identity
    transfer_syntax_uid: Uid
    data_set_sha256: bytes
    sealed: SealedObject
    stream: bytearray = field(repr=False)
    """The whole Part 10 stream."""


class Recoverer:
    """Opens objects without an index row, for rebuilding a lost index and for nothing else.

    Who cannot make a key on the shelf cannot make an object that opens here: label, DEK and every chunk are sealed
    under it. What one store lacks or has damaged is asked of the next.
    """

    def __init__(self, keys: StudyKeys, stores: Sequence[Blobs]) -> None:
        self._keys = keys
        self._stores = stores

    def key_of(self, grant: Grant, object_id: ObjectId) -> KeyId:
        """Return the name of the study key that a stored object says it needs; nothing of that is proven yet.

        Raises:
            NotFound: there is no such object.
            Tampered: it is no sealed object, or another one than its name says.
        """
        _demand_rebuild(grant)
        return self._from_any(object_id, lambda blob: _own_header(blob, object_id)[1].study_key_id)

    def open(self, grant: Grant, of: Institution, object_id: ObjectId) -> Recovered:
        """Open a stored object of an institution.

        Raises:
            NotFound: there is no such object, or its key was forgotten.
            Tampered: it was not made under its study key, is another institution's, or was changed.
        """
        _demand_rebuild(grant)
        return self._from_any(object_id, lambda blob: self._opened(of, object_id, blob))

    def _opened(self, of: Institution, object_id: ObjectId, blob: Blob) -> Recovered:
        start, header = _own_header(blob, object_id)
        key = self._keys.for_opening(of, {header.study_key_id})[header.study_key_id]
        label = read_label(key.key, start)
        if label.identity.institution != of:
            raise Tampered("the object is another institution's than its key")
        commitment = blob.read_at(header.length, BODY_HEADER)[-COMMITMENT:]
        sealed = SealedObject(
            object_id, header.study_key_id, header.wrapped_dek, commitment, header.length, 0, blob.length
        )
        dek, context = open_envelope(key.key, label.identity, sealed, packed=header.packed)
        stream = bytearray().join(open_stream(dek, context, _pieces(blob, sealed), commitment))
        if header.packed:
            stream = bytearray().join(unpack(stream))
        whole = replace(sealed, plaintext_length=len(stream))
        return Recovered(label.identity, label.transfer_syntax_uid, label.data_set_sha256, whole, stream)

    def _from_any(self, object_id: ObjectId, read: Callable[[Blob], T]) -> T:
        """Return what ``read`` makes of the first copy that it can read; damage says more than that one is missing."""
        failures: list[NotFound | Tampered] = []
        for blobs in self._stores:
            try:
                with blobs.open(object_id) as blob:
                    return read(blob)
            except (NotFound, Tampered) as error:
                failures.append(error)
        raise next((error for error in failures if isinstance(error, Tampered)), failures[0])

    def metadata_box(self, recovered: Recovered, metadata_json: bytes) -> bytes:
        """Seal the metadata of a recovered object as it lies beside an index row."""
        of, key_id = recovered.identity.institution, recovered.sealed.study_key_id
        key = self._keys.for_opening(of, {key_id})[key_id]
        return seal_metadata(key.key, recovered.sealed.object_id, metadata_json)


def _own_header(blob: Blob, object_id: ObjectId) -> tuple[bytes, StoredHeader]:
    start = blob.read_at(0, LABEL_AT + LONGEST_LABEL)
    header = parse_header(start)
    if header.object_id != object_id:
        raise Tampered("the object is another one than its name says")
    return start, header


def _demand_rebuild(grant: Grant) -> None:
    if grant.request.action is not Action.ARCHIVE_REBUILD:
        raise Denied("the Grant is for something else")


def _demand(grant: Grant, row: InstanceRow) -> None:
    if grant.request.action is Action.ARCHIVE_VERIFY:
        return
    if not grant.covers(row.identity.institution, row.identity.study_instance_uid):
        raise Denied("the Grant is for another study")


def _pieces(blob: Blob, sealed: SealedObject) -> Iterator[bytes]:
    for offset in range(sealed.header_length, sealed.stored_length, PIECE):
        yield blob.read_at(offset, min(PIECE, sealed.stored_length - offset))
