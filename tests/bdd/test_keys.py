"""The keys that everything is sealed under, as features/keys.feature tells it."""

import json
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.adapters.vault_keyring import kek, key_context, shelf_path
from pacs_secure.adapters.vault_provisioning import VaultRole
from pacs_secure.adapters.vault_rewrapper import VaultRewrapper
from pacs_secure.adapters.vault_session import Json, Reply, VaultSession
from pacs_secure.archive.rekey import Rekeyed, Stay
from pacs_secure.core.access import Role
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import KeyId
from pacs_secure.ports import ForgettableKey, RewrapRow, Shelf
from tests.bdd.hospital import Hospital, Person, until
from tests.bdd.keys import VaultKeys
from tests.bdd.story import Story, begin
from tests.settings_file import WHOLE
from tests.world import ORIGIN

scenarios("keys.feature")

PROBE = b64encode(bytes(32)).decode()
FILLED = {"role_name": "store", "role": "store", "type": "plaintext", "version": "1", "source": "all"}
"""What stands for a parameter of the vault's own paths, beside the names of keys."""


@dataclass
class Turning:
    """What one scenario remembers."""

    more: list[KeyId] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    left: int = 0
    rekeyed: Rekeyed | None = None
    study_key: ForgettableKey | None = None
    shelf: dict[str, Any] = field(default_factory=dict)
    answers: list[tuple[str, str, int, str]] = field(default_factory=list)
    """Method, path, status and text of what a thief was answered."""


@pytest.fixture
def turning(hospital: Hospital) -> Turning:
    return Turning(objects=_objects(hospital))


def _objects(hospital: Hospital) -> dict[str, bytes]:
    files = [path for path in hospital.world.objects.rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in files}


def _vault(hospital: Hospital) -> VaultKeys:
    assert isinstance(hospital.keys, VaultKeys)
    return hospital.keys


# --- given ------------------------------------------------------------------------------------------


@given(parsers.parse("the keys of {count:d} more studies are on the shelf"))
def _more(hospital: Hospital, turning: Turning, count: int) -> None:
    keys = hospital.keys
    with ThreadPoolExecutor(8) as hands:
        minted = hands.map(lambda _: keys.wrapper.mint(keys.institution, Shelf.STUDY), range(count))
        turning.more = sorted(one.key_id for one in minted)


@given("somebody with the key store's disks has put one key in the place of another")
def _swapped(hospital: Hospital, turning: Turning) -> None:
    of = hospital.keys.institution
    source, target = (shelf_path(of, Shelf.STUDY, key_id) for key_id in turning.more[:2])
    with _vault(hospital).vault.administering() as vault:
        vault.post(target, vault.get(source).mapping("data")).demand_done()


# --- when -------------------------------------------------------------------------------------------


@when(parsers.re(r"(?:the|a) (?P<who>administrator|radiologist) turns the key of the house"))
def _turn(hospital: Hospital, story: Story, turning: Turning, who: str) -> None:
    turning.objects = _objects(hospital)
    begin(hospital, story)
    role = {"administrator": Role.ADMIN, "radiologist": Role.RADIOLOGIST}[who]
    story.answers.append(hospital.call_api(Person(role, ""), "POST", "/keys/rotations"))
    assert (story.answer.status_code == 201) == (role is Role.ADMIN)


@when("a minute later everything on the shelf is wrapped anew")
def _rewrap(hospital: Hospital, turning: Turning) -> None:
    rekey = replace(hospital.world.archive.rekey, now=lambda: datetime.now(UTC) + timedelta(minutes=1))
    turning.rekeyed = rekey.rewrap(hospital.subject(Role.OPERATOR), None, details={})


@when("somebody wraps the shelf anew at the command line, and is killed in the middle of it")
def _killed(hospital: Hospital, turning: Turning, tmp_path: Path) -> None:
    words = ("-m", "pacs_secure.cli", "--config", str(_configured(hospital, tmp_path)), "keys", "rewrap")
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    patience = time.monotonic() + 30
    while (row := _study_row(hospital)) is None or row.done < 100:
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < patience
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL
    turning.left = _old(hospital)


def _study_row(hospital: Hospital) -> RewrapRow | None:
    rows = hospital.world.house.engines.rewraps.of(hospital.keys.institution)
    return next((row for row in rows if row.shelf is Shelf.STUDY), None)


