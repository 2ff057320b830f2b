"""Makes the vectors beside it from fixed inputs: ``python -m tests.vectors.generate`` from the project's root.

Bodies are sealed here by a second implementation, written from the C2SP text over hashlib, because
the library draws its own salt. `tests/unit/crypto/test_crypto_vectors.py` fails when making the
vectors anew gives other bytes, and checks them with primitives that share no code with the product.
"""

import hashlib
import hmac
import json
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pacs_secure.core.access import Action, Door, Purpose, Role
from pacs_secure.core.audit import Draft, Outcome, SealedDetails
from pacs_secure.core.identifiers import Institution, KeyId, ObjectId, Uid
from pacs_secure.core.instance import Identity
from pacs_secure.crypto.envelope import seal_envelope
from pacs_secure.crypto.index_seal import DetailsSeal, IndexSeal
from pacs_secure.crypto.tlog import (
    NO_ENTRY,
    checkpoint_text,
    Author,
    compose_entry,
    consistency_proof,
    encode_bundle,
    entries_path,
    inclusion_proof,
    root,
    sign_note,
    state,
    tile_path,
)

HERE = Path(__file__).parent
CHUNK = 1 << 14

INSTITUTION = Institution("st-elsewhere")
STUDY = "1.2.826.0.1.3680043.10.9.1"
SERIES = f"{STUDY}.1"
IDENTITY = Identity(INSTITUTION, Uid(STUDY), Uid(SERIES), Uid(f"{SERIES}.1"), Uid("1.2.840.10008.5.1.4.1.1.2"))
OBJECT_ID = ObjectId(UUID("01890a5d-ac96-774b-bcce-b302099a8057"))
KEY_ID = KeyId(UUID("3f2504e0-4f89-41d3-9a0c-0305e82c3301"))
TRANSFER_SYNTAX = Uid("1.2.840.10008.1.2.1")
ORIGIN = "log.example.org/st-elsewhere"


def stream(label: str, length: int) -> bytes:
    """Bytes that look random and never change."""
    return hashlib.shake_256(label.encode()).digest(length)


def entropy(label: str) -> Callable[[int], bytes]:
    """A source that gives the next bytes of one such stream at each call."""
    place = 0

    def draw(count: int) -> bytes:
        nonlocal place
        place += count
        return stream(label, place)[-count:]

    return draw


@dataclass(frozen=True)
class StudyKey:
    """A study key with a fixed name."""

    key_id: KeyId
    key: bytes


def hkdf_expand(key: bytes, info: bytes, length: int, algorithm: str = "sha512") -> bytes:
    """RFC 5869 2.3, from its text."""
    block = output = b""
    counter = 0
    while len(output) < length:
        counter += 1
        block = hmac.digest(key, block + info + bytes([counter]), algorithm)
        output += block
    return output[:length]


@dataclass(frozen=True)
class MessageKeys:
    """What C2SP chunked-encryption derives for one message."""

    key: bytes
    base_nonce: int
    commitment: bytes

    def nonce(self, number: int) -> bytes:
        """The nonce of one chunk."""
        return (self.base_nonce ^ number).to_bytes(12, "big")


def derive_message_keys(key: bytes, context: bytes, salt: bytes, algorithm: str) -> MessageKeys:
    """C2SP chunked-encryption, key derivation, with AEAD_AES_256_GCM."""
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00" + salt + context
    derived = hkdf_expand(key, info, 76, algorithm)
    return MessageKeys(derived[:32], int.from_bytes(derived[32:44], "big"), derived[44:])


