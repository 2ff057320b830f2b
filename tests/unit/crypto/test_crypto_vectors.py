"""Published vectors, and ours: made anew, and checked with primitives that share no code with the product."""

import hashlib
import hmac
import json
import struct
import zlib
from base64 import b64decode
from importlib.resources import files as resources
from uuid import UUID

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import ObjectId
from pacs_secure.crypto import stream
from pacs_secure.crypto.envelope import open_metadata
from pacs_secure.crypto.index_seal import DetailsSeal, IndexSeal
from pacs_secure.crypto.stream import BODY_HEADER, RangeOpener, final_chunk
from pacs_secure.crypto.tlog import decode_bundle, parse_checkpoint, read_draft, verify_inclusion
from tests.vectors import generate

PUBLISHED = [
    vector
    for vector in json.loads((resources("cryptography_vectors") / "chunked-encryption/vectors.json").read_text())[
        "vectors"
    ]
    if vector["aead"] == "AEAD_AES_256_GCM"
]
each_published = pytest.mark.parametrize("vector", PUBLISHED, ids=lambda vector: vector["name"])


def body_of(vector: dict[str, str]) -> bytes:
    body = b64decode(vector["ciphertext"] or "")
    return zlib.decompress(body) if vector.get("compressed") else body


def retold(vector: dict[str, str]) -> bytes:
    """Tell a published vector again with SHA-512.

    The published ones derive with SHA-256; Cobblestone-256, and with it the library, with SHA-512.
    Whatever verifies in its place is sealed anew in that place, and whatever does not stays as it is.
    """
    key, context, body = bytes.fromhex(vector["key"]), vector["context"].encode(), body_of(vector)
    salt, commitment = body[:24], body[24:56]
    theirs, ours = (generate.derive_message_keys(key, context, salt, name) for name in ("sha256", "sha512"))
    if commitment != theirs.commitment or len(key) != 32:
        return body
    told = salt + ours.commitment
    for number, place in enumerate(range(56, len(body), 16_400)):
        chunk = body[place : place + 16_400]
        try:
            plaintext = AESGCM(theirs.key).decrypt(theirs.nonce(number), chunk, None)
        except InvalidTag:
            told += chunk
        else:
            told += AESGCM(ours.key).encrypt(ours.nonce(number), plaintext, None)
    return told


