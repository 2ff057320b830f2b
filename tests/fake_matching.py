"""How the index in memory keeps studies and matches them, said as plainly as Python allows."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from pacs_secure.core.access import StoredFacts, StudyFacts
from pacs_secure.core.identifiers import Uid
from pacs_secure.core.instance import IndexedInstance, InstanceRow, SealedHit
from pacs_secure.core.query import Level, Narrowing


@dataclass
class FakeSeries:
    first: IndexedInstance
    instances: list[IndexedInstance] = field(default_factory=list)


@dataclass
class FakeStudy:
    first: IndexedInstance
    stored: StoredFacts
    number: int
    series: dict[Uid, FakeSeries] = field(default_factory=dict)

    @property
    def facts(self) -> StudyFacts:
        return self.stored.facts

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(sorted({series.first.series.modality for series in self.series.values()} - {""}))

    @property
    def count(self) -> int:
        return sum(len(series.instances) for series in self.series.values())


def plain(indexed: IndexedInstance) -> IndexedInstance:
    """Blank what must not stand in clear because it is no date, time or modality at all."""
    date, time, modality = indexed.study.study_date, indexed.study.study_time, indexed.series.modality
    return replace(
        indexed,
        study=replace(
            indexed.study,
            study_date=date if re.fullmatch("[0-9]{8}", date) else "",
            study_time=time if re.fullmatch("[0-9.:]{0,16}", time) else "",
        ),
        series=replace(indexed.series, modality=modality if re.fullmatch("[A-Z0-9_]{1,16}", modality) else ""),
    )


def same(one: InstanceRow, other: InstanceRow) -> bool:
    return (one.data_set_fingerprint, one.identity.study_instance_uid) == (
        other.data_set_fingerprint,
        other.identity.study_instance_uid,
    )


def numbered(number: int | None, name: str) -> tuple[bool, int, str]:
    return number is None, number or 0, name


def in_order(study: FakeStudy) -> list[FakeSeries]:
    return sorted(
        study.series.values(),
        key=lambda one: numbered(one.first.series.series_number, one.first.row.identity.series_instance_uid),
    )


def study_fits(study: FakeStudy, wanted: Narrowing) -> bool:
    columns, uid = study.first.study, study.facts.study_instance_uid
    tokens = (
        (wanted.patient_id_token, columns.patient_id_token),
        (wanted.accession_number_token, columns.accession_number_token),
        (wanted.birth_date_token, columns.birth_date_token),
    )
    dated = not (wanted.study_date_from or wanted.study_date_to) or columns.study_date != ""
    return (
        _among(uid, wanted.study_instance_uids)
        and dated
        and (wanted.study_date_from or "") <= columns.study_date <= (wanted.study_date_to or "9" * 8)
        and all(asked in {None, kept} for asked, kept in tokens)
        and all(columns.name_tokens & alternatives for alternatives in wanted.name_tokens)
        and (not wanted.modalities_in_study or bool({*wanted.modalities_in_study} & {*study.modalities}))
    )


def _series_fits(series: FakeSeries, wanted: Narrowing) -> bool:
    columns, uid = series.first.series, series.first.row.identity.series_instance_uid
    return (
        _among(uid, wanted.series_instance_uids)
        and _among(columns.modality, wanted.modalities)
        and wanted.series_number in {None, columns.series_number}
    )


def _instance_fits(indexed: IndexedInstance, wanted: Narrowing) -> bool:
    identity = indexed.row.identity
    return (
        _among(identity.sop_instance_uid, wanted.sop_instance_uids)
        and _among(identity.sop_class_uid, wanted.sop_class_uids)
        and wanted.instance_number in {None, indexed.instance.instance_number}
    )


def _among(value: str, wanted: Sequence[str]) -> bool:
    return not wanted or value in wanted


def hits_of(study: FakeStudy, wanted: Narrowing) -> Iterator[SealedHit]:
    whole = SealedHit(
        study_instance_uid=study.facts.study_instance_uid,
        series_instance_uid=None,
        sop_instance_uid=None,
        study_box=study.first.study.box,
        series_box=None,
        instance_box=None,
        modalities_in_study=study.modalities,
        series_in_study=len(study.series),
        instances_in_study=study.count,
        instances_in_series=None,
        stored=study.stored,
    )
    found = []
    for series in (one for one in in_order(study) if _series_fits(one, wanted)):
        fitting = [indexed for indexed in series.instances if _instance_fits(indexed, wanted)]
        part = replace(
            whole,
            series_instance_uid=series.first.row.identity.series_instance_uid,
            series_box=series.first.series.box,
            instances_in_series=len(series.instances),
        )
        if wanted.level is Level.INSTANCE:
            found += [
                replace(part, sop_instance_uid=one.row.identity.sop_instance_uid, instance_box=one.instance.box)
                for one in fitting
            ]
        elif fitting:
            found.append(part)
    yield from found if wanted.level in {Level.SERIES, Level.INSTANCE} else [whole] * bool(found)