def _configured(hospital: Hospital, folder: Path) -> Path:
    """Write a configuration for the command line, over the same archive and vault."""
    keys, world = _vault(hospital), hospital.world
    credentials = keys.vault.credentials
    told = {role: {"role_id": one.role_id, "secret_id": one.secret_id} for role, one in credentials.items()}
    (folder / "credentials.json").write_text(json.dumps(told))
    public_key = Ed25519PublicKey.from_public_bytes(keys.signer.public_key())
    pem = public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "public.pem").write_bytes(pem)
    changed = {
        '"north"': f'"{keys.institution}"',
        "https://127.0.0.1:8200": keys.vault.address,
        '"ca.pem"': f'"{keys.vault.ca_file}"',
        '"credentials.json"': f'"{folder / "credentials.json"}"',
        '"public.pem"': f'"{folder / "public.pem"}"',
        '"index.db"': f'"{world.index_file}"',
        '"objects"': f'"{world.objects}"',
        '"ledger"': f'"{world.checkpoints}"',
        '"north.example/ledger"': f'"{ORIGIN}"',
    }
    text = WHOLE
    for before, after in changed.items():
        text = text.replace(before, after)
    file = folder / "pacs_secure.toml"
    file.write_text(text)
    return file


class Interrupted(VaultSession):
    """A session in whose batches something happens between reading and writing."""

    between: Callable[[Json], object] = staticmethod(lambda _: None)

    def post(self, path: str, body: Json) -> Reply:
        reply = super().post(path, body)
        if path.startswith("transit/rewrap/"):
            self.between(body)
        return reply


@when("one of those keys is forgotten after the rewrapping has read it")
def _forgotten_between(hospital: Hospital, turning: Turning) -> None:
    keys = _vault(hospital)
    session = Interrupted(keys.vault.address, keys.vault.ca_file, keys.vault.credentials[VaultRole.KEEPER])
    context = b64encode(key_context(keys.institution, Shelf.STUDY, turning.more[0])).decode()

    def forget(batch: Json) -> None:
        if context in str(batch):
            keys.eraser.erase(keys.institution, Shelf.STUDY, turning.more[:1])

    session.between = forget
    later = lambda: datetime.now(UTC) + timedelta(minutes=1)  # noqa: E731 - a clock
    rekey = replace(hospital.world.archive.rekey, now=later, rewrapper=VaultRewrapper(session))
    turning.rekeyed = rekey.rewrap(hospital.subject(Role.OPERATOR), None, details={})
    session.close()


# --- then -------------------------------------------------------------------------------------------


def _old(hospital: Hospital, version: int = 2) -> int:
    """Count what is wrapped under an older version, by asking the key store itself."""
    of, old = hospital.keys.institution, 0
    with _vault(hospital).vault.administering() as vault:
        for shelf in Shelf:
            names = vault.list(f"shelf/{shelf}/{of}").find("data", "keys")
            for name in names if isinstance(names, list) else ():
                wrapped = vault.get(f"shelf/{shelf}/{of}/{name}").text("data", "wrapped")
                old += int(wrapped.split(":")[1].removeprefix("v")) < version
    return old


@then("nothing on the shelf is wrapped under the old version")
def _none_old(hospital: Hospital) -> None:
    assert _old(hospital) == 0


@then("some keys are wrapped under the new version and some under the old one")
def _some_old(turning: Turning) -> None:
    assert 0 < turning.left < len(turning.more)


@then("only the keys that were left have been wrapped anew")
def _only_left(turning: Turning) -> None:
    assert turning.rekeyed is not None
    assert (turning.rekeyed.done, turning.rekeyed.failed) == (turning.left, 0)


@then("the old version unwraps nothing any more")
def _retired(hospital: Hospital, turning: Turning) -> None:
    assert turning.rekeyed is not None
    assert turning.rekeyed.stay is Stay.NOTHING
    assert _least(hospital) == 2


@then("the old version still unwraps")
def _still(hospital: Hospital, turning: Turning) -> None:
    assert turning.rekeyed is not None
    assert (turning.rekeyed.stay, turning.rekeyed.failed) == (Stay.FAILED, 1)
    assert _least(hospital) == 1


def _least(hospital: Hospital) -> object:
    with _vault(hospital).vault.administering() as vault:
        return vault.get(f"transit/keys/{kek(hospital.keys.institution)}").find("data", "min_decryption_version")


@then("every sealed object is byte for byte what it was")
def _untouched(hospital: Hospital, turning: Turning) -> None:
    assert turning.objects
    assert _objects(hospital) == turning.objects


@then("that key is not on the shelf")
def _gone(hospital: Hospital, turning: Turning) -> None:
    of = hospital.keys.institution
    with _vault(hospital).vault.administering() as vault:
        assert vault.get(shelf_path(of, Shelf.STUDY, turning.more[0])).absent
        assert vault.get(shelf_path(of, Shelf.STUDY, turning.more[1])).done
    assert turning.rekeyed is not None
    assert turning.rekeyed.gone == 1


@then("nothing can be wrapped anew")
def _cannot(hospital: Hospital) -> None:
    with pytest.raises(Unavailable):
        hospital.world.archive.rekey.rewrap(hospital.subject(Role.OPERATOR), None, details={})


