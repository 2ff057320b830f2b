"""Which studies were forgotten, as the ledger tells it to whoever makes a lost index anew.

The random name of a study goes with the index, so the entry of its fence carries a token of its UID: made under the
institution's index key, it tells nobody else which study that was.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from pacs_secure.core.access import Action
from pacs_secure.core.audit import LedgerEntry, Outcome
from pacs_secure.core.identifiers import Institution, ObjectId, Uid, made_at
from pacs_secure.crypto.index_seal import IndexSeal
from pacs_secure.crypto.tlog import read_draft

STUDY_TOKEN = "study_token"  # noqa: S105 - the name of a fact
_TOLD = f'"{STUDY_TOKEN}"'.encode()


def token_of(seal: IndexSeal, study_instance_uid: Uid) -> str:
    """Return what stands for a study in the entry that says that it was forgotten."""
    return seal.prove("forgotten study", study_instance_uid.encode()).hex()


class ForgottenStudies:
    """What of the objects in a store belongs to a study that was forgotten."""

    def __init__(self, entries: Iterable[LedgerEntry], seal_of: Callable[[Institution], IndexSeal]) -> None:
        """Read the ledger once; raise `Tampered` where an entry is none."""
        self._seal_of = seal_of
        self._fenced: dict[tuple[Institution, str], datetime] = {}
        for entry in entries:
            if _TOLD in entry.content:
                self._take(entry)

    def had(self, of: Institution, study_instance_uid: Uid, object_id: ObjectId) -> bool:
        """Whether an object was made for a study before that was forgotten: what came later is another one's."""
        if not self._fenced:
            return False
        at = self._fenced.get((of, token_of(self._seal_of(of), study_instance_uid)))
        return at is not None and made_at(object_id) <= at

    def _take(self, entry: LedgerEntry) -> None:
        draft = read_draft(entry.content)
        if (draft.action, draft.outcome) != (Action.STUDY_FORGET, Outcome.COMPLETED):
            return
        named = draft.institution, str(draft.facts.get(STUDY_TOKEN))
        self._fenced[named] = max(draft.at, self._fenced.get(named, draft.at))
