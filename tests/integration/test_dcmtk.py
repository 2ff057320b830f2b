"""DCMTK as the modality: every transfer syntax it can send is taken over TLS, byte for byte."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context

from pacs_secure.dimse.contexts import TRANSFER_SYNTAXES
from tests.data_sets import BIG_ENDIAN, CT, EXPLICIT, IMPLICIT, explicit, fragments, part10, uid_value
from tests.dicom_door import AE_TITLE, HOST, Door, ct, ct_uid

pytestmark = pytest.mark.real

for tool in ("dcmconv", "echoscu", "storescu"):
    if shutil.which(tool) is None:
        pytest.skip(f"DCMTK's {tool} is missing", allow_module_level=True)

NATIVE = {"-xe": EXPLICIT, "-xb": BIG_ENDIAN, "-xi": IMPLICIT}
ENCAPSULATED = {
    "-xs": "1.2.840.10008.1.2.4.70",
    "-xy": "1.2.840.10008.1.2.4.50",
    "-xx": "1.2.840.10008.1.2.4.51",
    "-xv": "1.2.840.10008.1.2.4.90",
    "-xw": "1.2.840.10008.1.2.4.91",
    "-xt": "1.2.840.10008.1.2.4.80",
    "-xu": "1.2.840.10008.1.2.4.81",
    "-xm": "1.2.840.10008.1.2.4.100",
    "-xh": "1.2.840.10008.1.2.4.101",
    "-xn": "1.2.840.10008.1.2.4.102",
    "-xl": "1.2.840.10008.1.2.4.103",
    "-x2": "1.2.840.10008.1.2.4.104",
    "-x3": "1.2.840.10008.1.2.4.105",
    "-xo": "1.2.840.10008.1.2.4.106",
    "-x4": "1.2.840.10008.1.2.4.107",
    "-x5": "1.2.840.10008.1.2.4.108",
    "-xr": "1.2.840.10008.1.2.5",
}


def run(*words: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=30, check=False)


def tls(door: Door, name: str = "CT1") -> list[object]:
    pair = door.pairs[name]
    return ["+tls", pair.key, pair.certificate, "+cf", door.authority.file]


def over_tls(door: Door, *options: object, path: Path) -> "subprocess.CompletedProcess[str]":
    return run("storescu", *tls(door), "-aet", "CT1", "-aec", AE_TITLE, *options, HOST, door.port, path)


def meta(syntax: str) -> bytes:
    body = (
        explicit(0x00020001, "OB", b"\0\1")
        + explicit(0x00020002, "UI", uid_value(CT))
        + explicit(0x00020003, "UI", uid_value(ct_uid()))
        + explicit(0x00020010, "UI", uid_value(syntax))
        + explicit(0x00020012, "UI", uid_value("1.2.9"))
    )
    return explicit(0x00020000, "UL", len(body).to_bytes(4, "little")) + body


def write(folder: Path, syntax: str) -> Path:
    """Write a CT image; DCMTK sends what lies in fragments without looking into them."""
    path = folder / "image.dcm"
    if syntax in NATIVE.values():
        path.write_bytes(part10(ct(size=200_000), meta(EXPLICIT)))
        if syntax == BIG_ENDIAN:  # DCMTK keeps what a file is written in when the archive takes that
            assert run("dcmconv", "+tb", path, path).returncode == 0
    else:
        identity = ct().partition(explicit(0x00280002, "US", b"\1\0"))[0]
        path.write_bytes(part10(identity + fragments(b"\xff\xd8" * 20_000 + b"\xff\xd9"), meta(syntax)))
    return path


class Witness:
    """A receiver without TLS that notes what DCMTK puts on the wire."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes]] = []
        entity = AE("WITNESS")
        entity.supported_contexts = [build_context(UID(CT), [UID(syntax) for syntax in sorted(TRANSFER_SYNTAXES)])]
        server: Any = entity.start_server((HOST, 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self._note)])
        self.stop = server.shutdown
        self.port = server.server_address[1]

    def _note(self, event: Any) -> int:
        self.heard.append((str(event.context.transfer_syntax), event.request.DataSet.getvalue()))
        return 0


