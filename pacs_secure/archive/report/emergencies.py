"""Broken glasses as the ledger tells of them: opened, used, and judged or still waiting for it (ACC-06)."""

from dataclasses import dataclass

from pacs_secure.archive.report.counting import MOST_LISTED, moment
from pacs_secure.archive.report.ruling import relation_of
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.reports import Table
from pacs_secure.core.vocabulary import Action, Relation

ABOUT = frozenset({Action.BREAK_GLASS_OPEN, Action.BREAK_GLASS_REVIEW})
UNREVIEWED = "open"


@dataclass(slots=True)
class _Glass:
    opened: Draft
    within: bool
    """Whether it was broken in the period itself."""
    judgement: str = UNREVIEWED
    judged_at: str = ""


class BrokenGlasses:
    """Follows every emergency from its beginning, also those that were opened before the period."""

    def __init__(self) -> None:
        self._glasses: dict[str, _Glass] = {}
        self._reads: dict[tuple[str, object], int] = {}

    def before(self, draft: Draft) -> None:
        """Take an entry from before the period."""
        self._follow(draft, within=False)

    def add(self, draft: Draft) -> None:
        """Take the next entry of the period."""
        if draft.action is Action.STUDY_READ:
            if draft.outcome is Outcome.BEGUN and relation_of(draft.rule) is Relation.EMERGENCY:
                whose = draft.actor, draft.patient_alias
                self._reads[whose] = self._reads.get(whose, 0) + 1
        else:
            self._follow(draft, within=True)

    def unreviewed(self) -> int:
        """Return how many waited for their review when the period ended."""
        return sum(glass.judgement == UNREVIEWED for glass in self._glasses.values())

    def table(self) -> Table:
        """List those of the period and those that still waited, oldest first."""
        told = [glass for glass in self._glasses.values() if glass.within or glass.judgement == UNREVIEWED]
        rows = sorted(
            (
                moment(glass.opened),
                glass.opened.role.value,
                glass.opened.department,
                glass.opened.actor,
                str(glass.opened.patient_alias),
                str(glass.opened.facts.get("ends_at", ""))[:19],
                self._reads.get((glass.opened.actor, glass.opened.patient_alias), 0),
                glass.judgement,
                glass.judged_at,
            )
            for glass in told
        )
        columns = ("at", "role", "department", "actor", "patient", "until", "reads", "review", "reviewed_at")
        return Table("break-glass", columns, tuple(rows[:MOST_LISTED]), max(0, len(rows) - MOST_LISTED))

    def _follow(self, draft: Draft, *, within: bool) -> None:
        if draft.outcome is not Outcome.COMPLETED:
            return
        name = str(draft.facts.get("emergency", ""))
        if draft.action is Action.BREAK_GLASS_OPEN:
            self._glasses[name] = _Glass(draft, within)
        elif draft.action is Action.BREAK_GLASS_REVIEW and name in self._glasses:
            glass = self._glasses[name]
            glass.judgement, glass.judged_at = str(draft.facts.get("judgement", "")), moment(draft)
