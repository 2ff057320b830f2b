"""What shares and boards have in common: who may be invited, for how long, and what is kept of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID, uuid4

import orjson

from pacs_secure.archive.facts import Facts
from pacs_secure.archive.guard import Guard
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.proofs import proven
from pacs_secure.core.access import AccessRequest, Grant, Purpose, Relation, StudyFacts, Subject, Tie
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import ArchiveError, Conflict, Denied, Malformed, OverLimit
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.sharing import Person
from pacs_secure.ports import Records

T = TypeVar("T")

LONGEST_NAME = 256
"""Characters that name a person."""
MOST_LISTED = 500
"""Of a list that is answered, the newest first (ACC-04)."""


@dataclass(frozen=True, slots=True)
class Invitations:
    """Checks and seals what an invitation says, and finds what it is about."""

    guard: Guard
    facts: Facts
    records: Records
    seals: InstitutionSeals
    now: Callable[[], datetime]

    def actor(self, subject: Subject) -> str:
        """Return what stands for a subject in shares, boards and ties."""
        return self.guard.pseudonym(subject.institution, subject.identifier)

    @contextmanager
    def refusing(self, request: AccessRequest) -> Iterator[None]:
        """Record whatever the body refuses, before anybody hears of it."""
        try:
            yield
        except (Conflict, Denied, Malformed, OverLimit) as error:
            self.guard.refuse(request, {"error": type(error).__name__})
            raise

    def told(self, grant: Grant, tell: Callable[[], Sequence[T]]) -> Sequence[T]:
        """Open what a recorded read is to be told, and record how that came out."""
        try:
            found = tell()
        except ArchiveError as error:
            self.guard.finish_later(grant, Outcome.FAILED, {"error": type(error).__name__})
            raise
        self.guard.finish_later(grant, Outcome.COMPLETED, {"results": len(found)})
        return found

    def invited(self, inviter: Subject, person: Person) -> str:
        """Return what stands for a person who is to be invited.

        Raises:
            Malformed: nobody could bear the name, the institution is none of this archive, or they invite themselves.
        """
        if not 1 <= len(person.identifier) <= LONGEST_NAME or not person.identifier.isprintable():
            raise Malformed("a person is named by 1 to 256 printable characters")
        # An institution is of this archive once anything of it was met; nobody can make one by inviting into it.
        if self.records.institution_keys(person.institution, None) is None:
            raise Malformed("the institution is none of this archive")
        if (person.institution, person.identifier) == (inviter.institution, inviter.identifier):
            raise Malformed("nobody invites themselves")
        return self.guard.pseudonym(person.institution, person.identifier)

    def demand_end(self, until: datetime) -> None:
        """Refuse an end that has passed, or is farther away than an invitation may last."""
        now = self.now()
        if not now < until <= now + self.guard.terms.longest_invitation:
            raise Malformed(f"an invitation ends within {self.guard.terms.longest_invitation.days} days from now")

    def tie(
        self, study: StudyFacts, actor: str, person: Person, purpose: Purpose, ends_at: datetime, origin: UUID
    ) -> Tie:
        """Bind an invited person to a study from now until the end."""
        name = uuid4()
        box = self.seal("tie", study.institution, origin, name, named(person))
        bound = Tie(
            name,
            Relation.INVITED,
            study.institution,
            actor,
            study.alias,
            purpose,
            self.now(),
            ends_at,
            origin,
            box,
        )
        return proven(self.seals.index(study.institution), bound)

    def seal(self, level: str, of: Institution, origin: UUID, row: UUID | str, words: Mapping[str, str]) -> bytes:
        """Seal what is said of persons, bound to its place."""
        return self.seals.index(of).seal(level, str(origin), str(row), orjson.dumps(words))

    def open(self, level: str, of: Institution, origin: UUID, row: UUID | str, box: bytes) -> dict[str, str]:
        """Open what `seal` sealed."""
        words: dict[str, str] = orjson.loads(self.seals.index(of).open(level, str(origin), str(row), box))
        return words


def named(person: Person) -> dict[str, str]:
    """Write down who a person is."""
    return {"person": person.identifier, "institution": person.institution}


def identifier_of(text: str) -> UUID | None:
    """Read the random name of a share or board; None, which names nothing, for anything else."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.lower() else None
