"""Synthetic studies: CT of random noise, invented from scratch, of nobody."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid


@dataclass(frozen=True, slots=True)
class Study:
    """One study on disk, as a modality would hold it."""

    folder: Path
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uids: tuple[str, ...]
    patient_id: str

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.dcm"))


def make_study(folder: Path, patient_id: str, instances: int, side: int = 512) -> Study:
    """Write a CT of ``instances`` pictures, ``side`` x ``side`` x 16 bit of noise (no compressor helps anybody)."""
    folder.mkdir(parents=True)
    study, series = str(generate_uid()), str(generate_uid())
    noise = np.random.default_rng()
    uids = []
    for number in range(1, instances + 1):
        picture = _picture(study, series, patient_id, number)
        picture.Rows = picture.Columns = side
        picture.PixelData = noise.integers(0, 4096, side * side, dtype=np.uint16).tobytes()
        dcmwrite(folder / f"{number:05}.dcm", picture, enforce_file_format=True)
        uids.append(str(picture.SOPInstanceUID))
    return Study(folder, study, series, tuple(uids), patient_id)


def _picture(study: str, series: str, patient_id: str, number: int) -> Dataset:
    picture = Dataset()
    picture.file_meta = FileMetaDataset()
    picture.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    picture.SOPClassUID = CTImageStorage
    picture.SOPInstanceUID = generate_uid()
    picture.StudyInstanceUID = study
    picture.SeriesInstanceUID = series
    picture.PatientName = f"Bench^{patient_id}"
    picture.PatientID = patient_id
    picture.PatientBirthDate = "19700101"
    picture.PatientSex = "O"
    picture.StudyDate = picture.SeriesDate = picture.AcquisitionDate = picture.ContentDate = "20260101"
    picture.StudyTime = picture.SeriesTime = picture.AcquisitionTime = picture.ContentTime = "120000"
    picture.AccessionNumber = patient_id
    picture.StudyID = "1"
    picture.StudyDescription = "CT of noise"
    picture.SeriesDescription = "Axial"
    picture.Modality = "CT"
    picture.Manufacturer = "None"
    picture.BodyPartExamined = "CHEST"
    picture.SeriesNumber = 1
    picture.InstanceNumber = number
    picture.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    picture.FrameOfReferenceUID = series
    picture.ImagePositionPatient = [0, 0, number]
    picture.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    picture.PixelSpacing = [0.7, 0.7]
    picture.SliceThickness = 1
    picture.KVP = 120
    picture.SamplesPerPixel = 1
    picture.PhotometricInterpretation = "MONOCHROME2"
    picture.BitsAllocated = 16
    picture.BitsStored = 12
    picture.HighBit = 11
    picture.PixelRepresentation = 0
    picture.RescaleIntercept = -1024
    picture.RescaleSlope = 1
    return picture


def multipart(files: list[Path]) -> tuple[str, bytes]:
    """Return the content type and the body of a STOW-RS request (PS3.18 10.5)."""
    boundary = "pictures-of-noise"
    parts = [
        b"--" + boundary.encode() + b"\r\nContent-Type: application/dicom\r\n\r\n" + path.read_bytes() + b"\r\n"
        for path in files
    ]
    body = b"".join([*parts, b"--" + boundary.encode() + b"--\r\n"])
    return f'multipart/related; type="application/dicom"; boundary={boundary}', body
