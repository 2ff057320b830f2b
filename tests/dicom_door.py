"""The DICOM door over a whole archive in memory, with devices that hold certificates."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest

from pacs_secure.adapters.bound_tokens import BoundTokens
from pacs_secure.adapters.development_issuer import Connection, DevelopmentIssuer
from pacs_secure.core.access import Role, Subject
from pacs_secure.core.errors import Unauthenticated
from pacs_secure.core.identifiers import Institution
from pacs_secure.crypto.certificates import read_certificate
from pacs_secure.dimse.calling import Calling, Context, _association_request, call, read_pdu
from pacs_secure.dimse.commands import parse_answer
from pacs_secure.dimse.household import People
from pacs_secure.dimse.limits import Limits
from pacs_secure.dimse.server import DicomServer
from pacs_secure.dimse.tls import client_context, server_context
from tests.builders import ELSEWHERE, HERE, NOW, device
from tests.certificates import Authority, Pair
from tests.data_sets import CT, EXPLICIT, explicit, image, uid_value
from tests.fakes import MemoryUsedTokens
from tests.world import World, memory_world

AE_TITLE = "PACS_SECURE"
HOST = "127.0.0.1"
VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
CT_EXPLICIT: Context = (CT, EXPLICIT)
ECHO: Context = (VERIFICATION, IMPLICIT)

ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RP, ABORT = 0x02, 0x03, 0x04, 0x06, 0x07


def until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Wait until something is so; say whether it became so."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def ct(number: int = 1, *, study: str = "1.2.3", size: int = 8, extra: bytes = b"") -> bytes:
    """Return a CT Data Set in Explicit VR Little Endian with a SOP Instance UID of its own."""
    pixels = bytes([number % 256]) * (size if size < 512 else (1 + size // 512) * 512)
    head = image(rows=1 + size // 512, columns=min(size, 512), write=explicit).replace(
        explicit(0x00080018, "UI", uid_value("1.2.3.4.5")), explicit(0x00080018, "UI", uid_value(f"1.2.3.4.5.{number}"))
    )
    head = head.replace(explicit(0x0020000D, "UI", uid_value("1.2.3")), explicit(0x0020000D, "UI", uid_value(study)))
    return head + extra + explicit(0x7FE00010, "OB", pixels)


def ct_uid(number: int = 1) -> str:
    return f"1.2.3.4.5.{number}"


class Peer:
    """A caller that says whatever bytes a test wants to say."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        connection.settimeout(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.connection.close()

    def say(self, *encoded: bytes) -> None:
        self.connection.sendall(b"".join(encoded))

    def hear(self) -> tuple[int, bytes]:
        """Return the next PDU's type and body; (0, b"") when the connection has ended."""
        try:
            return read_pdu(self.connection)
        except OSError:
            return 0, b""

    def status(self) -> int:
        """Return the status of the response that comes next."""
        kind, body = self.hear()
        assert kind == P_DATA, (kind, body)
        return parse_answer(body[6:]).status.code

    def associate(
        self, *contexts: Context, calling: str = "CT1", called: str = AE_TITLE, change: tuple[bytes, bytes] = (b"", b"")
    ) -> tuple[int, bytes]:
        encoded = _association_request(called, calling, contexts or (CT_EXPLICIT,))
        self.say(encoded.replace(*change) if change[0] else encoded)
        return self.hear()


def pdu(kind: int, body: bytes = b"", length: int | None = None) -> bytes:
    """Write a PDU; its length may lie."""
    return struct.pack(">BxL", kind, len(body) if length is None else length) + body


def value(control: int, content: bytes, context_id: int = 1, length: int | None = None) -> bytes:
    """Write a presentation data value; its length may lie."""
    return struct.pack(">LBB", len(content) + 2 if length is None else length, context_id, control) + content


def command(*elements: tuple[int, bytes]) -> bytes:
    return b"".join(struct.pack("<HHL", 0, number, len(content)) + content for number, content in elements)


def us(number: int) -> bytes:
    return struct.pack("<H", number)


def store_command(number: int = 1, sop_class: str = CT, **others: Any) -> bytes:
    """Write a C-STORE-RQ; other arguments name elements (``x0110``) that take another value, or None for none."""
    elements: dict[int, bytes | None] = {
        0x0002: uid_value(sop_class),
        0x0100: us(1),
        0x0110: us(number),
        0x0700: us(0),
        0x0800: us(1),
        0x1000: uid_value(ct_uid(number)),
    }
    elements |= {int(name[1:], 16): content for name, content in others.items()}
    return command(*((number, content) for number, content in elements.items() if content is not None))


def message(encoded_command: bytes, data_set: bytes | None = None, context_id: int = 1, piece: int = 65_536) -> bytes:
    """Write a whole message, a PDU each fragment."""
    parts = [pdu(P_DATA, value(3, encoded_command, context_id))]
    if data_set is not None:
        pieces = [data_set[start : start + piece] for start in range(0, len(data_set), piece)] or [b""]
        parts += [pdu(P_DATA, value(0, one, context_id)) for one in pieces[:-1]]
        parts.append(pdu(P_DATA, value(2, pieces[-1], context_id)))
    return b"".join(parts)


ECHO_COMMAND = command((0x0002, uid_value(VERIFICATION)), (0x0100, us(0x30)), (0x0110, us(7)), (0x0800, us(0x0101)))


