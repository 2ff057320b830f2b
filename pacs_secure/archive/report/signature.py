"""Signs a report's digest with the ledger's key, under a name that no checkpoint bears (C2SP signed-note)."""

from hashlib import sha256
from hmac import compare_digest

from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.crypto.tlog import sign_note, verify_note
from pacs_secure.ports import Signer


def key_name(origin: str) -> str:
    """Return the name of the key for reports of a ledger."""
    return f"{origin}/report"


def sign(content: bytes, origin: str, signer: Signer | None) -> bytes:
    """Return a note that binds a report to the ledger it was made from.

    Raises:
        Unavailable: the signing key is out of reach, or this process was not given it.
    """
    if signer is None:
        raise Unavailable("this process may not sign reports")
    name, text = key_name(origin), _text(content, origin)
    return sign_note(text, name, signer.public_key(), signer.sign(text))


def check(content: bytes, note: bytes, origin: str, public_key: bytes) -> None:
    """Demand that a note was made for these bytes with the ledger's key; raise `Tampered` when it was not."""
    if not compare_digest(verify_note(note, key_name(origin), public_key), _text(content, origin)):
        raise Tampered("the report is not the one that was signed")


def _text(content: bytes, origin: str) -> bytes:
    # Two lines: a checkpoint has three, so neither can ever be taken for the other.
    return f"{key_name(origin)}\nsha256 {sha256(content).hexdigest()}\n".encode()
