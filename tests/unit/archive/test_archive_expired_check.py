"""What certificates say of expired entries, each held against the log's key and the one before it."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pacs_secure.archive.expired_check import Expired
from pacs_secure.core.access import Role
from pacs_secure.core.identifiers import KeyId
from pacs_secure.core.retention import Certificate
from pacs_secure.crypto.tlog import certificate_text, certifier, sign_note
from tests.world import ORIGIN

KEY = Ed25519PrivateKey.generate()
AT = datetime(2026, 1, 1, tzinfo=UTC)
ONE, OTHER = KeyId(UUID(int=1)), KeyId(UUID(int=2))
FIRST = Certificate(1, 0, 256, bytes(32), AT, 0, "", Role.OPERATOR, AT, {ONE: 7, OTHER: 3})
SECOND = replace(FIRST, number=2, start=256, horizon=1024, root=bytes([1]) * 32, writers={ONE: 9})


def note(certificate: Certificate, key: Ed25519PrivateKey = KEY) -> bytes:
    text = certificate_text(ORIGIN, certificate)
    return sign_note(text, certifier(ORIGIN), key.public_key().public_bytes_raw(), key.sign(text))


def read(*notes: bytes) -> Expired:
    return Expired.read(notes, ORIGIN, KEY.public_key().public_bytes_raw())


def test_without_a_certificate_nothing_may_be_missing() -> None:
    assert read() == Expired()


def test_the_newest_certificate_says_how_far_and_all_say_where_writers_stand() -> None:
    found = read(note(SECOND), note(FIRST), note(FIRST))

    assert (found.horizon, found.problems) == (1024, [])
    assert found.roots == {256: FIRST.root, 1024: SECOND.root}
    assert found.writers == {ONE: 9, OTHER: 3}


def test_a_certificate_that_the_log_did_not_sign_says_nothing_and_is_found() -> None:
    found = read(note(FIRST), note(SECOND, Ed25519PrivateKey.generate()), b"a horizon of somebody's own")

    assert found.horizon == 256
    assert found.problems == ["a certificate of expired entries is not signed by this log"] * 2


def test_a_certificate_that_was_taken_away_is_missed() -> None:
    assert read(note(SECOND)).problems == ["certificate 2 does not continue the one before it"]
