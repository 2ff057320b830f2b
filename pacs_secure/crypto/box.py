"""The small seal: one value, one random nonce, AES-256-GCM; and the one way all of crypto says no."""

from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from pacs_secure.core.errors import Tampered

Entropy = Callable[[int], bytes]
"""Gives that many random bytes: `os.urandom`, except where vectors are made."""

NONCE = 12
TAG = 16
OVERHEAD = NONCE + TAG


def tampered() -> Tampered:
    """Make the one error for every failed proof: it never says which part failed."""
    return Tampered("stored bytes do not prove to be what was written")


def derive(key: bytes, label: bytes) -> bytes:
    """Derive a 32-byte key for one use from a uniformly random one (RFC 5869 2.3, SHA-512)."""
    return HKDFExpand(SHA512(), 32, b"pacs_secure/" + label).derive(key)


def fields(*values: bytes) -> bytes:
    """Join values so that no two lists of values give the same bytes: each behind its length, 4 bytes big endian."""
    return b"".join(len(value).to_bytes(4, "big") + value for value in values)


def seal_box(key: bytes, plaintext: bytes, associated: bytes, entropy: Entropy) -> bytes:
    """Seal under a 32-byte key: nonce 12, ciphertext, tag 16."""
    nonce = entropy(NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, associated)


def open_box(key: bytes, box: bytes, associated: bytes) -> bytes:
    """Open what `seal_box` made; raise `Tampered` for any other box, key or associated bytes."""
    if len(box) < OVERHEAD:
        raise tampered()
    try:
        return AESGCM(key).decrypt(box[:NONCE], box[NONCE:], associated)
    except InvalidTag:
        raise tampered() from None
