"""One-time codes: easy to read aloud, hard to guess, and kept as a slow hash only."""

import hashlib
import hmac
import os

from pacs_secure.crypto.box import Entropy, tampered

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that the ear or the eye takes for another sign."""
LENGTH = 12
"""Signs of five bits each: 60 bits."""

_HEARD = str.maketrans("OIL", "011")
_GROUP = 4
_VERSION = b"\x01"
_SALT, _HASH = 16, 32
_N, _R, _P = 1 << 15, 8, 1
"""Of scrypt (RFC 7914 2): 32 MiB, and about a tenth of a second."""
_MEMORY = 64 << 20


def new_code(entropy: Entropy = os.urandom) -> str:
    """Return a new code in groups of four signs."""
    number = int.from_bytes(entropy(8))
    signs = "".join(ALPHABET[number >> 5 * place & 31] for place in range(LENGTH))
    return "-".join(signs[start : start + _GROUP] for start in range(0, LENGTH, _GROUP))


def keep(code: str, entropy: Entropy = os.urandom) -> bytes:
    """Return what may be kept of a code: version, salt and slow hash."""
    salt = entropy(_SALT)
    return _VERSION + salt + _slow(code, salt)


def proves(code: str, kept: bytes) -> bool:
    """Say whether a code is the one that `keep` kept, however it was written down.

    Raises:
        Tampered: what was kept is of another shape.
    """
    if kept[:1] != _VERSION or len(kept) != 1 + _SALT + _HASH:
        raise tampered()
    salt, hashed = kept[1 : 1 + _SALT], kept[1 + _SALT :]
    return hmac.compare_digest(_slow(code, salt), hashed)


def _slow(code: str, salt: bytes) -> bytes:
    signs = "".join(sign for sign in code.upper() if sign.isalnum()).translate(_HEARD)
    spelt = signs.encode(errors="surrogatepass")
    return hashlib.scrypt(spelt, salt=salt, n=_N, r=_R, p=_P, maxmem=_MEMORY, dklen=_HASH)
