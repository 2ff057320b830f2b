"""The tables of the configuration about objects, the ledger, and whoever outside the house vouches for it."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from pacs_secure.core.access import Role
from pacs_secure.core.reports import zone

Port = Annotated[int, Field(ge=1, le=65535)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$")]
"""https anywhere; http is refused beyond this machine when it is used."""

BucketUrl = Annotated[str, StringConstraints(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*/?$")]
"""``s3://bucket/prefix``"""
Region = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]


class Section(BaseModel):
    """One table of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Keys(Section):
    """Keys that are made before a study needs one."""

    pool: Annotated[int, Field(ge=0, le=100_000)] = 0
    """How many a process keeps ready of each kind, so that pictures come in while the vault is away; 0: none. With
    ``only_in_snapshot``: as many as new studies come between two verified snapshots, or more."""
    only_in_snapshot: bool = True
    """Whether one may only be used once a verified snapshot of the vault holds it."""


class WitnessAt(Section):
    """A witness of the ledger under another administration (C2SP tlog-witness)."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._/-]{1,100}$")]
    """What it is called here, in alarms too."""
    url: Url
    verifier_key: Annotated[str, Field(min_length=1)]
    """As `pacs-witness key` prints it; got from its administration, not from its address."""
    ca_file: Path | None = None
    """The only authority trusted for it; None: those that the system trusts."""


class TimeStamping(Section):
    """A time-stamping authority (RFC 3161)."""

    url: Url
    ca_file: Path
    """Root certificates of the authority's time stamps (PEM), of intermediate ones too when it sends none."""
    tls_ca_file: Path | None = None
    """The only authority trusted for its address; None: those that the system trusts."""
    every_hours: Annotated[float, Field(gt=0, le=168)] = 1.0


class Syslog(Section):
    """Who gets every entry as audit message, by syslog over TLS (RFC 5425, IHE ITI-20)."""

    host: Annotated[str, Field(min_length=1, max_length=255)]
    port: Port = 6514
    ca_file: Path
    """The only authority trusted for the receiver."""
    certificate_file: Path | None = None
    key_file: Path | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("a client certificate needs certificate_file and key_file")
        return self


class LedgerReport(Section):
    """Whose days reports count by, and from when on an access is flagged as unusual in them."""

    time_zone: str = "UTC"
    """IANA name, such as Europe/Berlin."""
    patients_a_day: Annotated[int, Field(gt=0)] = 150
    """Patients of one person on one day, whatever they usually do."""
    times_own_median: Annotated[int, Field(gt=0)] = 3
    """How many times a person's own median day is too much …"""
    least_patients: Annotated[int, Field(gt=0)] = 20
    """… from so many patients a day on …"""
    least_days: Annotated[int, Field(gt=0)] = 5
    """… for a person with so many days of work in the period."""
    night_begins: Annotated[int, Field(ge=12, le=24)] = 22
    night_ends: Annotated[int, Field(ge=0, le=12)] = 6
    night_patients: Annotated[int, Field(gt=0)] = 10
    """Patients of one person in the night hours of one day."""
    weekend_patients: Annotated[int, Field(gt=0)] = 30
    """Patients of one person on one Saturday or Sunday."""
    refusals_a_day: Annotated[int, Field(gt=0)] = 10
    """Refused acts of one person on one day."""
    outside_department_patients: Annotated[int, Field(gt=0)] = 1
    """Patients of another department of one person in the whole period."""
    house_wide_roles: frozenset[Role] = frozenset({Role.RADIOLOGIST})
    """Whose work spans all departments."""

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            zone(name)
        except (KeyError, OSError, ValueError):
            raise ValueError("time_zone is none that this machine knows") from None
        return name


class Bucket(Section):
    """A bucket with object lock, where checkpoints are locked away."""

    url: BucketUrl
    endpoint: Url
    region: Region = "us-east-1"
    credentials_file: Path
    """As of `ObjectStore`; may be allowed to put, read and list, and no more."""
    ca_file: Path | None = None
    request_seconds: Annotated[float, Field(gt=0, le=300)] = 30.0
    days: Annotated[int, Field(ge=1, le=36500)] | None = None
    """For how long each is locked, against everybody; None: as long as an entry of the ledger is kept, and a year."""


