"""Certificates of expired entries: read as written, under the right name and key, and as nothing else."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pacs_secure.core.access import Role
from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import KeyId
from pacs_secure.core.retention import Certificate
from pacs_secure.crypto.tlog import (
    certificate_text,
    certifier,
    checkpoint_text,
    parse_checkpoint,
    read_certificate,
    sign_note,
    verify_note,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
LOG = "log.example.org/home"
AT = datetime(2026, 11, 25, 3, 0, 0, 7, tzinfo=UTC)
CERTIFICATE = Certificate(
    number=2,
    start=256,
    horizon=1024,
    root=bytes(range(32)),
    cutoff=datetime(2023, 11, 25, 3, tzinfo=UTC),
    keys=132,
    actor="ab" * 16,
    role=Role.OPERATOR,
    at=AT,
    writers={KeyId(UUID(int=number)): number for number in (3, 1, 2)},
)


def signed(text: bytes, name: str = certifier(LOG), key: Ed25519PrivateKey = KEY) -> bytes:
    return sign_note(text, name, key.public_key().public_bytes_raw(), key.sign(text))


def test_a_certificate_is_read_as_it_was_written() -> None:
    assert read_certificate(signed(certificate_text(LOG, CERTIFICATE)), LOG, PUBLIC) == CERTIFICATE


def test_it_says_in_plain_lines_what_went() -> None:
    assert certificate_text(LOG, replace(CERTIFICATE, writers={KeyId(UUID(int=7)): 9})).decode() == (
        "log.example.org/home/retention\n"
        "number 2\n"
        "entries 256 1024\n"
        "root AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
        "cutoff 2023-11-25T03:00:00.000000Z\n"
        "keys 132\n"
        "by abababababababababababababababab operator\n"
        "at 2026-11-25T03:00:00.000007Z\n"
        "writer 00000000-0000-0000-0000-000000000007 9\n"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"number 2", b"number 02"),
        (b"operator", b"emperor"),
        (b"keys 132", b"keys -1"),
        (b"2023-11-25", b"2023-13-25"),
        (b"log.example.org/home/retention", b"log.example.org/away/retention"),
        (b"root A", b"root !"),
        (b"writer 00000000-0000-0000-0000-000000000001 1\n", b"writer 00000000-0000-0000-0000-000000000009 1\n"),
        (b"writer 00000000-0000-0000-0000-000000000001 1\n", b"writer 0000-00000000000000000000000000000-01 1\n"),
    ],
)
def test_what_is_no_certificate_of_this_log_is_refused_even_when_it_is_signed(old: bytes, new: bytes) -> None:
    text = certificate_text(LOG, CERTIFICATE)
    assert old in text

    with pytest.raises(Tampered):
        read_certificate(signed(text.replace(old, new)), LOG, PUBLIC)


def test_a_changed_certificate_and_one_by_another_key_are_refused() -> None:
    text = certificate_text(LOG, CERTIFICATE)
    for note in (
        signed(text).replace(b"1024", b"4096"),
        signed(text, key=Ed25519PrivateKey.from_private_bytes(bytes(32))),
    ):
        with pytest.raises(Tampered):
            read_certificate(note, LOG, PUBLIC)


def test_neither_checkpoint_nor_certificate_passes_for_the_other() -> None:
    certificate, head = certificate_text(LOG, CERTIFICATE), checkpoint_text(LOG, 1024, bytes(32))

    for note in (signed(head, LOG), signed(head)):
        with pytest.raises(Tampered):
            read_certificate(note, LOG, PUBLIC)
    with pytest.raises(Tampered):
        verify_note(signed(certificate), LOG, PUBLIC)
    with pytest.raises(Tampered):
        parse_checkpoint(signed(certificate))
