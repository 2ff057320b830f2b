"""Which part of a query an index without keys can answer, and whether that part decides it alone."""

import re
from collections.abc import Callable
from dataclasses import replace

from pacs_secure.archive.indexing import ACCESSION_NUMBER, BIRTH_DATE, PATIENT_ID, PERSON_NAMES
from pacs_secure.core.errors import Malformed
from pacs_secure.core.identifiers import uid
from pacs_secure.core.query import MatchKey, Narrowing, Query
from pacs_secure.crypto.index_seal import IndexSeal

_WILDCARD = re.compile(r"[*?]")
_ANCHORED_WORD = re.compile(r"(?:^|[\^= \-])([^\^= \-*?]+)")
"""Literal text at the start of a word: after a wildcard only a separator starts a word again."""

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
    BIRTH_DATE: "birth_date_token",
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
    return key.keyword in _UID_COLUMNS or key.keyword in _PLAIN_COLUMNS or key.keyword == "StudyDate"


def _narrow_by(seal: IndexSeal, narrowing: Narrowing, key: MatchKey, *, fuzzy: bool) -> Narrowing:
    keyword = key.keyword
    if not any(key.values):
        return narrowing
    if keyword in PERSON_NAMES:
        return replace(narrowing, name_tokens=narrowing.name_tokens + _name_tokens(seal, key, fuzzy=fuzzy))
    if _has_wildcard(key):
        return narrowing
    if keyword in _UID_COLUMNS:
        return _with_uids(narrowing, _UID_COLUMNS[keyword], key)
    if keyword in _PLAIN_COLUMNS:
        return _with(narrowing, _PLAIN_COLUMNS[keyword], key.values)
    if keyword == "StudyDate":
        low, _, high = key.values[0].partition("-") if "-" in key.values[0] else (key.values[0], "", key.values[0])
        return replace(narrowing, study_date_from=low, study_date_to=high)
    if keyword in _TOKENS and len(key.values) == 1 and not (keyword == BIRTH_DATE and "-" in key.values[0]):
        return _with(narrowing, _TOKENS[keyword], seal.token(keyword, key.values[0]))
    if keyword in _NUMBERS and len(key.values) == 1:
        return _with(narrowing, _NUMBERS[keyword], _number(key.values[0]))
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


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Malformed("a number is needed here") from None


def _name_tokens(seal: IndexSeal, key: MatchKey, *, fuzzy: bool) -> tuple[frozenset[bytes], ...]:
    pattern = key.values[0]
    if fuzzy:
        pattern = _WILDCARD.sub(" ", pattern)
    words = _ANCHORED_WORD.findall(pattern)
    return tuple(tokens for word in words if (tokens := seal.name_prefix_tokens(word)))


def _has_wildcard(key: MatchKey) -> bool:
    return any(_WILDCARD.search(value) for value in key.values)
