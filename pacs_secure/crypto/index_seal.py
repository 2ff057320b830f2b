"""Sealed columns and keyed tokens: an index that can be searched and names nobody.

A box holds one row's personal values; a token answers "the same value?" to whoever holds the
index key and to nobody else. Name tokens are cut so short that strangers share them: a hit is a
candidate, and the real matching rules decide on the opened name (DESIGN 6).
"""

import hmac
import os
import re
import unicodedata
from uuid import UUID

from pacs_secure.crypto.box import Entropy, derive, fields, open_box, seal_box, tampered

VERSION = b"\x01"
TOKEN = 16
NAME_TOKEN = 3
"""Bytes: 2^24 buckets, so that a token alone tells little of a name."""

SHORTEST_PREFIX = 3
LONGEST_PREFIX = 8

_SEPARATORS = re.compile(r"[\^=\-\\\s\0]+")
_PADDING = " \0"


def normalise_word(word: str) -> str:
    """Fold case, accents and compatibility forms, so that spellings of one word are equal."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", word).casefold())
    return "".join(character for character in folded if not unicodedata.category(character).startswith("M"))


def _words(text: str) -> list[str]:
    return [word for word in _SEPARATORS.split(normalise_word(text)) if word]


def _normalise_value(value: str) -> str:
    whole = unicodedata.normalize("NFKC", value).strip(_PADDING)
    return "\0".join(part.strip() for part in whole.split("\0"))


class IndexSeal:
    """Seals and tokenises for one institution's index; holds keys derived from its index key."""

    __slots__ = ("_entropy", "_proof_key", "_seal_key", "_token_key")

    def __init__(self, index_key: bytes, entropy: Entropy = os.urandom) -> None:
        self._seal_key = derive(index_key, b"index/seal")
        self._token_key = derive(index_key, b"index/token")
        self._proof_key = derive(index_key, b"index/proof")
        self._entropy = entropy

    def seal(self, level: str, study_uid: str, row_uid: str, plaintext: bytes) -> bytes:
        """Seal one row's values, bound to its level, study and own UID."""
        key, associated = self._binding(level, study_uid, row_uid)
        return VERSION + seal_box(key, plaintext, associated, self._entropy)

    def open(self, level: str, study_uid: str, row_uid: str, box: bytes) -> bytes:
        """Open what `seal` made; raise `Tampered` when the box was made for another row, or changed."""
        if box[:1] != VERSION:
            raise tampered()
        key, associated = self._binding(level, study_uid, row_uid)
        return open_box(key, box[1:], associated)

    def token(self, field: str, value: str) -> bytes:
        """Return the 16-byte token of a value: equal for equal values of one field, case kept, padding aside."""
        return self._mac(b"value", field, _normalise_value(value))[:TOKEN]

    def fingerprint(self, sha256: bytes) -> bytes:
        """Return the 32-byte keyed fingerprint of content whose SHA-256 digest is given."""
        return self._mac(b"fingerprint", "", sha256.hex())

    def prove(self, kind: str, *values: bytes) -> bytes:
        """Return the 32-byte proof that whoever holds the index key wrote these values of this kind."""
        return hmac.digest(self._proof_key, fields(kind.encode(), *values), "sha256")

    def name_tokens(self, person_name: str) -> frozenset[bytes]:
        """Return the tokens of every word's beginnings, over all component groups (PS3.5 6.2.1)."""
        return frozenset(self._name_token(start) for word in _words(person_name) for start in _beginnings(word))

    def name_prefix_tokens(self, word_prefix: str, *, whole: bool = False) -> frozenset[bytes]:
        """Return the tokens of which a candidate carries one when a word of its name begins so.

        Empty means that the prefix is too short to narrow by. With ``whole`` the word is complete,
        so that short words (many of them ideographic) narrow too.
        """
        longest = max(_words(word_prefix), key=len, default="")
        if len(longest) >= SHORTEST_PREFIX or (whole and longest):
            return frozenset({self._name_token(longest[:LONGEST_PREFIX])})
        return frozenset()

    def _binding(self, level: str, study_uid: str, row_uid: str) -> tuple[bytes, bytes]:
        # A key for each study: random nonces never exhaust one, however large the archive.
        key = hmac.digest(self._seal_key, study_uid.encode(), "sha256")
        return key, VERSION + fields(level.encode(), study_uid.encode(), row_uid.encode())

    def _name_token(self, beginning: str) -> bytes:
        return self._mac(b"name", "", beginning)[:NAME_TOKEN]

    def _mac(self, kind: bytes, field: str, value: str) -> bytes:
        # A lone surrogate is no character, but a value may hold one and still needs its token.
        return hmac.digest(
            self._token_key, fields(kind, field.encode(), value.encode(errors="surrogatepass")), "sha256"
        )


def _beginnings(word: str) -> list[str]:
    if len(word) < SHORTEST_PREFIX:
        return [word]
    return [word[:length] for length in range(SHORTEST_PREFIX, min(len(word), LONGEST_PREFIX) + 1)]


class DetailsSeal:
    """Seals what a ledger entry may say of persons, and gives actors their pseudonyms."""

    __slots__ = ("_entropy", "_proof_key", "_pseudonym_key", "_seal_key")

    def __init__(self, ledger_key: bytes, entropy: Entropy = os.urandom) -> None:
        self._seal_key = derive(ledger_key, b"ledger/details")
        self._pseudonym_key = derive(ledger_key, b"ledger/pseudonym")
        self._proof_key = derive(ledger_key, b"ledger/proof")
        self._entropy = entropy

    def seal(self, act: UUID, plaintext: bytes, kind: bytes = b"") -> bytes:
        """Seal details, bound to their act, or what another kind of row says, bound to its random name."""
        return VERSION + seal_box(self._key(act), plaintext, VERSION + act.bytes + kind, self._entropy)

    def open(self, act: UUID, box: bytes, kind: bytes = b"") -> bytes:
        """Open what `seal` made; raise `Tampered` when it was made for another act or kind, or changed."""
        if box[:1] != VERSION:
            raise tampered()
        return open_box(self._key(act), box[1:], VERSION + act.bytes + kind)

    def prove(self, kind: str, *values: bytes) -> bytes:
        """Return the 32-byte proof that whoever holds the ledger key wrote these values of this kind."""
        return hmac.digest(self._proof_key, fields(kind.encode(), *values), "sha256")

    def pseudonym(self, institution: str, identifier: str) -> str:
        """Return the 32 hexadecimal digits that stand for a subject as long as the ledger key lives."""
        named = fields(institution.encode(), identifier.encode(errors="surrogatepass"))
        return hmac.digest(self._pseudonym_key, named, "sha256").hex()[:32]

    def _key(self, act: UUID) -> bytes:
        return hmac.digest(self._seal_key, act.bytes, "sha256")
