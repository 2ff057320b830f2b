"""Which part of a query an index without keys can answer, and whether that part decides it alone."""

import re
from collections.abc import Callable, Mapping
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
_CODE = re.compile(r"[A-Z0-9_]{1,16}", re.ASCII)
"""What a column of modalities may hold in clear; anything else stands in its box only."""

_PADDING = " \0"
_LARGEST = (1 << 31) - 1
"""Of an IS (PS3.5 6.2)."""

_UID_COLUMNS = {
    "StudyInstanceUID": "study_instance_uids",
    "SeriesInstanceUID": "series_instance_uids",
    "SOPInstanceUID": "sop_instance_uids",
    "SOPClassUID": "sop_class_uids",
}
_CODE_COLUMNS = {"Modality": "modalities", "ModalitiesInStudy": "modalities_in_study"}


def narrow(seal: IndexSeal, query: Query, limit: int | None) -> Narrowing:
    """Build the narrowing of a query; with a limit when it decides alone (see `decides_alone`)."""
    narrowing = Narrowing(query.level, limit=limit, offset=query.offset if limit is not None else 0)
    if query.study_instance_uid is not None:
        narrowing = replace(narrowing, study_instance_uids=(query.study_instance_uid,))
    if query.series_instance_uid is not None:
        narrowing = replace(narrowing, series_instance_uids=(query.series_instance_uid,))
    for key in query.keys:
        if any(key.values):
            narrowing = _narrow_by(seal, narrowing, key, fuzzy=query.fuzzy)
    return narrowing


def decides_alone(query: Query) -> bool:
    """Say whether SQL decides every key, so that paging can be done there."""
    return all(decided(key) for key in query.keys)


def decided(key: MatchKey) -> bool:
    """Say whether SQL decides a key, at whatever level: nothing is left to match on the opened hit."""
    if _has_wildcard(key):
        return False
    dated = key.keyword == "StudyDate" and len(key.values) == 1
    coded = key.keyword in _CODE_COLUMNS and all(map(_CODE.fullmatch, _stripped(key)))
    return dated or coded or key.keyword in _UID_COLUMNS


def _narrow_by(seal: IndexSeal, narrowing: Narrowing, key: MatchKey, *, fuzzy: bool) -> Narrowing:
    alone = len(key.values) == 1
    if key.keyword in PERSON_NAMES:
        tokens = _name_tokens(seal, key.values[0], fuzzy=fuzzy) if alone else ()
        return replace(narrowing, name_tokens=narrowing.name_tokens + tokens)
    if key.keyword in _UID_COLUMNS and decided(key):
        return _with_uids(narrowing, _UID_COLUMNS[key.keyword], key)
    if key.keyword in _CODE_COLUMNS and decided(key):
        return _with(narrowing, {_CODE_COLUMNS[key.keyword]: _stripped(key)})
    if key.keyword in _BY_ONE_VALUE and alone and not _has_wildcard(key):
        return _with(narrowing, _BY_ONE_VALUE[key.keyword](seal, key.values[0]))
    return narrowing


def _with(narrowing: Narrowing, columns: Mapping[str, object]) -> Narrowing:
    changed: Callable[..., Narrowing] = replace
    return changed(narrowing, **columns)


def _with_uids(narrowing: Narrowing, column: str, key: MatchKey) -> Narrowing:
    """Narrow to the UIDs asked for, within those of the path when it named any."""
    asked = tuple(uid(value) for value in key.values)
    already: tuple[str, ...] = getattr(narrowing, column)
    both = tuple(value for value in asked if value in already) if already else asked
    # A UID that cannot exist keeps the narrowing from becoming none at all.
    return _with(narrowing, {column: both or (uid("0"),)})


def _study_date(_: IndexSeal, value: str) -> Mapping[str, object]:
    asked = parse_range("DA", value)
    return {"study_date_from": asked.low, "study_date_to": asked.high}


def _birth_date(seal: IndexSeal, value: str) -> Mapping[str, object]:
    born = parse_range("DA", value)
    return {"birth_date_token": seal.token(BIRTH_DATE, born.low) if born.low == born.high else None}


def _number(text: str) -> int | None:
    """Return the number a column may hold; None, which narrows nothing, for one that is too large for it."""
    try:
        number = int(text)
    except ValueError:
        raise Malformed("a number is needed here") from None
    return number if abs(number) <= _LARGEST else None


_BY_ONE_VALUE: Mapping[str, Callable[[IndexSeal, str], Mapping[str, object]]] = {
    "StudyDate": _study_date,
    BIRTH_DATE: _birth_date,
    PATIENT_ID: lambda seal, value: {"patient_id_token": seal.token(PATIENT_ID, value)},
    ACCESSION_NUMBER: lambda seal, value: {"accession_number_token": seal.token(ACCESSION_NUMBER, value)},
    "SeriesNumber": lambda _, value: {"series_number": _number(value)},
    "InstanceNumber": lambda _, value: {"instance_number": _number(value)},
}
"""What one value of a key says of the columns."""


def _name_tokens(seal: IndexSeal, pattern: str, *, fuzzy: bool) -> tuple[frozenset[bytes], ...]:
    if fuzzy:
        pattern = _WILDCARD.sub(" ", pattern)
    words = _ANCHORED_WORD.findall(pattern)
    return tuple(tokens for word in words if (tokens := seal.name_prefix_tokens(word)))


def _stripped(key: MatchKey) -> tuple[str, ...]:
    return tuple(value.strip(_PADDING) for value in key.values)


def _has_wildcard(key: MatchKey) -> bool:
    return any(_WILDCARD.search(value) for value in key.values)