class Ledger(Section):
    """Where checkpoints are published, under which name, who vouches for them, and who hears of every entry."""

    checkpoint_directory: Path
    origin: str
    public_key_file: Path
    """PEM; what `ledger verify` trusts, so that it also works while the vault is away."""
    report: LedgerReport = LedgerReport()
    witnesses: tuple[WitnessAt, ...] = ()
    witness_quorum: Annotated[int, Field(ge=1)] | None = None
    """How many must sign before a checkpoint counts as witnessed; None: two, or the only one."""
    time_stamping: TimeStamping | None = None
    syslog: Syslog | None = None
    lock: Bucket | None = None
    """None: checkpoints are locked away nowhere."""
    keep_months: Annotated[int, Field(ge=12, le=120)] = 36
    """How long an entry is kept before it expires (EHDS 9, LOG-05)."""

    @property
    def locked_days(self) -> int:
        """For how many days a checkpoint is locked away."""
        return (self.lock and self.lock.days) or (self.keep_months + 12) * 31

    @property
    def quorum(self) -> int:
        """How many witnesses must sign."""
        return self.witness_quorum or min(2, len(self.witnesses))

    @model_validator(mode="after")
    def _a_quorum_that_can_be_reached(self) -> Self:
        if len({one.name for one in self.witnesses}) != len(self.witnesses):
            raise ValueError("two witnesses have the same name")
        if self.witness_quorum is not None and self.witness_quorum > len(self.witnesses):
            raise ValueError("witness_quorum is larger than the number of [[ledger.witnesses]]")
        return self


class ObjectStore(Section):
    """One place for sealed objects: a directory, or a bucket of S3."""

    directory: Path | None = None
    least_free: Annotated[int, Field(ge=0)] = 256 << 20
    """Bytes of free space below which the directory takes nothing more (0xA700, 503)."""
    url: (
        Annotated[str, StringConstraints(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*/?$")]
        | None
    ) = None
    """``s3://bucket/prefix``."""
    endpoint: Url | None = None
    """Where the bucket is asked for; https, or http on this machine."""
    region: Region = "us-east-1"
    credentials_file: Path | None = None
    """JSON, mode 0600: access_key_id, secret_access_key and perhaps session_token. Read anew for every request."""
    ca_file: Path | None = None
    """An authority that is trusted for the endpoint beside those that the system trusts."""
    request_seconds: Annotated[float, Field(gt=0, le=300)] = 30.0
    """How long one request to the bucket may last."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.directory is None) == (self.url is None):
            raise ValueError("a place for objects names either directory or url")
        if self.url is not None and (self.endpoint is None or self.credentials_file is None):
            raise ValueError("a bucket needs endpoint and credentials_file")
        if self.url is None and (self.endpoint is not None or self.credentials_file is not None):
            raise ValueError("a directory needs neither endpoint nor credentials_file")
        return self


class Objects(ObjectStore):
    """Where the sealed objects are kept."""

    compression: Literal["zstd", "none"] = "zstd"
    """What uncompressed transfer syntaxes are packed with before they are sealed; the bytes come back as sent."""
    second: ObjectStore | None = None
    """Where each lies a second time, elsewhere, and is read from when the first cannot give it."""

    @model_validator(mode="after")
    def _two_places(self) -> Self:
        if self.second is not None and self._where(self) == self._where(self.second):
            raise ValueError("the second store of objects is the first")
        return self

    @staticmethod
    def _where(store: ObjectStore) -> tuple[Path | str | None, ...]:
        return store.directory, store.url, store.endpoint


class Backup(Section):
    """Where backups go by themselves, and for how long they stay; none without a directory."""

    directory: Path | None = None
    """On other disks than the archive's, or on another machine's."""
    every_hours: Annotated[float, Field(gt=0, le=168)] = 24.0
    keep_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """How long a set stays; until then its index tells, sealed, of studies that were erased since (GDPR 17)."""
    keep_vault_days: Annotated[int, Field(ge=1, le=90)] = 14
    """How long the vault's snapshot in it stays; until then it holds keys that were forgotten since."""
    unseal_file: Path | None = None
    """JSON, mode 0600, with the ``shares`` that open the vault's snapshots where they are tried, on another machine if
    you can: whoever holds them and a set reads everything. None: snapshots are kept, and never proven."""
    work_directory: Path | None = None
    """Where a set is restored to be compared; room for the database. None: the system's temporary files."""


class Clock(Section):
    """Other clocks that ours is held against (IHE Consistent Time)."""

    servers: tuple[Annotated[str, Field(pattern=r"^[!-~]{1,255}$")], ...] = ()
    """NTP servers, ``host`` or ``host:port``; with none, only steps of our own clock are seen."""
    every_seconds: Annotated[float, Field(gt=0, le=3600)] = 64.0


class Verification(Section):
    """How often everything is read again."""

    scrub_days: Annotated[float, Field(gt=0, le=180)] = 90
    """In how many days each object is opened and parsed once; half a year keeps the promise of once a year."""
