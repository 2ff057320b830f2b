"""Questions about employees in memory beside a `MemoryLedger`."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Conflict, Denied, NotFound
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.questions import EmployeeQuestion, Ruling
from tests.fakes import MemoryLedger


class MemoryEmployeeQuestions:
    """Questions in memory; damage ``kept`` to see whether anybody notices."""

    def __init__(self, ledger: MemoryLedger | None = None) -> None:
        self.ledger = ledger or MemoryLedger()
        self.kept: dict[UUID, EmployeeQuestion] = {}

    def ask(self, permit: Permit, question: EmployeeQuestion, draft: Draft) -> None:
        if permit.request.subject.institution != question.institution:
            raise Denied("institutions are strictly apart")
        self.ledger.append(draft)
        self.kept[question.question_id] = question

    def rule(self, permit: Permit, question_id: UUID, ruling: Ruling, draft: Draft) -> None:
        found = self.get(permit.request.subject.institution, question_id)
        if found is None:
            raise NotFound("no such object")
        if found.ruling is not None:
            raise Conflict("somebody has ruled on this before")
        self.ledger.append(draft)
        self.kept[question_id] = replace(found, ruling=ruling)

    def get(self, institution: Institution, question_id: UUID) -> EmployeeQuestion | None:
        found = self.kept.get(question_id)
        return None if found is None or found.institution != institution else found

    def listed(self, institution: Institution, limit: int) -> Sequence[EmployeeQuestion]:
        of_house = [one for one in self.kept.values() if one.institution == institution]
        return of_house[::-1][:limit]
