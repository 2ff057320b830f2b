"""Own: which keys and objects of a study are proven to be its own, before any of them goes.

Whoever owns the database can write the key of anybody, or the object of another study, into a row of this one. They
cannot make an object of this study under that key: each row is held against its object, and one that is not proven
stops everything.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pacs_secure.archive.seals import Opener
from pacs_secure.core.errors import Conflict, Tampered
from pacs_secure.core.identifiers import Institution, KeyId, ObjectId
from pacs_secure.core.instance import InstanceRow
from pacs_secure.ports import Doomed, ForgettableKey, KeyUnwrapper, Shelf

MOST_LATE = 50
"""Objects that are proven inside a commit: whoever else writes waits for it."""

Pair = tuple[ObjectId, KeyId]


@dataclass(frozen=True, slots=True)
class Own:
    """What of a study was looked at so far."""

    proven: frozenset[Pair] = frozenset()
    """Objects of this very study, and the keys on its shelf that they are sealed under."""
    lost: frozenset[Pair] = frozenset()
    """Objects that name, as their rows do, a key that is not on the shelf: dead, and nobody can say whose."""

    there: Mapping[KeyId, ForgettableKey] = field(default_factory=dict, repr=False)
    """The keys of the proven ones."""

    def late(self, doomed: Doomed) -> Collection[ObjectId]:
        """Return the objects of a study that nobody has looked at yet.

        Raises:
            Conflict: one of its keys neither.
        """
        pairs = self.proven | self.lost
        if not doomed.key_ids <= {key_id for _, key_id in pairs}:
            raise Conflict("pictures came in under another key meanwhile")
        return set(doomed.object_ids) - {object_id for object_id, _ in pairs}

    def keys(self) -> tuple[KeyId, ...]:
        """Return the keys that may go."""
        return tuple(sorted({key_id for _, key_id in self.proven}))

    def objects(self) -> tuple[ObjectId, ...]:
        """Return the objects that may go."""
        return tuple(sorted(object_id for object_id, _ in self.proven))


@dataclass(frozen=True, slots=True)
class OwnObjects:
    """Looks at what the rows of a study name."""

    unwrapper: KeyUnwrapper
    opener: Opener

    def look(self, of: Institution, rows: Sequence[InstanceRow], known: Own) -> Own:
        """Return what is known, with the rows that are new.

        Raises:
            Tampered: an object is not this study's, or is not sealed under the key that its row names.
            Unavailable: keys or store are out of reach.
        """
        seen = known.proven | known.lost
        fresh = [row for row in rows if _pair(row) not in seen]
        return self._proven(known, fresh, self.unwrapper.fetch(of, Shelf.STUDY, list({_pair(row)[1] for row in fresh})))

    def look_in_commit(self, doomed: Doomed, known: Own) -> Own:
        """Return what is known, with the few that came in since under keys that are known; no vault is waited for.

        Raises:
            Conflict: there are many, or one of their keys is not known.
            Tampered: as `look`.
            Unavailable: the store is out of reach.
        """
        late = known.late(doomed)
        if not late:
            return known
        fresh = doomed.rows(late) if len(late) <= MOST_LATE else []
        if not fresh or not {row.sealed.study_key_id for row in fresh} <= known.there.keys():
            raise Conflict("pictures came in meanwhile")
        return self._proven(known, fresh, {})

    def _proven(self, known: Own, fresh: Sequence[InstanceRow], fetched: Mapping[KeyId, ForgettableKey]) -> Own:
        there = {**known.there, **fetched}
        for row in fresh:
            key = there.get(row.sealed.study_key_id)
            if not (self.opener.names_key(row) if key is None else self.opener.is_of(row, key)):
                raise Tampered("an object that the rows of the study name is not its own, or not under this key")
        pairs = set(map(_pair, fresh))
        lost = {pair for pair in pairs if pair[1] not in there}
        return Own(known.proven | (pairs - lost), known.lost | lost, there)


def _pair(row: InstanceRow) -> Pair:
    return row.sealed.object_id, row.sealed.study_key_id