def by_range(key: bytes, context: bytes, body: bytes) -> bytes:
    """Open by range what holds as many bytes as its length says."""
    opener = RangeOpener(key, context, body[:BODY_HEADER])
    sealed = len(body) - BODY_HEADER
    length = max(sealed - 16 * -(-sealed // 16_400), 0)
    offset, _ = final_chunk(length)
    opener.check_end(length, body[offset:])
    return b"" if length == 0 else opener.open(0, length, body[BODY_HEADER:])


@each_published
def test_published_vectors_hold_as_they_are_but_for_the_hash(
    vector: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SHA512", SHA256)
    key, context, body = bytes.fromhex(vector["key"]), vector["context"].encode(), body_of(vector)
    if vector["expect"] == "success":
        whole = by_range(key, context, body)
        assert hashlib.sha256(whole).hexdigest() == vector["payload_sha256"]
        assert generate.seal_body(key, context, body[:24], whole, "sha256") == body
    else:
        with pytest.raises(Tampered):
            by_range(key, context, body)


@each_published
def test_published_vectors_told_with_sha_512_hold_for_stream_and_ranges(vector: dict[str, str]) -> None:
    key, context, body = bytes.fromhex(vector["key"]), vector["context"].encode(), retold(vector)
    for cut in (len(body) + 1, 16_401, 4_999):
        pieces = [body[place : place + cut] for place in range(0, len(body), cut)]
        if vector["expect"] == "success":
            whole = b"".join(stream.open_stream(key, context, pieces, body[24:56]))
            assert hashlib.sha256(whole).hexdigest() == vector["payload_sha256"]
            assert by_range(key, context, body) == whole
        else:
            with pytest.raises(Tampered):
                b"".join(stream.open_stream(key, context, pieces))
            with pytest.raises(Tampered):
                by_range(key, context, body)


def test_there_are_published_vectors_of_both_outcomes() -> None:
    assert {vector["expect"] for vector in PUBLISHED} == {"success", "failure"}
    assert len(PUBLISHED) > 30


@pytest.mark.parametrize("name", ["sealed-object.json", "index-seal.json", "ledger.json"])
def test_making_our_vectors_anew_gives_the_same_bytes(name: str) -> None:
    assert generate.files()[name] == (generate.HERE / name).read_text(encoding="utf-8")


def vectors(name: str) -> dict:
    loaded: dict = json.loads((generate.HERE / name).read_text(encoding="utf-8"))
    return loaded


def hkdf(key: bytes, label: bytes) -> bytes:
    return hmac.digest(key, b"pacs_secure/" + label + b"\x01", "sha512")[:32]


def prefixed(*values: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(value)) + value for value in values)


def test_sealed_objects_open_with_nothing_but_aes_gcm_and_the_library() -> None:
    given = vectors("sealed-object.json")
    study_key, identity = bytes.fromhex(given["study_key"]), given["identity"]
    for case in given["cases"]:
        header = bytes.fromhex(case["header"])
        magic, object_id, key_id, wrapped, length = struct.unpack_from(">8s16s16s60sI", header)
        assert (magic, UUID(bytes=object_id)) == (b"PXENC\x00\x01\n", UUID(given["object_id"]))
        assert UUID(bytes=key_id) == UUID(given["study_key_id"])
        dek = AESGCM(study_key).decrypt(wrapped[:12], wrapped[12:], header[:40])
        assert dek.hex() == case["dek"]
        label = json.loads(AESGCM(study_key).decrypt(header[104:116], header[116:], header[:100]))
        assert len(header) == 104 + length
        assert label == identity | {
            "data_set_sha256": case["plaintext_sha256"],
            "transfer_syntax_uid": given["transfer_syntax_uid"],
        }
        uids = (identity[name].encode() for name in ("study_instance_uid", "sop_instance_uid", "sop_class_uid"))
        context = prefixed(magic, object_id, identity["institution"].encode(), *uids, b"dicom", key_id)
        plaintext = generate.stream("plaintext", case["plaintext_length"])
        salt = bytes.fromhex(case["body_header"])[:24]
        body = generate.seal_body(dek, context, salt, plaintext)
        assert (len(body), hashlib.sha256(body).hexdigest()) == (case["body_length"], case["body_sha256"])
        library = Cobblestone256Decryptor(dek, context)
        assert library.update(body) + library.finalize() == plaintext
        if plaintext:
            assert by_range(dek, context, body) == plaintext


def test_metadata_boxes_open() -> None:
    given = vectors("sealed-object.json")
    box, object_id = bytes.fromhex(given["metadata_box"]), ObjectId(UUID(given["object_id"]))
    assert open_metadata(bytes.fromhex(given["study_key"]), object_id, box).decode() == given["metadata"]


def test_index_boxes_and_tokens_follow_from_hmac_and_aes_gcm() -> None:
    given = vectors("index-seal.json")
    index_key, ledger_key = bytes.fromhex(given["index_key"]), bytes.fromhex(given["ledger_key"])
    row, box = given["box"], bytes.fromhex(given["box"]["box"])
    key = hmac.digest(hkdf(index_key, b"index/seal"), row["study_uid"].encode(), "sha256")
    associated = b"\x01" + prefixed(*(row[name].encode() for name in ("level", "study_uid", "row_uid")))
    assert AESGCM(key).decrypt(box[1:13], box[13:], associated).decode() == row["plaintext"]
    assert IndexSeal(index_key).open(row["level"], row["study_uid"], row["row_uid"], box) == row["plaintext"].encode()
    token_key = hkdf(index_key, b"index/token")
    for token in given["tokens"]:
        named = prefixed(b"value", token["field"].encode(), token["value"].strip().encode())
        assert hmac.digest(token_key, named, "sha256")[:16].hex() == token["token"]
    mueller = {prefixed(b"name", b"", start.encode()) for start in ("mul", "mull", "mulle", "muller")}
    mueller |= {prefixed(b"name", b"", start.encode()) for start in ("jur", "jurg", "jurge", "jurgen")}
    assert (
        sorted(hmac.digest(token_key, named, "sha256")[:3].hex() for named in mueller)
        == (given["name_tokens"][0]["tokens"])
    )
    act, box = UUID(given["details"]["act"]), bytes.fromhex(given["details"]["box"])
    assert DetailsSeal(ledger_key).open(act, box) == given["details"]["plaintext"].encode()
    key = hmac.digest(hkdf(ledger_key, b"ledger/details"), act.bytes, "sha256")
    assert AESGCM(key).decrypt(box[1:13], box[13:], b"\x01" + act.bytes) == given["details"]["plaintext"].encode()
    named = prefixed(given["pseudonym"]["institution"].encode(), given["pseudonym"]["identifier"].encode())
    pseudonym = hmac.digest(hkdf(ledger_key, b"ledger/pseudonym"), named, "sha256")[:16].hex()
    assert pseudonym == given["pseudonym"]["pseudonym"]


def tree(leaves: list[bytes]) -> bytes:
    """RFC 6962 2.1 as it is written there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = max(1 << power for power in range(20) if 1 << power < len(leaves))
    return hashlib.sha256(b"\x01" + tree(leaves[:split]) + tree(leaves[split:])).digest()


def test_the_ledger_follows_from_sha_256() -> None:
    given = vectors("ledger.json")
    entries = [text.encode() for text in given["entries"]]
    leaves = [hashlib.sha256(b"\x00" + entry).digest() for entry in entries]
    assert [tree(leaves[:size]).hex() for size in range(len(leaves) + 1)] == given["roots"]
    prev = bytes(32)
    for index, entry in enumerate(entries):
        content = json.loads(entry)
        assert (content["index"], content["prev"]) == (index, prev.hex())
        assert json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() == entry
        assert read_draft(entry) == generate.draft(index)
        proof = [bytes.fromhex(node) for node in given["inclusion"][index]]
        assert verify_inclusion(leaves[index], index, len(leaves), proof, tree(leaves))
        prev = leaves[index]
    bundle = b"".join(struct.pack(">H", len(entry)) + entry for entry in entries)
    assert hashlib.sha256(bundle).hexdigest() == given["bundle_sha256"]
    assert decode_bundle(bundle) == entries


def test_entries_are_signed_by_their_writer_under_keys_that_follow_from_one_another() -> None:
    given = vectors("ledger.json")
    key = hkdf(bytes.fromhex(given["writer"]["key"]), b"ledger/writer")
    number = 0
    for index, text in enumerate(given["entries"]):
        entry = json.loads(text)
        if index == 5:
            assert not {"mac", "seq", "writer"} & set(entry)
            continue
        said = text[text.index('"said":') + 7 : text.rindex(',"seq"')].encode()
        message = struct.pack(">Q", number) + entry["at"].encode() + b"\0" + said
        assert (entry["seq"], entry["writer"]) == (number, given["writer"]["id"])
        assert hmac.digest(key, message, "sha256")[:16].hex() == entry["mac"]
        key, number = hmac.digest(key, b"next", "sha256"), number + 1


def test_the_checkpoint_is_signed_over_its_text() -> None:
    given = vectors("ledger.json")
    text, _, signature = given["checkpoint"].partition("\n\u2014 ")
    name, encoded = signature.split()
    public_key, blob = bytes.fromhex(given["public_key"]), b64decode(encoded)
    Ed25519PublicKey.from_public_bytes(public_key).verify(blob[4:], text.encode())
    assert hashlib.sha256(f"{name}\n\x01".encode() + public_key).digest()[:4] == blob[:4]
    assert text.split("\n")[:2] == [given["origin"], str(len(given["entries"]))]
    assert parse_checkpoint(given["checkpoint"].encode()).root.hex() == given["roots"][-1]
