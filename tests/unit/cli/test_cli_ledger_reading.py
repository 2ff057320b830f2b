"""Commands that read the ledger."""

import json
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pacs_secure.adapters.vault_keyring import VaultSigner
from pacs_secure.adapters.vault_provisioning import VaultRole
from pacs_secure.archive.employee_questions import Asking
from pacs_secure.archive.notary import Notary
from pacs_secure.bootstrap import assemble
from pacs_secure.cli import ledger_reading
from pacs_secure.core.access import Role
from pacs_secure.core.identifiers import institution
from pacs_secure.crypto.tlog import leaf_hash, verify_inclusion
from pacs_secure.house import House
from pacs_secure.settings import load
from tests.builders import subject
from tests.unit.archive.instances import data_set, received
from tests.unit.cli.test_cli import config, run
from tests.vault_fixture import RunningVault

__all__ = ["config"]

DAY = timedelta(days=1)

pytestmark = pytest.mark.real


@contextmanager
def house_of(config: Path) -> Iterator[House]:
    with assemble(load(config)) as house:
        yield house


@pytest.fixture
def filled(config: Path, openbao: RunningVault) -> Path:
    """An archive that took one picture, and whose ledger was published."""
    settings = load(config)
    with house_of(config) as house:
        technologist = subject(Role.TECHNOLOGIST, of=settings.institution)
        with house.archive.ingest.begin(technologist, None, {}) as reception:
            reception.store(received(data_set(PatientID="ERIKA")))
        session = openbao.session(VaultRole.SIGNER)
        signer, engines = VaultSigner(session, institution(settings.institution)), house.engines
        Notary(engines.ledger, engines.publisher, signer, engines.origin).attest()
        session.close()
    return config


def test_a_proof_is_written_that_anybody_can_check(filled: Path) -> None:
    assert ledger_reading.ledger_proof.__doc__
    code, written = run("--config", filled, "ledger", "proof", "1")

    proof = json.loads(written)
    leaf, path = leaf_hash(b64decode(proof["entry"])), [b64decode(node) for node in proof["path"]]
    assert (code, proof["index"], proof["size"]) == (0, 1, 2)
    assert proof["checkpoint"].splitlines()[:3] == [load(filled).ledger.origin, "2", proof["root"]]
    assert verify_inclusion(leaf, 1, 2, path, b64decode(proof["root"]))
    assert run("--config", filled, "ledger", "proof", "99")[0] == 1


def test_questions_about_employees_are_listed_without_a_name(filled: Path) -> None:
    of, now = load(filled).institution, datetime.now(UTC)
    dpo, asking = (
        subject(Role.DPO, of=of),
        Asking("r.weber", now - DAY, now + DAY, "a neighbour is said to have looked"),
    )
    with house_of(filled) as house:
        asked, other = (house.archive.questioning.ask(dpo, None, asking, details={}).question for _ in range(2))
        officer = subject(Role.OFFICER, identifier="o.amt", of=of)
        house.archive.questioning.rule(officer, None, str(asked.question_id), approved=True, said="", details={})

    code, written = run("--config", filled, "ledger", "questions")
    _, as_json = run("--config", filled, "ledger", "questions", "--json")

    assert code == 0
    assert [line.split()[:2] for line in written.splitlines()] == [
        [str(other.question_id), "waiting"],
        [str(asked.question_id), "approved"],
    ]
    waiting, approved = json.loads(as_json)
    assert (waiting["ruled_at"], waiting["answered_until"]) == (None, None)
    assert datetime.fromisoformat(approved["answered_until"]) - datetime.fromisoformat(approved["ruled_at"]) == 7 * DAY
    assert not [name for name in ("weber", "neighbour", "someone") if name in written + as_json]


def test_a_patient_is_told_in_three_ways(filled: Path) -> None:
    as_text, as_page, as_json = (
        run("--config", filled, "ledger", "patient", "ERIKA", "--lang", "en", "--format", form, "--time-zone", "UTC")
        for form in ("text", "html", "json")
    )

    assert (as_text[0], as_page[0], as_json[0]) == (0, 0, 0)
    assert as_text[1].startswith("Who has accessed your pictures\n")
    assert as_page[1].startswith("<!doctype html>\n")
    told = json.loads(as_json[1])
    assert [one["category"] for one in told["accesses"]] == ["stored", "oversight", "oversight"]
    assert {one["person"] for one in told["accesses"]} == {None}
    proven = json.loads(
        run("--config", filled, "ledger", "patient", "ERIKA", "--format", "json", "--proofs", "--thorough")[1]
    )
    assert [one["index"] for one in proven["proofs"]] == [0, 1]


def test_the_operator_names_no_employee(filled: Path) -> None:
    reason = ("--reason", "she names the neighbour whom she suspects")

    assert run("--config", filled, "ledger", "patient", "ERIKA", "--name-employees", *reason)[0] == 1
    assert run("--config", filled, "ledger", "patient", "NOBODY")[0] == 1
    assert run("--config", filled, "ledger", "patient", "ERIKA", "--time-zone", "Nowhere/Else")[0] == 1
