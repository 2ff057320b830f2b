"""The whole archive from outside: sent over TLS DICOM, found and read over DICOMweb, refused, verified."""

import json
import shutil
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
import requests
from dicomweb_client.api import DICOMwebClient

from pacs_secure.adapters.vault_provisioning import administrator
from pacs_secure.core.errors import Malformed
from pacs_secure.dicom.header import scan
from pacs_secure.dicom.part10 import split
from tests.corpus import Specimen, specimens
from tests.quickstart_fixture import Running, command, data_set_sha256
from tests.web_instances import instance_uid, part10, related, series_uid, study_uid

pytestmark = [pytest.mark.real, pytest.mark.filterwarnings("ignore")]  # pydicom warns of what its corpus is made of

RELATED = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b0undary'}
REFUSED = {"MR_truncated.dcm", "rtplan_truncated.dcm", "bad_sequence.dcm"}
"""Cut short in the middle of an element, and a UID that is none."""


def write(folder: Path, *streams: bytes) -> list[Path]:
    paths = [folder / f"{number}.dcm" for number in range(len(streams))]
    for path, stream in zip(paths, streams, strict=True):
        path.write_bytes(stream)
    return paths


def acceptable() -> list[Specimen]:
    return [one for one in specimens() if one.path.name not in REFUSED]


def read_back(client: httpx.Client, one: Specimen) -> str:
    url = f"/studies/{one.study_instance_uid}/series/{one.series_instance_uid}/instances/{one.sop_instance_uid}"
    answer = client.get(url, headers={"Accept": "application/dicom"})
    assert answer.status_code == 200, (one.path.name, answer.text)
    assert f"transfer-syntax={one.transfer_syntax_uid}" in answer.headers["content-type"]
    return data_set_sha256(answer.content)


def test_every_readable_file_comes_back_byte_for_byte(running: Running, tmp_path: Path) -> None:
    corpus = acceptable()
    deflated = [one for one in corpus if one.transfer_syntax_uid.endswith(".1.99")]
    over_dicom = [one for one in corpus if one not in deflated]
    assert len(corpus) > 200
    assert len({one.transfer_syntax_uid for one in corpus}) == 11

    summary = running.send(write(tmp_path, *(one.stream for one in over_dicom)))
    assert [sent.path for sent in summary.failed] == []
    with running.client() as client:
        for one in deflated:
            stored = client.post("/studies", content=related(one.stream), headers=RELATED)
            assert stored.status_code == 200, one.path.name
        for one in corpus:
            assert read_back(client, one) == data_set_sha256(one.stream), one.path.name


def test_what_is_cut_short_is_refused_and_not_found(running: Running, tmp_path: Path) -> None:
    broken = [one for one in specimens() if one.path.name in REFUSED]
    assert len(broken) == len(REFUSED)

    summary = running.send(write(tmp_path, *(one.stream for one in broken)))

    assert [sent.status for sent in summary.sent] == [0xC000] * len(broken)
    for one in broken:
        with pytest.raises(Malformed):
            scan(split(one.stream).data_set, one.transfer_syntax_uid)


@pytest.mark.skipif(shutil.which("storescu") is None, reason="DCMTK is not installed: echoscu, storescu")
def test_dcmtk_stores_with_the_sample_devices_certificate(running: Running, tmp_path: Path) -> None:
    told = running.told
    modality = told["devices"]["MODALITY1"]
    tls = ["+tls", modality["key"], modality["cert"], "+cf", told["ca_file"], "-aet", "MODALITY1"]
    peer = ["-aec", told["dicom"]["ae_title"], told["dicom"]["host"], str(told["dicom"]["port"])]
    (path,) = write(tmp_path, part10(40))

    echo = subprocess.run(["echoscu", *tls, *peer], timeout=30, check=False)
    store = subprocess.run(["storescu", *tls, *peer, str(path)], timeout=30, check=False)
    someone_else = subprocess.run(["echoscu", *tls[:-1], "MODALITY9", *peer], timeout=30, check=False)

    assert (echo.returncode, store.returncode) == (0, 0)
    assert someone_else.returncode != 0
    with running.client() as client:
        assert client.get(f"/studies/{study_uid(40)}/metadata").status_code == 200


def test_dicomweb_client_finds_and_reads(running: Running, tmp_path: Path) -> None:
    stream = part10(41, frames=3, PatientName="Wanderer^Wilhelmine", PatientID="WANDER-41")
    running.send(write(tmp_path, stream))
    told = running.told
    with requests.Session() as session:
        session.trust_env = False  # REQUESTS_CA_BUNDLE would win over what the session says
        session.verify = told["ca_file"]
        session.headers["Authorization"] = f"Bearer {told['users']['radiologist']['token']}"
        client = DICOMwebClient(told["dicomweb_url"], session=session)

        (study,) = client.search_for_studies(search_filters={"PatientName": "Wanderer^*"})
        (series,) = client.search_for_series(study_uid(41), search_filters={"Modality": "OT"})
        uids = (study_uid(41), series_uid(41), instance_uid(41))
        received = client.retrieve_instance(*uids)
        metadata = client.retrieve_instance_metadata(*uids)
        frames = client.retrieve_instance_frames(*uids, frame_numbers=[1, 3])

    assert study["0020000D"]["Value"] == [study_uid(41)]
    assert series["0020000E"]["Value"] == [series_uid(41)]
    assert received.PatientID == "WANDER-41"
    assert metadata["00100020"]["Value"] == ["WANDER-41"]
    assert [frame[0] for frame in frames] == [1, 3]


