"""The only way to ciphertext and back: the one module that touches plaintext cryptography.

Whoever wants plaintext brings a `Grant`. Every chunk is verified before it is released, and the
witness is the index row, never the stored header: a swapped, rolled back, edited or cut object
does not open.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pacs_secure.archive.study_keys import StudyKeys
from pacs_secure.core.access import Action, Grant
from pacs_secure.core.errors import Denied, Tampered
from pacs_secure.core.identifiers import KeyId, ObjectId
from pacs_secure.core.instance import Identity, InstanceRow, SealedObject
from pacs_secure.crypto.envelope import open_envelope, open_metadata, seal_envelope, seal_metadata
from pacs_secure.crypto.stream import RangeOpener, open_stream, seal
from pacs_secure.ports import Blob, Blobs, ForgettableKey

PIECE = 1 << 20
"""Bytes read from the store at a time, so that memory stays flat whatever the object's size."""

Part = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class SealedInstance:
    """One instance as it now lies in the store, and its metadata sealed beside the index row."""

    sealed: SealedObject
    metadata_box: bytes


class Sealer:
    """Seals; needs no key that opens anything older."""

    def __init__(self, keys: StudyKeys, blobs: Blobs, new_object_id: Callable[[], ObjectId]) -> None:
        self._keys = keys
        self._blobs = blobs
        self._new_object_id = new_object_id
