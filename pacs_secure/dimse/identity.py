"""Who is calling: certificate, device row and AE titles must all say the same (DESIGN 9)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pynetdicom._globals import APPLICATION_CONTEXT_NAME
from pynetdicom.pdu_primitives import A_ASSOCIATE, UserIdentityNegotiation

from pacs_secure.core.access import AccessRequest, Action, Door, Role, Subject
from pacs_secure.core.devices import DEVICE_URI_PREFIX, device_uri
from pacs_secure.core.errors import Malformed
from pacs_secure.core.identifiers import Institution
from pacs_secure.crypto.certificates import CertificateFacts, read_certificate
from pacs_secure.ports import Device, Devices

_JSON_WEB_TOKEN = 5
"""User-Identity-Type (PS3.7 Table D.3-14)."""
_NO_REASON, _CONTEXT_NAME, _CALLING, _CALLED = 0x01, 0x02, 0x03, 0x07


class Mismatch(StrEnum):
    """Why a caller is not let in; recorded, and told to nobody else."""

    APPLICATION_CONTEXT = "application context is not DICOM's"
    CALLED_AE_TITLE = "called AE title is not ours"
    CALLING_AE_TITLE = "calling AE title is not the certificate's"
    CERTIFICATE_NAME = "certificate names another device"
    CERTIFICATE_REVOKED = "certificate is revoked"
    CERTIFICATE_UNKNOWN = "no device has this certificate"
    DEVICE_REVOKED = "device is revoked"
    NETWORK = "device called from another network"
    PERSON_MISSING = "device needs a person behind it"
    USER_IDENTITY = "user identity cannot be verified here"

    @property
    def diagnostic(self) -> int:
        """Return the reason of the A-ASSOCIATE-RJ (PS3.8 Table 9-21); it says no more than the caller knows."""
        return {
            Mismatch.APPLICATION_CONTEXT: _CONTEXT_NAME,
            Mismatch.CALLED_AE_TITLE: _CALLED,
            Mismatch.PERSON_MISSING: _NO_REASON,
            Mismatch.USER_IDENTITY: _NO_REASON,
        }.get(self, _CALLING)


def certificate_of(der: bytes | None) -> CertificateFacts | None:
    """Read the certificate that a peer has shown; None when it has shown none that can be read."""
    try:
        return read_certificate(der) if der else None
    except Malformed:
        return None


def device_of(devices: Devices, certificate: CertificateFacts | None) -> Device | None:
    """Return the device that was enrolled with the public key of this certificate."""
    return devices.by_certificate(certificate.spki_sha256) if certificate else None


@dataclass(frozen=True, slots=True)
class Caller:
    """What a peer says and shows of itself when it asks for an association."""

    request: A_ASSOCIATE
    certificate: CertificateFacts | None
    address: str

    @property
    def token(self) -> bytes | None:
        """The JSON Web Token of the person behind the caller, when it shows one and nothing else (type 5)."""
        named = self._named
        if len(named) != 1 or named[0].user_identity_type != _JSON_WEB_TOKEN:
            return None
        return bytes(named[0].primary_field or b"")

    @property
    def _named(self) -> list[UserIdentityNegotiation]:
        return [item for item in self.request.user_information if isinstance(item, UserIdentityNegotiation)]

    def mismatch(
        self, device: Device | None, own: str, is_revoked: Callable[[CertificateFacts], bool]
    ) -> Mismatch | None:
        """Say what speaks against its being that device, or None when all agrees.

        A user identity (PS3.7 D.3.3.7) of a kind that nobody verifies is refused: to accept it in
        silence would let its sender believe that a person's rights apply.
        """
        if device is None:
            return Mismatch.CERTIFICATE_UNKNOWN
        request = self.request
        found = {
            Mismatch.DEVICE_REVOKED: device.revoked_at is not None,
            Mismatch.CERTIFICATE_REVOKED: self.certificate is None or is_revoked(self.certificate),
            Mismatch.CERTIFICATE_NAME: not self._is_named(device),
            Mismatch.CALLING_AE_TITLE: not device.answers_to(request.calling_ae_title or ""),
            Mismatch.NETWORK: not device.may_call_from(self.address),
            Mismatch.CALLED_AE_TITLE: (request.called_ae_title or "").strip() != own,
            Mismatch.APPLICATION_CONTEXT: request.application_context_name != APPLICATION_CONTEXT_NAME,
            Mismatch.USER_IDENTITY: len(self._named) > (self.token is not None),
            Mismatch.PERSON_MISSING: device.identity_required and not self._named,
        }
        return next((wrong for wrong, holds in found.items() if holds), None)

    def _is_named(self, device: Device) -> bool:
        """Say whether the certificate names that device, or names none: one of a hospital's own authority."""
        uris = self.certificate.uris if self.certificate else frozenset()
        named = {uri for uri in uris if uri.startswith(DEVICE_URI_PREFIX)}
        return named <= {device_uri(device.institution, device.ae_title)}


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


def refused(subject: Subject, reason: str, private: Mapping[str, str] | None = None) -> AccessRequest:
    """Return what the ledger hears of an association that is refused; ``private`` is what may name someone."""
    details = {"protocol": "A-ASSOCIATE", "reason": reason}
    return AccessRequest(subject, Action.ASSOCIATION_OPEN, None, details=details, private=dict(private or {}))
