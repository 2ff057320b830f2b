"""Says what a Data Set says of itself: DICOM JSON for viewers, and what the index may seal and search."""

import re
from collections.abc import Collection

import orjson

from pacs_secure.core.instance import Description
from pacs_secure.dicom.header import Header
from pacs_secure.dicom.inflation import inflate
from pacs_secure.dicom.json_model import UTF_8, Attribute, Attributes, to_json
from pacs_secure.dicom.levels import INSTANCE_ATTRIBUTES, SERIES_ATTRIBUTES, STUDY_ATTRIBUTES
from pacs_secure.dicom.limits import STANDARD, Limits
from pacs_secure.dicom.syntaxes import syntax_of

_CHARACTER_SET, _AVAILABLE_TRANSFER_SYNTAXES = "00080005", "00083002"
_SOP_CLASS, _SOP_INSTANCE, _STUDY_UID, _SERIES_UID = "00080016", "00080018", "0020000D", "0020000E"
_STUDY_DATE, _STUDY_TIME, _ACCESSION_NUMBER, _MODALITY = "00080020", "00080030", "00080050", "00080060"
_REFERRING_PHYSICIAN, _PATIENT_NAME, _PATIENT_ID, _ISSUER = "00080090", "00100010", "00100020", "00100021"
_BIRTH_DATE, _SERIES_NUMBER, _INSTANCE_NUMBER = "00100030", "00200011", "00200013"
_BULK = {"BulkDataURI", "InlineBinary"}

_DATE = re.compile(r"([0-9]{4})\.?([0-9]{2})\.?([0-9]{2})")
"""With dots as the standard before DICOM wrote it (PS3.5 6.2)."""
_LARGEST = (1 << 31) - 1
"""Of an IS (PS3.5 6.2)."""


def describe(
    data_set: bytes | bytearray | memoryview, transfer_syntax_uid: str, header: Header, limits: Limits = STANDARD
) -> Description:
    """Describe a Data Set that the scanner has let pass; no value of it can make this fail.

    What cannot be read is left out. The identity is the header's, whatever else stands in the bytes.

    Raises:
        OverLimit: a deflated Data Set grows past limits that are narrower than those it was scanned with.
    """
    syntax = syntax_of(transfer_syntax_uid)
    data = memoryview(inflate(data_set, limits) if syntax.deflated else data_set)
    attributes = to_json(data, syntax.coding, limits)
    study = {_STUDY_UID: _identifier(header.study_instance_uid)}
    series = study | {_SERIES_UID: _identifier(header.series_instance_uid)}
    instance = series | {
        _SOP_CLASS: _identifier(header.sop_class_uid),
        _SOP_INSTANCE: _identifier(header.sop_instance_uid),
    }
    available = {_AVAILABLE_TRANSFER_SYNTAXES: _identifier(transfer_syntax_uid)}
    return Description(
        modality=_text(attributes, _MODALITY),
        study_date=_date(_text(attributes, _STUDY_DATE)),
        study_time=_text(attributes, _STUDY_TIME),
        series_number=_number(attributes, _SERIES_NUMBER),
        instance_number=_number(attributes, _INSTANCE_NUMBER),
        patient_id=_text(attributes, _PATIENT_ID),
        issuer_of_patient_id=_text(attributes, _ISSUER),
        patient_birth_date=_date(_text(attributes, _BIRTH_DATE)) or _text(attributes, _BIRTH_DATE),
        accession_number=_text(attributes, _ACCESSION_NUMBER),
        patient_name=_text(attributes, _PATIENT_NAME),
        referring_physician_name=_text(attributes, _REFERRING_PHYSICIAN),
        study_json=_serialise(_only(attributes, STUDY_ATTRIBUTES) | study),
        series_json=_serialise(_only(attributes, SERIES_ATTRIBUTES) | series),
        instance_json=_serialise(_only(attributes, INSTANCE_ATTRIBUTES) | instance | available),
        metadata_json=_serialise(attributes | instance),
    )


def _only(attributes: Attributes, tags: Collection[str]) -> Attributes:
    """Return the attributes of one level, without any bulk data an index has no place for."""
    return {tag: attributes[tag] for tag in tags if tag in attributes and not attributes[tag].keys() & _BULK}


def _serialise(attributes: Attributes) -> bytes:
    """Serialise in ascending order of tags (PS3.18 F.2.2); JSON is always UTF-8, and says so."""
    attributes[_CHARACTER_SET] = {"vr": "CS", "Value": [UTF_8]}
    return orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS)


def _identifier(uid: str) -> Attribute:
    return {"vr": "UI", "Value": [uid]}


def _values(attributes: Attributes, tag: str) -> list[object]:
    values = attributes.get(tag, {}).get("Value")
    return values if isinstance(values, list) else []


def _text(attributes: Attributes, tag: str) -> str:
    """Return all values as they would stand in the Data Set, joined by backslashes; "" when there are none."""
    return "\\".join(_written(value) for value in _values(attributes, tag))


def _written(value: object) -> str:
    if isinstance(value, dict):
        groups = [value.get(group, "") for group in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(groups).rstrip("=")
    return "" if value is None else str(value)


def _number(attributes: Attributes, tag: str) -> int | None:
    value = next(iter(_values(attributes, tag)), None)
    try:
        number = float(str(value))
    except ValueError:
        return None
    return int(number) if number.is_integer() and abs(number) <= _LARGEST else None


def _date(text: str) -> str:
    date = _DATE.fullmatch(text)
    return "".join(date.groups()) if date else ""