# --- the thief --------------------------------------------------------------------------------------


@when("a thief asks the key store for everything there is with what that machine may")
def _thief(hospital: Hospital, turning: Turning) -> None:
    keys = _vault(hospital)
    of = keys.institution
    turning.shelf = _shelf(hospital)
    (place,) = [name for name in turning.shelf if name.startswith("shelf/study/")]
    key_id = KeyId(UUID(place.rpartition("/")[2]))
    (turning.study_key,) = keys.unwrapper.fetch(of, Shelf.STUDY, [key_id]).values()
    context = b64encode(key_context(of, Shelf.STUDY, key_id)).decode()
    wrapped = turning.shelf[place]["wrapped"]
    bodies: tuple[dict[str, object], ...] = (
        # He may know every wrapped key, from a snapshot of the key store that was lost.
        {"ciphertext": wrapped, "context": context, "plaintext": PROBE, "input": PROBE},
        {"batch_input": [{"ciphertext": wrapped, "context": context, "plaintext": PROBE, "input": PROBE}]},
    )
    thief = requests.Session()
    thief.verify, thief.trust_env = str(keys.vault.ca_file), False
    role = keys.vault.credentials[VaultRole.STORE]
    login = {"role_id": role.role_id, "secret_id": role.secret_id}
    answer = thief.post(f"{keys.vault.address}/v1/auth/approle/login", json=login, timeout=10).json()
    thief.headers["X-Vault-Token"] = answer["auth"]["client_token"]
    for path in _paths(hospital, [place, f"shelf/study/{of}/{'0' * 8}-0000-4000-8000-{'0' * 12}"]):
        for method, body in (("GET", None), ("LIST", None), ("DELETE", None), *(("POST", body) for body in bodies)):
            address = f"{keys.vault.address}/v1/{path}"
            told = thief.request(method, address, json=body, timeout=10)
            if told.ok and thief.request(method, address, json=body, timeout=10, headers={"X-Vault-Token": ""}).ok:
                continue  # that anybody is told, such as who the authority of the devices is
            turning.answers.append((method, path, told.status_code, told.text))
    thief.close()


def _paths(hospital: Hospital, places: list[str]) -> Iterator[str]:
    """Yield every path that the key store says it has, with the names that are worth something."""
    of = hospital.keys.institution
    with _vault(hospital).vault.administering() as vault:
        described = vault.get("sys/internal/specs/openapi?generic_mount_paths=false").mapping("paths")
    for path, methods in described.items():
        assert isinstance(methods, dict)
        if methods.get("x-vault-unauthenticated"):
            continue  # whoever reaches the key store may ask that, with or without the machine
        if "{path}" in path and "shelf" in path:
            yield from places
            continue
        for name in (kek(of), f"log-{of}") if "{name}" in path else ("",):
            filled = path.removeprefix("/").replace("{name}", name)
            for parameter, value in FILLED.items():
                filled = filled.replace(f"{{{parameter}}}", value)
            yield filled.replace("{", "").replace("}", "")


def _shelf(hospital: Hospital) -> dict[str, Any]:
    """Return everything on the shelf of the house."""
    of, found = hospital.keys.institution, {}
    with _vault(hospital).vault.administering() as vault:
        for shelf in Shelf:
            names = vault.list(f"shelf/{shelf}/{of}").find("data", "keys")
            for name in names if isinstance(names, list) else ():
                found[f"shelf/{shelf}/{of}/{name}"] = vault.get(f"shelf/{shelf}/{of}/{name}").mapping("data")
    return found


@then("no answer holds a key, wrapped or not")
def _no_key(turning: Turning) -> None:
    assert len(turning.answers) > 1000
    assert turning.study_key is not None
    key = turning.study_key.key
    secrets = {key.hex(), b64encode(key).decode(), *(entry["wrapped"] for entry in turning.shelf.values())}
    assert [(method, path) for method, path, _, text in turning.answers if any(one in text for one in secrets)] == []
    assert [path for _, path, _, text in turning.answers if '"plaintext":"' in text] == []


@then("all that was done is to wrap something and to lay it on the shelf")
def _done(hospital: Hospital, turning: Turning) -> None:
    of = hospital.keys.institution
    done = {(method, path) for method, path, status, _ in turning.answers if 200 <= status < 300}
    laid = f"shelf/study/{of}/{'0' * 8}-0000-4000-8000-{'0' * 12}"
    assert done == {("POST", f"transit/encrypt/{kek(of)}"), ("POST", laid)}


@then("no key on the shelf is another than before")
def _same(hospital: Hospital, turning: Turning) -> None:
    now = _shelf(hospital)
    assert {name: now.get(name) for name in turning.shelf} == turning.shelf
    until(hospital.readiness.listen)
