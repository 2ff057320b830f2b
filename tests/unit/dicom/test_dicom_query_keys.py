import pytest

from pacs_secure.core.errors import Malformed
from pacs_secure.dicom.dictionary import SINGLE_VALUED, UNKNOWN, private_vr_of, vr_of
from pacs_secure.dicom.levels import INSTANCE_ATTRIBUTES, SERIES_ATTRIBUTES, STUDY_ATTRIBUTES
from pacs_secure.dicom.query_keys import resolve


@pytest.mark.parametrize(
    ("asked", "tag", "keyword", "vr"),
    [
        ("PatientName", "00100010", "PatientName", "PN"),
        ("00100010", "00100010", "PatientName", "PN"),
        ("0008103e", "0008103E", "SeriesDescription", "LO"),
        ("ModalitiesInStudy", "00080061", "ModalitiesInStudy", "CS"),
        ("SmallestImagePixelValue", "00280106", "SmallestImagePixelValue", "US"),
        ("RequestAttributesSequence", "00400275", "RequestAttributesSequence", "SQ"),
    ],
)
def test_an_attribute_is_found_by_keyword_and_by_tag(asked: str, tag: str, keyword: str, vr: str) -> None:
    assert resolve(asked) == (tag, keyword, vr)


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "patientname",
        "PatientName ",
        "0010,0010",
        "(0010,0010)",
        "00090010",
        "00091001",
        "FFFFFFFF",
        "00020010",
        "TransferSyntaxUID",
        "00000002",
        "00040220",
        "RequestAttributesSequence.ScheduledProcedureStepID",
        "00400275.00400009",
        "\uff10\uff10100010",
        "__class__",
    ],
)
def test_what_the_dictionary_does_not_know_of_an_instance_is_refused(asked: str) -> None:
    with pytest.raises(Malformed):
        resolve(asked)


def test_vrs_come_from_the_standard_and_from_the_dictionaries_of_known_vendors() -> None:
    assert vr_of(0x00100010) == "PN"
    assert vr_of(0x7FE00010) == "OW"
    assert vr_of(0x60020010) == vr_of(0x60000010) == "US"
    assert vr_of(0x60010010) == vr_of(0x00091001) == vr_of(0x00080002) == UNKNOWN
    assert private_vr_of(0x00091001, "GEMS_IDEN_01") == "LO"
    assert private_vr_of(0x00091001, "NOBODY") == UNKNOWN


def test_attributes_of_one_value_are_known() -> None:
    assert {"00100020", "00080020"} <= SINGLE_VALUED
    assert not {"00080061", "00080008"} & SINGLE_VALUED


def test_each_level_has_its_own_attributes() -> None:
    assert {"00100010", "00100020", "00080020", "00081030"} <= STUDY_ATTRIBUTES
    assert {"00080060", "00200011", "0008103E", "00400275"} <= SERIES_ATTRIBUTES
    assert {"00200013", "00280010", "00280008"} <= INSTANCE_ATTRIBUTES
    assert {"00080201"} == STUDY_ATTRIBUTES & SERIES_ATTRIBUTES & INSTANCE_ATTRIBUTES
