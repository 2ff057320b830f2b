"""Who was let in: a device, perhaps with a person behind it; both must still be welcome at every operation."""

import time
from dataclasses import dataclass

from pacs_secure.core.access import Purpose, Subject
from pacs_secure.core.errors import Denied, Unauthenticated
from pacs_secure.dimse.household import Household
from pacs_secure.dimse.identity import Caller, subject_of
from pacs_secure.ports import Behind, Device


@dataclass(frozen=True, slots=True)
class Actor:
    """In whose name an operation is done."""

    subject: Subject
    purpose: Purpose | None
    device: Subject | None
    """The device that the subject acts through; None when the subject is the device."""


class Refused(Denied):
    """An operation refused before any decision, and in whose name that is to be recorded."""

    def __init__(self, actor: Actor, reason: str) -> None:
        super().__init__(reason)
        self.actor = actor


class Visitor:
    """A device with a certificate, and the person behind it."""

    def __init__(self, household: Household, caller: Caller, device: Device, behind: Behind | None) -> None:
        self._household = household
        self._caller = caller
        self._behind = behind
        self._seen: tuple[Device, str | None] = (device, None)
        self._looked_at = time.monotonic()

    @property
    def device(self) -> Device:
        """The device as it was enrolled when it was last looked up."""
        return self._seen[0]

    def actor(self) -> Actor:
        """Return in whose name something is done now: the person's when there is one."""
        device = subject_of(self.device, self._caller.address)
        if self._behind is None:
            return Actor(device, None, None)
        return Actor(self._behind.subject, self._behind.purpose, device)

    def storing(self, sop_class_uid: str) -> Actor:
        """Return who stores an instance of this class.

        Raises:
            Refused: they may no longer be here, or the device was not enrolled for this.
        """
        if time.monotonic() - self._looked_at > self._household.look_again:
            self.look_again()
        device, wrong = self._seen
        if wrong is None and self._has_ended():
            wrong = "the person's token has ended"
        if wrong is None and "store" not in device.operations:
            wrong = "the device may not store"
        if wrong is None and not device.may_bring(sop_class_uid):
            wrong = "the device may not bring this SOP class"
        if wrong is not None:
            raise Refused(self.actor(), wrong)
        return self.actor()

    def look_again(self) -> str | None:
        """Say why they may no longer be here, or None when they may.

        Raises:
            Unavailable: nobody can say now.
        """
        device, wrong = self._household.looked_up(self._caller)
        reason = str(wrong) if wrong else self._revoked_login()
        self._seen = (device or self.device, reason)
        self._looked_at = time.monotonic()
        return reason

    def _has_ended(self) -> bool:
        people = self._household.people
        return self._behind is not None and (people is None or people.now() >= self._behind.ends_at)

    def _revoked_login(self) -> str | None:
        if self._behind is None or self._household.people is None:
            return None
        try:
            self._household.people.demand_valid(self._behind.subject)
        except Unauthenticated:
            return "the person's login is revoked"
        return None


def admit(household: Household, caller: Caller, device: Device) -> Visitor:
    """Let a device in whose certificate was looked at, and prove who stands behind it when it names somebody.

    Raises:
        Unauthenticated: what it says of a person proves nobody, or nobody of the device's institution.
        Unavailable: nobody can say now.
    """
    token = caller.token
    if token is None:
        return Visitor(household, caller, device, None)
    if household.people is None or caller.certificate is None:
        raise Unauthenticated("nobody is proven here")
    behind = household.people.authenticator.authenticate(token, caller.address, caller.certificate.sha256)
    household.people.demand_valid(behind.subject)
    if behind.subject.institution != device.institution:
        raise Unauthenticated("a person of another institution")
    return Visitor(household, caller, device, behind)
