"""Small Data Sets for the verbs, and how they come into an archive in memory."""

from pacs_secure.archive.ingest import Received, Stored
from pacs_secure.core.access import Role, Subject
from pacs_secure.dicom.query_keys import resolve
from tests.builders import ROOT, subject
from tests.data_sets import EXPLICIT, explicit
from tests.world import DiskWorld, World

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
TECHNOLOGIST = subject(Role.TECHNOLOGIST, identifier="t.kurz")


def study_uid(study: int = 1) -> str:
    return f"{ROOT}.{study}"


def instance_uid(study: int = 1, number: int = 1, series: int = 1) -> str:
    return f"{ROOT}.{study}.{series}.{number}"


def data_set(
    study: int = 1, number: int = 1, *, series: int = 1, pixels: bytes = b"", frames: int = 1, **attributes: str
) -> bytes:
    """Write a Data Set; keyword arguments are attributes by keyword, ``pixels`` 8-bit frames of one row."""
    values = {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": SECONDARY_CAPTURE,
        "SOPInstanceUID": instance_uid(study, number, series),
        "StudyInstanceUID": study_uid(study),
        "SeriesInstanceUID": f"{ROOT}.{study}.{series}",
        "SeriesNumber": str(series),
        "InstanceNumber": str(number),
        **attributes,
    }
    elements: dict[int, bytes] = {}
    for keyword, text in values.items():
        attribute = resolve(keyword)
        value = text.encode()
        padding = (b"\0" if attribute.vr == "UI" else b" ") * (len(value) & 1)
        elements[int(attribute.tag, 16)] = explicit(int(attribute.tag, 16), attribute.vr, value + padding)
    if pixels:
        elements[0x00280002] = explicit(0x00280002, "US", b"\1\0")
        elements[0x00280008] = explicit(0x00280008, "IS", str(frames).encode().ljust(2))
        elements[0x00280010] = explicit(0x00280010, "US", b"\1\0")
        elements[0x00280011] = explicit(0x00280011, "US", (len(pixels) // frames).to_bytes(2, "little"))
        elements[0x00280100] = explicit(0x00280100, "US", b"\x08\0")
        elements[0x7FE00010] = explicit(0x7FE00010, "OB", pixels)
    return b"".join(element for _, element in sorted(elements.items()))


def received(content: bytes | None = None) -> Received:
    return Received(content or data_set(), EXPLICIT)


def store(world: World | DiskWorld, *contents: bytes, by: Subject = TECHNOLOGIST) -> list[Stored]:
    """Take in Data Sets in one act."""
    with world.archive.ingest.begin(by, None, {"protocol": "test"}) as reception:
        return [reception.store(received(content)) for content in contents or (data_set(),)]


def acts(world: World | DiskWorld) -> list[tuple[str, str]]:
    """Return (action, outcome) of every ledger entry, oldest first."""
    return [(entry["action"], entry["outcome"]) for entry in world.entries()]
