"""Reports on the record of a time: what they are asked for, what they say, and nothing of how they look.

A report is tables of codes and counts. Words of a language are put to them where it is printed, so that the
German page, the English page and the JSON say the same.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo

from pacs_secure.core.errors import Malformed
from pacs_secure.core.vocabulary import Role

Cell = str | int

SETTLES = timedelta(minutes=5)
"""How long after a time its last entries may get their place: until then it is not over."""
LONGEST_PERIOD = timedelta(days=3 * 366)
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(9000, 12, 31)
"""Between which days a period lies: beyond them a time zone may lead out of the calendar."""


def zone(name: str) -> tzinfo:
    """Return a time zone by its IANA name; UTC also where the machine knows no others."""
    return UTC if name == "UTC" else ZoneInfo(name)


class Language(StrEnum):
    """In which language a report is printed."""

    ENGLISH = "en"
    GERMAN = "de"


class ReportFormat(StrEnum):
    """How a report is written down."""

    HTML = "html"
    JSON = "json"
    PDF = "pdf"
    """PDF/A-3b (ISO 19005-3)."""


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days of one time zone, both ends among them."""

    first: date
    last: date
    time_zone: str

    def __post_init__(self) -> None:
        if not FIRST_DAY <= self.first <= self.last <= LAST_DAY or self.last - self.first > LONGEST_PERIOD:
            raise Malformed("a period ends on or after its first day, and within three years")

    @property
    def begins_at(self) -> datetime:
        """Return its first moment, UTC."""
        return self._midnight(self.first)

    @property
    def ends_at(self) -> datetime:
        """Return the first moment after it, UTC."""
        return self._midnight(self.last + timedelta(days=1))

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), zone(self.time_zone)).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From when on an access counts as unusual; an installation sets them under ``[ledger.report]``."""

    patients_a_day: int = 150
    """Patients of one person on one day, whatever they usually do."""
    times_own_median: int = 3
    """How many times a person's own median day is too much."""
    least_patients: int = 20
    """A day below this is never compared with the person's median."""
    least_days: int = 5
    """Days on which a person must have worked for their median to mean anything."""
    night_begins: int = 22
    night_ends: int = 6
    """Hours of the report's time zone."""
    night_patients: int = 10
    """Patients of one person in the night hours of one day."""
    weekend_patients: int = 30
    """Patients of one person on one Saturday or Sunday."""
    refusals_a_day: int = 10
    """Refused acts of one person on one day."""
    outside_department_patients: int = 1
    """Patients of other departments of one person in the whole period."""
    house_wide_roles: frozenset[Role] = frozenset({Role.RADIOLOGIST})
    """Whose work spans all departments: they are never outside their own."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of codes, pseudonyms and counts under named columns."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...] = ()
    more: int = 0
    """Rows that there are beside those."""


@dataclass(frozen=True, slots=True)
class Point:
    """One statement, by the name of its sentence, with the numbers that stand in it."""

    name: str
    values: dict[str, Cell] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Flagged:
    """What one rule of unusual access found."""

    rule: str
    limits: dict[str, Cell]
    """The thresholds it went by."""
    persons: int
    """Pseudonyms concerned."""
    found: Table | None
    """None: the rule cannot be computed from the ledger."""


@dataclass(frozen=True, slots=True)
class Integrity:
    """What the verification that came with the reading said, and which signed tree covers it."""

    sound: bool
    problems: Table
    unreadable: int
    """Entries that hold a word this build does not know."""
    first_entry: int
    """Index of the first entry of the period; -1 when there is none."""
    last_entry: int
    """Index of the last entry that was written before the period ended; -1 when there is none."""
    checkpoint_size: int
    """Entries that the first signed checkpoint behind the period covers; 0 when there is none yet."""
    checkpoint_root: str
    """Its root, hexadecimal."""
    witnesses: tuple[str, ...]
    """Whose signatures beside the log's own were verified, on the first head that covers the period or, while there is
    none, on the newest."""
    witnessed_size: int = 0
    """How many entries they signed for."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the ledger of one institution says of one period."""

    institution: str
    origin: str
    """Under which name the ledger is signed."""
    software: str
    first_day: str
    last_day: str
    time_zone: str
    closed: bool
    """Whether the period was over; only then later acts change nothing in the answer to the same question."""
    policies: tuple[str, ...]
    """Versions of the rules that its acts were decided by."""
    integrity: Integrity
    totals: tuple[Point, ...]
    counts: tuple[Table, ...]
    chapters: tuple[Table, ...]
    unusual: tuple[Flagged, ...]
    open_points: tuple[Point, ...]
    blind_spots: tuple[str, ...]
    processing: tuple[Point, ...]
    """For the record of processing activities (GDPR 30)."""
    measures: tuple[Point, ...]
    """For the security of processing (GDPR 32)."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A report as a file, with the note that proves where it comes from."""

    content: bytes = field(repr=False)
    note: bytes
    """C2SP signed note over its SHA-256."""
    name: str
    media_type: str


MEDIA_TYPES = {
    ReportFormat.HTML: "text/html; charset=utf-8",
    ReportFormat.JSON: "application/json",
    ReportFormat.PDF: "application/pdf",
}

BLIND_SPOTS = (
    "browser",
    "structured-report-author",
    "vault-snapshots",
    "process-memory",
    "after-delivery",
    "relations",
    "burned-in-text",
    "hostile-code",
)
"""What no report on this archive can see; each is said in every one."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What reports say of the house itself."""

    software: str
    time_zone: str = "UTC"
    """IANA name: whose days and hours are meant."""
    thresholds: Thresholds = field(default_factory=Thresholds)
    measures: tuple[Point, ...] = ()
    """Facts from the configuration that belong among the measures of GDPR 32."""
