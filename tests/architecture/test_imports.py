"""The rings hold: imports point inward only, and each library has one home."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
REFUSED = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}


def test_every_import_contract_is_kept() -> None:
    checker = Path(sys.executable).with_name("lint-imports")

    told = subprocess.run([checker], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    assert told.returncode == 0, told.stdout


def test_no_module_has_a_name_that_says_nothing() -> None:
    names = {path.stem for path in (ROOT / "pacs_secure").rglob("*.py")}
    names |= {path.name for path in (ROOT / "pacs_secure").rglob("*") if path.is_dir()}

    assert not names & REFUSED
