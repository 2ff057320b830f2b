"""Through whose eyes studies are seen: a subject with their proven ties, and what they may find with them."""

from collections.abc import Callable
from datetime import datetime, timedelta

from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.proofs import demand_tie
from pacs_secure.core.access import DEVICES, AccessRequest, Purpose, Scope, Subject, Viewer
from pacs_secure.core.audit import Draft
from pacs_secure.ports import Policy, Ties


class Viewers:
    """Gathers what a decision needs to know of whoever asks."""

    def __init__(
        self,
        policy: Policy,
        ties: Ties,
        seals: InstitutionSeals,
        now: Callable[[], datetime],
        after_treatment: timedelta,
    ) -> None:
        self._policy = policy
        self._ties = ties
        self._seals = seals
        self._now = now
        self._after_treatment = after_treatment

    def of(self, subject: Subject, purpose: Purpose | None, actor: str) -> Viewer:
        """Return the eyes of a subject whose pseudonym is ``actor``; "" has no ties.

        Raises:
            Tampered: the index holds a tie of theirs that the archive did not write.
            Unavailable: index or keys are out of reach.
        """
        now = self._now()
        why = purpose or self._policy.default_purpose(subject)
        held = self._ties.of_person(actor, now) if actor and subject.role not in DEVICES else ()
        return Viewer(
            subject.institution,
            subject.department,
            actor,
            why,
            now,
            (now - self._after_treatment).strftime("%Y%m%d"),
            tuple(demand_tie(self._seals.index(tie.institution), tie) for tie in held if tie.holds(now, why)),
        )

    def scope(self, request: AccessRequest, purpose: Purpose, actor: str) -> Scope:
        """Return what a search may see: the person's reach, and within it the device's, which has no ties."""
        subject, device = request.subject, request.device
        also = None
        if device is not None:
            its_own = self._policy.default_purpose(device) or purpose
            also = Scope(
                self.of(device, its_own, ""),
                self._policy.reaches(device, request.action, its_own),
                device.institution,
            )
        reaches = self._policy.reaches(subject, request.action, purpose)
        return Scope(self.of(subject, purpose, actor), reaches, subject.institution, also)


def nothing(request: AccessRequest, begun: Draft) -> Scope:
    """Return the scope of what searches nothing."""
    subject = request.subject
    viewer = Viewer(subject.institution, subject.department, begun.actor, request.purpose, begun.at, "")
    return Scope(viewer, frozenset(), subject.institution)
