"""Signed tree heads."""

from base64 import b64decode, b64encode
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pacs_secure.core.errors import Malformed, Tampered
from pacs_secure.crypto.tlog import checkpoint_text, key_id, parse_checkpoint, sign_note, verify_note

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
LOG = "log.example.org/home"
ROOT = sha256(b"root").digest()
TEXT = checkpoint_text(LOG, 12, ROOT)
NOTE = sign_note(TEXT, LOG, PUBLIC, PRIVATE.sign(TEXT))


def test_a_signed_head_reads_back() -> None:
    assert verify_note(NOTE, LOG, PUBLIC) == TEXT
    checkpoint = parse_checkpoint(NOTE)
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (LOG, 12, ROOT)
    assert (checkpoint.text, checkpoint.signers) == (TEXT, (LOG,))


def test_the_published_note_of_the_go_project_verifies() -> None:
    # Text, key and signature stand in the documentation of golang.org/x/mod/sumdb/note.
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    signature = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    key = b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")[1:]
    assert key_id("PeterNeumann", key).hex() == "c74f20a3"
    assert verify_note(f"{text}\n\u2014 PeterNeumann {signature}\n".encode(), "PeterNeumann", key) == text.encode()


def test_no_flipped_bit_of_a_note_verifies() -> None:
    for place in range(len(NOTE) * 8):
        broken = bytearray(NOTE)
        broken[place // 8] ^= 1 << place % 8
        with pytest.raises(Tampered):
            verify_note(bytes(broken), LOG, PUBLIC)


def test_signatures_of_others_are_passed_over() -> None:
    witness = sign_note(b"", "witness.example", bytes(32), bytes(64)).lstrip(b"\n")
    same_name = sign_note(b"", LOG, bytes(32), bytes(64)).lstrip(b"\n")
    assert verify_note(NOTE + witness + same_name, LOG, PUBLIC) == TEXT
    assert parse_checkpoint(NOTE + witness).signers == (LOG, "witness.example")


def test_one_bad_signature_of_a_known_key_spoils_the_note() -> None:
    forged = sign_note(b"", LOG, PUBLIC, bytes(64)).lstrip(b"\n")
    with pytest.raises(Tampered):
        verify_note(NOTE + forged, LOG, PUBLIC)


def test_another_key_or_name_does_not_verify() -> None:
    with pytest.raises(Tampered):
        verify_note(NOTE, "log.example.org/other", PUBLIC)
    with pytest.raises(Tampered):
        verify_note(NOTE, LOG, Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


@pytest.mark.parametrize("origin", ["", "two words", "a+b", "a\nb", "a\u2003b", "a\x00b"])
def test_an_origin_that_cannot_name_a_key_is_refused(origin: str) -> None:
    with pytest.raises(Malformed):
        checkpoint_text(origin, 0, ROOT)


def note_of(text: str) -> bytes:
    return sign_note(text.encode(), LOG, PUBLIC, bytes(64))


R = b64encode(ROOT).decode()


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\xff",
        TEXT,
        TEXT + b"\n",
        NOTE[:-1],
        NOTE + b"\n",
        NOTE + b"no signature\n",
        NOTE.replace(b"\n12\n", b"\n\t12\n"),
        NOTE.replace(b"12\n", b"1\r2\n"),
        NOTE + NOTE[NOTE.index("\u2014".encode()) :] * 1000,
        note_of(f"{LOG}\n012\n{R}\n"),
        note_of(f"{LOG}\n-1\n{R}\n"),
        note_of(f"{LOG}\n\u0661\n{R}\n"),
        note_of(f"two words\n1\n{R}\n"),
        note_of(f"{LOG}\n1\n{R}\nextension\n"),
        note_of(f"{LOG}\n1\n"),
        note_of(f"{LOG}\n1\n{R[:-4]}\n"),
        note_of(f"{LOG}\n1\n{R[:-2]}x=\n"),
        note_of(f"{LOG}\n1\n{R[:-1]}\n"),
    ],
)
def test_what_is_no_checkpoint_is_refused(note: bytes) -> None:
    with pytest.raises(Tampered):
        parse_checkpoint(note)
