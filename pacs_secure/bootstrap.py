"""Where everything meets: adapters are given to the verbs, and the verbs to the doors."""

import logging
import os
import resource
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pacs_secure.adapters.casbin_policy import CasbinPolicy
from pacs_secure.adapters.development_issuer import DevelopmentIssuer
from pacs_secure.adapters.disk_blobs import DiskBlobs
from pacs_secure.adapters.policy_check import check_policy
from pacs_secure.adapters.sql.devices import SqlDevices
from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger import SqlLedger
from pacs_secure.adapters.sql.records import SqlRecords
from pacs_secure.adapters.tile_directory import TileDirectory
from pacs_secure.adapters.tokens import JoseAuthenticator
from pacs_secure.archive import Archive
from pacs_secure.archive.notary import Notary
from pacs_secure.archive.verify import Progress
from pacs_secure.core import identifiers
from pacs_secure.core.identifiers import ObjectId
from pacs_secure.ports import Blobs, Devices, KeyCanary, KeyUnwrapper, KeyWrapper, Ledger, Policy, Publisher, Records, Signer
from pacs_secure.settings import LOOPBACK, Settings

__all__ = ["DEFAULT_DEPARTMENT", "Archive", "House", "Progress", "assemble", "serve"]

log = logging.getLogger(__name__)

DEFAULT_DEPARTMENT = "radiology"
BUNDLED = Path(__file__).parent / "_bundled"
SOURCE = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Engines:
    """One adapter for each port the verbs need."""

    policy: Policy
    records: Records
    ledger: Ledger
    devices: Devices
    publisher: Publisher
    blobs: Blobs
    wrapper: KeyWrapper
    unwrapper: KeyUnwrapper
    public_key: Callable[[], bytes]
