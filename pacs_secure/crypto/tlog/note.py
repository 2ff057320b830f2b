"""Signed tree heads: C2SP tlog-checkpoint inside C2SP signed-note."""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pacs_secure.core.errors import Malformed
from pacs_secure.crypto.box import tampered

ED25519 = b"\x01"
"""Signature type (C2SP signed-note)."""

LONGEST_NOTE = 1 << 16
"""Bytes: room for a log's signature and some sixty witnesses."""

_KEY_ID = 4
_NAME = re.compile(r"[^\s+]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_SIGNATURE = re.compile(r"\u2014 ([^\s+]+) ([A-Za-z0-9+/]+=*)")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_LINES = 3
_HASH = 32


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a log had come: a tree head as its note says, whether or not the signature was verified."""

    origin: str
    size: int
    root: bytes
    text: bytes
    """What is signed."""
    signers: tuple[str, ...]
    """Key names that claim to have signed."""


def checkpoint_text(origin: str, size: int, root: bytes) -> bytes:
    """Write a tree head (C2SP tlog-checkpoint).

    Raises:
        Malformed: the origin cannot be a key name too.
    """
    if not _NAME.fullmatch(origin) or _CONTROL.search(origin):
        raise Malformed("the origin of a log has no spaces, plus signs or control characters")
    return f"{origin}\n{size}\n{b64encode(root).decode()}\n".encode()


def key_id(key_name: str, public_key: bytes) -> bytes:
    """Return the four bytes by which a note names an Ed25519 key (C2SP signed-note)."""
    return sha256(key_name.encode() + b"\n" + ED25519 + public_key).digest()[:_KEY_ID]


def sign_note(text: bytes, key_name: str, public_key: bytes, signature: bytes) -> bytes:
    """Join a text and its 64-byte Ed25519 signature into a note."""
    named = b64encode(key_id(key_name, public_key) + signature).decode()
    return text + f"\n\u2014 {key_name} {named}\n".encode()


def parse_checkpoint(note: bytes) -> Checkpoint:
    """Take a note apart without verifying it; see `verify_note`.

    Raises:
        Tampered: this is no checkpoint.
    """
    text, signatures = _split(note)
    lines = text.split("\n")
    if len(lines) != _LINES + 1 or not _NAME.fullmatch(lines[0]) or not _SIZE.fullmatch(lines[1]):
        raise tampered()
    root = _decode(lines[2])
    if len(root) != _HASH:
        raise tampered()
    signers = tuple(name for name, _ in signatures)
    return Checkpoint(lines[0], int(lines[1]), root, text.encode(), signers)


def verify_note(note: bytes, key_name: str, public_key: bytes) -> bytes:
    """Verify the signature of one known Ed25519 key and return the text it covers; others are ignored.

    Raises:
        Tampered: that key did not sign, or not this.
    """
    text, signatures = _split(note)
    known = [blob for name, blob in signatures if name == key_name and blob[:_KEY_ID] == key_id(key_name, public_key)]
    if not known:
        raise tampered()
    try:
        for blob in known:
            Ed25519PublicKey.from_public_bytes(public_key).verify(blob[_KEY_ID:], text.encode())
    except InvalidSignature:
        raise tampered() from None
    return text.encode()


def _split(note: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    """Return the text and the signatures, each with its key name."""
    try:
        whole = note.decode()
    except UnicodeDecodeError:
        raise tampered() from None
    text, gap, tail = whole.rpartition("\n\n")
    if not gap or not tail.endswith("\n") or len(note) > LONGEST_NOTE or _CONTROL.search(whole):
        raise tampered()
    lines = [_SIGNATURE.fullmatch(line) for line in tail[:-1].split("\n")]
    signatures = [(line[1], _decode(line[2])) for line in lines if line is not None]
    if len(signatures) != len(lines):
        raise tampered()
    return text + "\n", signatures


def _decode(text: str) -> bytes:
    try:
        decoded = b64decode(text, validate=True)
    except ValueError:
        raise tampered() from None
    if b64encode(decoded).decode() != text:
        raise tampered()
    return decoded
