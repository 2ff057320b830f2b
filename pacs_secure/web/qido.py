"""Reads what a QIDO-RS URL asks and writes what it is answered (PS3.18 8.3.4, 10.6)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import orjson

from pacs_secure.core.errors import Malformed
from pacs_secure.core.identifiers import Uid
from pacs_secure.core.query import Level, MatchKey, Query
from pacs_secure.dicom.query_keys import resolve
from pacs_secure.web.origin import retrieve_url

MOST_PARAMETERS = 100
LONGEST_VALUE = 1_024
LARGEST = 1_000_000_000
"""Of limit and offset. However much is asked for, the archive gives no more than it gives at once (ACC-04)."""

_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)

_SOP_INSTANCE, _STUDY, _SERIES, _RETRIEVE_URL = "00080018", "0020000D", "0020000E", "00081190"


@dataclass(slots=True)
class _Asked:
    """A query while its parameters are being read."""

    keys: list[MatchKey] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    include: set[str] = field(default_factory=set)
    include_all: bool = False
    once: dict[str, str] = field(default_factory=dict)
    """limit, offset and fuzzymatching."""


def query(
    level: Level,
    query_string: bytes,
    study_instance_uid: Uid | None = None,
    series_instance_uid: Uid | None = None,
) -> Query:
    """Read the query of a URL at one level, below a study or series when the path names one.

    Raises:
        Malformed: a parameter is unknown, repeated, or no value of its kind.
    """
    asked = _Asked()
    for name, value in _parameters(query_string):
        _read(asked, name, value)
    return Query(
        level,
        tuple(asked.keys),
        study_instance_uid,
        series_instance_uid,
        frozenset(asked.include),
        include_all=asked.include_all,
        fuzzy=_flag(asked.once.get("fuzzymatching", "false")),
        limit=_number(asked.once.get("limit", "100"), 1),
        offset=_number(asked.once.get("offset", "0"), 0),
    )


def answer(results: Iterable[bytes], root: str) -> bytes:
    """Serialise the results as one DICOM JSON array, each with its Retrieve URL."""
    return b"[" + b",".join(_with_url(result, root) for result in results) + b"]"


def _parameters(query_string: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(query_string),
            errors="strict",
            max_num_fields=MOST_PARAMETERS,
        )
    except ValueError:
        raise Malformed("the query cannot be read, or has too many parameters") from None


def _read(asked: _Asked, name: str, value: str) -> None:
    if len(value) > LONGEST_VALUE or not value.isprintable():
        raise Malformed("a query value is too long or holds control characters")
    if name == "includefield":
        _include(asked, value)
    elif name in {"limit", "offset", "fuzzymatching"}:
        if name in asked.once:
            raise Malformed("a query parameter is repeated")
        asked.once[name] = value
    else:
        _match(asked, name, value)


def _include(asked: _Asked, value: str) -> None:
    for item in value.split(","):
        if item.strip() == "all":
            asked.include_all = True
        else:
            asked.include.add(resolve(item.strip()).tag)


def _match(asked: _Asked, name: str, value: str) -> None:
    attribute = resolve(name)
    if attribute.tag in asked.tags:
        raise Malformed("a query attribute is repeated")
    asked.tags.add(attribute.tag)
    asked.include.add(attribute.tag)
    if not value:
        return  # universal matching (PS3.4 C.2.2.2.3): it is only asked to be returned
    values = tuple(value.replace("\\", ",").split(",")) if attribute.vr == "UI" else (value,)
    asked.keys.append(MatchKey(attribute.tag, attribute.keyword, attribute.vr, values))


def _flag(text: str) -> bool:
    if text not in {"true", "false"}:
        raise Malformed("fuzzymatching is true or false")
    return text == "true"


def _number(text: str, least: int) -> int:
    if not (_NUMBER.fullmatch(text) and least <= int(text) <= LARGEST):
        raise Malformed(f"limit is 1 or more, offset 0 or more, and both at most {LARGEST}")
    return int(text)


def _with_url(result: bytes, root: str) -> bytes:
    attributes = orjson.loads(result)
    study, series, instance = (_first(attributes.get(tag)) for tag in (_STUDY, _SERIES, _SOP_INSTANCE))
    if study is None:
        return result
    url = retrieve_url(root, study, series, instance if series else None)
    attributes[_RETRIEVE_URL] = {"vr": "UR", "Value": [url]}
    return orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS)


def _first(attribute: dict[str, list[str]] | None) -> str | None:
    values = attribute.get("Value") if attribute else None
    return values[0] if values else None
