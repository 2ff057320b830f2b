"""Finding: one query, narrowed by the decision's scope in SQL, verified against the opened candidates.

The index without keys narrows by plain columns and keyed tokens; whatever it cannot decide alone
(names, descriptions, wildcards) is matched here against the real DICOM rules (PS3.4 C.2.2.2).
What the caller may not see never leaves the database, so no count betrays it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

from pacs_secure.archive.answers import compose, merge
from pacs_secure.archive.guard import Guard
from pacs_secure.archive.indexing import open_hit
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.narrowing import decided, decides_alone, narrow
from pacs_secure.archive.proofs import demand_study
from pacs_secure.core.access import AccessRequest, Action, Grant, Purpose, Scope, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import ArchiveError, Malformed, OverLimit, Tampered
from pacs_secure.core.instance import SealedHit
from pacs_secure.core.query import MOST_RESULTS, MatchKey, Query
from pacs_secure.crypto.index_seal import IndexSeal
from pacs_secure.dicom.matching import matches, significant_characters
from pacs_secure.ports import Records

MOST_CANDIDATES = 20_000
"""Opened candidates a search may cost before it is asked to be more precise."""

FEWEST_CHARACTERS = 3
"""Of a wildcard or fuzzy search that are letters or digits (ACC-04)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search found."""

    results: list[bytes]
    """Serialised DICOM JSON objects, newest study first."""
    truncated: bool
    """Whether more would have matched than the limit let through."""


@dataclass(frozen=True, slots=True)
class Search:
    """The verb: find studies, series or instances."""

    guard: Guard
    records: Records
    seals: InstitutionSeals

    def find(
        self,
        subject: Subject,
        purpose: Purpose | None,
        query: Query,
        *,
        details: dict[str, str],
        device: Subject | None = None,
    ) -> Answer:
        """Answer one query within what the subject may see, and the device that they act through when they do.

        Raises:
            Malformed: only wildcards, or too few letters and digits beside them (ACC-04).
            Denied: the subject may not search, or named no purpose.
            OverLimit: too many candidates would have to be opened; narrow the query.
            Unavailable: index key, ledger or index are out of reach.
        """
        asked = {key.keyword: "\\".join(key.values) for key in query.keys}
        request = AccessRequest(subject, Action.STUDY_SEARCH, purpose, details=details, private=asked, device=device)
        if _too_vague(query):
            self.guard.refuse(request, {"error": "Malformed"})
            raise Malformed("a wildcard or fuzzy search needs at least three letters or digits")
        grant = self.guard.admit(request)
        try:
            answer = self._find(grant, query)
        except ArchiveError as error:
            self.guard.finish_later(grant, Outcome.FAILED, {"error": type(error).__name__})
            raise
        self.guard.finish_later(grant, Outcome.COMPLETED, {"results": len(answer.results)})
        return answer

    def _find(self, grant: Grant, query: Query) -> Answer:
        limit = min(query.limit, MOST_RESULTS)
        elsewhere = grant.scope.inviting
        # Paging is done in SQL where that decides alone and one institution answers.
        alone = not elsewhere and decides_alone(query)
        found = chain.from_iterable(
            self._within(grant.scope.of(institution), query, limit + 1 if alone else None)
            for institution in (grant.scope.institution, *elsewhere)
        )
        page = islice(found, 0 if alone else query.offset, None)
        results = list(islice(page, limit))
        return Answer(results, truncated=next(page, None) is not None)

    def _within(self, scope: Scope, query: Query, limit: int | None) -> Iterator[bytes]:
        """Yield what one institution has: the caller's own first, then each that has invited them."""
        seal = self.seals.index(scope.institution)
        hits = self.records.search(scope, narrow(seal, query, limit))
        yield from self._matching(seal, query, (_proven(seal, scope, hit) for hit in hits))

    @staticmethod
    def _matching(seal: IndexSeal, query: Query, hits: Iterator[SealedHit]) -> Iterator[bytes]:
        # What SQL has decided may ask for what lies below the level, and stand on no hit.
        left = [key for key in query.keys if not decided(key)]
        for opened, hit in enumerate(hits):
            if opened == MOST_CANDIDATES:
                raise OverLimit("too many candidates; add a date, an identifier or more of the name")
            attributes = merge(hit, open_hit(seal, hit))
            if all(matches(attributes, key, fuzzy=query.fuzzy) for key in left):
                yield compose(attributes, query)


def _proven(seal: IndexSeal, scope: Scope, hit: SealedHit) -> SealedHit:
    """Believe no hit that the scope does not hold by facts which are proven: SQL narrows, it does not decide."""
    if not scope.holds(demand_study(seal, hit.stored)):
        raise Tampered("the index answered with a study out of scope")
    return hit


def _too_vague(query: Query) -> bool:
    if not any(_is_pattern(key, fuzzy=query.fuzzy) for key in query.keys):
        return False
    return sum(significant_characters(key) for key in query.keys) < FEWEST_CHARACTERS


def _is_pattern(key: MatchKey, *, fuzzy: bool) -> bool:
    """Whether a key asks for more than one value; a fuzzy name asks for all that begin with it."""
    return (fuzzy and key.vr == "PN") or any("*" in value or "?" in value for value in key.values)