def test_a_clinician_of_another_department_gets_what_a_missing_study_gives(running: Running, tmp_path: Path) -> None:
    running.send(write(tmp_path, part10(42)))

    with running.client("clinician", "--department", "dermatology") as stranger:
        forbidden = stranger.get(f"/studies/{study_uid(42)}")
        missing = stranger.get(f"/studies/{study_uid(999)}")
    with running.client("clinician") as colleague:
        allowed = colleague.get(f"/studies/{study_uid(42)}/metadata")

    assert (forbidden.status_code, missing.status_code, allowed.status_code) == (404, 404, 200)
    assert forbidden.content == missing.content


def test_a_sealed_vault_closes_the_archive_until_it_is_unsealed(running: Running, tmp_path: Path) -> None:
    first, second = write(tmp_path, part10(43), part10(44))
    assert running.send([first]).stored == 1
    with sealed(running), running.client() as client:
        running.wait(ready=False)

        assert [sent.status for sent in running.send([second]).sent] == [0xA700]
        upload = client.post("/studies", content=related(part10(44)), headers=RELATED)
        delivery = client.get(f"/studies/{study_uid(43)}")
        assert (upload.status_code, delivery.status_code) == (503, 503)
        assert upload.headers["retry-after"]
        assert running.run("ledger", "verify").returncode == 0, "the ledger is verified without the vault too"

    running.wait()
    with running.client() as client:
        assert client.get(f"/studies/{study_uid(44)}").status_code == 404, "nothing was accepted meanwhile"
        assert client.get(f"/studies/{study_uid(43)}").status_code == 200
    assert running.send([second]).stored == 1


@contextmanager
def sealed(running: Running) -> Iterator[None]:
    """Seal the vault as its administrator, and unseal it in the end."""
    secrets = json.loads((running.directory / "vault" / "unseal.json").read_text())
    vault = running.told["vault"]
    session = administrator(vault["address"], Path(vault["ca_file"]), secrets["root_token"])
    try:
        session.post("sys/seal", {}).demand_done()
        yield
    finally:
        session.close()
        context = ssl.create_default_context(cafile=vault["ca_file"])
        with httpx.Client(base_url=vault["address"], verify=context) as client:
            client.post("/v1/sys/unseal", json={"key": secrets["shares"][0]}).raise_for_status()


def test_an_edited_byte_of_the_ledger_is_named_by_its_position(running: Running, tmp_path: Path) -> None:
    running.send(write(tmp_path, part10(45)))
    sound = running.run("ledger", "verify")
    stolen = tmp_path / "stolen"
    stolen.mkdir()
    whole, copy = sqlite3.connect(running.directory / "archive" / "index.db"), sqlite3.connect(stolen / "index.db")
    with closing(whole), closing(copy):
        whole.backup(copy)
    with closing(sqlite3.connect(stolen / "index.db")) as edited, edited:
        for (name,) in edited.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            edited.execute(f'DROP TRIGGER "{name}"')
        (content,) = edited.execute("SELECT content FROM ledger WHERE entry_index = 5").fetchone()
        forged = content[:100] + bytes([content[100] ^ 1]) + content[101:]
        edited.execute("UPDATE ledger SET content = ? WHERE entry_index = 5", (forged,))
    config = tmp_path / "stolen.toml"
    text = running.config.read_text()
    config.write_text(text.replace(str(running.directory / "archive" / "index.db"), str(stolen / "index.db")))

    verified = command("ledger", "verify", config=config)
    told = command("ledger", "verify", "--json", config=config)

    assert sound.returncode == 0
    assert verified.returncode == 1
    assert verified.stdout.startswith("position 5: ")
    assert json.loads(told.stdout)["findings"][0]["position"] == 5
    assert running.run("ledger", "verify").returncode == 0


def test_every_kind_of_forgery_and_flood_gets_its_status(running: Running) -> None:
    told = running.told
    context = ssl.create_default_context(cafile=told["ca_file"])
    with httpx.Client(base_url=told["dicomweb_url"], verify=context) as nobody:
        assert nobody.get("/studies").status_code == 401
        assert nobody.get("/studies", headers={"Authorization": "Bearer forged"}).status_code == 401
    with running.client() as client:
        assert client.get("/studies", params={"PatientName": "*"}).status_code == 400
        assert client.get("/studies", params={"NoSuchThing": "1"}).status_code == 400
        assert client.get("/studies/not-a-uid").status_code == 400
        assert client.post("/studies", content=b"no parts", headers=RELATED).status_code == 400
        assert client.post("/studies", content=b"{}", headers={"Content-Type": "application/json"}).status_code == 415
        assert client.get("/studies", headers={"Accept": "text/html"}).status_code == 406
        assert client.delete(f"/studies/{study_uid(1)}").status_code == 405
    with running.client("researcher") as researcher:
        assert researcher.get("/studies").status_code == 403


def test_the_published_ledger_is_verified_by_the_program_that_trusts_nobody(running: Running) -> None:
    told = running.told["ledger"]
    program = Path(sys.executable).with_name("pacs-audit-verify")

    verified = subprocess.run(
        [str(program), told["checkpoint_dir"], "--key", told["public_key"]],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert verified.stdout.startswith("sound: ")