def seal_body(key: bytes, context: bytes, salt: bytes, plaintext: bytes, algorithm: str = "sha512") -> bytes:
    """C2SP chunked-encryption with AEAD_AES_256_GCM, from its text; Cobblestone-256 is SHA-512."""
    message = derive_message_keys(key, context, salt, algorithm)
    body = salt + message.commitment
    for number in range(len(plaintext) // CHUNK + 1):
        chunk = plaintext[number * CHUNK : (number + 1) * CHUNK]
        body += AESGCM(message.key).encrypt(message.nonce(number), chunk, None)
    return body


def metadata_box(key: bytes, metadata: bytes) -> bytes:
    """Seal metadata stored, not deflated: deflating differs between builds of zlib, opening never does."""
    subkey, nonce = hkdf_expand(key, b"pacs_secure/metadata", 32), stream("metadata nonce", 12)
    return nonce + AESGCM(subkey).encrypt(nonce, zlib.compress(metadata, 0), b"metadata" + OBJECT_ID.bytes)


def sealed_objects() -> dict[str, object]:
    """Headers in full; bodies by digest, for their plaintexts are streams."""
    study_key = StudyKey(KEY_ID, stream("study key", 32))
    cases = []
    for length in (0, 1, 132, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 100_000):
        plaintext = stream("plaintext", length)
        digest = hashlib.sha256(plaintext).digest()
        envelope = seal_envelope(
            study_key, IDENTITY, OBJECT_ID, TRANSFER_SYNTAX, digest, entropy(f"envelope {length}")
        )
        body = seal_body(envelope.dek, envelope.context, stream(f"salt {length}", 24), plaintext)
        cases.append(
            {
                "plaintext_length": length,
                "plaintext_sha256": digest.hex(),
                "dek": envelope.dek.hex(),
                "header": envelope.header.hex(),
                "body_header": body[:56].hex(),
                "body_length": len(body),
                "body_sha256": hashlib.sha256(body).hexdigest(),
            }
        )
    metadata = b'{"00080018":{"vr":"UI","Value":["1.2.3"]}}'
    return {
        "study_key": study_key.key.hex(),
        "study_key_id": str(KEY_ID),
        "object_id": str(OBJECT_ID),
        "identity": {
            "institution": INSTITUTION,
            "study_instance_uid": IDENTITY.study_instance_uid,
            "series_instance_uid": IDENTITY.series_instance_uid,
            "sop_instance_uid": IDENTITY.sop_instance_uid,
            "sop_class_uid": IDENTITY.sop_class_uid,
        },
        "transfer_syntax_uid": TRANSFER_SYNTAX,
        "cases": cases,
        "metadata": metadata.decode(),
        "metadata_box": metadata_box(study_key.key, metadata).hex(),
    }


def index_seals() -> dict[str, object]:
    """Boxes, tokens and pseudonyms."""
    index_key, ledger_key = stream("index key", 32), stream("ledger key", 32)
    seal = IndexSeal(index_key, entropy("index"))
    details = DetailsSeal(ledger_key, entropy("details"))
    act = UUID("018f6b1e-0000-7000-8000-000000000001")
    names = ("Müller^Jürgen", "Yamada^Tarou=山田^太郎=やまだ^たろう", "O'Neill-Li^Ann", "ΣΊΣΥΦΟΣ", "STRASSE^Karl")
    return {
        "index_key": index_key.hex(),
        "box": {
            "level": "STUDY",
            "study_uid": STUDY,
            "row_uid": STUDY,
            "plaintext": "{}",
            "box": seal.seal("STUDY", STUDY, STUDY, b"{}").hex(),
        },
        "tokens": [
            {"field": field, "value": value, "token": seal.token(field, value).hex()}
            for field, value in (("PatientID", "MRN-007"), ("AccessionNumber", "A 1 "), ("PatientBirthDate", "19700101"))
        ],
        "name_tokens": [
            {"name": name, "tokens": sorted(token.hex() for token in seal.name_tokens(name))} for name in names
        ],
        "ledger_key": ledger_key.hex(),
        "details": {"act": str(act), "plaintext": "{}", "box": details.seal(act, b"{}").hex()},
        "pseudonym": {
            "institution": INSTITUTION,
            "identifier": "dr.mabuse",
            "pseudonym": details.pseudonym(INSTITUTION, "dr.mabuse"),
        },
    }


def draft(number: int) -> Draft:
    """An act like a real one, another for each number."""
    named = number % 2 == 0
    return Draft(
        at=datetime(2026, 1, 31, 23, 59, 58, 7, UTC) + timedelta(seconds=number),
        act=UUID(bytes=stream(f"act {number}", 16), version=4),
        action=Action.STUDY_READ,
        outcome=Outcome.BEGUN if named else Outcome.COMPLETED,
        institution=INSTITUTION,
        actor=stream("actor", 16).hex(),
        role=Role.RADIOLOGIST,
        department="Röntgen \u20ac \U0001f9b4",
        door=Door.WEB,
        address="192.0.2.7",
        purpose=Purpose.TREATMENT if named else None,
        rule='clinical "read"\n',
        policy_version="v1",
        study_alias=UUID(bytes=stream("study alias", 16), version=4) if named else None,
        patient_alias=UUID(bytes=stream("patient alias", 16), version=4) if named else None,
        facts={"objects": number, "protocol": "WADO-RS", "\u00e9": 0, "bytes": 2**53 - 1},
        details=SealedDetails(KEY_ID, stream("details box", 45)) if named else None,
    )


def ledgers() -> dict[str, object]:
    """A small log, its roots at every size, one proof of each kind, one signed checkpoint, some paths."""
    entries, prev = [], NO_ENTRY
    author = Author(KEY_ID, stream("writer key", 32))
    for number in range(11):
        said = state(draft(number))
        # Number 5 was recorded while the vault was away: nobody signed it.
        entry = compose_entry(said if number == 5 else author.sign(said), number, prev)
        entries.append(entry)
        prev = entry.leaf_hash
    leaves = [entry.leaf_hash for entry in entries]
    private = Ed25519PrivateKey.from_private_bytes(stream("log key", 32))
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    text = checkpoint_text(ORIGIN, len(leaves), root(leaves))
    return {
        "writer": {"id": str(KEY_ID), "key": stream("writer key", 32).hex()},
        "entries": [entry.content.decode() for entry in entries],
        "roots": [root(leaves[:size]).hex() for size in range(len(leaves) + 1)],
        "inclusion": [[node.hex() for node in inclusion_proof(leaves, index)] for index in range(len(leaves))],
        "consistency": {
            str(size): [node.hex() for node in consistency_proof(leaves, size)] for size in range(1, len(leaves) + 1)
        },
        "public_key": public.hex(),
        "origin": ORIGIN,
        "checkpoint": sign_note(text, ORIGIN, public, private.sign(text)).decode(),
        "bundle_sha256": hashlib.sha256(encode_bundle(entries)).hexdigest(),
        "paths": [tile_path(0, 0, 11), tile_path(1, 1_234_067), tile_path(2, 999, 255), entries_path(1_000_000, 1)],
    }


def files() -> dict[str, str]:
    """Every vector file by name."""
    made = {"sealed-object.json": sealed_objects(), "index-seal.json": index_seals(), "ledger.json": ledgers()}
    return {name: json.dumps(content, indent=1, ensure_ascii=False) + "\n" for name, content in made.items()}


if __name__ == "__main__":
    for name, text in files().items():
        (HERE / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{name}\n")
