"""What ledger entries say of persons, opened for whoever was granted it; forgotten keys leave it shut for ever."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import orjson

from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.crypto.index_seal import DetailsSeal
from pacs_secure.ports import KeyUnwrapper, Shelf

MOST_KEYS = 100
"""Keys that the shelf is asked for at once."""


class Details:
    """Opens the sealed part of entries, each under the key that it names itself."""

    def __init__(self, unwrapper: KeyUnwrapper) -> None:
        self._unwrapper = unwrapper

    def open(self, drafts: Sequence[Draft]) -> list[dict[str, str] | None]:
        """Return what each draft says of persons, in order: its ``subject``, and what was asked for in private.

        None stands where a draft has no details, or where their key was forgotten.

        Raises:
            Tampered: details do not open under the key they name, or are none.
            Unavailable: the shelf is out of reach.
        """
        seals = self._seals(drafts)
        return [_opened(draft, seals) for draft in drafts]

    def _seals(self, drafts: Iterable[Draft]) -> dict[KeyId, DetailsSeal]:
        named: defaultdict[Institution, set[KeyId]] = defaultdict(set)
        for draft in drafts:
            if draft.details is not None:
                named[draft.institution].add(draft.details.key_id)
        seals = {}
        for institution, key_ids in named.items():
            for some in _batches(sorted(key_ids)):
                found = self._unwrapper.fetch(institution, Shelf.LEDGER, some)
                seals.update({key_id: DetailsSeal(kept.key) for key_id, kept in found.items()})
        return seals


def _batches(key_ids: Sequence[KeyId]) -> Iterable[Sequence[KeyId]]:
    return (key_ids[start : start + MOST_KEYS] for start in range(0, len(key_ids), MOST_KEYS))


def _opened(draft: Draft, seals: dict[KeyId, DetailsSeal]) -> dict[str, str] | None:
    if draft.details is None or draft.details.key_id not in seals:
        return None
    try:
        told = orjson.loads(seals[draft.details.key_id].open(draft.act, draft.details.box))
    except orjson.JSONDecodeError:
        raise Tampered("the details of an entry are none") from None
    if not isinstance(told, dict):
        raise Tampered("the details of an entry are none")
    return told