@pytest.fixture
def witness() -> Iterator[Witness]:
    one = Witness()
    yield one
    one.stop()


def test_echo(door: Door) -> None:
    done = run("echoscu", *tls(door), "-aet", "CT1", "-aec", AE_TITLE, HOST, door.port)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("profile", ["+px", "+py", "+pz"])
def test_every_profile_of_bcp_195_is_spoken(door: Door, profile: str) -> None:
    done = run("echoscu", *tls(door), profile, "-aet", "CT1", "-aec", AE_TITLE, HOST, door.port)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("option", "syntax"), (NATIVE | ENCAPSULATED).items())
def test_every_transfer_syntax_is_taken_byte_for_byte(
    door: Door, witness: Witness, tmp_path: Path, option: str, syntax: str
) -> None:
    path = write(tmp_path, syntax)
    seen = run("storescu", "-R", option, "-aet", "CT1", HOST, witness.port, path)
    assert seen.returncode == 0, seen.stderr

    done = over_tls(door, "-R", option, path=path)

    assert (done.returncode, done.stderr) == (0, "")
    ((sent_as, on_the_wire),) = witness.heard
    (indexed,) = door.world.records._instances.values()
    assert sent_as == indexed.row.transfer_syntax_uid == syntax
    assert indexed.row.data_set_fingerprint == door.world.fingerprint(on_the_wire)
    assert door.idle()
    assert door.outcomes() == ["begun", "completed"]


def test_deflated_is_not_negotiated_and_the_image_comes_in_another_syntax(door: Door, tmp_path: Path) -> None:
    done = over_tls(door, "-R", "-xd", path=write(tmp_path, EXPLICIT))

    assert done.returncode == 0, done.stderr
    (indexed,) = door.world.records._instances.values()
    assert indexed.row.transfer_syntax_uid in {EXPLICIT, IMPLICIT, BIG_ENDIAN}


def test_everything_storescu_proposes_at_once_is_answered(door: Door, tmp_path: Path) -> None:
    done = over_tls(door, "-v", path=write(tmp_path, EXPLICIT))

    assert done.returncode == 0, done.stderr
    assert "Received Store Response (Success)" in done.stdout + done.stderr


def test_small_pdus_are_put_together(door: Door, tmp_path: Path) -> None:
    done = over_tls(door, "-R", "--max-send-pdu", 4096, path=write(tmp_path, EXPLICIT))

    assert done.returncode == 0, done.stderr
    assert len(door.world.blobs.stored) == 1


def test_a_sealed_vault_is_told_to_dcmtk_and_it_fails(door: Door, tmp_path: Path) -> None:
    door.world.keyring.sealed = True

    done = over_tls(door, "-R", "-v", path=write(tmp_path, EXPLICIT))

    assert done.returncode != 0
    assert "Refused: OutOfResources" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-aet", "CT2", "-aec", AE_TITLE], "Calling AE Title Not Recognized"),
        (["-aet", "CT1", "-aec", "OTHER"], "Called AE Title Not Recognized"),
        (["-aet", "CT1", "-aec", AE_TITLE, "--user", "weber"], "Rejected Permanent"),
    ],
)
def test_a_rejection_is_understood(door: Door, tmp_path: Path, words: list[str], said: str) -> None:
    done = run("storescu", *tls(door), *words, HOST, door.port, write(tmp_path, EXPLICIT))

    assert done.returncode != 0
    assert said in done.stderr


def test_without_a_certificate_nothing_is_said(door: Door) -> None:
    done = run("echoscu", "+tla", "+cf", door.authority.file, "-aet", "CT1", "-aec", AE_TITLE, HOST, door.port)

    assert done.returncode != 0
    assert door.recorded("TLS handshake: peer did not return a certificate")


def test_an_aborting_sender_leaves_its_account(door: Door, tmp_path: Path) -> None:
    assert over_tls(door, "-R", "--abort", path=write(tmp_path, EXPLICIT)).returncode == 0

    assert door.idle()
    assert door.outcomes() == ["begun", "aborted"]
