"""Columns that name nobody: tokens and boxes that open in their own place only."""

from dataclasses import replace

import pytest

from pacs_secure.archive.indexing import index, open_hit
from pacs_secure.core.access import StoredFacts
from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import uid
from pacs_secure.core.instance import Description, IndexedInstance, SealedHit
from pacs_secure.crypto.index_seal import IndexSeal
from tests.builders import RADIOLOGY, instance_row, study_facts

SEAL = IndexSeal(b"k" * 32)
DESCRIPTION = Description(
    modality="CT",
    study_date="20260301",
    study_time="120000",
    series_number=2,
    instance_number=3,
    patient_id="ERIKA-4711",
    issuer_of_patient_id="Clinic",
    patient_birth_date="19640812",
    accession_number="ACC-1",
    patient_name="Mustermann^Erika",
    referring_physician_name="Weber^Rita",
    study_json=b'{"study": "Mustermann"}',
    series_json=b'{"series": "Mustermann"}',
    instance_json=b'{"instance": "Mustermann"}',
    metadata_json=b"{}",
)


def indexed(description: Description = DESCRIPTION, study: str = "1.2") -> IndexedInstance:
    return index(SEAL, instance_row(study, f"{study}.1", f"{study}.1.1"), description, RADIOLOGY)


def hit(one: IndexedInstance) -> SealedHit:
    identity = one.row.identity
    uids = identity.study_instance_uid, identity.series_instance_uid, identity.sop_instance_uid
    return SealedHit(
        *uids, one.study.box, one.series.box, one.instance.box, (), 1, 1, 1, StoredFacts(study_facts(), b"")
    )


def test_no_column_holds_a_name_or_a_number_of_the_person() -> None:
    written = repr((indexed().study, indexed().series, indexed().instance))

    assert not [word for word in ("Muster", "Erika", "4711", "1964", "ACC", "Weber", "Clinic") if word in written]


def test_what_is_no_secret_stays_in_clear() -> None:
    one = indexed()

    assert (one.study.study_date, one.study.study_time, one.series.modality) == ("20260301", "120000", "CT")
    assert (one.series.series_number, one.instance.instance_number, one.department) == (2, 3, RADIOLOGY)


def test_the_boxes_open_to_what_was_described() -> None:
    opened = open_hit(SEAL, hit(indexed()))

    assert (opened.study, opened.series, opened.instance) == (
        DESCRIPTION.study_json,
        DESCRIPTION.series_json,
        DESCRIPTION.instance_json,
    )


def test_levels_that_a_hit_does_not_have_are_not_opened() -> None:
    opened = open_hit(SEAL, replace(hit(indexed()), series_box=None, instance_box=None))

    assert (opened.series, opened.instance) == (None, None)


@pytest.mark.parametrize("box", ["study_box", "series_box", "instance_box"])
def test_a_box_moved_to_another_row_does_not_open(box: str) -> None:
    mine, other = hit(indexed()), hit(indexed(study="1.3"))

    with pytest.raises(Tampered):
        open_hit(SEAL, replace(mine, **{box: getattr(other, box)}))


def test_a_box_of_another_level_does_not_open() -> None:
    mine = hit(indexed())

    with pytest.raises(Tampered):
        open_hit(SEAL, replace(mine, instance_box=mine.series_box))
    with pytest.raises(Tampered):
        open_hit(SEAL, replace(mine, series_instance_uid=uid("1.2.9")))


def test_names_of_patient_and_physician_are_found_by_their_beginnings() -> None:
    for beginning in ("Mus", "ERI", "web", "Rit"):
        assert indexed().study.name_tokens & SEAL.name_prefix_tokens(beginning)


def test_one_patient_is_one_whatever_the_study() -> None:
    assert indexed().study.patient_token == indexed(study="1.3").study.patient_token


@pytest.mark.parametrize(
    "other", [replace(DESCRIPTION, patient_id="ERIKA-4712"), replace(DESCRIPTION, issuer_of_patient_id="Other")]
)
def test_another_number_or_issuer_is_another_patient(other: Description) -> None:
    assert indexed(other).study.patient_token != indexed().study.patient_token


def test_strangers_without_a_number_never_share_an_alias() -> None:
    nameless = replace(DESCRIPTION, patient_id="")

    assert indexed(nameless).study.patient_token != indexed(nameless, "1.3").study.patient_token
    assert indexed(nameless).study.patient_token == indexed(nameless).study.patient_token
