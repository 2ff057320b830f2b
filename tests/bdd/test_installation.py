"""What a fresh installation does and does not do, as features/installation.feature tells it."""

import json
import re
import shutil
import signal
import sqlite3
import ssl
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jose import jwt
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.adapters.development_issuer import AUDIENCE, ISSUER, DevelopmentIssuer
from pacs_secure.adapters.sql import Database, SqlLedger
from pacs_secure.adapters.tokens import JoseAuthenticator
from pacs_secure.adapters.vault_keyring import VaultSigner
from pacs_secure.adapters.vault_provisioning import VaultRole, wrapped_secret_id
from pacs_secure.adapters.vault_wrapping import unwrap_secret_id
from pacs_secure.core.access import Role
from pacs_secure.settings import LOOPBACK, load
from pacs_secure.web.app import OPENAPI_URL, create_app
from pacs_secure.web.identity import SESSION_COOKIE
from tests.bdd.hospital import Hospital
from tests.bdd.keys import VaultKeys
from tests.builders import ROOT
from tests.certificates import Authority
from tests.settings_file import WHOLE, written
from tests.small_issuer import small_issuer
from tests.vault_fixture import RunningVault, free_ports
from tests.web_client import WebClient
from tests.world import told

scenarios("installation.feature")

TELLS_NOTHING = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/fhir/metadata"),
    ("GET", "/auth/login"),
    ("GET", "/auth/callback"),
    ("POST", "/auth/logout"),
    ("POST", "/auth/backchannel-logout"),
}
"""What a stranger may ask: whether it lives, how it is asked, and how to come in or go."""
SECONDS_TO_START = 30.0
ISSUER_TABLE = """
[[identity.issuers]]
issuer = "https://login.example/realms/north"
audience = "pacs"
algorithm = "RS256"
institutions = ["{of}"]
institution = "{of}"
[identity.issuers.roles]
radiologists = "radiologist"
"""


@dataclass
class Installation:
    """One configuration, and the process that was started with it."""

    directory: Path
    web_port: int = 0
    process: "subprocess.Popen[str] | None" = None
    said: str = ""

    @property
    def file(self) -> Path:
        return self.directory / "pacs_secure.toml"

    def change(self, what: str, instead: str) -> None:
        text = self.file.read_text()
        assert what in text
        self.file.write_text(text.replace(what, instead, 1))


@dataclass
class Tried:
    """What a stranger was answered."""

    answers: dict[tuple[str, str], httpx.Response] = field(default_factory=dict)
    answer: httpx.Response | None = None


@pytest.fixture
def tried() -> Tried:
    return Tried()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path)
    yield made
    if made.process is not None:
        made.process.kill()
        made.process.communicate()


# --- nobody is known --------------------------------------------------------------------------


@given("an archive that has just been installed")
def _fresh(hospital: Hospital) -> None:
    assert hospital.entries() == []


@pytest.fixture
def client(hospital: Hospital, tmp_path: Path) -> Iterator[WebClient]:
    of = hospital.keys.institution
    with small_issuer(tmp_path / "provider", of) as provider:
        believed = JoseAuthenticator([hospital.issuer.trusted([of])])
        archive, ready = hospital.world.archive, hospital.readiness.check
        yield WebClient(create_app(archive, believed, of, ready, None, provider.client()))


@when(parsers.parse("somebody comes with {credential}"))
def _comes(client: WebClient, tried: Tried, credential: str, tmp_path: Path, hospital: Hospital) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "admin", "role": "admin", "institution": "north", "jti": "1"}
    claims |= {"iat": str(int(time.time())), "exp": str(int(time.time()) + 60)}
    own = DevelopmentIssuer(tmp_path / "own.pem", loopback=True)
    headers: dict[str, Callable[[], dict[str, str]]] = {
        "no credential": dict,
        'a token that says "admin" and is not signed': lambda: bearer(unsigned(claims)),
        'a token signed with the word "secret"': lambda: bearer(signed(claims, "secret")),
        "a token signed with nothing": lambda: bearer(signed(claims, "")),
        "a token of a development issuer of their own": lambda: bearer(
            own.issue(Role.ADMIN, "admin", "", None, hospital.keys.institution, timedelta(hours=1))
        ),
        "a session cookie of their own making": lambda: {"Cookie": f"{SESSION_COOKIE}=admin"},
    }
    if credential.startswith("the name and password"):
        word = credential.split('"')[1]
        pair = b64encode(f"{word}:{word}".encode()).decode()
        tried.answer = client.get("/dicom-web/studies", {"Authorization": f"Basic {pair}"})
    else:
        tried.answer = client.get("/dicom-web/studies", headers[credential]())


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


