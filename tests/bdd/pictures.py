"""The pictures of Erika Mustermann, who never lived: whole ones, and such as no archive should take."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from io import BytesIO

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    UltrasoundImageStorage,
)

from pacs_secure.dicom.part10 import split
from tests.builders import ROOT
from tests.data_sets import explicit, item, sequence

PATIENT_ID = "ERIKA-4711"
WORDS = ("Mustermann", PATIENT_ID, "19640812", "ACC-CANARY", "Drübenschön", "Heidestraße")
"""What the pictures say of the person, her address and her physician, each too long to be met by chance."""

SYNTAXES = {
    "Implicit VR Little Endian": ImplicitVRLittleEndian,
    "Explicit VR Little Endian": ExplicitVRLittleEndian,
    "Explicit VR Big Endian": ExplicitVRBigEndian,
    "JPEG 2000": JPEG2000Lossless,
}
_KINDS = {
    "CT": (1, CTImageStorage, (768, 1024)),
    "US": (2, UltrasoundImageStorage, (64, 64)),
    "DX": (3, DigitalXRayImageStorageForPresentation, (64, 64)),
}


@dataclass(frozen=True)
class Picture:
    """One SOP Instance as a Part 10 stream, and what was put into it."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    stream: bytes
    frames: tuple[bytes, ...]

    @property
    def data_set(self) -> bytes:
        return bytes(split(self.stream).data_set)

    @property
    def sha256(self) -> str:
        return sha256(self.data_set).hexdigest()

    @property
    def path(self) -> str:
        return f"/studies/{self.study_instance_uid}/series/{self.series_instance_uid}/instances/{self.sop_instance_uid}"


@cache
def picture(
    modality: str = "CT",
    number: int = 1,
    *,
    version: int = 1,
    syntax: str = ExplicitVRLittleEndian,
    frames: int = 1,
    study: int | None = None,
) -> Picture:
    """Make a picture; another ``version`` has other pixels under the same identity."""
    place, sop_class, (rows, columns) = _KINDS[modality]
    data_set = Dataset()
    _describe(data_set, modality)
    data_set.SOPClassUID = sop_class
    data_set.StudyInstanceUID = f"{ROOT}.{study or place}"
    data_set.SeriesInstanceUID = f"{ROOT}.{study or place}.1"
    data_set.SOPInstanceUID = f"{ROOT}.{study or place}.1.{number}"
    data_set.InstanceNumber, data_set.NumberOfFrames = number, frames
    data_set.Rows, data_set.Columns = rows, columns
    pixels = np.random.default_rng([place, number, version]).integers(0, 1 << 16, (frames, rows, columns), np.uint16)
    native = tuple(one.astype(">u2" if syntax == ExplicitVRBigEndian else "<u2").tobytes() for one in pixels)
    # Nobody decodes a codestream here, so any bytes that begin like one will do.
    parts = tuple(b"\xff\x4f\xff\x51" + one for one in native) if syntax == JPEG2000Lossless else native
    data_set.PixelData = encapsulate(list(parts)) if syntax == JPEG2000Lossless else b"".join(parts)
    data_set["PixelData"].VR = "OB" if syntax == JPEG2000Lossless else "OW"
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = UID(syntax)
    stream = BytesIO()
    data_set.save_as(stream, enforce_file_format=True)
    return Picture(
        str(data_set.StudyInstanceUID),
        str(data_set.SeriesInstanceUID),
        str(data_set.SOPInstanceUID),
        stream.getvalue(),
        parts,
    )


def broken(how: str) -> Picture:
    """Make a picture that must be refused; it names the person all the same."""
    whole = picture()
    data_set = {
        "without a Study UID": _without_study,
        "cut off in the middle": _cut_off,
        "declaring more than is there": _declaring_too_much,
        "nested too deeply": _nested,
    }[how](whole.data_set)
    parts = split(whole.stream)
    prefix = whole.stream[: len(whole.stream) - len(parts.data_set)]
    return Picture(
        whole.study_instance_uid, whole.series_instance_uid, whole.sop_instance_uid, prefix + data_set, whole.frames
    )


def _describe(data_set: Dataset, modality: str) -> None:
    data_set.SpecificCharacterSet = "ISO_IR 192"
    data_set.PatientName, data_set.PatientID = "Mustermann^Erika", PATIENT_ID
    data_set.PatientBirthDate, data_set.PatientSex = "19640812", "F"
    data_set.PatientAddress = "Heidestraße 17"
    data_set.ReferringPhysicianName = "Drübenschön^Ägidius"
    data_set.AccessionNumber = f"ACC-CANARY-{modality}"
    data_set.StudyDate, data_set.StudyTime = "20260301", "120000"
    data_set.Modality, data_set.SeriesNumber = modality, 1
    data_set.SamplesPerPixel, data_set.PhotometricInterpretation = 1, "MONOCHROME2"
    data_set.BitsAllocated = data_set.BitsStored = 16
    data_set.HighBit, data_set.PixelRepresentation = 15, 0


def _without_study(data_set: bytes) -> bytes:
    element = explicit(0x0020000D, "UI", _padded(f"{ROOT}.1"))
    assert data_set.count(element) == 1
    return data_set.replace(element, b"")


def _cut_off(data_set: bytes) -> bytes:
    return data_set[: len(data_set) // 2]


def _declaring_too_much(data_set: bytes) -> bytes:
    before, pixels = data_set.split(explicit(0x7FE00010, "OW", b"", len(picture().frames[0])))
    return before + explicit(0x7FE00010, "OW", pixels, 2 * len(pixels))


def _nested(data_set: bytes) -> bytes:
    inner = b""
    for _ in range(17):
        inner = sequence(0x00400275, item(inner))
    before, after = data_set.split(explicit(0x7FE00010, "OW", b"", len(picture().frames[0])))
    return before + inner + explicit(0x7FE00010, "OW", after)


def _padded(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) & 1)
