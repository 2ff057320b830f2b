"""Who is calling: certificate, device row and AE titles must all say the same (DESIGN 9)."""

from enum import StrEnum

from pacs_secure.core.access import Door, Role, Subject
from pacs_secure.core.identifiers import Institution
from pacs_secure.dimse.tls import peer_spki_sha256
from pacs_secure.ports import Device, Devices

CALLING_NOT_RECOGNISED = 0x03
CALLED_NOT_RECOGNISED = 0x07


class Mismatch(StrEnum):
    """Why a caller is not let in; recorded, and told to nobody else."""

    CALLED_AE_TITLE = "called AE title is not ours"
    CALLING_AE_TITLE = "calling AE title is not the certificate's"
    CERTIFICATE_REVOKED = "device is revoked"
    CERTIFICATE_UNKNOWN = "no device has this certificate"

    @property
    def diagnostic(self) -> int:
        """Return the reason of the A-ASSOCIATE-RJ (PS3.8 Table 9-21), the same for all but one."""
        return CALLED_NOT_RECOGNISED if self is Mismatch.CALLED_AE_TITLE else CALLING_NOT_RECOGNISED


def device_of(devices: Devices, certificate: bytes | None) -> Device | None:
    """Return the device that was enrolled with the public key of this DER certificate."""
    if not certificate:
        return None
    try:
        spki_sha256 = peer_spki_sha256(certificate)
    except ValueError:
        return None
    return devices.by_certificate(spki_sha256)


def mismatch(device: Device | None, calling: str, called: str, own: str) -> Mismatch | None:
    """Say what speaks against an association of this device, or None when all agrees."""
    if device is None:
        return Mismatch.CERTIFICATE_UNKNOWN
    if device.revoked_at is not None:
        return Mismatch.CERTIFICATE_REVOKED
    if calling.strip() != device.ae_title:
        return Mismatch.CALLING_AE_TITLE
    if called.strip() != own:
        return Mismatch.CALLED_AE_TITLE
    return None


def subject_of(device: Device, address: str) -> Subject:
    """Return the subject that a device acts as: what only sends is a modality."""
    return Subject(
        identifier=f"device:{device.ae_title}",
        role=Role.MODALITY if device.operations == {"store"} else Role.WORKSTATION,
        institution=device.institution,
        department=device.department,
        door=Door.DIMSE,
        address=address,
    )


def stranger(institution: Institution, address: str) -> Subject:
    """Return the subject that stands for a caller who proved nothing, in the ledger of an institution."""
    return Subject("stranger", Role.STRANGER, institution, "", Door.DIMSE, address)
