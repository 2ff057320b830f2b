"""`ledger feed`: entries as audit messages on standard output, one a line."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from lxml import etree

from pacs_secure.bootstrap import assemble
from pacs_secure.cli import ledger_feed
from pacs_secure.core.access import Role
from pacs_secure.crypto.tlog import read_draft
from pacs_secure.settings import load
from tests.builders import subject
from tests.unit.archive.instances import received
from tests.unit.cli.test_cli import config, run

__all__ = ["config"]

pytestmark = pytest.mark.real


@pytest.fixture
def filled(config: Path) -> Path:
    with assemble(load(config)) as house:
        technologist = subject(Role.TECHNOLOGIST, of=load(config).institution)
        with house.archive.ingest.begin(technologist, None, {}) as reception:
            reception.store(received())
    return config


def last_facts(config: Path) -> dict[str, str | int]:
    with assemble(load(config)) as house:
        *_, last = house.engines.ledger.entries(0, 99)
    return read_draft(last.content).facts


def test_it_writes_every_entry_as_fhir(filled: Path) -> None:
    code, written = run("--config", filled, "ledger", "feed", "--format", "fhir")

    events = [json.loads(line) for line in written.splitlines()]
    assert code == 0
    assert [event["id"] for event in events] == ["0", "1", "2"]
    assert all(AuditEvent.model_validate(event) for event in events)
    assert [event["entity"][-1]["detail"][3]["valueString"] for event in events][-1] == "ledger:feed"
    assert {name: last_facts(filled)[name] for name in ("entries", "first", "last")} == {
        "entries": 3, "first": 0, "last": 2,
    }  # fmt: skip


def test_it_writes_every_entry_as_dicom_from_where_it_is_told(filled: Path) -> None:
    code, written = run("--config", filled, "ledger", "feed", "--format", "atna", "--from", "1")

    messages = [etree.fromstring(line) for line in written.splitlines()]
    assert code == 0
    assert [message.tag for message in messages] == ["AuditMessage"] * 2


def test_misuse_is_said(filled: Path) -> None:
    assert run("--config", filled, "ledger", "feed")[0] == 2
    assert run("--config", filled, "ledger", "feed", "--format", "csv")[0] == 2
    assert run("--config", filled, "ledger", "feed", "--format", "atna", "--from", "-1")[0] == 2


def test_it_follows_until_it_is_interrupted(filled: Path) -> None:
    command = [sys.executable, "-m", "pacs_secure.cli", "--config", str(filled), "ledger", "feed", "--format", "fhir"]
    # Whoever runs tests in the background may have told everything below to ignore SIGINT.
    interruptible = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        [*command, "--follow"],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,  # noqa: PLW1509 - one thread, one call
    ) as following:
        try:
            assert following.stdout is not None
            begun = [json.loads(following.stdout.readline())["id"] for _ in range(3)]
            assert run("--config", filled, "ledger", "verify")[0] == 0
            later = [json.loads(following.stdout.readline())["id"] for _ in range(2)]
            time.sleep(ledger_feed.LOOK_AGAIN)
            following.send_signal(signal.SIGINT)
            assert following.wait(30) == 0
        finally:
            following.kill()

    assert (begun, later) == (["0", "1", "2"], ["3", "4"])
    assert last_facts(filled)["last"] == 4


def test_a_reader_that_goes_away_is_no_failure_of_the_archive(filled: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "pacs_secure.cli", "--config", str(filled), "ledger", "feed", "--format", "atna"]

    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    os.close(writing)

    assert (done.returncode, done.stderr) == (1, "")
