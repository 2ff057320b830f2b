"""What is looked for in the ledger: entries of one institution, by what they say of themselves."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pacs_secure.core.access import Action, Role
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.identifiers import Institution


@dataclass(frozen=True, slots=True)
class Sought:
    """Which entries are wanted; whatever is None or "" does not narrow."""

    institution: Institution
    since: datetime | None = None
    until: datetime | None = None
    """UTC; from the beginning until before the end."""
    action: Action | None = None
    outcome: Outcome | None = None
    role: Role | None = None
    department: str | None = None
    patients: frozenset[UUID] | None = None
    """Random names of patients, one of whom it is about; empty: nobody, so nothing is found."""
    study: UUID | None = None
    """Random name of the study it is about."""
    actor: str = ""
    """Keyed pseudonym of whoever acted."""
    newest_first: bool = True

    @property
    def aliases(self) -> frozenset[UUID] | None:
        """The random names by which an index narrows; None when nobody is named."""
        return self.patients if self.study is None else frozenset({self.study})

    def concerns(self, draft: Draft) -> bool:
        """Say whether an entry is about whom is named, in the right institution: what an index must not get wrong."""
        return (
            draft.institution == self.institution
            and self.study in {None, draft.study_alias}
            and (self.patients is None or draft.patient_alias in self.patients)
        )

    def fits(self, draft: Draft) -> bool:
        """Say whether an entry is wanted."""
        return (
            self.concerns(draft)
            and (self.since is None or draft.at >= self.since)
            and (self.until is None or draft.at < self.until)
            and self.action in {None, draft.action}
            and self.outcome in {None, draft.outcome}
            and self.role in {None, draft.role}
            and self.department in {None, draft.department}
            and self.actor in {"", draft.actor}
        )
