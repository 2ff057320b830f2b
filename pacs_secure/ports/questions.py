"""Questions about named employees, kept with what a second person said to them (LOG-07)."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.questions import EmployeeQuestion, Ruling


class EmployeeQuestions(Protocol):
    """Who asked and who ruled; nothing of it is believed without its proof."""

    def ask(self, permit: Permit, question: EmployeeQuestion, draft: Draft) -> None:
        """Keep a question and record it, in one commit.

        Raises:
            Denied: the Permit is another institution's.
        """

    def rule(self, permit: Permit, question_id: UUID, ruling: Ruling, draft: Draft) -> None:
        """Keep the one ruling on a question and record it, in one commit.

        Raises:
            Conflict: somebody has ruled on it before.
            NotFound: the Permit's institution has no such question.
        """

    def get(self, institution: Institution, question_id: UUID) -> EmployeeQuestion | None:
        """Return a question of an institution, or None."""

    def listed(self, institution: Institution, limit: int) -> Sequence[EmployeeQuestion]:
        """Return the questions of an institution, the newest first."""