encode: Callable[..., str] = jwt.encode


def signed(claims: dict[str, str], secret: str) -> str:
    return encode(claims, secret, "HS256")


def unsigned(claims: dict[str, str]) -> str:
    head, body = (b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in ({"alg": "none"}, claims))
    return f"{head}.{body}."


@then("they are refused as not authenticated")
def _unauthenticated(tried: Tried) -> None:
    assert tried.answer is not None
    assert tried.answer.status_code == 401


@when("a stranger tries every endpoint with every method")
def _every(client: WebClient, tried: Tried) -> None:
    names = {"study": f"{ROOT}.1", "series": f"{ROOT}.1.1", "instance": f"{ROOT}.1.1.1", "frames": "1"}
    described = client.app.openapi()["paths"]
    assert hidden_paths(client) <= {OPENAPI_URL}
    for path, methods in described.items():
        asked = re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], "1"), path)
        for method in methods:
            tried.answers[method.upper(), path] = client.request(method.upper(), asked)


def hidden_paths(client: WebClient) -> set[str]:
    """Return every path that the application answers and its OpenAPI document does not tell of."""
    routes = list(client.app.routes)
    found = set()
    while routes:
        route = routes.pop()
        routes += getattr(getattr(route, "original_router", route), "routes", [])
        if not getattr(route, "include_in_schema", True):
            found.add(str(getattr(route, "path", route)))
    return found


@then("all of them are refused as not authenticated, but for those that tell nothing of anybody")
def _all_refused(tried: Tried) -> None:
    open_to_all = {asked for asked, answer in tried.answers.items() if answer.status_code != 401}

    assert len(tried.answers) > 30
    assert open_to_all <= TELLS_NOTHING
    for asked in open_to_all:
        assert tried.answers[asked].status_code in {200, 303, 400, 403}


@then("nobody, no device and no session is known")
def _nobody(hospital: Hospital) -> None:
    assert list(hospital.world.house.engines.devices.all()) == []
    with closing(sqlite3.connect(hospital.world.index_file)) as index:
        for table in ("sessions", "devices", "ties", "studies", "patients"):
            assert index.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


# --- on this machine alone --------------------------------------------------------------------


@given("a configuration that says nothing of addresses")
def _no_addresses(installation: Installation) -> None:
    assert "host =" not in WHOLE
    written(installation.directory, WHOLE)


@then("the DICOM door and the web door are on loopback")
def _loopback(installation: Installation) -> None:
    settings = load(installation.file)
    assert {settings.dicom.host, settings.web.host} <= LOOPBACK


@then("a configuration with the development issuer and another address is refused")
def _refused(installation: Installation) -> None:
    for section in ("[web]", "[dicom]"):
        with pytest.raises(ValueError, match="loopback"):
            load(written(installation.directory, WHOLE.replace(section, f'{section}\nhost = "0.0.0.0"')))


@then("without the development issuer another address is accepted")
def _accepted(installation: Installation) -> None:
    text = WHOLE.partition("[identity]")[0].replace("[web]", '[web]\nhost = "0.0.0.0"') + ISSUER_TABLE.format(
        of="north"
    )
    assert load(written(installation.directory, text)).web.host == "0.0.0.0"


# --- whole or not at all ----------------------------------------------------------------------


@given("a configuration for production on a real vault")
def _production(installation: Installation, openbao: RunningVault, keys: VaultKeys) -> None:
    directory, of = installation.directory, keys.institution
    authority = Authority(directory)
    roles = (VaultRole.STORE, VaultRole.READER, VaultRole.SIGNER, VaultRole.ENROLLER, VaultRole.REVOKER)
    credentials = {
        role: {"role_id": one.role_id, "secret_id": one.secret_id}
        for role, one in openbao.credentials.items()
        if role in roles
    }
    (directory / "credentials.json").write_text(json.dumps(credentials))
    key = Ed25519PublicKey.from_public_bytes(VaultSigner(keys.sessions[VaultRole.SIGNER], of).public_key())
    (directory / "public.pem").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    dicom_port, installation.web_port = free_ports(2)
    text = WHOLE.partition("[identity]")[0] + ISSUER_TABLE.format(of=of)
    text = text.replace('institution = "north"', f'institution = "{of}"', 1)
    text = text.replace("https://127.0.0.1:8200", openbao.address)
    text = text.replace('ca_file = "ca.pem"', f'ca_file = "{openbao.ca_file}"', 1).replace(
        '"ca.pem"', f'"{authority.file}"'
    )
    for section, name, port in (("[dicom]", "dicom", dicom_port), ("[web]", "web", installation.web_port)):
        authority.issue(name)
        head, _, rest = text.partition(section)
        rest = rest.replace('"server.pem"', f'"{name}.pem"', 1).replace('"server.key"', f'"{name}.key"', 1)
        text = f"{head}{section}\nport = {port}{rest}"
    written(directory, text)


