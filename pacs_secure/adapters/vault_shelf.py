"""What lies on the vault's shelf: asked key by key, so that it takes as long as the question and not as the shelf."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from pacs_secure.adapters.vault_keyring import FEW, MOST_READERS, shelf_path
from pacs_secure.adapters.vault_session import VaultSession
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.ports import Shelf


class VaultShelf:
    """`pacs_secure.ports.KeyShelf`; needs a role that may read the shelf, and unwraps nothing."""

    def __init__(self, session: VaultSession) -> None:
        self._session = session

    def lying(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId]) -> frozenset[KeyId]:
        """Return those of the keys that are on the shelf, whether or not they would unwrap."""
        wanted = sorted(set(key_ids))

        def lies(key_id: KeyId) -> bool:
            reply = self._session.get(shelf_path(institution, shelf, key_id))
            return not reply.absent and reply.demand_done().done

        if len(wanted) <= FEW:
            return frozenset(filter(lies, wanted))
        with ThreadPoolExecutor(MOST_READERS, thread_name_prefix="shelf") as readers:
            found = readers.map(lies, wanted)
            return frozenset(key_id for key_id, there in zip(wanted, found, strict=True) if there)
