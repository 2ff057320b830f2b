"""Reports at the command line: written whole, signed, and checked."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pacs_secure.bootstrap import assemble
from pacs_secure.cli import app
from pacs_secure.core.access import Role
from pacs_secure.core.errors import Tampered
from pacs_secure.settings import load
from tests.builders import subject
from tests.unit.archive.instances import received, study_uid
from tests.unit.cli.test_cli import config, run  # noqa: F401 - a fixture is used by its name

TODAY = datetime.now(UTC)
DAYS = ("--from", f"{TODAY:%Y-%m-%d}", "--to", f"{TODAY:%Y-%m-%d}")


@pytest.mark.real
def test_a_report_is_made_signed_checked_and_found_changed(config: Path, tmp_path: Path) -> None:  # noqa: F811
    report = tmp_path / "report.pdf"
    code, said = run("ledger", "report", *DAYS, "--lang", "de", "--format", "pdf", "--output", report)

    assert (code, "report.pdf.sig" in said.replace("\n", "")) == (0, True)
    assert report.read_bytes().startswith(b"%PDF")
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert run("ledger", "report", "--check", report)[0] == 0
    report.write_bytes(report.read_bytes() + b" ")
    with pytest.raises(Tampered):
        app(["ledger", "report", "--check", str(report)], standalone_mode=False)
    (tmp_path / "report.pdf.sig").unlink()
    assert run("ledger", "report", "--check", report)[0] == 2
    assert run("ledger", "report", "--from", "2026-01-01")[0] == 2


@pytest.mark.real
def test_an_incident_is_reported_from_files(config: Path, tmp_path: Path) -> None:  # noqa: F811
    with assemble(load(config)) as house:
        technologist = subject(Role.TECHNOLOGIST, of=load(config).institution)
        with house.archive.ingest.begin(technologist, None, {}) as reception:
            reception.store(received())
    (tmp_path / "studies.txt").write_text(f"{study_uid()}\n{study_uid(7)}\n")
    (tmp_path / "said.toml").write_text('measures = "Die Anmeldung wurde widerrufen."\n')
    window = ("--from", f"{TODAY - timedelta(days=1):%Y-%m-%d}", "--to", f"{TODAY + timedelta(days=1):%Y-%m-%d}")
    asked = ("incident", "report", *window, "--cause", "a stolen device", "--stage", "72h", "--format", "json")
    files = ("--study-file", tmp_path / "studies.txt", "--statements", tmp_path / "said.toml")
    code, _ = run(*asked, *files, "--output", tmp_path / "incident.json")
    told = json.loads((tmp_path / "incident.json").read_text(encoding="utf-8"))

    assert (code, told["narrowed"][0]["values"], told["persons"]) == (0, {"count": 2, "known": 1}, None)
    assert {point["name"]: point["values"]["count"] for point in told["totals"]}["patients"] == 1
    (tmp_path / "said.toml").write_text("no TOML")
    assert run(*asked, *files)[0] == 2
