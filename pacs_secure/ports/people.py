"""Who decides, who proves who they are, and which devices are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pacs_secure.core.access import Action, Decision, Permit, Purpose, Reach, Relation, Safeguard, Subject
from pacs_secure.core.audit import Draft
from pacs_secure.core.devices import Device


class Policy(Protocol):
    """Decides (PDP); the Guard enforces."""

    @property
    def version(self) -> str:
        """Digest of model, policy and roles; stands in every ledger entry."""

    def decide(
        self,
        subject: Subject,
        action: Action,
        purpose: Purpose,
        relations: frozenset[Relation],
        safeguards: frozenset[Safeguard] = frozenset(),
    ) -> Decision:
        """Decide one act, given every relation of the subject to the study and every safeguard of it."""

    def reaches(self, subject: Subject, action: Action, purpose: Purpose) -> frozenset[Reach]:
        """Return every way on which the act is allowed: what a search may see."""

    def default_purpose(self, subject: Subject) -> Purpose | None:
        """Return the declared purpose of the subject's role, if it has one (ACC-01)."""

    def needs_second_factor(self, subject: Subject, action: Action, purpose: Purpose) -> bool:
        """Say whether the act is for those only who proved themselves by a second factor (ACC-09)."""


@dataclass(frozen=True, slots=True)
class Identified:
    """A subject whose credential was verified, and the purpose that the credential itself claims."""

    subject: Subject
    purpose: Purpose | None


class Authenticator(Protocol):
    """Turns a bearer token into a subject."""

    def authenticate(self, token: str, address: str) -> Identified:
        """Verify the token wholly; raise `Unauthenticated` for any flaw, without saying which to the caller."""


@dataclass(frozen=True, slots=True)
class Behind:
    """A person who stands behind a device, for the minutes that their token is good for."""

    subject: Subject
    purpose: Purpose | None
    ends_at: datetime
    """UTC."""


class DeviceAuthenticator(Protocol):
    """Turns what a device says of the person behind it into a subject (PS3.7 D.3.3.7, type 5)."""

    def authenticate(self, token: bytes, address: str, certificate_sha256: bytes) -> Behind:
        """Verify a token wholly, and that it comes for the first time, over the certificate it names.

        Raises:
            Unauthenticated: it has any flaw, and nobody is told which.
            Unavailable: nobody can say now.
        """


class UsedTokens(Protocol):
    """Remembers tokens that may come once only, beyond the life of a process."""

    def use(self, digest: bytes, until: datetime, now: datetime) -> bool:
        """Remember a token until it has ended; false when it was used before.

        Raises:
            Unavailable: it cannot be remembered, or too many are.
        """


class Devices(Protocol):
    """The enrolled DICOM nodes."""

    def by_certificate(self, spki_sha256: bytes) -> Device | None:
        """Return the device whose certificate carries this public key."""

    def by_ae_title(self, ae_title: str) -> Device | None:
        """Return the device of that name, revoked or not."""

    def enrol(self, permit: Permit, device: Device, draft: Draft) -> None:
        """Add or replace the device of that AE title, and record it, in one commit.

        Raises:
            Conflict: another institution holds the AE title, or another device the certificate.
            Denied: the Permit is another institution's.
        """

    def change(self, permit: Permit, before: Device, after: Device, draft: Draft) -> None:
        """Change a device that is still as it was read, and record it, in one commit.

        Raises:
            Conflict: it has been changed meanwhile, or another device holds the certificate.
            Denied: the Permit is another institution's.
        """

    def all(self) -> Sequence[Device]:
        """Return every device, revoked ones too."""
