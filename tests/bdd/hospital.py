"""An archive on a disk with both of its doors open, and the people and devices who come to them."""

import logging
import sqlite3
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import httpx
import orjson
from fastapi import FastAPI

from pacs_secure.adapters.bound_tokens import BoundTokens
from pacs_secure.adapters.development_issuer import DevelopmentIssuer
from pacs_secure.adapters.sql import Database, SqlUsedTokens
from pacs_secure.adapters.tokens import JoseAuthenticator
from pacs_secure.archive.readiness import Readiness
from pacs_secure.bootstrap import device
from pacs_secure.core.access import Door, Purpose, Role, Subject
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import Institution
from pacs_secure.dimse.credentials import Credentials, TlsFiles
from pacs_secure.dimse.household import People
from pacs_secure.dimse.limits import Limits
from pacs_secure.dimse.sender import send
from pacs_secure.dimse.server import DicomServer
from pacs_secure.dimse.tls import client_context
from pacs_secure.ports import Blobs, KeyCanary, KeyEraser, KeyList, KeyRewrapper, KeyUnwrapper, KeyWrapper, Signer
from pacs_secure.web.app import create_app
from tests.bdd.pictures import Picture
from tests.builders import ELSEWHERE, TWICE_PROVEN
from tests.certificates import Authority, Pair
from tests.fakes_authority import MemoryAuthority
from tests.web_client import WebClient
from tests.web_instances import related
from tests.world import DiskWorld, disk_world

HOST, AE_TITLE, WEB, API = "127.0.0.1", "PACS_SECURE", "/dicom-web", "/api/v1"
PATIENCE = 15.0
HOUR = timedelta(hours=1)
PART10 = {"Accept": "application/dicom; transfer-syntax=*"}
PIXELS = {"Accept": "multipart/related; type=application/octet-stream; transfer-syntax=*"}
MULTIPART = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b0undary'}

Entry = dict[str, Any]


class Keys(Protocol):
    """A key store that can be sealed and unsealed while the archive runs."""

    institution: Institution
    wrapper: KeyWrapper
    unwrapper: KeyUnwrapper
    canary: KeyCanary
    signer: Signer
    eraser: KeyEraser
    key_list: KeyList
    rewrapper: KeyRewrapper

    @property
    def directories(self) -> tuple[Path, ...]:
        """Return what it writes to disk itself."""

    def seal(self) -> None: ...

    def unseal(self) -> None: ...


@dataclass(frozen=True)
class Person:
    """Somebody with a token, as far as the archive can tell."""

    role: Role
    department: str = "radiology"
    purpose: Purpose | None = None
    name: str = "r.weber"
    institution: Institution | None = None
    """None: the hospital's own."""


