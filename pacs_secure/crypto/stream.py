"""The large seal: C2SP chunked-encryption, Cobblestone-256, as a stream and by range.

Whole streams are sealed and opened by the library; only reading a range is written here, and held
to the library and to the published vectors. Chunks are 16 KiB, numbered in their nonces, the last
one always shorter: a cut, swapped, repeated or added chunk does not open.
"""

from collections.abc import Iterable, Iterator
from hmac import compare_digest

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from pacs_secure.crypto.box import NONCE, TAG, tampered

SALT = 24
COMMITMENT = 32
BODY_HEADER = SALT + COMMITMENT
"""Bytes of salt and key commitment before the first chunk."""

CHUNK = 1 << 14
SEALED_CHUNK = CHUNK + TAG
LONGEST = CHUNK << 38
"""Plaintext bytes at which the format's chunk counter ends."""

PIECE = 1 << 20
"""Plaintext bytes sealed at a time: large enough to be fast, small enough to keep memory flat."""

_LABEL = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"
_KEY = 32

Part = bytes | bytearray | memoryview


def sealed_length(plaintext_length: int) -> int:
    """Return the length of the sealed body, its 56-byte header included."""
    return BODY_HEADER + plaintext_length + TAG * (plaintext_length // CHUNK + 1)


def opened_length(body_length: int) -> int:
    """Return how many plaintext bytes a sealed body of a length holds; the inverse of `sealed_length`.

    Raises:
        Tampered: no sealed body is so long.
    """
    chunks, rest = divmod(body_length - BODY_HEADER, SEALED_CHUNK)
    if chunks < 0 or rest < TAG:
        raise tampered()
    return chunks * CHUNK + rest - TAG


def final_chunk(plaintext_length: int) -> tuple[int, int]:
    """Return body offset and length of the last chunk, which is what proves the length."""
    number, rest = divmod(plaintext_length, CHUNK)
    return BODY_HEADER + number * SEALED_CHUNK, rest + TAG


class SealedStream:
    """The sealed body of one object as it comes into being; iterate it once, to the end."""

    def __init__(self, key: bytes, context: bytes, parts: Iterable[Part]) -> None:
        self._encryptor = Cobblestone256Encryptor(key, context)
        self._header = self._encryptor.update(b"")
        self._parts = parts
        self.commitment = self._header[SALT:]
        """32 bytes, known from the start."""
        self.plaintext_length = 0
        """Bytes sealed so far."""

    def __iter__(self) -> Iterator[bytes]:
        yield self._header
        for part in self._parts:
            view = memoryview(part).cast("B")
            for start in range(0, len(view), PIECE):
                piece = view[start : start + PIECE]
                sealed = self._encryptor.update(piece)
                self.plaintext_length += len(piece)
                if sealed:
                    yield sealed
        yield self._encryptor.finalize()


def seal(key: bytes, context: bytes, parts: Iterable[Part]) -> SealedStream:
    """Seal the parts as one message under a uniformly random 32-byte key; pieces are about 1 MiB."""
    return SealedStream(key, context, parts)


def open_stream(key: bytes, context: bytes, pieces: Iterable[Part], commitment: bytes | None = None) -> Iterator[bytes]:
    """Yield the plaintext of a whole sealed body, verified chunks only.

    With ``commitment``, the body must carry that one: the index row is the witness, not the object.

    Raises:
        Tampered: the body is not what was sealed under this key and context, or it ends early.
    """
    _check_key(key)
    decryptor = Cobblestone256Decryptor(key, context)
    header = b""
    try:
        for piece in pieces:
            if len(header) < BODY_HEADER:
                header += bytes(piece[: BODY_HEADER - len(header)])
                _check_commitment(header, commitment)
            opened = decryptor.update(piece)
            if opened:
                yield opened
        yield decryptor.finalize()
    except InvalidTag:
        raise tampered() from None


def _check_key(key: bytes) -> None:
    if len(key) != _KEY:
        raise tampered()


def _check_commitment(header: bytes, commitment: bytes | None) -> None:
    if commitment is not None and len(header) == BODY_HEADER and not compare_digest(header[SALT:], commitment):
        raise tampered()


class RangeOpener:
    """Opens any range of one sealed body from the chunks that cover it."""

    def __init__(self, key: bytes, context: bytes, header: bytes, commitment: bytes | None = None) -> None:
        """Derive the message key and check the commitment of ``header``, the body's first 56 bytes.

        Raises:
            Tampered: the commitment is of another key, salt or context, or not the one given.
        """
        _check_key(key)
        info = _LABEL + header[:SALT] + context
        derived = HKDFExpand(SHA512(), _KEY + NONCE + COMMITMENT, info).derive(key)
        claimed = header[SALT:] if commitment is None else commitment
        if not compare_digest(derived[_KEY + NONCE :], claimed) or not compare_digest(claimed, header[SALT:]):
            raise tampered()
        self._aead = AESGCM(derived[:_KEY])
        self._base_nonce = int.from_bytes(derived[_KEY : _KEY + NONCE], "big")

    def covering(self, start: int, stop: int) -> tuple[int, int]:
        """Return body offset and length of the chunks that hold plaintext bytes ``start`` to ``stop``.

        The length is that of whole chunks: at the end of a body fewer bytes are there, and enough.
        """
        if not 0 <= start < stop <= LONGEST:
            raise tampered()
        first, last = start // CHUNK, (stop - 1) // CHUNK
        return BODY_HEADER + first * SEALED_CHUNK, (last - first + 1) * SEALED_CHUNK

    def open(self, start: int, stop: int, ciphertext: bytes) -> bytes:
        """Return plaintext bytes ``start`` to ``stop`` from the covering chunks.

        Raises:
            Tampered: a chunk does not verify in its place, or the body ends before ``stop``.
        """
        self.covering(start, stop)
        first = start // CHUNK
        low, high = start - first * CHUNK, stop - first * CHUNK
        view = memoryview(ciphertext)
        # One buffer for all chunks: joining them would fault in every page twice.
        opened = bytearray(len(view))
        length = 0
        for number, place in enumerate(range(0, len(view), SEALED_CHUNK), first):
            length += self._chunk(number, view[place : place + SEALED_CHUNK], memoryview(opened)[length:])
        if length < high:
            raise tampered()
        return bytes(memoryview(opened)[low:high])

    def check_end(self, plaintext_length: int, ciphertext: bytes) -> None:
        """Prove from the last chunk (see `final_chunk`) that the body holds just so many bytes.

        Raises:
            Tampered: it holds more or fewer, or the chunk does not verify.
        """
        number, rest = divmod(plaintext_length, CHUNK)
        if len(ciphertext) != rest + TAG:
            raise tampered()
        self._chunk(number, memoryview(ciphertext), memoryview(bytearray(rest)))

    def _chunk(self, number: int, sealed: memoryview, into: memoryview) -> int:
        """Open one chunk into the start of ``into``; return its plaintext length."""
        length = len(sealed) - TAG
        if length < 0:
            raise tampered()
        nonce = (self._base_nonce ^ number).to_bytes(NONCE, "big")
        try:
            return self._aead.decrypt_into(nonce, sealed, None, into[:length])
        except InvalidTag:
            raise tampered() from None
