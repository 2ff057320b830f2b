"""Turning an institution's transit key, and wrapping what lies on the shelf anew; no key is ever seen here.

A batch answers 200 although items in it failed, so each item's error is looked at. What is written is
written by a role that may update and not create: an entry that was forgotten since it was read stays forgotten.
"""

import base64
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from pacs_secure.adapters.vault_keyring import ENTRY_VERSIONS, MOST_UNWRAPS, kek, key_context, shelf_path
from pacs_secure.adapters.vault_session import Json, Reply, VaultSession
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.ports import KekState, Rewrapped, Shelf

MOST_HANDS = 4
"""Threads that read and write at once."""
_WRAPPED = re.compile(r"vault:v([1-9][0-9]{0,8}):")
_NEVER = 0
"""The version of what is not understood: before all others."""

T = TypeVar("T")
R = TypeVar("R")


class VaultRewrapper:
    """`pacs_secure.ports.KeyRewrapper`; needs a role that may rotate, rewrap and update the shelf."""

    def __init__(self, session: VaultSession) -> None:
        self._session = session

    def state(self, institution: Institution) -> KekState:
        """Return the versions of the institution's key."""
        return _state(self._session.get(f"transit/keys/{kek(institution)}"))

    def rotate(self, institution: Institution) -> KekState:
        """Make a new version, under which everything is wrapped from now on."""
        self._session.post(f"transit/keys/{kek(institution)}/rotate", {}).demand_done()
        return self.state(institution)

    def shelved(self, institution: Institution, shelf: Shelf) -> Sequence[KeyId]:
        """Return what lies on a shelf, in order of the ids; the vault tells it in one piece."""
        reply = self._session.list(f"shelf/{shelf}/{institution}")
        # An empty shelf is answered by 404, or by 200 and no names.
        names = None if reply.absent else reply.demand_done().mapping("data").get("keys")
        try:
            return sorted(KeyId(UUID(name)) for name in names) if isinstance(names, list) else []
        except (ValueError, AttributeError):
            raise Unavailable("what lies on the shelf is not understood") from None

    def rewrap(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId], version: int) -> Rewrapped:
        """Wrap those of some entries anew that are wrapped under an earlier version, and write them.

        An entry that was forgotten since it was read is never written again.
        """
        result, wanted = Rewrapped(), sorted(key_ids)
        for start in range(0, len(wanted), MOST_UNWRAPS):
            result = _sum(result, self._batch(institution, shelf, wanted[start : start + MOST_UNWRAPS], version))
        return result

    def below(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId], version: int) -> int:
        """Count those of some entries that are wrapped under an earlier version, or are not understood."""
        entries = self._read(institution, shelf, list(key_ids))
        return sum(entry is not None and _version(entry.get("wrapped")) < version for entry in entries)

    def retire(self, institution: Institution, version: int) -> None:
        """Let nothing unwrap any more that is wrapped under a version before this one.

        Nothing is trimmed: an administrator of the vault can lower the minimum again.
        """
        self._session.post(f"transit/keys/{kek(institution)}/config", {"min_decryption_version": version}).demand_done()

    def _batch(self, institution: Institution, shelf: Shelf, key_ids: Sequence[KeyId], version: int) -> Rewrapped:
        lying = [
            (key_id, entry)
            for key_id, entry in zip(key_ids, self._read(institution, shelf, key_ids), strict=True)
            if entry is not None
        ]
        old = [(key_id, entry) for key_id, entry in lying if _version(entry.get("wrapped")) < version]
        wrapped = self._wrap(institution, shelf, old, version)
        written = _by_hands(lambda one: self._write(institution, shelf, *one), wrapped.items())
        done = frozenset(key_id for key_id, there in zip(wrapped, written, strict=True) if there)
        failed = frozenset(key_id for key_id, _ in old if key_id not in wrapped)
        gone = len(key_ids) - len(lying) + len(wrapped) - len(done)
        return Rewrapped(done, len(lying) - len(old), gone, failed)

    def _read(self, institution: Institution, shelf: Shelf, key_ids: Sequence[KeyId]) -> list[Json | None]:
        def read(key_id: KeyId) -> Json | None:
            reply = self._session.get(shelf_path(institution, shelf, key_id))
            return None if reply.absent else reply.demand_done().mapping("data")

        return _by_hands(read, key_ids)

    def _wrap(
        self, institution: Institution, shelf: Shelf, old: Sequence[tuple[KeyId, Json]], version: int
    ) -> dict[KeyId, Json]:
        """Return each entry as it is to be written; those for which the vault names an error are left out.

        So are those of a version that this build does not know: what binds them may be another context.
        """
        old = [(key_id, entry) for key_id, entry in old if entry.get("version") in ENTRY_VERSIONS]
        if not old:
            return {}
        batch = [
            {
                "ciphertext": str(entry.get("wrapped")),
                "context": base64.b64encode(key_context(institution, shelf, key_id)).decode(),
            }
            for key_id, entry in old
        ]
        reply = self._session.post(f"transit/rewrap/{kek(institution)}", {"batch_input": batch})
        results = reply.items("data", "batch_results")
        if len(results) != len(old):
            raise Unavailable("the vault's answer is not understood")
        return {
            key_id: {**entry, "wrapped": result["ciphertext"]}
            for (key_id, entry), result in zip(old, results, strict=True)
            if not result.get("error") and _version(result.get("ciphertext")) >= version
        }

    def _write(self, institution: Institution, shelf: Shelf, key_id: KeyId, entry: Json) -> bool:
        """Write over an entry and return whether it was still there."""
        path = shelf_path(institution, shelf, key_id)
        try:
            self._session.post(path, entry).demand_done()
        except Unavailable:
            # To write where nothing lies would be to create, which the role may not: so it says for a forgotten one.
            if self._session.get(path).absent:
                return False
            raise
        return True


def _sum(one: Rewrapped, other: Rewrapped) -> Rewrapped:
    return Rewrapped(
        one.done | other.done, one.current + other.current, one.gone + other.gone, one.failed | other.failed
    )


def _by_hands(act: Callable[[T], R], things: Iterable[T]) -> list[R]:
    with ThreadPoolExecutor(MOST_HANDS, thread_name_prefix="rewrap") as hands:
        return list(hands.map(act, things))


def _version(wrapped: object) -> int:
    found = _WRAPPED.match(wrapped) if isinstance(wrapped, str) else None
    return int(found.group(1)) if found else _NEVER


def _state(reply: Reply) -> KekState:
    told = reply.demand_done().mapping("data")
    newest, least, made = told.get("latest_version"), told.get("min_decryption_version"), told.get("keys")
    if isinstance(newest, int) and isinstance(least, int) and isinstance(made, Mapping):
        at = made.get(str(newest))
        if isinstance(at, int):
            return KekState(newest, least, datetime.fromtimestamp(at, UTC))
    raise Unavailable("the vault's answer is not understood")
