"""Composes one search result: the opened boxes, the counts, and only the attributes that were asked for."""

import orjson

from pacs_secure.archive.indexing import OpenedHit
from pacs_secure.core.instance import SealedHit
from pacs_secure.core.query import Level, Query
from pacs_secure.dicom.query_keys import resolve

Attributes = dict[str, dict[str, object]]
"""One DICOM JSON object: tag to {"vr": …, "Value": […]} (PS3.18 F.2)."""


def _tags(*keywords: str) -> frozenset[str]:
    return frozenset(resolve(keyword).tag for keyword in keywords)


_EVERY = _tags("SpecificCharacterSet", "TimezoneOffsetFromUTC", "RetrieveURL")
_STUDY = _EVERY | _tags(
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "InstanceAvailability",
    "ModalitiesInStudy",
    "ReferringPhysicianName",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyID",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)
_SERIES = _EVERY | _tags(
    "Modality",
    "SeriesDescription",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "NumberOfSeriesRelatedInstances",
    "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime",
    "RequestAttributesSequence",
)
_INSTANCE = _EVERY | _tags(
    "SOPClassUID",
    "SOPInstanceUID",
    "InstanceAvailability",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "InstanceNumber",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "AvailableTransferSyntaxUID",
)
_DEFAULT = {
    Level.PATIENT: _STUDY,
    Level.STUDY: _STUDY,
    Level.SERIES: _SERIES,
    Level.INSTANCE: _INSTANCE,
}
"""Attributes returned without being asked for (PS3.18 Tables 10.6.3-3, -4 and -5)."""


def merge(hit: SealedHit, opened: OpenedHit) -> Attributes:
    """Join the levels of one hit and add what only the index can count."""
    attributes: Attributes = {}
    for box in (opened.study, opened.series, opened.instance):
        if box is not None:
            attributes.update(orjson.loads(box))
    attributes["00080056"] = {"vr": "CS", "Value": ["ONLINE"]}
    attributes["00080061"] = {"vr": "CS", "Value": list(hit.modalities_in_study)}
    attributes["00201206"] = {"vr": "IS", "Value": [hit.series_in_study]}
    attributes["00201208"] = {"vr": "IS", "Value": [hit.instances_in_study]}
    if hit.instances_in_series is not None:
        attributes["00201209"] = {"vr": "IS", "Value": [hit.instances_in_series]}
    return attributes


def compose(attributes: Attributes, query: Query) -> bytes:
    """Serialise what the query asked for, in ascending order of tags (PS3.18 F.2.2)."""
    if not query.include_all:
        wanted = _DEFAULT[query.level] | query.include
        if query.study_instance_uid is None:
            wanted |= _STUDY
        if query.level is Level.INSTANCE and query.series_instance_uid is None:
            wanted |= _SERIES
        attributes = {tag: value for tag, value in attributes.items() if tag in wanted}
    return orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS)
