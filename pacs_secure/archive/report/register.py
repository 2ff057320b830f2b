"""What is told act by act: refusals and their rules, sharing, disclosures, and what oversight itself did."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from pacs_secure.archive.report.counting import MOST_LISTED, moment
from pacs_secure.archive.report.ruling import relation_of
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.reports import Cell, Table
from pacs_secure.core.vocabulary import Action, Relation, Role

EVENTS: dict[str, frozenset[Action]] = {
    "sharing": frozenset(
        {
            Action.BOARD_ADMIT,
            Action.BOARD_CHANGE,
            Action.BOARD_CONVENE,
            Action.SHARE_CREATE,
            Action.SHARE_REDEEM,
            Action.SHARE_REVOKE,
        }
    ),
    "erasures": frozenset({Action.STUDY_ERASE, Action.STUDY_FORGET, Action.LEDGER_EXPIRE}),
    "policy": frozenset({Action.POLICY_PROPOSE, Action.POLICY_APPROVE}),
    "keys": frozenset({Action.DEVICE_ENROL, Action.KEYS_REWRAP, Action.KEYS_ROTATE}),
    "revocations": frozenset({Action.DEVICE_REVOKE, Action.SESSION_REVOKE}),
    "alarms": frozenset({Action.SYSTEM_ALARM, Action.SYSTEM_START, Action.SYSTEM_STOP}),
    "oversight": frozenset(
        {
            Action.ARCHIVE_REBUILD,
            Action.ARCHIVE_VERIFY,
            Action.BACKUP_CREATE,
            Action.BACKUP_RESTORE,
            Action.BACKUP_VERIFY,
            Action.INCIDENT_REPORT,
            Action.KEYS_STATUS,
            Action.LEDGER_APPROVE,
            Action.LEDGER_ASK,
            Action.LEDGER_DISCLOSE,
            Action.LEDGER_FEED,
            Action.LEDGER_READ,
            Action.LEDGER_REPORT,
            Action.LEDGER_VERIFY,
        }
    ),
}
"""Chapters that list acts, and which."""

_CHAPTER = {action: chapter for chapter, actions in EVENTS.items() for action in actions}
_COLUMNS = ("at", "action", "outcome", "role", "actor", "facts")
_UNTOLD = frozenset({"protocol", "reported"})
_LONGEST_FACTS = 200


@dataclass(slots=True)
class _Delivered:
    acts: int = 0
    patients: set[int] = field(default_factory=set)
    objects: int = 0
    octets: int = 0


class Register:
    """Keeps the rows of every chapter that lists acts, each up to `MOST_LISTED`."""

    def __init__(self) -> None:
        self._events: dict[str, list[tuple[Cell, ...]]] = {chapter: [] for chapter in EVENTS}
        self._beyond: Counter[str] = Counter()
        self._refusals: Counter[tuple[str, str, str, str]] = Counter()
        self._invited: Counter[str] = Counter()
        self._delivered: defaultdict[tuple[str, str, str], _Delivered] = defaultdict(_Delivered)

    def add(self, draft: Draft) -> None:
        """Take the next entry of the period."""
        action, outcome = draft.action, draft.outcome
        if outcome is Outcome.REFUSED:
            error = str(draft.facts.get("error", ""))
            self._refusals[action.value, draft.rule, error, draft.door.value] += 1
        if action is Action.STUDY_READ:
            if outcome is not Outcome.REFUSED:
                self._deliver(draft)
        elif action in _CHAPTER and outcome is not Outcome.BEGUN:
            self._list(_CHAPTER[action], draft)

    def refusals(self) -> Table:
        """Return what was refused, by act, rule and door, the most frequent first."""
        rows = sorted(((*what, count) for what, count in self._refusals.items()), key=lambda row: (-row[4], row))
        columns = ("action", "rule", "error", "door", "acts")
        return Table("refusals", columns, tuple(rows[:MOST_LISTED]), max(0, len(rows) - MOST_LISTED))

    def recipients(self) -> Table:
        """Return who was invited to studies, and how often."""
        rows = sorted(self._invited.items(), key=lambda row: (-row[1], row[0]))
        return Table("recipients", ("actor", "shares"), tuple(rows[:MOST_LISTED]), max(0, len(rows) - MOST_LISTED))

    def disclosures(self) -> Table:
        """Return to whom beyond the house, or to which device, pictures went (GDPR 15(1)(c), 19)."""
        rows = sorted(
            ((*to, one.acts, len(one.patients), one.objects, one.octets) for to, one in self._delivered.items()),
            key=lambda row: (-row[3], row),
        )
        columns = ("recipient_kind", "recipient", "origin", "reads", "patients", "objects", "bytes")
        return Table("disclosures", columns, tuple(rows[:MOST_LISTED]), max(0, len(rows) - MOST_LISTED))

    def chapters(self) -> tuple[Table, ...]:
        """Return what happened, chapter by chapter, in the order of the ledger."""
        return tuple(Table(name, _COLUMNS, tuple(rows), self._beyond[name]) for name, rows in self._events.items())

    def _list(self, chapter: str, draft: Draft) -> None:
        if draft.action is Action.SHARE_CREATE and draft.outcome is Outcome.COMPLETED:
            self._invited[str(draft.facts.get("invitee", ""))] += 1
        rows = self._events[chapter]
        if len(rows) >= MOST_LISTED:
            self._beyond[chapter] += 1
            return
        said = "; ".join(f"{name}={value}" for name, value in sorted(draft.facts.items()) if name not in _UNTOLD)
        row = (moment(draft), draft.action.value, draft.outcome.value, draft.role.value, draft.actor)
        rows.append((*row, said[:_LONGEST_FACTS]))

    def _deliver(self, draft: Draft) -> None:
        to = _recipient(draft)
        if to is None:
            return
        delivered = self._delivered[to]
        if draft.outcome is Outcome.BEGUN:
            delivered.acts += 1
            if draft.patient_alias is not None:
                delivered.patients.add(draft.patient_alias.int)
        else:
            delivered.objects += _number(draft, "objects")
            delivered.octets += _number(draft, "bytes")


def _recipient(draft: Draft) -> tuple[str, str, str] | None:
    """Say who, beyond those who work here, received what a read delivered."""
    facts = draft.facts
    if "from_institution" in facts:
        return "institution", draft.actor, str(facts["from_institution"])
    if draft.role is Role.GUEST:
        return "guest", draft.actor, draft.department
    if "device" in facts:
        return "device", str(facts["device"]), draft.department
    if draft.role is Role.WORKSTATION:
        return "device", draft.actor, draft.department
    if relation_of(draft.rule) is Relation.INVITED:
        return "invited", draft.actor, draft.department
    return None


def _number(draft: Draft, name: str) -> int:
    value = draft.facts.get(name, 0)
    return value if isinstance(value, int) else 0
