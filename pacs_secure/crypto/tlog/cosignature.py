"""What witnesses say of a log: C2SP tlog-cosignature (cosignature/v1) under keys written as signed-note has them."""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pacs_secure.core.errors import Malformed
from pacs_secure.crypto.box import tampered
from pacs_secure.crypto.tlog.note import ED25519, key_id

COSIGNATURE = b"\x04"
"""Signature type of an Ed25519 witness (C2SP tlog-cosignature)."""

_NAME = re.compile(r"[^\s+\x00-\x1f]+")
_LINE = re.compile(r"\u2014 ([^\s+]+) ([A-Za-z0-9+/]+=*)")
_KEY_ID, _TIME, _SIGNATURE, _RAW = 4, 8, 64, 32


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """Whose cosignatures are believed: a name and a raw Ed25519 public key."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """Return the four bytes by which a note names the key."""
        return sha256(self.name.encode() + b"\n" + COSIGNATURE + self.public_key).digest()[:_KEY_ID]

    def __str__(self) -> str:
        """Write the verifier key."""
        return f"{self.name}+{self.key_id.hex()}+{b64encode(COSIGNATURE + self.public_key).decode()}"


def log_verifier_key(origin: str, public_key: bytes) -> str:
    """Write a log's public key as its witnesses are told it (C2SP signed-note, verifier keys)."""
    return f"{origin}+{key_id(origin, public_key).hex()}+{b64encode(ED25519 + public_key).decode()}"


def witness_key(verifier_key: str) -> WitnessKey:
    """Read the verifier key of a witness.

    Raises:
        Malformed: it is none, or of another algorithm than cosignature/v1 with Ed25519.
    """
    name, _, rest = verifier_key.partition("+")
    try:
        encoded = b64decode(rest.partition("+")[2], validate=True)
    except ValueError:
        encoded = b""
    key = WitnessKey(name, encoded[1:])
    if not _NAME.fullmatch(name) or len(key.public_key) != _RAW or str(key) != verifier_key:
        raise Malformed("this is no verifier key of a witness")
    return key


def verify_cosignature(line: str, key: WitnessKey, text: bytes) -> datetime:
    """Verify that a witness signed this checkpoint text; return when it says it did.

    Raises:
        Tampered: the line is no cosignature by this key, or not of this.
    """
    parts = _LINE.fullmatch(line)
    try:
        blob = b64decode(parts[2], validate=True) if parts else b""
    except ValueError:
        raise tampered() from None
    known = parts is not None and parts[1] == key.name and blob[:_KEY_ID] == key.key_id
    if not known or len(blob) != _KEY_ID + _TIME + _SIGNATURE:
        raise tampered()
    at = int.from_bytes(blob[_KEY_ID : _KEY_ID + _TIME], "big")
    signed = f"cosignature/v1\ntime {at}\n".encode() + text
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(blob[_KEY_ID + _TIME :], signed)
        return datetime.fromtimestamp(at, UTC)
    except (InvalidSignature, ValueError, OverflowError, OSError):
        raise tampered() from None
