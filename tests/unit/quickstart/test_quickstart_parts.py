"""The parts of a quickstart that can be held to their word without starting one."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from pacs_secure.adapters.openbao_server import OpenBaoServer
from pacs_secure.core.errors import Denied, Unavailable
from pacs_secure.quickstart import processes, provision, publication, supervisor, tour
from pacs_secure.quickstart.layout import Layout, ports, read_published, sole, withdraw, write_json
from pacs_secure.quickstart.processes import Process, identify
from pacs_secure.quickstart.samples import sample_files


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "data")
    made.prepare()
    return made


def test_a_secret_file_is_for_its_owner_only_from_its_first_byte(layout: Layout) -> None:
    write_json(layout.credentials_file, {"secret": 1})

    assert stat.S_IMODE(layout.credentials_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(layout.root.stat().st_mode) == 0o700
    assert not list(layout.root.rglob("*.partial"))


def test_ports_are_chosen_once_and_kept(layout: Layout) -> None:
    chosen = ports(layout)

    assert ports(layout) == chosen
    assert len({chosen.vault, chosen.vault_cluster, chosen.dicom, chosen.web, chosen.workstation}) == 5


def test_ports_that_an_earlier_version_did_not_know_are_added(layout: Layout) -> None:
    chosen = ports(layout)
    write_json(layout.ports_file, {"vault": 1, "vault_cluster": 2, "dicom": 3, "web": 4, "workstation": 5})

    again = ports(layout)
    assert (again.vault, again.workstation) == (1, 5)
    assert again.witness_1 != again.witness_2
    assert ports(layout) == again != chosen


def test_only_one_supervisor_holds_a_directory(layout: Layout) -> None:
    with sole(layout) as first, sole(layout) as second:
        assert (first, second) == (True, False)
    with sole(layout) as again:
        assert again


def test_withdrawing_takes_back_processes_and_tokens_and_keeps_the_rest(layout: Layout) -> None:
    withdraw(layout)
    assert read_published(layout) == {}

    write_json(layout.published_file, {"pids": {"archive": 1}, "users": {"dpo": {"token": "t"}}, "version": 1})
    withdraw(layout)

    assert read_published(layout) == {"pids": {}, "users": {}, "version": 1}


def test_a_process_is_told_from_a_later_one_with_its_pid() -> None:
    child = subprocess.Popen(["/bin/sleep", "30"])
    known = identify("sleeper", child.pid)
    other = Process("sleeper", child.pid, known.started + 1)
    try:
        assert known.alive
        assert not other.alive
        other.end(patience=0.1)
        assert known.alive, "only the very process is ended"
    finally:
        known.end(patience=5)
        child.wait()
    assert not known.alive
    assert not Process("nobody", 2**22 - 1, 1).alive


def test_what_is_remembered_is_read_back_and_nonsense_is_nothing(layout: Layout) -> None:
    assert processes.remembered(layout) == []
    me = identify("me", os.getpid())
    processes.remember(layout, [me])
    assert processes.remembered(layout) == [me]
    layout.processes_file.write_text("{}")
    assert processes.remembered(layout) == []


def test_the_samples_are_on_this_machine() -> None:
    assert len(sample_files()) >= 10
    assert not {path.name for path in sample_files()} & {"CT_small.dcm", "MR_small.dcm"}


def test_a_vault_whose_share_is_gone_is_not_opened(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OpenBaoServer, "initialised", lambda _self: True)

    with pytest.raises(Unavailable, match="unseal share is gone"):
        provision.open_vault(layout, OpenBaoServer(layout.vault, 1, 2))


def test_the_configuration_that_is_written_is_one_that_is_read(layout: Layout) -> None:
    from pacs_secure.settings import load

    witnesses = provision.make_witnesses(layout, ports(layout), bytes(32))
    text = provision._configuration(layout, ports(layout), OpenBaoServer(layout.vault, 8200, 8201), witnesses)
    layout.config_file.write_text(text)

    assert load(layout.config_file).institution == provision.INSTITUTION
    assert provision.make_witnesses(layout, ports(layout), bytes(32)) == witnesses
    assert [one.verifier_key for one in load(layout.config_file).ledger.witnesses] == [
        one["verifier_key"] for one in witnesses
    ]
    assert json.loads(layout.ports_file.read_text())["web"] == load(layout.config_file).web.port


def test_tokens_outlast_eight_hours_until_the_file_is_written_anew() -> None:
    assert publication.TOKEN_LIFE.total_seconds() - supervisor.REPUBLISH_EVERY >= 8 * 3600


def test_the_tour_reads_values_as_people_do() -> None:
    attributes: dict[str, object] = {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]},
        "00201208": {"vr": "IS", "Value": [3]},
        "00080061": {"vr": "CS"},
    }

    assert [tour._value(attributes, tag) for tag in (*attributes, "00080020")] == ["Doe^Jane", "3", "", ""]


def test_a_directory_that_is_a_link_or_somebody_elses_is_refused(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (tmp_path / "link").symlink_to(mine)
    with pytest.raises(Denied, match="somebody else"):
        Layout(tmp_path / "link").prepare()
    if os.geteuid() == 0:
        os.chown(mine, 65534, 65534)
        with pytest.raises(Denied, match="somebody else"):
            Layout(mine).prepare()
