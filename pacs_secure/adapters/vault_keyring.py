"""Forgettable keys on the vault's shelf, and the log key that never leaves it.

A key is wrapped by the institution's transit key under a context that names institution, shelf and
the key's own id: a wrapped key put in another's place does not unwrap. Nothing is asked per instance.
"""

import base64
import binascii
import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from pacs_secure.adapters.vault_session import Json, Reply, VaultSession
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.ports import ForgettableKey, Shelf

KEY_BYTES = 32
ENTRY_VERSIONS = frozenset({None, 1})
"""Of an entry on the shelf, as its field `version` says; one that does not say is of the first."""
LONGEST_MINT = 20.0
"""Seconds from wrapping a key until it must lie on the shelf; `archive.rekey` waits longer before a version ends."""
MOST_UNWRAPS = 100
"""Items in one batch; from about 124 on the vault may refuse a request as too complex."""
MOST_READERS = 4
"""Threads that read the shelf at once."""
FEW = 4
"""Up to so many entries are read one after the other."""


def kek(institution: Institution) -> str:
    """Return the name of the institution's transit key."""
    return f"kek-{institution}"


def log_key(institution: Institution) -> str:
    """Return the name of the institution's checkpoint key."""
    return f"log-{institution}"


def shelf_path(institution: Institution, shelf: Shelf, key_id: KeyId) -> str:
    """Return where a wrapped key lies (KV v1: no versions that would have to be forgotten too)."""
    return f"shelf/{shelf}/{institution}/{key_id}"


class VaultWrapper:
    """Makes keys; needs a role that may encrypt and create on the shelf, nothing more."""

    def __init__(self, session: VaultSession, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._monotonic = monotonic

    def mint(self, institution: Institution, shelf: Shelf) -> ForgettableKey:
        """Make a key, wrap it under the institution's KEK, put it on the shelf, return it.

        When no answer to the last step comes, an entry that nobody knows may stay on the shelf. So it does when
        this took longer than `LONGEST_MINT`: the version that it was wrapped under may be on its way out.
        """
        begun = self._monotonic()
        minted = ForgettableKey(KeyId(uuid4()), os.urandom(KEY_BYTES))
        wrapped = _encrypt(self._session, institution, minted.key, key_context(institution, shelf, minted.key_id))
        self._session.post(shelf_path(institution, shelf, minted.key_id), {"wrapped": wrapped}).demand_done()
        if self._monotonic() - begun > LONGEST_MINT:
            raise Unavailable("making a key took too long")
        return minted


class VaultUnwrapper:
    """Brings keys back; needs a role that may decrypt and read the shelf."""

    def __init__(self, session: VaultSession) -> None:
        self._session = session

    def fetch(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId]) -> dict[KeyId, ForgettableKey]:
        """Return the keys that are still on the shelf; forgotten ones are simply not in the answer.

        Raises:
            Tampered: a shelf entry does not unwrap under the institution's KEK and its own id.
        """
        wanted = list(set(key_ids))
        lying = [
            (key_id, wrapped)
            for key_id, wrapped in zip(wanted, self._read_all(institution, shelf, wanted), strict=True)
            if wrapped is not None
        ]
        found: dict[KeyId, ForgettableKey] = {}
        for start in range(0, len(lying), MOST_UNWRAPS):
            found |= self._unwrap(institution, shelf, lying[start : start + MOST_UNWRAPS])
        return found

    def _read_all(self, institution: Institution, shelf: Shelf, wanted: Sequence[KeyId]) -> list[str | None]:
        def read(key_id: KeyId) -> str | None:
            reply = self._session.get(shelf_path(institution, shelf, key_id))
            return None if reply.absent else _wrapped(reply)

        if len(wanted) <= FEW:
            return [read(key_id) for key_id in wanted]
        with ThreadPoolExecutor(min(MOST_READERS, len(wanted)), thread_name_prefix="shelf") as readers:
            return list(readers.map(read, wanted))

    def _unwrap(
        self, institution: Institution, shelf: Shelf, lying: Sequence[tuple[KeyId, str]]
    ) -> dict[KeyId, ForgettableKey]:
        batch = [
            {"ciphertext": wrapped, "context": _base64(key_context(institution, shelf, key_id))}
            for key_id, wrapped in lying
        ]
        # A batch in which one item fails answers 400 and still carries the others.
        results = self._session.post(f"transit/decrypt/{kek(institution)}", {"batch_input": batch}).items(
            "data", "batch_results"
        )
        if len(results) != len(lying):
            raise Unavailable("the vault's answer is not understood")
        return {
            key_id: ForgettableKey(key_id, _unwrapped(result))
            for (key_id, _), result in zip(lying, results, strict=True)
        }


