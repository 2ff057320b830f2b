"""DICOM nodes made known, renewed, taken back and listed: each decided, and recorded in the commit that does it.

Whatever else has to happen happens around that commit: a certificate is issued before it, and the
one it replaces is revoked after it. Until then the device row alone says who is let in.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pacs_secure.archive.guard import Guard
from pacs_secure.core.access import AccessRequest, Action, Permit, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import ArchiveError, Conflict, Malformed, Unavailable
from pacs_secure.crypto.certificates import read_certificate
from pacs_secure.ports import CertificateAuthority, Device, Devices, IssuedCertificate

LOGGER = logging.getLogger(__name__)

LONGEST_REASON = 1000
"""Characters of why a device is revoked."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The verb: make devices known by their certificates, and unknown again."""

    guard: Guard
    devices: Devices
    authority: CertificateAuthority
    now: Callable[[], datetime]

    def enrol(self, subject: Subject, device: Device) -> None:
        """Add or replace the device of that AE title, known by a certificate that it has already.

        Raises:
            Denied: the subject may not enrol devices.
            Conflict: the AE title or the certificate belongs to another device.
        """
        permit = self._permit(subject, device)
        before = self._before(permit, device)
        self._keep(permit, device)
        self._replace_certificate(before, device)

    def issue(self, subject: Subject, device: Device) -> IssuedCertificate:
        """Add or replace the device of that AE title with a new certificate, whose key is kept nowhere here.

        Raises:
            Denied: the subject may not enrol devices.
            Conflict: the AE title belongs to another institution's device.
            Unavailable: the authority issues nothing now; the device is as it was.
        """
        permit = self._permit(subject, device)
        return self._issue(permit, self._before(permit, device), device)

    def renew(self, subject: Subject, ae_title: str) -> IssuedCertificate:
        """Give a device a new certificate; the one it has is revoked once the new one is known.

        Raises:
            Denied: the subject may not enrol devices.
            NotFound: there is no such device in the subject's institution.
            Conflict: it is revoked, or was changed meanwhile.
            Unavailable: the authority issues nothing now; the device is as it was.
        """
        request = AccessRequest(subject, Action.DEVICE_ENROL, None, details={"ae_title": ae_title, "renewed": "yes"})
        permit = self.guard.decide(request)
        device = self._own(permit, ae_title)
        if device.revoked_at is not None:
            self._failed(permit, "Conflict")
            raise Conflict("a revoked device is enrolled anew, not renewed")
        return self._issue(permit, device, device)

    def revoke(self, subject: Subject, ae_title: str, reason: str) -> Device:
        """Let a device in no more, and have the authority revoke its certificate; both again if need be.

        Raises:
            Malformed: no reason is given, or too long a one.
            Denied: the subject may not revoke devices.
            NotFound: there is no such device in the subject's institution.
            Unavailable: it is revoked here, but the authority could not be told; ask again.
        """
        why = reason.strip()
        if not 0 < len(why) <= LONGEST_REASON:
            raise Malformed("a reason is needed, of 1,000 characters at most")
        details, private = {"ae_title": ae_title}, {"reason": why}
        request = AccessRequest(subject, Action.DEVICE_REVOKE, None, details=details, private=private)
        permit = self.guard.decide(request)
        device = self._own(permit, ae_title)
        revoked = device if device.revoked_at else replace(device, revoked_at=self.now())
        draft = self.guard.draft(permit, Outcome.COMPLETED, _named(device))
        self.devices.change(permit, device, revoked, draft)
        try:
            self.authority.revoke(device.serial)
        except Unavailable:
            self._failed(permit, "Unavailable")
            raise Unavailable("the device is revoked here, but its authority could not be told: revoke again") from None
        return revoked

    def list(self, subject: Subject) -> Sequence[Device]:
        """Return the devices of the subject's institution by AE title, revoked ones too.

        Raises:
            Denied: the subject may not see them.
        """
        grant = self.guard.admit(AccessRequest(subject, Action.DEVICE_LIST, None))
        found = [one for one in self.devices.all() if one.institution == subject.institution]
        self.guard.finish(grant, Outcome.COMPLETED, {"devices": len(found)})
        return found

    def _permit(self, subject: Subject, device: Device) -> Permit:
        details = {"ae_title": device.ae_title, "operations": ",".join(sorted(device.operations))}
        return self.guard.decide(AccessRequest(subject, Action.DEVICE_ENROL, None, details=details))

    def _before(self, permit: Permit, device: Device) -> Device | None:
        """Return the device of that AE title as it is; another institution's is never touched."""
        before = self.devices.by_ae_title(device.ae_title)
        if before is not None and before.institution != permit.request.subject.institution:
            self._failed(permit, "Conflict")
            raise Conflict("the AE title or the certificate belongs to another device")
        return before

    def _own(self, permit: Permit, ae_title: str) -> Device:
        device = self.devices.by_ae_title(ae_title)
        if device is None or device.institution != permit.request.subject.institution:
            raise self.guard.not_found(permit.request)
        return device

    def _issue(self, permit: Permit, before: Device | None, device: Device) -> IssuedCertificate:
        of = permit.request.subject.institution
        try:
            issued = self.authority.issue(of, device.ae_title, destination="move" in device.operations)
            after = certified(device, issued.cert_pem.encode())
        except ArchiveError as error:
            self._failed(permit, type(error).__name__)
            raise
        try:
            self._keep(permit, after)
        except ArchiveError:
            self._take_back(after.serial)
            raise
        self._replace_certificate(before, after)
        return issued

    def _keep(self, permit: Permit, device: Device) -> None:
        draft = self.guard.draft(permit, Outcome.COMPLETED, _named(device))
        self.devices.enrol(permit, device, draft)

    def _replace_certificate(self, before: Device | None, after: Device) -> None:
        if before is not None and before.spki_sha256 != after.spki_sha256:
            self._take_back(before.serial)

    def _take_back(self, serial: str) -> None:
        """Revoke a certificate that no row names any more: nobody is let in by it, revoked or not."""
        try:
            self.authority.revoke(serial)
        except Unavailable:
            LOGGER.warning("a replaced certificate could not be revoked; no device is known by it any more")

    def _failed(self, permit: Permit, error: str) -> None:
        self.guard.finish(permit, Outcome.FAILED, {"error": error})


def _named(device: Device) -> dict[str, str]:
    return {"certificate": device.serial} if device.serial else {}


def certified(device: Device, certificate: bytes) -> Device:
    """Return the device as it is known by a certificate (PEM or DER), revoked no more.

    Raises:
        Malformed: it is no certificate.
    """
    facts = read_certificate(certificate)
    return replace(
        device, spki_sha256=facts.spki_sha256, serial=facts.serial, not_after=facts.not_after, revoked_at=None
    )
