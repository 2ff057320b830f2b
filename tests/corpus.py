"""Every readable DICOM file that pydicom and pydicom-data bring along."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

REQUIRED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


@dataclass(frozen=True, slots=True)
class Specimen:
    """One file, made an instance of its own: many files share a SOP Instance UID in another encoding."""

    path: Path
    stream: bytes
    transfer_syntax_uid: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str


def files() -> list[Path]:
    folders = [Path(pydicom.__file__).parent / "data"]
    data = find_spec("data_store")
    assert data is not None
    assert data.origin is not None
    folders.append(Path(data.origin).parent / "data")
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())


def specimens() -> Iterator[Specimen]:
    """Yield what has File Meta Information with a transfer syntax and the four UIDs an archive files by."""
    for number, path in enumerate(files()):
        try:
            data_set = pydicom.dcmread(path)
            syntax = data_set.file_meta.TransferSyntaxUID
            uids = [str(data_set[keyword].value) for keyword in REQUIRED]
        except (InvalidDicomError, AttributeError, KeyError, EOFError, NotImplementedError):
            continue
        if not all(uids):
            continue
        instance = uids[1]
        own = f"{instance[: -len(str(number)) - 1]}.{number}" if len(instance) > 12 else instance
        own = own.replace("..", ".1")
        stream = path.read_bytes()
        if len(own) == len(instance) and not syntax.is_deflated:
            stream = stream.replace(instance.encode(), own.encode())
        else:
            own = instance
        yield Specimen(path, stream, str(syntax), uids[2], uids[3], own)
