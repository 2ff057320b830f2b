"""Cosignatures of witnesses, as C2SP tlog-cosignature has them."""

from base64 import b64decode, b64encode
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pacs_secure.core.errors import Malformed, Tampered
from pacs_secure.crypto.tlog import WitnessKey, log_verifier_key, verify_cosignature, witness_key

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = WitnessKey("witness.example/w1", PRIVATE.public_key().public_bytes_raw())
TEXT = b"log.example.org/home\n2\n" + b64encode(sha256(b"root").digest()) + b"\n"
AT = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
VERIFIER = f"{KEY.name}+{KEY.key_id.hex()}+{b64encode(bytes([4]) + KEY.public_key).decode()}"


def line(text: bytes = TEXT, at: int = int(AT.timestamp()), key: WitnessKey = KEY) -> str:
    signature = PRIVATE.sign(f"cosignature/v1\ntime {at}\n".encode() + text)
    return f"\u2014 {key.name} {b64encode(key.key_id + at.to_bytes(8, 'big') + signature).decode()}"


def test_a_cosignature_verifies_and_says_when() -> None:
    assert (witness_key(VERIFIER), str(KEY)) == (KEY, VERIFIER)
    assert verify_cosignature(line(), KEY, TEXT) == AT


def test_the_published_verifier_key_of_the_go_project_is_written() -> None:
    # It stands in the documentation of golang.org/x/mod/sumdb/note.
    key = b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")[1:]

    assert log_verifier_key("PeterNeumann", key) == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def test_no_flipped_bit_of_a_cosignature_verifies() -> None:
    blob = b64decode(line().split()[2])
    for place in range(len(blob) * 8):
        broken = bytearray(blob)
        broken[place // 8] ^= 1 << place % 8
        with pytest.raises(Tampered):
            verify_cosignature(f"\u2014 {KEY.name} {b64encode(broken).decode()}", KEY, TEXT)


@pytest.mark.parametrize(
    "forged",
    [
        "",
        line().replace("\u2014", "-"),
        line(b"another text\n"),
        line(key=WitnessKey("another.name", KEY.public_key)),
        f"\u2014 {KEY.name} AAA",
        line(at=1 << 62),
        f"\u2014 {KEY.name} {b64encode(KEY.key_id).decode()}",
    ],
)
def test_what_this_witness_did_not_sign_of_this_text_is_tampered(forged: str) -> None:
    with pytest.raises(Tampered):
        verify_cosignature(forged, KEY, TEXT)


def test_a_key_that_is_none_verifies_nothing() -> None:
    weak = WitnessKey(KEY.name, bytes(31))

    with pytest.raises(Tampered):
        verify_cosignature(f"\u2014 {weak.name} {b64encode(weak.key_id + bytes(72)).decode()}", weak, TEXT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "witness.example/w1",
        f"{KEY.name}+00000000+{VERIFIER.rpartition('+')[2]}",
        VERIFIER + "=",
        VERIFIER[:-4],
        log_verifier_key(KEY.name, KEY.public_key),
        f"{KEY.name}+00000000+AAA",
    ],
)
def test_what_is_no_verifier_key_of_a_witness_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        witness_key(text)
