"""Reading back: the scanner first, then a library, and neither may be content with half of it."""

import io
import warnings

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from pacs_secure.core.errors import Malformed
from pacs_secure.dicom.limits import Limits
from pacs_secure.dicom.reading import read_back
from pacs_secure.dicom.syntaxes import (
    DEFLATED_EXPLICIT_LITTLE_ENDIAN,
    EXPLICIT_BIG_ENDIAN,
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
)
from tests.unit.archive.instances import data_set, instance_uid


def written(*, implicit: bool, little: bool) -> bytes:
    """Write a Data Set with nested sequences in one of the codings, by the library itself."""
    inner, item, whole = Dataset(), Dataset(), Dataset()
    inner.CodeValue = "A"
    item.ReferencedSeriesSequence = Sequence([inner])
    whole.SOPClassUID, whole.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3.4"
    whole.StudyInstanceUID, whole.SeriesInstanceUID = "1.2.3", "1.2.3.1"
    whole.ReferencedStudySequence = Sequence([item, Dataset()])
    file = io.BytesIO()
    pydicom.dcmwrite(file, whole, implicit_vr=implicit, little_endian=little, enforce_file_format=False)
    return file.getvalue()


@pytest.mark.parametrize(
    ("syntax", "implicit", "little"),
    [
        (IMPLICIT_LITTLE_ENDIAN, True, True),
        (EXPLICIT_LITTLE_ENDIAN, False, True),
        (EXPLICIT_BIG_ENDIAN, False, False),
    ],
)
def test_every_coding_is_read_down_to_its_innermost_item(syntax: str, implicit: bool, little: bool) -> None:  # noqa: FBT001
    assert read_back(written(implicit=implicit, little=little), syntax).sop_instance_uid == "1.2.3.4"


def test_a_deflated_data_set_is_inflated_within_limits() -> None:
    import zlib

    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = engine.compress(data_set()) + engine.flush()

    assert read_back(deflated, DEFLATED_EXPLICIT_LITTLE_ENDIAN, Limits()).sop_instance_uid == instance_uid()


def test_pixels_are_left_to_the_scanner() -> None:
    header = read_back(data_set(pixels=bytes(64), frames=4), EXPLICIT_LITTLE_ENDIAN)

    assert (header.number_of_frames, len(header.frames)) == (4, 4)


def test_a_value_that_is_merely_odd_is_no_damage() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        odd = data_set(StudyDate="not a date", PatientName="\x1b$X", SliceThickness="thick", StudyID="x" * 40)
        assert read_back(odd, EXPLICIT_LITTLE_ENDIAN).sop_instance_uid == instance_uid()


@pytest.mark.parametrize("cut", [1, 9, 40])
def test_what_is_cut_short_is_found(cut: int) -> None:
    with pytest.raises(Malformed):
        read_back(data_set()[:-cut], EXPLICIT_LITTLE_ENDIAN)


def test_what_only_the_scanner_can_read_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Dataset:
        raise ValueError("Mustermann^Erika")

    monkeypatch.setattr("pacs_secure.dicom.reading.read_dataset", broken)
    with pytest.raises(Malformed) as found:
        read_back(data_set(), EXPLICIT_LITTLE_ENDIAN)
    assert "Muster" not in str(found.value)


def test_a_library_that_sees_nothing_has_not_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pacs_secure.dicom.reading.read_dataset", lambda *_, **__: Dataset())
    with pytest.raises(Malformed):
        read_back(data_set(), EXPLICIT_LITTLE_ENDIAN)
