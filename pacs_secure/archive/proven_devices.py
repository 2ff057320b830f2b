"""The enrolled devices, each believed only with the proof that the archive itself wrote it.

The proof is made with the key that stays in memory while the process lives: during an outage of the
vault a modality must still be known, so that it hears to keep its pictures and to try again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hmac import compare_digest

from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft
from pacs_secure.core.devices import Device
from pacs_secure.core.errors import Tampered
from pacs_secure.ports import Devices


@dataclass(frozen=True, slots=True)
class ProvenDevices:
    """`pacs_secure.ports.Devices` over another: what goes in gets its proof, what comes out must have it."""

    kept: Devices
    seals: InstitutionSeals

    def by_certificate(self, spki_sha256: bytes) -> Device | None:
        """Return the device whose certificate carries this public key; raise `Tampered` without its proof."""
        return self._demand(self.kept.by_certificate(spki_sha256))

    def by_ae_title(self, ae_title: str) -> Device | None:
        """Return the device of that name, revoked or not; raise `Tampered` without its proof."""
        return self._demand(self.kept.by_ae_title(ae_title))

    def enrol(self, permit: Permit, device: Device, draft: Draft) -> None:
        """Add or replace the device of that AE title with its proof; raises as the port says."""
        self.kept.enrol(permit, self._proven(device), draft)

    def change(self, permit: Permit, before: Device, after: Device, draft: Draft) -> None:
        """Change a device that is still as it was read; raises as the port says."""
        self.kept.change(permit, before, self._proven(after), draft)

    def all(self) -> Sequence[Device]:
        """Return every device as it is kept, its proof unchecked: a list must show a tampered one too."""
        return self.kept.all()

    def holds(self, device: Device) -> bool:
        """Say whether a device carries its proof."""
        return compare_digest(self._proof(device), device.proof)

    def _demand(self, device: Device | None) -> Device | None:
        if device is not None and not self.holds(device):
            raise Tampered("what the index says of a device is not what was written")
        return device

    def _proven(self, device: Device) -> Device:
        return replace(device, proof=self._proof(device))

    def _proof(self, device: Device) -> bytes:
        moments = ("" if at is None else at.isoformat() for at in (device.revoked_at, device.not_after))
        sets = (device.operations, device.also_ae_titles, device.networks, device.sop_classes)
        return self.seals.details(device.institution).prove(
            "device",
            device.ae_title.encode(),
            device.institution.encode(),
            device.department.encode(),
            device.spki_sha256,
            device.host.encode(),
            str(device.port).encode(),
            str(device.identity_required).encode(),
            device.serial.encode(),
            *(moment.encode() for moment in moments),
            *("\\".join(sorted(one)).encode() for one in sets),
        )