@dataclass
class Doorkeeper:
    """What a door knows of persons; tests revoke a login, or set the clock ahead."""

    used: MemoryUsedTokens = field(default_factory=MemoryUsedTokens)
    revoked: bool = False
    ahead: timedelta = timedelta(0)

    def demand_valid(self, _: Subject) -> None:
        if self.revoked:
            raise Unauthenticated("revoked")

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Door:
    """One archive, its DICOM door and its authority."""

    world: World
    server: DicomServer
    port: int
    authority: Authority
    issuer: DevelopmentIssuer
    """Vouches for persons behind devices."""
    people: "Doorkeeper"
    pairs: dict[str, Pair] = field(default_factory=dict)

    def enrol(self, ae_title: str, operations: Iterable[str] = ("store",), *, pair: Pair | None = None) -> Pair:
        pair = self.pairs[ae_title] = pair or self.authority.issue(ae_title)
        one = replace(device(ae_title, operations=operations), spki_sha256=read_certificate(pair.der).spki_sha256)
        self.world.devices.kept[ae_title] = one
        return pair

    def revoke(self, ae_title: str) -> None:
        kept = self.world.devices.kept
        kept[ae_title] = replace(kept[ae_title], revoked_at=NOW)

    def token(
        self,
        role: Role = Role.RADIOLOGIST,
        *,
        device: str = "CT1",
        of: Institution = HERE,
        audience: str = AE_TITLE,
        minutes: float = 10,
    ) -> bytes:
        """Return what proves that somebody sits at a device."""
        at = Connection(audience, read_certificate(self.pairs[device].der).sha256)
        life = timedelta(minutes=minutes)
        return self.issuer.issue(role, "dr.weber", "surgery", None, of, life, at).encode()

    def tls(self, pair: Pair | str = "CT1") -> ssl.SSLContext:
        pair = self.pairs[pair] if isinstance(pair, str) else pair
        return client_context(str(pair.certificate), str(pair.key), str(self.authority.file))

    def call(self, *contexts: Context, calling: str = "CT1") -> Calling:
        return call((HOST, self.port), AE_TITLE, calling, contexts or (CT_EXPLICIT, ECHO), self.tls(calling))

    def plain(self) -> Peer:
        return Peer(socket.create_connection((HOST, self.port), 5))

    def peer(self, pair: Pair | str = "CT1", context: ssl.SSLContext | None = None) -> Peer:
        plain = socket.create_connection((HOST, self.port), 5)
        try:
            return Peer((context or self.tls(pair)).wrap_socket(plain, server_hostname=HOST))
        except OSError:
            plain.close()
            raise

    def associated(self, *contexts: Context) -> Peer:
        peer = self.peer()
        assert peer.associate(*contexts)[0] == ASSOCIATE_AC
        return peer

    def reasons(self) -> list[str]:
        """Return why callers were turned away, as recorded."""
        return [entry["facts"]["reason"] for entry in self.world.entries() if entry["action"] == "association:open"]

    def recorded(self, reason: str) -> bool:
        return until(lambda: reason in self.reasons())

    def outcomes(self) -> list[str]:
        return [entry["outcome"] for entry in self.world.entries() if entry["action"] == "study:create"]

    def idle(self) -> bool:
        return until(lambda: self.server.connections == 0)

    def still_serves(self) -> bool:
        """Say whether an honest device can store now."""
        number = 1000 + len(self.world.blobs.stored)
        with self.associated() as peer:
            peer.say(message(store_command(number, x0110=us(1)), ct(number)))
            return peer.status() == 0


def threads() -> list[str]:
    """Return the names of the door's threads that are alive."""
    here = threading.current_thread()
    return [
        thread.name for thread in threading.enumerate() if thread is not here and not thread.name.startswith("pytest")
    ]


def open_sockets() -> int:
    """Return how many sockets this process holds."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            count += str(link.readlink()).startswith("socket:")
    return count


QUICK = Limits(handshake=0.4, association_request=0.4, silence=0.6, look_again=0.0, sweep=0.1)


@contextmanager
def opened(directory: Path, limits: Limits | None = None) -> Iterator[Door]:
    """Open the door with one enrolled modality, CT1; closed in the end, and nothing of it is left."""
    before = set(threads())
    sockets = open_sockets()
    authority = Authority(directory)
    own = authority.issue("archive")
    world = memory_world()
    context = server_context(str(own.certificate), str(own.key), str(authority.file))
    issuer, keeper = DevelopmentIssuer(directory / "issuer.pem", loopback=True), Doorkeeper()
    tokens = BoundTokens([issuer.trusted([HERE, ELSEWHERE])], AE_TITLE, keeper.used)
    people = People(tokens, keeper.demand_valid, keeper.now)
    server = DicomServer(world.archive, world.devices, HERE, AE_TITLE, HOST, 0, context, limits, people)
    door = Door(world, server, server.start(), authority, issuer, keeper)
    door.enrol("CT1")
    try:
        yield door
    finally:
        server.stop()
    assert until(lambda: set(threads()) <= before), threads()
    assert until(lambda: open_sockets() <= sockets), open_sockets()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with opened(tmp_path) as one:
        yield one


@pytest.fixture
def quick_door(tmp_path: Path) -> Iterator[Door]:
    """Return a door whose patience ends within a second."""
    with opened(tmp_path, QUICK) as one:
        yield one