@dataclass
class Hospital:
    """One institution with its archive; everything the archive writes lies below ``directory``."""

    world: DiskWorld
    keys: Keys
    directory: Path
    outside: Path
    authority: Authority
    readiness: Readiness
    app: FastAPI
    issuer: DevelopmentIssuer
    door: DicomServer
    port: int
    pki: MemoryAuthority
    """Issues certificates to devices and says which of them no longer hold."""
    credentials: Credentials
    """Keeps the DICOM door's own certificate and the list of revoked ones current."""
    devices: dict[str, Pair] = field(default_factory=dict)

    # --- devices ----------------------------------------------------------------------------

    def enrol(self, ae_title: str, department: str, by: Role = Role.ADMIN) -> None:
        """Make a modality known by a certificate of its own."""
        pair = self.authority.issue(ae_title)
        pem = pair.certificate.read_bytes()
        enrolled = device(self.keys.institution, ae_title, pem, HOST, 104, department, "store")
        self.world.archive.enrolment.enrol(self.subject(by), enrolled)
        self.devices[ae_title] = pair

    def send(self, ae_title: str, *pictures: Picture) -> list[int | None]:
        """Send pictures in one association and return the status of each, once its account is on record."""
        pair = self.devices[ae_title]
        return self.call(
            ae_title, client_context(str(pair.certificate), str(pair.key), str(self.authority.file)), *pictures
        )

    def call(self, ae_title: str, context: ssl.SSLContext, *pictures: Picture) -> list[int | None]:
        paths = []
        for number, one in enumerate(pictures):
            paths.append(self.outside / f"{number}.dcm")
            paths[-1].write_bytes(one.stream)
        statuses = [one.status for one in send(paths, HOST, self.port, AE_TITLE, ae_title, context).sent]
        until(lambda: not self.world.house.engines.records.open_acts(datetime.now(UTC)))
        return statuses

    # --- people -----------------------------------------------------------------------------

    def subject(self, role: Role, department: str = "radiology") -> Subject:
        """Return somebody at the command line."""
        return Subject("r.weber", role, self.keys.institution, department, Door.COMMAND_LINE, "", TWICE_PROVEN)

    def client(self, person: Person) -> WebClient:
        home = person.institution or self.keys.institution
        token = self.issuer.issue(person.role, person.name, person.department, person.purpose, home, HOUR)
        return WebClient(self.app, {"Authorization": f"Bearer {token}"})

    def get(self, person: Person, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self.client(person).get(WEB + path, headers)

    def call_api(self, person: Person, method: str, path: str, body: object | None = None) -> httpx.Response:
        sent = {} if body is None else {"Content-Type": "application/json"}
        return self.client(person).request(method, API + path, sent, None if body is None else orjson.dumps(body))

    def search(self, person: Person, level: str = "studies", **asked: object) -> httpx.Response:
        question = "&".join(f"{name}={quote(str(value))}" for name, value in asked.items())
        return self.get(person, f"/{level}?{question}")

    def upload(self, person: Person, picture: Picture) -> httpx.Response:
        return self.client(person).post(f"{WEB}/studies", related(picture.stream), MULTIPART)

    # --- what lies there ----------------------------------------------------------------------

    @property
    def roots(self) -> tuple[Path, ...]:
        """Return every directory that the archive and its key store write to."""
        return self.directory, *self.keys.directories

    def entries(self) -> list[Entry]:
        return self.world.entries()

    def objects(self) -> int:
        return sum(1 for _ in self.world.house.engines.blobs.names())

    def rows(self) -> int:
        """Count the instances of the index, looking at the file itself."""
        with closing(sqlite3.connect(self.world.index_file)) as index:
            (rows,) = index.execute("SELECT count(*) FROM instances").fetchone()
        return int(rows)


def until(true: Callable[[], bool]) -> None:
    """Wait for what happens in another thread."""
    patience = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < patience, "it did not happen in time"
        time.sleep(0.01)


def closed(hospital: Hospital) -> bool:
    """Say whether the archive has noticed that its keys are out of reach."""
    try:
        hospital.readiness.check()
    except Unavailable:
        return True
    return False


@contextmanager
def hospital_below(
    directory: Path,
    keys: Keys,
    blobs: Blobs | None = None,
    database: Database | None = None,
    second: Blobs | None = None,
    pool: int = 0,
) -> Iterator[Hospital]:
    """Open an archive and its doors; what does not belong to it lies beside it."""
    inside, outside = directory / "archive", directory / "outside"
    for made in (inside, outside):
        made.mkdir(exist_ok=True)
    authority = Authority(outside)
    issuer = DevelopmentIssuer(outside / "issuer.pem", loopback=True)
    with ExitStack() as stack:
        stack.enter_context(_logging_to(inside / "archive.log"))
        pki = MemoryAuthority(authority)
        world = stack.enter_context(
            disk_world(
                inside,
                keys.wrapper,
                keys.unwrapper,
                keys.signer,
                pki,
                keys.eraser,
                keys.institution,
                database=database,
                key_list=keys.key_list,
                blobs=blobs,
                rewrapper=keys.rewrapper,
                second=second,
                pool=pool,
            )
        )
        house = world.house
        readiness = Readiness(
            keys.canary,
            house.engines.ledger,
            house.drop_keys,
            house.archive.guard,
            keys.institution,
            house.resurrection,
        )
        readiness.start()
        house.unburied.look()
        house.resurrection.look_at_all()
        stack.callback(readiness.stop)
        authenticator = JoseAuthenticator([issuer.trusted([keys.institution, ELSEWHERE])])
        app = create_app(world.archive, authenticator, keys.institution, readiness.check)
        own = authority.issue("archive")
        files = TlsFiles(own.certificate, own.key, authority.file)
        credentials = Credentials(files, [pki], lambda _reason: None, _now)
        credentials.look_at_lists()
        engines = world.house.engines
        tokens = BoundTokens([issuer.trusted([keys.institution])], AE_TITLE, SqlUsedTokens(world.database))
        door = DicomServer(
            world.archive,
            engines.devices,
            keys.institution,
            AE_TITLE,
            HOST,
            0,
            credentials.context(),
            Limits(look_again=0.2, sweep=0.2),
            People(tokens, world.archive.sessions.revocation.demand_valid, _now),
        )
        credentials.install_by(door.replace_certificate)
        port = door.start()
        stack.callback(door.stop)
        yield Hospital(world, keys, inside, outside, authority, readiness, app, issuer, door, port, pki, credentials)


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def _logging_to(file: Path) -> Iterator[None]:
    """Write everything that anybody in this process logs, but for who asks and who tells the story."""
    handler = logging.FileHandler(file, encoding="utf-8")
    handler.addFilter(lambda record: not record.name.startswith(("httpx", "httpcore", "pytest_bdd")))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(before)
        root.removeHandler(handler)
        handler.close()
