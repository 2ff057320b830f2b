"""The command line: what it answers, and with which status."""

import json
import os
import pwd
import shutil
import sqlite3
import stat
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate
from typer.testing import CliRunner

from pacs_secure import bootstrap
from pacs_secure.adapters.sql import SCHEMA_VERSION
from pacs_secure.adapters.vault_keyring import VaultSigner
from pacs_secure.adapters.vault_provisioning import VaultRole
from pacs_secure.archive.notary import Notary
from pacs_secure.bootstrap import assemble
from pacs_secure.cli import app
from pacs_secure.core.access import Role
from pacs_secure.core.errors import Malformed, Tampered
from pacs_secure.crypto.certificates import read_certificate
from pacs_secure.settings import load
from tests.aged import write_past
from tests.builders import subject
from tests.settings_file import WHOLE, written
from tests.unit.archive.instances import received, study_uid
from tests.unit.test_bootstrap import certificate
from tests.vault_fixture import RunningVault
from tests.world import POLICIES, shipped_policy, told


@pytest.fixture
def config(tmp_path: Path, openbao: RunningVault) -> Iterator[Path]:
    """Configure an archive that no door was opened for, on a real vault."""
    of = openbao.new_institution()
    roles = set(VaultRole) - {VaultRole.MINTER}
    identities = {role: openbao.credentials[role] for role in roles}
    credentials = {role: {"role_id": one.role_id, "secret_id": one.secret_id} for role, one in identities.items()}
    (tmp_path / "credentials.json").write_text(json.dumps(credentials))
    signer = openbao.session(VaultRole.SIGNER)
    key = Ed25519PublicKey.from_public_bytes(VaultSigner(signer, of).public_key())
    signer.close()
    (tmp_path / "public.pem").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    text = WHOLE.replace('"north"', f'"{of}"').replace("https://127.0.0.1:8200", openbao.address)
    text = text.replace('"ca.pem"', f'"{openbao.ca_file}"')
    file = tmp_path / "pacs_secure.toml"
    file.write_text(text)
    before = Path.cwd()
    os.chdir(tmp_path)
    yield file
    os.chdir(before)


