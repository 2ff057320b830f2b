"""What a search asks: QIDO-RS and C-FIND become this one `Query`."""

from dataclasses import dataclass
from enum import StrEnum

from pacs_secure.core.identifiers import Uid

MOST_RESULTS = 500
"""No search answers with more (ACC-04)."""


class Level(StrEnum):
    """Query/Retrieve level (PS3.4 C.6)."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    INSTANCE = "IMAGE"


@dataclass(frozen=True, slots=True)
class MatchKey:
    """One matching key: what value, and by which of the matching types of PS3.4 C.2.2.2."""

    tag: str
    """Eight upper-case hexadecimal digits."""
    keyword: str
    vr: str
    values: tuple[str, ...]
    """One value with or without wildcards, one range ("a-b", "a-", "-b"), or a list of UIDs."""


@dataclass(frozen=True, slots=True)
class Query:
    """One search, whichever door it came through."""

    level: Level
    keys: tuple[MatchKey, ...] = ()
    study_instance_uid: Uid | None = None
    """Set when the search lies below one study."""
    series_instance_uid: Uid | None = None
    include: frozenset[str] = frozenset()
    """Tags asked for beyond the level's default."""
    include_all: bool = False
    fuzzy: bool = False
    """Person names match any word that begins with the value, case and accents aside."""
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Narrowing:
    """The part of a query that an index without keys can answer: plain columns and keyed tokens.

    Empty tuples and None narrow nothing. ``name_tokens`` is a conjunction of alternatives.
    """

    level: Level
    study_instance_uids: tuple[Uid, ...] = ()
    series_instance_uids: tuple[Uid, ...] = ()
    sop_instance_uids: tuple[Uid, ...] = ()
    sop_class_uids: tuple[Uid, ...] = ()
    modalities: tuple[str, ...] = ()
    """Series-level Modality."""
    modalities_in_study: tuple[str, ...] = ()
    """Studies that hold a series of any of these."""
    study_date_from: str = ""
    study_date_to: str = ""
    patient_id_token: bytes | None = None
    accession_number_token: bytes | None = None
    birth_date_token: bytes | None = None
    name_tokens: tuple[frozenset[bytes], ...] = ()
    series_number: int | None = None
    instance_number: int | None = None
    limit: int | None = None
    """Set only when the narrowing decides the query alone, so that paging can be done in SQL."""
    offset: int = 0
