"""Makes the Part 10 streams that the web door's tests send, with everything in them that the door must carry."""

from io import BytesIO

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    SecondaryCaptureImageStorage,
)

ROOT = "1.2.826.0.1.3680043.8.498"
FRAME = 64
"""Bytes of one native frame: 8 by 8, 8 bits."""


def study_uid(study: int) -> str:
    return f"{ROOT}.{study}"


def series_uid(study: int, series: int = 1) -> str:
    return f"{study_uid(study)}.{series}"


def instance_uid(study: int, number: int = 1, series: int = 1) -> str:
    return f"{series_uid(study, series)}.{number}"


def native_frame(number: int) -> bytes:
    return bytes(np.full(FRAME, number % 256, dtype=np.uint8))


def compressed_frame(number: int) -> bytes:
    """Bytes that nobody decodes here: a codestream as far as an archive that stores it is concerned."""
    return b"\xff\x4f\xff\x51" + bytes([number]) * 40


def part10(
    study: int = 1,
    number: int = 1,
    *,
    series: int = 1,
    frames: int = 2,
    syntax: str = ExplicitVRLittleEndian,
    **attributes: object,
) -> bytes:
    """Return one Secondary Capture instance as a Part 10 stream; keyword arguments set attributes."""
    data_set = Dataset()
    data_set.SpecificCharacterSet = "ISO_IR 192"
    data_set.SOPClassUID = SecondaryCaptureImageStorage
    data_set.SOPInstanceUID = instance_uid(study, number, series)
    data_set.StudyInstanceUID = study_uid(study)
    data_set.SeriesInstanceUID = series_uid(study, series)
    data_set.StudyDate, data_set.StudyTime = f"202603{study:02}", "120000"
    data_set.PatientName, data_set.PatientID = "Mustermann^Max", "PAT-4711"
    data_set.PatientBirthDate, data_set.AccessionNumber = "19700101", f"ACC{study}"
    data_set.Modality, data_set.SeriesNumber, data_set.InstanceNumber = "OT", series, number
    data_set.Rows = data_set.Columns = 8
    data_set.SamplesPerPixel, data_set.PhotometricInterpretation = 1, "MONOCHROME2"
    data_set.BitsAllocated = data_set.BitsStored = 8
    data_set.HighBit, data_set.PixelRepresentation, data_set.NumberOfFrames = 7, 0, frames
    for keyword, value in attributes.items():
        setattr(data_set, keyword, value)
    if syntax == JPEG2000Lossless:
        data_set.PixelData = encapsulate([compressed_frame(frame + 1) for frame in range(frames)])
        data_set["PixelData"].VR = "OB"
    else:
        data_set.PixelData = b"".join(native_frame(frame + 1) for frame in range(frames))
        data_set["PixelData"].VR = "OW" if syntax == ImplicitVRLittleEndian else "OB"
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = UID(syntax)
    data_set.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    stream = BytesIO()
    data_set.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def related(*parts: bytes, boundary: str = "b0undary", head: str = "Content-Type: application/dicom\r\n") -> bytes:
    """Return the parts as one multipart/related body."""
    pieces = [f"--{boundary}\r\n{head}\r\n".encode() + part + b"\r\n" for part in parts]
    return b"".join(pieces) + f"--{boundary}--\r\n".encode()
