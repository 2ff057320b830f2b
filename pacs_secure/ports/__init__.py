"""What the archive needs of the world: Protocols only, one short module a subject.

Every method raises `Unavailable` when the engine behind it is out of reach, and no error of a
library ever passes. Each port has one contract suite that every adapter and its fake pass.
"""

from pacs_secure.core.devices import Device
from pacs_secure.ports.certificates import CertificateAuthority, IssuedCertificate, RevocationLists
from pacs_secure.ports.emergencies import Emergencies, Patients
from pacs_secure.ports.feeds import Bookmarks, Repository
from pacs_secure.ports.forgettings import Doomed, Forgettings
from pacs_secure.ports.index import Added, InstitutionKeys, Ledger, Publisher, Records, Ties
from pacs_secure.ports.keys import (
    ForgettableKey,
    KeyCanary,
    KeyEraser,
    KeyList,
    KeyShelf,
    KeyUnwrapper,
    KeyWrapper,
    Shelf,
    Signer,
)
from pacs_secure.ports.leader import Alarm, Leader
from pacs_secure.ports.ledger_keys import LedgerKey, LedgerKeys
from pacs_secure.ports.metrics import Gauges
from pacs_secure.ports.notices import Messenger, Notices
from pacs_secure.ports.objects import Blob, Blobs, StoredName
from pacs_secure.ports.people import (
    Authenticator,
    Behind,
    DeviceAuthenticator,
    Devices,
    Identified,
    Policy,
    UsedTokens,
)
from pacs_secure.ports.policies import ChangingPolicy, PolicyHistory
from pacs_secure.ports.questions import EmployeeQuestions
from pacs_secure.ports.rebuilding import Rebuilds
from pacs_secure.ports.reports import ReportPrinter
from pacs_secure.ports.retention import Retention
from pacs_secure.ports.rotation import KekState, KeyRewrapper, Rewrapped, RewrapRow, Rewraps
from pacs_secure.ports.scrubs import Scrubs
from pacs_secure.ports.sessions import (
    AtProvider,
    Attempt,
    LoggedIn,
    LoginProvider,
    RevokedLogin,
    RevokedPerson,
    SessionRow,
    Sessions,
)
from pacs_secure.ports.sharing import Boards, Shares
from pacs_secure.ports.snapshots import Snapshots
from pacs_secure.ports.strongroom import Strongroom
from pacs_secure.ports.tombstones import Tombstone, Tombstones
from pacs_secure.ports.witnesses import Clocks, Cosigned, SeenElsewhere, TimeStamps, Witness

__all__ = [
    "Added",
    "Alarm",
    "AtProvider",
    "Attempt",
    "Authenticator",
    "Behind",
    "Blob",
    "Blobs",
    "Boards",
    "Bookmarks",
    "CertificateAuthority",
    "ChangingPolicy",
    "Clocks",
    "Cosigned",
    "Device",
    "DeviceAuthenticator",
    "Devices",
    "Doomed",
    "Emergencies",
    "EmployeeQuestions",
    "ForgettableKey",
    "Forgettings",
    "Gauges",
    "Identified",
    "InstitutionKeys",
    "IssuedCertificate",
    "KekState",
    "KeyCanary",
    "KeyEraser",
    "KeyList",
    "KeyRewrapper",
    "KeyShelf",
    "KeyUnwrapper",
    "KeyWrapper",
    "Leader",
    "Ledger",
    "LedgerKey",
    "LedgerKeys",
    "LoggedIn",
    "LoginProvider",
    "Messenger",
    "Notices",
    "Patients",
    "Policy",
    "PolicyHistory",
    "Publisher",
    "Rebuilds",
    "Records",
    "ReportPrinter",
    "Repository",
    "Retention",
    "RevocationLists",
    "RevokedLogin",
    "RevokedPerson",
    "RewrapRow",
    "Rewrapped",
    "Rewraps",
    "Scrubs",
    "SeenElsewhere",
    "SessionRow",
    "Sessions",
    "Shares",
    "Shelf",
    "Signer",
    "Snapshots",
    "StoredName",
    "Strongroom",
    "Ties",
    "TimeStamps",
    "Tombstone",
    "Tombstones",
    "UsedTokens",
    "Witness",
]
