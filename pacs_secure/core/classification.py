"""The facts of a study that decisions rest on, as officers keep them, and how they change."""

from dataclasses import dataclass, replace
from datetime import date

from pacs_secure.core.access import StudyFacts
from pacs_secure.core.errors import Malformed
from pacs_secure.core.vocabulary import LABELS, Safeguard

LONGEST_DEPARTMENT = 64


@dataclass(frozen=True, slots=True)
class Classification:
    """What decisions about a study rest on, beyond who asks; it names no person."""

    department: str
    labels: frozenset[Safeguard] = frozenset()
    """Why it is specially protected; `LABELS` only (ACC-08)."""
    restricted: bool = False
    """Whether its processing is restricted (GDPR 18)."""
    held: bool = False
    """Whether a legal hold lies on it (GDPR 17(3)(e))."""
    treatment_ended_on: date | None = None
    """The day on which the treatment it belongs to ended; None while it lasts (ACC-07)."""

    def told(self) -> dict[str, str]:
        """Return each fact in words for the ledger."""
        return {
            "department": self.department,
            "labels": " ".join(sorted(self.labels)),
            "restricted": _said(yes=self.restricted),
            "held": _said(yes=self.held),
            "treatment_ended_on": self.treatment_ended_on.isoformat() if self.treatment_ended_on else "",
        }


@dataclass(frozen=True, slots=True)
class Reclassification:
    """What is to change of a `Classification`, and nothing else: whatever is not named stays as it is."""

    department: str | None = None
    add_labels: frozenset[Safeguard] = frozenset()
    remove_labels: frozenset[Safeguard] = frozenset()
    restricted: bool | None = None
    held: bool | None = None
    treatment_ended_on: date | None = None
    treatment_goes_on: bool = False
    """Whether a treatment that had ended goes on after all."""

    def demand_sound(self, today: date) -> None:
        """Refuse a change that cannot be meant.

        Raises:
            Malformed: it changes nothing, contradicts itself, or a value is none.
        """
        if self == Reclassification():
            raise Malformed("nothing is to change")
        if not self.add_labels | self.remove_labels <= LABELS:
            raise Malformed(f"a study may be labelled {', '.join(sorted(LABELS))}")
        if self.add_labels & self.remove_labels:
            raise Malformed("a label cannot be given and taken at once")
        if self.treatment_goes_on and self.treatment_ended_on is not None:
            raise Malformed("a treatment cannot end and go on at once")
        if self.treatment_ended_on is not None and self.treatment_ended_on > today:
            raise Malformed("a treatment cannot have ended in the future")
        if self.department is not None and not is_department(self.department):
            raise Malformed(f"a department is named by 1 to {LONGEST_DEPARTMENT} printable characters")

    def applied_to(self, before: Classification) -> Classification:
        """Return the facts as they are after the change."""
        ended_on = self.treatment_ended_on or before.treatment_ended_on
        return replace(
            before,
            department=before.department if self.department is None else self.department,
            labels=before.labels - self.remove_labels | self.add_labels,
            restricted=before.restricted if self.restricted is None else self.restricted,
            held=before.held if self.held is None else self.held,
            treatment_ended_on=None if self.treatment_goes_on else ended_on,
        )


def classification_of(study: StudyFacts) -> Classification:
    """Return the facts of a study that somebody keeps, whoever looks at them."""
    ended_on = study.treatment_ended_on
    return Classification(
        study.department,
        study.safeguards & LABELS,
        restricted=Safeguard.RESTRICTED in study.safeguards,
        held=study.held,
        treatment_ended_on=date.fromisoformat(ended_on) if ended_on else None,
    )


def classified(study: StudyFacts, as_: Classification) -> StudyFacts:
    """Return what is known of a study once it is classified so."""
    return replace(
        study,
        department=as_.department,
        safeguards=as_.labels | ({Safeguard.RESTRICTED} if as_.restricted else frozenset()),
        held=as_.held,
        treatment_ended_on=f"{as_.treatment_ended_on:%Y%m%d}" if as_.treatment_ended_on else "",
    )


def difference(before: Classification, after: Classification) -> dict[str, str]:
    """Return what changed as it was and as it is, in words for the ledger."""
    was, is_now = before.told(), after.told()
    changed = [name for name in was if was[name] != is_now[name]]
    return {f"{name}_{when}": told[name] for name in changed for when, told in (("before", was), ("after", is_now))}


def is_department(text: str) -> bool:
    """Say whether a text may name a department."""
    return 0 < len(text) <= LONGEST_DEPARTMENT and text == text.strip() and text.isprintable()


def _said(*, yes: bool) -> str:
    return "yes" if yes else "no"