def run(*words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.exit_code, done.output


@pytest.mark.real
def test_a_device_is_enrolled_listed_and_on_record(config: Path, tmp_path: Path) -> None:
    pem = tmp_path / "ct1.pem"
    pem.write_bytes(certificate())

    assert run("--config", config, "device", "add", "CT1", "--certificate", pem) == (0, "CT1 is enrolled for store\n")
    code, listed = run("--config", config, "device", "list", "--json")
    (one,) = json.loads(listed)
    assert (code, one["ae_title"], one["allow"], one["revoked"]) == (0, "CT1", ["store"], False)
    assert "CT1" in run("--config", config, "device", "list")[1]
    assert run("--config", config, "ledger", "verify")[0] == 0
    code, verified = run("--config", config, "verify", "--deep", "--json")
    answer = json.loads(verified)
    assert (code, answer["sound"], answer["pace"]["objects"]) == (0, True, 0)
    assert answer["told"]["swept"] == 0
    assert run("--config", config, "verify")[1].startswith("0 objects at 0 objects/s; swept: 0")


@pytest.mark.real
def test_a_device_is_issued_its_certificate_renewed_and_revoked(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "ws1"
    told = ("--host", "192.0.2.7", "--port", "104", "--department", "surgery", "--allow", "store,find,move")
    more = ("--network", "192.0.2.0/24", "--sop-class", "1.2.840.10008.5.1.4.1.1.2", "--also-aet", "WS1_B")

    def add(*options: str) -> tuple[int, str]:
        return run("--config", config, "device", "add", "WS1", *told, *more, *options, "--out", out)

    def listed() -> dict[str, Any]:
        (one,) = json.loads(run("--config", config, "device", "list", "--json")[1])
        found: dict[str, Any] = one
        return found

    assert add("--identity-required") == (0, "WS1 is enrolled for store,find,move\n")
    first = (out / "WS1.pem").read_bytes()
    assert stat.S_IMODE((out / "WS1.key").stat().st_mode) == 0o600
    load_pem_x509_certificate(first).verify_directly_issued_by(load_pem_x509_certificate((out / "ca.pem").read_bytes()))
    one = listed()
    assert (one["networks"], one["also_ae_titles"], one["identity_required"]) == (["192.0.2.0/24"], ["WS1_B"], True)
    assert one["serial"] == read_certificate(first).serial
    assert add()[0] == 2, "a key is never overwritten"

    assert run("--config", config, "device", "renew", "WS1", "--out", out)[0] == 0
    assert listed()["serial"] == read_certificate((out / "WS1.pem").read_bytes()).serial != one["serial"]
    assert run("--config", config, "device", "revoke", "WS1")[0] == 2
    assert run("--config", config, "device", "revoke", "WS1", "--reason", "sold") == (0, "WS1 is revoked\n")
    assert listed()["revoked"]
    assert run("--config", config, "device", "add", "A/B", "--out", out)[0] == 2
    assert list(out.glob(".*")) == []


@pytest.mark.real
def test_a_study_is_classified_and_who_treats_is_stated_listed_and_ended(config: Path) -> None:
    with assemble(load(config)) as house:
        technologist = subject(Role.TECHNOLOGIST, of=load(config).institution)
        with house.archive.ingest.begin(technologist, None, {}) as reception:
            reception.store(received())
    study, why = study_uid(), ("--reason", "asked for in writing")

    code, said = run("study", "classify", study, "--label", "vip", "--hold", "--treatment-ended", "2026-01-31", *why)
    assert (code, "vip" in said) == (0, True)
    run("study", "classify", study, "--no-label", "vip", "--release", "--department", "surgery", *why)
    code, said = run("study", "show", study, "--json")
    assert (code, json.loads(said)) == (
        0,
        {
            "department": "surgery",
            "labels": [],
            "restricted": False,
            "held": False,
            "treatment_ended_on": "2026-01-31",
        },
    )
    until = f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%d}"
    code, said = run("care", "grant", "--study", study, "--person", "s.klein", "--until", until, *why)
    assert (code, said.split()[1:]) == (0, ["holds", "until", "the", "end", "of", until])
    assert run("care", "refer", "--study", study, "--person", "p.arzt", *why)[0] == 0
    listed = json.loads(run("care", "list", "--study", study, "--json")[1])
    assert [(one["person"], one["relation"]) for one in listed] == [("s.klein", "treating"), ("p.arzt", "referring")]
    assert run("care", "end", listed[0]["id"], "--reason", "she was transferred")[0] == 0
    assert "p.arzt" in run("care", "list", "--study", study)[1]
    assert "s.klein" not in run("care", "list", "--study", study)[1]

    asked = ("policy", "explain", "--subject", "clinician:a@b.example@cardiology", "--action", "study:read")
    code, said = run(*asked, "--study", study, "--json")
    assert (code, json.loads(said)["decision"]) == (0, "hidden")
    assert "with the relation treating" in run(*asked, "--study", study)[1]
    assert run("policy", "explain", "--subject", "emperor", "--action", "study:read")[0] == 2
    assert "needs second factor  yes" in run("policy", "explain", "--subject", "dpo", "--action", "ledger:verify")[1]


@pytest.mark.real
def test_a_policy_is_checked_proposed_and_once_another_has_approved_it_in_force(config: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(POLICIES, tmp_path / "proposed"))
    rules, before = folder / "policy.csv", shipped_policy().version
    with rules.open("a", encoding="utf-8") as more:
        more.write("p, admin, share:redeem, TREAT, none, *, allow\n")
    code, said = run("policy", "check", folder)
    assert (code, "oversight never sees pictures" in said) == (1, True)
    why = ("--reason", "a comment says more")
    assert isinstance(CliRunner().invoke(app, ["policy", "propose", str(folder), *why]).exception, Malformed)

    rules.write_text((POLICIES / "policy.csv").read_text(encoding="utf-8") + "# a comment\n", encoding="utf-8")
    assert run("policy", "check", folder) == (0, "")
    code, said = run("policy", "propose", folder, *why)
    version = said.split()[0]
    assert (code, version != before) == (0, True)
    code, said = run("policy", "list")
    assert said.startswith(f"in force: {before}\n{version}  pending")
    assert "  + policy.csv: # a comment\n" in said

    with assemble(load(config)) as house:
        house.archive.policies.approve(subject(Role.OFFICER, of=load(config).institution), None, version)
    told = json.loads(run("policy", "list", "--json")[1])
    assert told["in_force"] == version
    (one,) = told["proposals"]
    assert (one["state"], one["approved_by"], one["replaces"]) == ("approved", "someone", before)
    explained = json.loads(run("policy", "explain", "--subject", "dpo", "--action", "ledger:verify", "--json")[1])
    assert explained["policy_version"] == version


@pytest.mark.real
def test_a_policy_that_somebody_wrote_past_the_archive_is_not_used(config: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(POLICIES, tmp_path / "proposed"))
    with (folder / "policy.csv").open("a", encoding="utf-8") as more:
        more.write("# a comment\n")
    assert run("policy", "propose", folder, "--reason", "a comment says more")[0] == 0
    with closing(sqlite3.connect(load(config).index.place)) as index:
        index.execute("UPDATE policies SET sequence = 1, approved_by = 'x', approved_at = 0, approval_box = x'00'")
        index.commit()

    for command in (("policy", "list"), ("ledger", "verify")):
        assert isinstance(CliRunner().invoke(app, command).exception, Tampered)


@pytest.mark.real
def test_the_configuration_is_found_in_the_working_directory(config: Path) -> None:
    assert config.name == "pacs_secure.toml"
    assert run("ledger", "verify")[0] == 0
    assert run("policy", "check") == (0, "")


@pytest.mark.real
def test_a_token_is_one_line_of_three_parts(config: Path) -> None:
    code, token = run("--config", config, "token", "--role", "clinician", "--department", "cardiology")

    assert code == 0
    assert token.strip().splitlines()[-1].count(".") == 2


@pytest.mark.real
def test_a_token_for_a_device_is_bound_to_its_certificate_and_lives_ten_minutes(config: Path, tmp_path: Path) -> None:
    assert run("--config", config, "device", "add", "WS1", "--out", tmp_path / "certificates")[0] == 0

    code, told = run("--config", config, "token", "--role", "radiologist", "--device", "WS1")
    claims = json.loads(urlsafe_b64decode(told.strip().splitlines()[-1].split(".")[1] + "=="))

    facts = read_certificate((tmp_path / "certificates" / "WS1.pem").read_bytes())
    assert (code, claims["aud"]) == (0, "PACS_SECURE")
    assert urlsafe_b64decode(claims["cnf"]["x5t#S256"] + "=") == facts.sha256
    assert claims["exp"] - claims["iat"] == 600
    assert run("--config", config, "token", "--role", "radiologist", "--device", "WS9")[0] == 2


def test_misuse_is_status_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PACS_SECURE_CONFIG", raising=False)
    broken = tmp_path / "broken.toml"
    broken.write_text("institution = 7")

    assert run("ledger", "verify")[0] == 2
    assert run("--config", broken, "ledger", "verify")[0] == 2
    assert run("no-such-command")[0] == 2
    assert run("token", "--role", "emperor")[0] == 2
    assert run("quickstart", "--ports", "1234")[0] == 2


def test_every_command_explains_itself() -> None:
    code, said = run("--help")

    assert code == 0
    for command in (
        "quickstart",
        "stop",
        "status",
        "serve",
        "token",
        "store",
        "ledger",
        "verify",
        "device",
        "policy",
        "study",
        "care",
    ):
        assert command in said
        assert run(command, "--help")[0] == 0


def test_status_of_nothing_is_1(tmp_path: Path) -> None:
    assert run("status", "--data", tmp_path) == (1, "nothing is running\n")
    assert run("stop", "--data", tmp_path) == (0, "nothing was running\n")


def test_a_configuration_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    file = tmp_path / "pacs_secure.toml"
    file.write_text(WHOLE)
    file.chmod(0o666)

    code, said = run("--config", file, "ledger", "verify")

    assert code == 2
    assert "somebody else" in " ".join(said.split())


def test_the_kernel_and_not_the_environment_says_who_calls(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pacs_secure.cli.house import archive_of

    monkeypatch.setenv("LOGNAME", "somebody-else")
    context: Any = SimpleNamespace(obj=config)

    with archive_of(context) as (_, subject):
        assert subject.identifier == f"os:{pwd.getpwuid(os.getuid()).pw_name}"


@pytest.mark.real
def test_a_person_and_a_login_are_revoked_on_record(config: Path) -> None:
    revoke = ("--config", config, "session", "revoke")

    assert run(*revoke, "r.weber", "--reason", "the phone was stolen") == (0, "revoked\n")
    assert run(*revoke, "a-token", "--login", "--reason", "it was in a log") == (0, "revoked\n")
    assert run(*revoke, "r.weber")[0] == 2
    with bootstrap.assemble(load(config)) as house:
        said = [told(entry) for entry in house.engines.ledger.entries(0, 9)]
    assert [(entry["action"], entry["facts"]["revoked"]) for entry in said] == [
        ("session:revoke", "person"),
        ("session:revoke", "login"),
    ]


@pytest.mark.real
def test_what_is_too_old_is_shown_first_then_goes_and_leaves_its_certificate(config: Path) -> None:
    expire = ("--config", config, "ledger", "expire")
    with bootstrap.assemble(load(config)) as house:
        engines = house.engines
        assert engines.signer is not None
        write_past(house, 300, of=engines.home)
        Notary(engines.ledger, engines.publisher, engines.signer, engines.origin).attest()

    code, planned = run(*expire, "--plan")
    assert (code, planned.partition(",")[0]) == (0, "256 entries would go: 0 to 255")
    assert json.loads(run(*expire, "--plan", "--json")[1])["horizon"] == 256
    code, expired = run(*expire)
    assert (code, expired.split(" went")[0]) == (0, "256 entries")
    assert "1 certificates were made; the ledger begins at 256" in expired
    assert run(*expire, "--plan")[1].startswith("no entry would go, 0 keys would be forgotten")
    assert json.loads(run(*expire, "--json")[1])["entries"] == 0
    assert run("--config", config, "ledger", "verify")[0] == 0


def test_the_database_is_made_brought_up_and_left_alone(tmp_path: Path) -> None:
    file = written(tmp_path, WHOLE.replace('file = "index.db"', f'file = "{tmp_path / "index.db"}"'))

    assert "and had none before" in run("--config", file, "init")[1]
    assert run("--config", file, "init") == (0, f"the database has schema version {SCHEMA_VERSION}: nothing to do\n")
    code, told = run("--config", file, "init", "--json")
    assert (code, json.loads(told)) == (0, {"before": SCHEMA_VERSION, "after": SCHEMA_VERSION})
    with closing(sqlite3.connect(tmp_path / "index.db")) as shell:
        shell.execute("UPDATE schema_version SET version = 99")
        shell.commit()
    assert run("--config", file, "init")[0] == 1


@pytest.mark.real
def test_a_lost_index_is_made_anew_once_and_what_is_not_known_is_said(config: Path) -> None:
    code, told = run("--config", config, "verify", "--rebuild-index", "--json")
    answer = json.loads(told)
    assert (code, answer["checked"], answer["told"]["adopted"]) == (0, 0, 0)
    assert "restricted until an officer has looked" in answer["told"]["unknown"]
    assert run("--config", config, "verify", "--rebuild-index")[0] == 1
    for file in config.parent.glob("index.db*"):
        file.unlink()
    code, told = run("--config", config, "verify", "--rebuild-index")
    assert code == 0
    assert "not known any more: who treats whom" in told