@given(parsers.re(r"(?P<what>(there|the|nobody) .+)"))
def _missing(installation: Installation, openbao: RunningVault, keys: VaultKeys, what: str) -> None:
    directory = installation.directory
    ways: dict[str, Callable[[], object]] = {
        "there is no certificate for the web door": (directory / "web.pem").unlink,
        "the configuration names no certificate for the web": lambda: installation.change(
            'certificate_file = "web.pem"', ""
        ),
        "there is no certificate for the DICOM door": (directory / "dicom.pem").unlink,
        "the private key belongs to another certificate": lambda: shutil.copy(
            directory / "dicom.key", directory / "web.key"
        ),
        "there are no credentials for the vault": (directory / "credentials.json").unlink,
        "the vault cannot be reached": lambda: installation.change(openbao.address, "https://127.0.0.1:1"),
        "the vault is sealed": keys.seal,
        "the institution has no key in the vault": lambda: installation.change(
            f'institution = "{keys.institution}"', 'institution = "nowhere"'
        ),
        "the ledger cannot be opened": (directory / "index.db").mkdir,
        "the ledger is of another version": lambda: _of_another_version(directory / "index.db"),
        "nobody vouches for identities": lambda: installation.file.write_text(
            installation.file.read_text().partition("[[identity")[0]
        ),
    }
    ways[what]()


@given("what it logs in with is delivered wrapped")
def _delivered(installation: Installation, openbao: RunningVault) -> None:
    file = installation.directory / "credentials.json"
    told = json.loads(file.read_text())
    with openbao.administering() as vault:
        for role, credentials in told.items():
            token = installation.directory / f"{role}.token"
            token.write_text(wrapped_secret_id(vault, VaultRole(role)))
            token.chmod(0o600)
            del credentials["secret_id"]
            credentials["wrapping_token_file"] = token.name
    file.write_text(json.dumps(told))


@given("somebody has opened what its signer logs in with")
def _opened(installation: Installation, openbao: RunningVault, tmp_path: Path) -> None:
    stolen = tmp_path / "stolen"
    shutil.copy(installation.directory / "signer.token", stolen)
    assert unwrap_secret_id(openbao.address, openbao.ca_file, "signer", stolen)


@then("nothing that it logs in with is left on the disk")
def _not_on_disk(installation: Installation) -> None:
    assert list(installation.directory.glob("*.token")) == []
    assert "secret_id" not in (installation.directory / "credentials.json").read_text()


@then("an alarm about the signer is on record")
def _alarm(installation: Installation) -> None:
    with closing(Database(installation.directory / "index.db")) as database:
        ledger = SqlLedger(database)
        entries = [told(entry) for entry in ledger.entries(0, ledger.size())]
    (alarm,) = [entry["facts"] for entry in entries if entry["action"] == "system:alarm"]
    assert (alarm["alarm"], alarm["role"]) == ("vault credentials", "signer")
    assert list(installation.directory.glob("*.spent")) == []


def _of_another_version(file: Path) -> None:
    with closing(sqlite3.connect(file)) as index, index:
        index.execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY)")
        index.execute("INSERT INTO schema_version VALUES (999)")


@when("the archive is started")
def _started(installation: Installation) -> None:
    line = [sys.executable, "-m", "pacs_secure.cli", "--config", str(installation.file), "serve"]
    installation.process = subprocess.Popen(
        line, cwd=installation.directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip


@then("it gets ready")
def _ready(installation: Installation) -> None:
    assert installation.process is not None
    context = ssl.create_default_context(cafile=str(installation.directory / "authority.pem"))
    limit = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < limit and installation.process.poll() is None:
        with suppress(httpx.HTTPError):
            url = f"https://127.0.0.1:{installation.web_port}"
            if httpx.get(f"{url}/readyz", verify=context).status_code == 200:
                assert httpx.get(f"{url}/dicom-web/studies", verify=context).status_code == 401
                installation.process.send_signal(signal.SIGTERM)
                assert installation.process.wait(SECONDS_TO_START) == 0
                return
        time.sleep(0.1)
    raise AssertionError(installation.process.communicate(timeout=5)[0])


@then("it ends without having opened a door, and says why")
def _ends(installation: Installation) -> None:
    assert installation.process is not None
    said, _ = installation.process.communicate(timeout=SECONDS_TO_START)

    assert installation.process.returncode in {1, 2}
    assert "the archive is open" not in said
    assert "Traceback" not in said
    assert said.strip()
    installation.process = None
