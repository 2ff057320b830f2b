"""What a backup set holds, said in one page that is signed: digests, counts and roots, and nothing of a person."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import ObjectId

VERSION = 1
"""Of what a manifest says, and how."""

MANIFEST, SIGNATURE, OBJECTS, PUBLISHED, SNAPSHOT, PROVEN = (
    "manifest.json",
    "manifest.note",
    "objects.list",
    "ledger/published.list",
    "vault/snapshot",
    "proven",
)
"""What the files of a set are called."""

Progress = Callable[[int], None]

INDEX_TABLES = ("patients", "studies", "name_tokens", "study_modalities", "series", "instances")
"""Tables whose rows are the studies: their root is made of these."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many there are, and the root of the tree over them (RFC 6962), as hexadecimal digits."""

    count: int
    root: str


@dataclass(frozen=True, slots=True)
class FileDigest:
    """One file of a set, by its name in the set."""

    name: str
    length: int
    sha256: str

    def line(self) -> str:
        """Write it down as a line of the list of published files."""
        return f"{self.sha256} {self.length} {self.name}\n"


@dataclass(frozen=True, slots=True)
class HeldObject:
    """One sealed object that a set refers to."""

    object_id: ObjectId
    length: int
    sha256: str

    def line(self) -> str:
        """Write it down as a line of the list of objects."""
        return f"{self.object_id} {self.length} {self.sha256}\n"


@dataclass(frozen=True, slots=True)
class NamedObject:
    """What a row of the index says of its object, and of the key it is sealed under."""

    object_id: ObjectId
    length: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What of a set does not come back, because its keys were forgotten since."""

    studies: int
    objects: Sequence[ObjectId]


@dataclass(frozen=True, slots=True)
class Content:
    """What a database holds, table by table, as one moment saw it."""

    engine: str
    schema: int
    tables: Mapping[str, Tally]
    ledger: Tally
    """Of the leaf hashes, of expired entries too."""

    @property
    def studies(self) -> Tally:
        """Return the root over everything that says of studies, and how many studies there are."""
        named = [f"{name} {self.tables[name].count} {self.tables[name].root}" for name in INDEX_TABLES]
        return Tally(self.tables["studies"].count, sha256("\n".join(named).encode()).hexdigest())

    def differences(self, restored: "Content") -> list[str]:
        """Name the tables that were not restored as they were.

        What a newer build brought up to its own schema has the same rows in other words: then they are counted.
        """
        if self.schema != restored.schema:
            counts = {name: tally.count for name, tally in restored.tables.items()}
            return sorted(name for name, tally in self.tables.items() if counts.get(name) != tally.count)
        every = self.tables.keys() | restored.tables.keys()
        return sorted(name for name in every if self.tables.get(name) != restored.tables.get(name))


@dataclass(frozen=True, slots=True)
class VaultSnapshot:
    """The vault's snapshot that belongs to a set; it goes before the set does, for it revives forgotten keys."""

    file: FileDigest
    taken_at: datetime
    """When its taking began: every key minted before lies in it."""
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a set holds."""

    name: str
    taken_at: datetime
    """UTC: when its taking began."""
    archive: str
    """Version of the archive that took it."""
    institution: str
    origin: str
    content: Content
    database: Sequence[FileDigest]
    objects: Tally
    objects_bytes: int
    objects_list: FileDigest
    published: FileDigest
    """The list of the published ledger's files."""
    ledger_files: Sequence[FileDigest]
    """What of the published ledger changes from set to set, and therefore lies in the set itself."""
    expires_at: datetime
    """When the set itself goes, and with it what its index says of studies that were erased since."""
    vault: VaultSnapshot | None = None
    version: int = field(default=VERSION)

    def files(self) -> list[FileDigest]:
        """Return every file that lies in the set itself; its snapshot of the vault last."""
        own = [*self.database, self.objects_list, self.published, *self.ledger_files]
        return [*own, self.vault.file] if self.vault else own

    def to_json(self) -> bytes:
        """Write it down; the same manifest is always the same bytes."""
        return json.dumps(asdict(self), default=_said, indent=1, sort_keys=True).encode() + b"\n"


def read_manifest(written: bytes) -> Manifest:
    """Read what `Manifest.to_json` wrote; whoever acts by it verifies its signature first.

    Raises:
        Tampered: it is none, or of a version this build does not know.
    """
    try:
        told = json.loads(written)
        if told["version"] != VERSION:
            raise Tampered("the backup set is of a version that this build does not know")
        content, vault = told.pop("content"), told.pop("vault")
        for name in ("taken_at", "expires_at"):
            told[name] = datetime.fromisoformat(told[name])
        for name in ("database", "ledger_files"):
            told[name] = tuple(FileDigest(**one) for one in told[name])
        for name in ("objects_list", "published"):
            told[name] = FileDigest(**told[name])
        told["objects"] = Tally(**told["objects"])
        tables = {name: Tally(**tally) for name, tally in content.pop("tables").items()}
        return Manifest(
            content=Content(tables=tables, ledger=Tally(**content.pop("ledger")), **content),
            vault=None if vault is None else _snapshot(vault),
            **told,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Tampered("the manifest of the backup set cannot be read") from None


def _snapshot(told: dict[str, str | dict[str, str]]) -> VaultSnapshot:
    at = {name: datetime.fromisoformat(str(told[name])) for name in ("taken_at", "expires_at")}
    return VaultSnapshot(FileDigest(**told["file"]), **at)  # type: ignore[arg-type]  # what it says is checked by who reads


def _said(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a manifest says no {type(value).__name__}")


def read_objects(lines: Iterable[bytes]) -> Iterator[HeldObject]:
    """Read a list of objects; raise `Tampered` when it is none."""
    for line in lines:
        try:
            object_id, length, digest = line.decode().split()
            yield HeldObject(ObjectId(UUID(object_id)), int(length), digest)
        except ValueError:
            raise Tampered("the list of objects cannot be read") from None


def read_files(lines: Iterable[bytes]) -> Iterator[FileDigest]:
    """Read a list of published files; raise `Tampered` when it is none."""
    for line in lines:
        try:
            digest, length, name = line.decode().rstrip("\n").split(" ", 2)
            yield FileDigest(name, int(length), digest)
        except ValueError:
            raise Tampered("the list of published files cannot be read") from None
