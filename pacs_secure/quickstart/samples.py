"""The sample studies: files that pydicom and pydicom-data bring along, sent as a modality would send them."""

from importlib.util import find_spec
from pathlib import Path

import pydicom

from pacs_secure.adapters.openbao_server import HOST
from pacs_secure.core.errors import Unavailable
from pacs_secure.dimse.sender import Summary, send
from pacs_secure.dimse.tls import client_context
from pacs_secure.quickstart.layout import Layout, Ports, write_json
from pacs_secure.quickstart.provision import AE_TITLE

SENDER = "MODALITY1"

_BUNDLED = (
    "JPEG2000.dcm",
    "examples_palette.dcm",
    "examples_ybr_color.dcm",
    "liver_1frame.dcm",
    "rtdose.dcm",
    "rtplan.dcm",
    "test-SR.dcm",
    "waveform_ecg.dcm",
    "dicomdirtests",
)
"""Ultrasound, colour, radiotherapy, a report, an ECG, and three whole studies of CT, MR and CR.

``CT_small.dcm`` and ``MR_small.dcm`` are left for visitors: a client that writes a Data Set anew before
it sends it would meet a Conflict with the sample.
"""
_DATA = ("MR-SIEMENS-DICOM-WithOverlays.dcm", "emri_small.dcm", "US1_J2KR.dcm", "SC_rgb_16bit.dcm", "vlut_04.dcm")


def sample_files() -> list[Path]:
    """Return the sample files and folders of this machine."""
    folders: list[tuple[Path, tuple[str, ...]]] = [(Path(pydicom.__file__).parent / "data" / "test_files", _BUNDLED)]
    data = find_spec("data_store")
    if data is not None and data.origin is not None:
        folders.append((Path(data.origin).parent / "data", _DATA))
    return [path for folder, names in folders for name in names if (path := folder / name).exists()]


def send_samples(layout: Layout, ports: Ports) -> Summary:
    """Send the samples over TLS DICOM as the sample modality, and note that it was done.

    Raises:
        Unavailable: one was not stored.
    """
    context = client_context(
        str(layout.device_certificate(SENDER)), str(layout.device_key(SENDER)), str(layout.ca_file)
    )
    summary = send(sample_files(), HOST, ports.dicom, AE_TITLE, SENDER, context)
    if summary.failed:
        raise Unavailable(f"{len(summary.failed)} sample files were not stored")
    write_json(layout.samples_file, {"stored": summary.stored})
    return summary
