"""Which part of a query an index without keys can answer, and whether that part decides it alone."""

import re
from collections.abc import Callable
from dataclasses import replace

from pacs_secure.archive.indexing import ACCESSION_NUMBER, BIRTH_DATE, PATIENT_ID, PERSON_NAMES
from pacs_secure.core.errors import Malformed
from pacs_secure.core.identifiers import uid
from pacs_secure.core.query import MatchKey, Narrowing, Query
from pacs_secure.crypto.index_seal import IndexSeal
from pacs_secure.dicom.ranges import parse_range

_WILDCARD = re.compile(r"[*?]")
_ANCHORED_WORD = re.compile(r"(?:^|[\^= \-])([^\^= \-*?]+)")
"""Literal text at the start of a word: after a wildcard only a separator starts a word again."""

_PADDING = " \0"
_LARGEST = (1 << 31) - 1
"""Of an IS (PS3.5 6.2)."""

_UID_COLUMNS = {
    "StudyInstanceUID": "study_instance_uids",
    "SeriesInstanceUID": "series_instance_uids",
    "SOPInstanceUID": "sop_instance_uids",
    "SOPClassUID": "sop_class_uids",
}
_PLAIN_COLUMNS = {"Modality": "modalities", "ModalitiesInStudy": "modalities_in_study"}
_NUMBERS = {"SeriesNumber": "series_number", "InstanceNumber": "instance_number"}
_TOKENS = {
    PATIENT_ID: "patient_id_token",
    ACCESSION_NUMBER: "accession_number_token",
}


def narrow(seal: IndexSeal, query: Query, limit: int | None) -> Narrowing:
    """Build the narrowing of a query; with a limit when it decides alone (see `decides_alone`)."""
    narrowing = Narrowing(query.level, limit=limit, offset=query.offset if limit is not None else 0)
    if query.study_instance_uid is not None:
        narrowing = replace(narrowing, study_instance_uids=(query.study_instance_uid,))
    if query.series_instance_uid is not None:
        narrowing = replace(narrowing, series_instance_uids=(query.series_instance_uid,))
    for key in query.keys:
        narrowing = _narrow_by(seal, narrowing, key, fuzzy=query.fuzzy)
    return narrowing


def decides_alone(query: Query) -> bool:
    """Say whether SQL decides every key, so that paging can be done there."""
    return all(_decided_in_sql(key) for key in query.keys)


def _decided_in_sql(key: MatchKey) -> bool:
    if _has_wildcard(key):
        return False
    dated = key.keyword == "StudyDate" and len(key.values) == 1
    return dated or key.keyword in _UID_COLUMNS or key.keyword in _PLAIN_COLUMNS


def _narrow_by(seal: IndexSeal, narrowing: Narrowing, key: MatchKey, *, fuzzy: bool) -> Narrowing:
    keyword, values = key.keyword, key.values
    if not any(values):
        return narrowing
    if keyword in PERSON_NAMES and len(values) == 1:
        return replace(narrowing, name_tokens=narrowing.name_tokens + _name_tokens(seal, values[0], fuzzy=fuzzy))
    if _has_wildcard(key):
        return narrowing
    if keyword in _UID_COLUMNS:
        return _with_uids(narrowing, _UID_COLUMNS[keyword], key)
    if keyword in _PLAIN_COLUMNS:
        return _with(narrowing, _PLAIN_COLUMNS[keyword], tuple(value.strip(_PADDING) for value in values))
    return _narrow_by_one(seal, narrowing, keyword, values[0]) if len(values) == 1 else narrowing


def _narrow_by_one(seal: IndexSeal, narrowing: Narrowing, keyword: str, value: str) -> Narrowing:
    if keyword == "StudyDate":
        asked = parse_range("DA", value)
        return replace(narrowing, study_date_from=asked.low, study_date_to=asked.high)
    if keyword == BIRTH_DATE:
        born = parse_range("DA", value)
        one_day = born.low == born.high
        return replace(narrowing, birth_date_token=seal.token(keyword, born.low) if one_day else None)
    if keyword in _TOKENS:
        return _with(narrowing, _TOKENS[keyword], seal.token(keyword, value))
    if keyword in _NUMBERS:
        return _with(narrowing, _NUMBERS[keyword], _number(value))
    return narrowing


def _with(narrowing: Narrowing, column: str, value: object) -> Narrowing:
    changed: Callable[..., Narrowing] = replace
    return changed(narrowing, **{column: value})


def _with_uids(narrowing: Narrowing, column: str, key: MatchKey) -> Narrowing:
    """Narrow to the UIDs asked for, within those of the path when it named any."""
    asked = tuple(uid(value) for value in key.values)
    already: tuple[str, ...] = getattr(narrowing, column)
    both = tuple(value for value in asked if value in already) if already else asked
    # A UID that cannot exist keeps the narrowing from becoming none at all.
    return _with(narrowing, column, both or (uid("0"),))


def _number(text: str) -> int | None:
    """Return the number a column may hold; None, which narrows nothing, for one that is too large for it."""
    try:
        number = int(text)
    except ValueError:
        raise Malformed("a number is needed here") from None
    return number if abs(number) <= _LARGEST else None


def _name_tokens(seal: IndexSeal, pattern: str, *, fuzzy: bool) -> tuple[frozenset[bytes], ...]:
    if fuzzy:
        pattern = _WILDCARD.sub(" ", pattern)
    words = _ANCHORED_WORD.findall(pattern)
    return tuple(tokens for word in words if (tokens := seal.name_prefix_tokens(word)))


def _has_wildcard(key: MatchKey) -> bool:
    return any(_WILDCARD.search(value) for value in key.values)
