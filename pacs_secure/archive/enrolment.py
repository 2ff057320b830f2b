"""Enrolling DICOM nodes: decided, and recorded in the commit that makes the device known."""

from dataclasses import dataclass

from pacs_secure.archive.guard import Guard
from pacs_secure.core.access import AccessRequest, Action, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.ports import Device, Devices


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The verb: make a device known by its certificate."""

    guard: Guard
    devices: Devices

    def enrol(self, subject: Subject, device: Device) -> None:
        """Add or replace the device of that AE title.

        Raises:
            Denied: the subject may not enrol devices.
        """
        details = {"ae_title": device.ae_title, "operations": ",".join(sorted(device.operations))}
        permit = self.guard.decide(AccessRequest(subject, Action.DEVICE_ENROL, None, details=details))
        self.devices.enrol(permit, device, self.guard.draft(permit, Outcome.COMPLETED, {}))
