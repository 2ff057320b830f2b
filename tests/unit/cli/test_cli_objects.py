"""`objects status` and `objects mend`: both stores, at the command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pacs_secure.bootstrap import assemble
from pacs_secure.cli import app, objects
from pacs_secure.core.access import Role
from pacs_secure.core.errors import NotFound
from pacs_secure.settings import load
from tests.builders import subject
from tests.unit.archive.instances import data_set, received
from tests.unit.cli.test_cli import config, run  # noqa: F401 - a fixture is used by its name


@pytest.mark.real
def test_both_stores_are_compared_and_mended(
    config: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert objects.objects_app.info.help
    with pytest.raises(NotFound):
        CliRunner().invoke(app, ["objects", "status"], standalone_mode=False, catch_exceptions=False)
    monkeypatch.setenv("PACS_SECURE__OBJECTS__SECOND__DIRECTORY", str(tmp_path / "second"))
    with assemble(load(config)) as house:
        technologist = subject(Role.TECHNOLOGIST, of=load(config).institution)
        with house.archive.ingest.begin(technologist, None, {}) as reception:
            for study in (71, 72):
                reception.store(received(data_set(study)))

    code, said = run("objects", "status", "--json")
    missing = json.loads(said)["missing"]
    assert (code, missing >= 2) == (1, True)
    code, said = run("objects", "mend")
    assert (code, f"{missing} copied to the second store" in said) == (0, True)
    code, said = run("objects", "status")
    assert (code, "the second lacks 0, has 0 of another length" in said) == (0, True)
    code, said = run("objects", "mend", "--json")
    assert (code, json.loads(said)["copied"]) == (0, 0)


def test_what_was_refused_is_said() -> None:
    from pacs_secure.archive.replication import Comparison

    assert "3 that no row names were left" in objects._mended(Comparison(refused=3))