class VaultEraser:
    """Forgets keys; needs a role that may remove and list on the shelf, and can read nothing there.

    Where this process may also read the shelf, each key is proven gone by asking for it; else by a
    listing of the whole shelf of its institution.
    """

    def __init__(self, session: VaultSession, reading: VaultSession | None = None) -> None:
        self._session = session
        self._reading = reading

    def erase(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId]) -> None:
        """Take keys off the shelf and prove each gone; those that are gone already are as good.

        Raises:
            Unavailable: not all of them are proven gone, or this role may not erase from that shelf.
        """
        for key_id in key_ids:
            reply = self._session.delete(shelf_path(institution, shelf, key_id))
            if not reply.absent:
                reply.demand_done()
        if self._left(institution, shelf, key_ids):
            raise Unavailable("a key is still on the shelf")

    def _left(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId]) -> bool:
        if self._reading is not None:
            return not all(self._reading.get(shelf_path(institution, shelf, key_id)).absent for key_id in key_ids)
        reply = self._session.list(f"shelf/{shelf}/{institution}")
        # An empty shelf is answered by 404, or by 200 and no names.
        names = None if reply.absent else reply.demand_done().mapping("data").get("keys")
        return isinstance(names, list) and not {str(key_id) for key_id in key_ids}.isdisjoint(names)


class VaultCanary:
    """Encrypts as a process that stores would, and decrypts as one that serves would."""

    def __init__(self, encrypting: VaultSession, decrypting: VaultSession, institution: Institution) -> None:
        self._encrypting = encrypting
        self._decrypting = decrypting
        self._institution = institution

    def sing(self) -> None:
        """Encrypt and decrypt a probe; raise `Unavailable` when that fails."""
        probe = os.urandom(KEY_BYTES)
        context = b"\0".join((self._institution.encode(), b"canary", uuid4().bytes))
        wrapped = _encrypt(self._encrypting, self._institution, probe, context)
        reply = self._decrypting.post(
            f"transit/decrypt/{kek(self._institution)}", {"ciphertext": wrapped, "context": _base64(context)}
        ).demand_done()
        if reply.text("data", "plaintext") != _base64(probe):
            raise Unavailable("the vault does not give back what it was given")


class VaultSigner:
    """Signs checkpoints with the institution's Ed25519 log key.

    The version first met is kept for the life of the process: a rotation in between must not part
    the signatures from the public key that `public_key` has already told.
    """

    def __init__(self, session: VaultSession, institution: Institution) -> None:
        self._session = session
        self._name = log_key(institution)
        self._lock = threading.Lock()
        self._pinned: tuple[int, bytes] | None = None

    def public_key(self) -> bytes:
        """Return the raw Ed25519 public key, 32 bytes."""
        return self._pin()[1]

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature (RFC 8032, not prehashed)."""
        version, _ = self._pin()
        reply = self._session.post(
            f"transit/sign/{self._name}", {"input": _base64(message), "key_version": version}
        ).demand_done()
        prefix, _, signature = reply.text("data", "signature").rpartition(":")
        if prefix != f"vault:v{version}":
            raise Unavailable("the vault signed with another key than asked")
        return _raw(signature, 64)

    def _pin(self) -> tuple[int, bytes]:
        with self._lock:
            if self._pinned is None:
                reply = self._session.get(f"transit/keys/{self._name}").demand_done()
                version = reply.find("data", "latest_version")
                if not isinstance(version, int):
                    raise Unavailable("the vault's answer is not understood")
                self._pinned = version, _raw(reply.text("data", "keys", str(version), "public_key"), KEY_BYTES)
            return self._pinned


def key_context(institution: Institution, shelf: Shelf, key_id: KeyId) -> bytes:
    """Return what a key is bound to when it is wrapped: in another's place it does not unwrap."""
    return b"\0".join((institution.encode(), shelf.encode(), key_id.bytes))


def _wrapped(reply: Reply) -> str:
    if reply.find("data", "version") not in ENTRY_VERSIONS:
        raise Unavailable("a key on the shelf is of a version that this build does not know")
    return reply.text("data", "wrapped")


def _encrypt(session: VaultSession, institution: Institution, plaintext: bytes, context: bytes) -> str:
    body = {"plaintext": _base64(plaintext), "context": _base64(context)}
    return session.post(f"transit/encrypt/{kek(institution)}", body).demand_done().text("data", "ciphertext")


def _unwrapped(result: Json) -> bytes:
    plaintext = result.get("plaintext")
    if result.get("error") or not isinstance(plaintext, str):
        raise Tampered("a key on the shelf does not unwrap")
    key = base64.b64decode(plaintext)
    if len(key) != KEY_BYTES:
        raise Tampered("a key on the shelf does not unwrap")
    return key


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _raw(text: str, length: int) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) != length:
        raise Unavailable("the vault's answer is not understood")
    return raw
