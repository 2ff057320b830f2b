"""What every association needs of the archive behind the door."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pacs_secure.archive import Archive
from pacs_secure.archive.refusals import Refusals
from pacs_secure.core.access import Subject
from pacs_secure.core.identifiers import Institution
from pacs_secure.crypto.certificates import CertificateFacts
from pacs_secure.dimse.identity import Caller, Mismatch, device_of
from pacs_secure.ports import Device, DeviceAuthenticator, Devices


@dataclass(frozen=True, slots=True)
class People:
    """How this door proves who stands behind a device."""

    authenticator: DeviceAuthenticator
    demand_valid: Callable[[Subject], None]
    """Raises `Unauthenticated` for a person whose login was revoked."""
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Household:
    """The archive, its devices and its people, as the door knows them."""

    archive: Archive
    devices: Devices
    refusals: Refusals
    ae_title: str
    institution: Institution
    """In whose ledger strangers are recorded."""
    look_again: float
    """Seconds after which a long association looks again whether its device was revoked."""
    is_revoked: Callable[[CertificateFacts], bool]
    """Says whether a certificate stands in a revocation list."""
    people: People | None
    """None: nobody can prove here who they are, and whoever tries is refused."""

    def looked_up(self, caller: Caller) -> tuple[Device | None, Mismatch | None]:
        """Return the device a caller is, as enrolled now, and what speaks against it."""
        device = device_of(self.devices, caller.certificate)
        return device, caller.mismatch(device, self.ae_title, self.is_revoked)
