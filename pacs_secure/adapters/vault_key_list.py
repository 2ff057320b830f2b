"""What lies on the vault's shelf, by the listing that a role may ask for: names of keys, never a key."""

from uuid import UUID

from pacs_secure.adapters.vault_session import VaultSession
from pacs_secure.core.errors import Malformed, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId, institution
from pacs_secure.ports import Shelf


class VaultKeyList:
    """Lists the shelf; needs a role that may list there, such as the eraser's."""

    def __init__(self, session: VaultSession) -> None:
        self._session = session

    def listed(self, institution: Institution, shelf: Shelf) -> frozenset[KeyId]:
        """Return the ids of all keys of an institution on a shelf.

        Raises:
            Unavailable: this role may not list that shelf.
        """
        return frozenset(KeyId(key_id) for name in self._names(f"shelf/{shelf}/{institution}") if (key_id := _id(name)))

    def institutions(self, shelf: Shelf) -> frozenset[Institution]:
        """Return whose keys lie on a shelf; raises as `listed`."""
        folders = (name[:-1] for name in self._names(f"shelf/{shelf}") if name.endswith("/"))
        return frozenset(of for name in folders if (of := _institution(name)))

    def _names(self, place: str) -> list[str]:
        reply = self._session.list(place)
        if reply.absent:
            return []
        # An empty shelf is answered by 404, or by 200 and no names.
        names = reply.demand_done().mapping("data").get("keys") or []
        if not isinstance(names, list):
            raise Unavailable("the vault's answer is not understood")
        return [str(name) for name in names]


def _id(name: str) -> UUID | None:
    """Return the id that a name is, None for what the archive did not put there."""
    try:
        return UUID(name)
    except ValueError:
        return None


def _institution(name: str) -> Institution | None:
    try:
        return institution(name)
    except Malformed:
        return None
