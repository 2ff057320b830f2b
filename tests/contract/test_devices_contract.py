"""What every list of enrolled nodes keeps, held against the one in SQL and the one in memory alike."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pacs_secure.adapters.sql.devices import SqlDevices
from pacs_secure.adapters.sql.ledger import SqlLedger
from pacs_secure.core.access import Action, Permit
from pacs_secure.core.errors import Conflict, Denied, Malformed
from pacs_secure.crypto.tlog import read_draft
from pacs_secure.ports import Device, Devices, Ledger
from tests.builders import CT, ELSEWHERE, HERE, NOW, device, digest, draft, permit, subject
from tests.fakes import MemoryDevices, MemoryLedger
from tests.postgres_fixture import ENGINES, Settled, place_of


@dataclass
class Nodes:
    """Enrolled nodes beside their ledger."""

    devices: Devices
    ledger: Ledger

    def enrol(self, one: Device) -> None:
        self.devices.enrol(allowed(one.institution), one, draft(facts={"ae_title": one.ae_title}))


def allowed(institution: str) -> Permit:
    return permit(subject(of=institution), Action.DEVICE_ENROL)


@pytest.fixture(params=[*ENGINES, "memory"])
def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Nodes]:
    if request.param == "memory":
        ledger = MemoryLedger()
        yield Nodes(MemoryDevices(ledger), ledger)
    else:
        database = Settled(place_of(request, tmp_path))
        yield Nodes(SqlDevices(database), SqlLedger(database))
        database.close()


def test_an_enrolled_device_is_known_by_its_certificate(nodes: Nodes) -> None:
    one = device("CT1", operations=("store", "find", "move"))
    nodes.enrol(one)

    assert nodes.devices.by_certificate(one.spki_sha256) == one
    assert nodes.devices.by_certificate(digest("certificate", "another")) is None


def test_everything_that_was_said_of_a_device_is_kept(nodes: Nodes) -> None:
    one = device(
        "CT1",
        also_ae_titles=frozenset({"CT 1", "CT1_OLD"}),
        networks=frozenset({"10.1.0.0/16", "2001:db8::/32"}),
        sop_classes=frozenset({CT, "1.2.840.10008.5.1.4.1.1.4"}),
        identity_required=True,
        serial="0a1b",
        not_after=NOW,
    )
    nodes.enrol(one)

    assert nodes.devices.by_ae_title("CT1") == nodes.devices.by_certificate(one.spki_sha256) == one
    assert nodes.devices.by_ae_title("CT 1") is None


def test_a_device_is_changed_as_it_was_read_and_the_change_is_recorded(nodes: Nodes) -> None:
    one, renewed = device("CT1", certificate="old"), device("CT1", certificate="new")
    nodes.enrol(one)

    nodes.devices.change(allowed(HERE), one, renewed, draft(facts={"ae_title": "CT1"}))

    assert list(nodes.devices.all()) == [renewed]
    assert nodes.ledger.size() == 2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (device("CT1", revoked_at=NOW), device("CT1")),
        (device("CT9"), device("CT9", department="surgery")),
        (device("CT1"), device("CT2")),
        (device("CT1"), device("CT1", certificate="MR2")),
    ],
    ids=["changed meanwhile", "unknown", "another name", "another's certificate"],
)
def test_a_change_of_something_else_than_was_read_is_a_conflict(nodes: Nodes, before: Device, after: Device) -> None:
    for name in ("CT1", "MR2"):
        nodes.enrol(device(name))

    with pytest.raises(Conflict):
        nodes.devices.change(allowed(HERE), before, after, draft())
    assert (list(nodes.devices.all()), nodes.ledger.size()) == ([device("CT1"), device("MR2")], 2)


def test_a_permit_of_another_institution_changes_nothing(nodes: Nodes) -> None:
    nodes.enrol(device("CT1"))

    for before, after in ((device("CT1"), device("CT1", of=ELSEWHERE)), (device("CT1", of=ELSEWHERE), device("CT1"))):
        with pytest.raises((Denied, Conflict)):
            nodes.devices.change(allowed(ELSEWHERE), before, after, draft())
    with pytest.raises(Denied):
        nodes.devices.change(allowed(ELSEWHERE), device("CT1"), device("CT1", revoked_at=NOW), draft())
    assert list(nodes.devices.all()) == [device("CT1")]


def test_every_enrolment_is_recorded(nodes: Nodes) -> None:
    nodes.enrol(device("CT1"))
    nodes.enrol(device("CT1", operations=()))

    assert [read_draft(entry.content).facts for entry in nodes.ledger.entries(0, 9)] == [{"ae_title": "CT1"}] * 2


def test_devices_are_listed_by_ae_title_and_revoked_ones_too(nodes: Nodes) -> None:
    devices = [device("MR2", revoked_at=NOW), device("CT1"), device("US3", of=ELSEWHERE)]
    for one in devices:
        nodes.enrol(one)

    assert list(nodes.devices.all()) == sorted(devices, key=lambda one: one.ae_title)


def test_enrolling_again_replaces_everything_of_the_device(nodes: Nodes) -> None:
    nodes.enrol(device("CT1", certificate="old"))
    renewed = replace(
        device("CT1", certificate="new", department="surgery", operations=("find",)), host="other", port=104
    )
    nodes.enrol(renewed)

    assert list(nodes.devices.all()) == [renewed]
    assert nodes.devices.by_certificate(digest("certificate", "old")) is None


def test_a_device_is_revoked_and_may_come_back(nodes: Nodes) -> None:
    one = device("CT1")
    for revoked_at in (None, NOW, None):
        nodes.enrol(replace(one, revoked_at=revoked_at))
        assert nodes.devices.by_certificate(one.spki_sha256) == replace(one, revoked_at=revoked_at)


@pytest.mark.parametrize(
    "other",
    [
        device("MR2", certificate="CT1"),
        device("CT1", of=ELSEWHERE, certificate="another"),
        device("CT1", of=ELSEWHERE),
        device("MR2", of=ELSEWHERE, certificate="CT1"),
    ],
    ids=["certificate taken", "title taken elsewhere", "both taken elsewhere", "certificate taken elsewhere"],
)
def test_what_belongs_to_another_device_is_a_conflict_and_leaves_no_entry(nodes: Nodes, other: Device) -> None:
    one = device("CT1")
    nodes.enrol(one)

    with pytest.raises(Conflict):
        nodes.enrol(other)
    assert (list(nodes.devices.all()), nodes.ledger.size()) == ([one], 1)


def test_taking_over_the_certificate_of_another_is_a_conflict_for_an_enrolled_device_too(nodes: Nodes) -> None:
    for name in ("CT1", "MR2"):
        nodes.enrol(device(name))

    with pytest.raises(Conflict):
        nodes.enrol(device("CT1", certificate="MR2"))
    assert list(nodes.devices.all()) == [device("CT1"), device("MR2")]


def test_a_permit_of_another_institution_enrols_nothing(nodes: Nodes) -> None:
    with pytest.raises(Denied):
        nodes.devices.enrol(allowed(ELSEWHERE), device("CT1", of=HERE), draft())
    assert (list(nodes.devices.all()), nodes.ledger.size()) == ([], 0)


def test_an_entry_that_cannot_be_written_enrols_nothing(nodes: Nodes) -> None:
    with pytest.raises(Malformed):
        nodes.devices.enrol(allowed(HERE), device("CT1"), draft(facts={"note": "\ud800"}))
    assert list(nodes.devices.all()) == []


def test_of_many_who_claim_one_certificate_at_once_one_gets_it(nodes: Nodes) -> None:
    def claim(number: int) -> bool:
        try:
            nodes.enrol(device(f"CT{number}", certificate="the same"))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(claim, range(8))) == 1
    assert (len(nodes.devices.all()), nodes.ledger.size()) == (1, 1)
