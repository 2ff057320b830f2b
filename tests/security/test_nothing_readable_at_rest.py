"""Whoever carries off the disks of a whole running archive finds no name, no number, no pixel (SEC-01)."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from tests.quickstart_fixture import Running
from tests.web_instances import instance_uid, related, series_uid, study_uid

pytestmark = pytest.mark.real

CANARY = "Zeisig7ü"
"""Short enough for every text VR, and with a letter that each encoding writes differently."""
BORN = "19420713"
PIXELS = bytes(range(7, 71)) * 64
CODE = "ZEISIGCODE"
RELATED = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b0undary'}

TEXT_VRS = {"LO", "LT", "PN", "SH", "ST", "UC", "UT"}
OPEN_BY_DESIGN = {"Modality"}
"""The index keeps it in clear: it names nobody (DESIGN 6)."""


def data_set_with_canaries(study: int) -> bytes:
    """Return a Part 10 stream in which every text attribute of the dictionary holds a canary."""
    data_set = Dataset()
    data_set.SpecificCharacterSet = "ISO_IR 192"
    for tag, (vr, vm, _, retired, keyword) in DicomDictionary.items():
        if retired or not keyword or tag >> 16 in {0x0000, 0x0002, 0x0004} or not vm.startswith("1"):
            continue
        if vr in TEXT_VRS:
            setattr(data_set, keyword_for_tag(tag), CANARY)
        elif vr == "CS" and keyword not in OPEN_BY_DESIGN | {"SpecificCharacterSet", "PhotometricInterpretation"}:
            setattr(data_set, keyword_for_tag(tag), CODE)
    data_set.SOPClassUID = SecondaryCaptureImageStorage
    data_set.SOPInstanceUID, data_set.StudyInstanceUID = instance_uid(study), study_uid(study)
    data_set.SeriesInstanceUID, data_set.Modality = series_uid(study), "OT"
    data_set.PatientBirthDate, data_set.StudyDate = BORN, "20260401"
    data_set.Rows = data_set.Columns = 64
    data_set.SamplesPerPixel, data_set.PhotometricInterpretation = 1, "MONOCHROME2"
    data_set.BitsAllocated = data_set.BitsStored = 8
    data_set.HighBit, data_set.PixelRepresentation = 7, 0
    data_set.PixelData = PIXELS
    data_set["PixelData"].VR = "OB"
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data_set.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    data_set.preamble = (CANARY * 16).encode()[:128]
    stream = BytesIO()
    data_set.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def written(text: str) -> set[bytes]:
    return {text.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be", "latin-1")}


NEEDLES = written(CANARY) | written(CANARY.upper()) | written(BORN) | written(CODE) | {PIXELS[:64], b"eisig7"}


def found(folders: Iterator[Path]) -> list[str]:
    """Return every file below the folders that holds a canary."""
    hits = []
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                hits += [
                    f"{path}: {needle!r}" for needle in NEEDLES if needle in content or needle in path.name.encode()
                ]
    return hits


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    """Start an archive whose temporary folder can be searched too."""
    folder = tmp_path_factory.mktemp("canaries")
    temporary = folder / "temporary"
    temporary.mkdir()
    archive = Running(folder / "data")
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(temporary)
    try:
        started = archive.start("--no-sample")
        assert started.returncode == 0, started.stdout + started.stderr
        yield archive, temporary
    finally:
        archive.stop()
        os.environ.pop("TMPDIR")
        if before is not None:
            os.environ["TMPDIR"] = before


def test_no_file_holds_what_was_sent_asked_or_refused(running: tuple[Running, Path], tmp_path: Path) -> None:
    archive, temporary = running
    stream = data_set_with_canaries(1)
    file = tmp_path / "one.dcm"
    file.write_bytes(stream)
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(data_set_with_canaries(2)[:-3000])
    assert sum(needle in stream for needle in NEEDLES) >= 4, "the canaries are in what is sent"

    assert archive.send([file]).stored == 1
    assert archive.send([cut]).stored == 0
    with archive.client() as client:
        assert client.post("/studies", content=related(data_set_with_canaries(3)), headers=RELATED).status_code == 200
        assert client.post("/studies", content=related(stream[:-9]), headers=RELATED).status_code == 409
        for attribute in ("PatientName", "PatientID", "AccessionNumber", "StudyDescription"):
            answer = client.get("/studies", params={attribute: CANARY})
            assert len(answer.json()) == 2, attribute
        assert len(client.get("/studies", params={"PatientBirthDate": BORN}).json()) == 2
        assert client.get("/studies", params={"PatientName": "Zeisig*", "fuzzymatching": "true"}).status_code == 200
        assert client.get(f"/studies/{CANARY}").status_code == 400
        assert client.get("/studies", params={CANARY: CANARY}).status_code == 400
        assert (
            client.get(f"/studies/{study_uid(1)}/metadata", headers=[(b"Accept", CANARY.encode())]).status_code == 406
        )
        assert PIXELS in client.get(f"/studies/{study_uid(1)}").content
        assert client.get(f"/{CANARY}?{CANARY}").status_code == 404
    with archive.client("clinician", "--department", "dermatology") as stranger:
        assert stranger.get(f"/studies/{study_uid(1)}").status_code == 404
        assert stranger.get("/studies", params={"PatientID": CANARY}).json() == []

    write_ahead = archive.directory / "archive" / "index.db-wal"
    assert write_ahead.stat().st_size > 0, "the write-ahead log is searched while it is full"
    assert found(iter([archive.directory, temporary])) == []
    with closing(sqlite3.connect(archive.directory / "archive" / "index.db")) as index:
        index.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert found(iter([archive.directory, temporary])) == []
