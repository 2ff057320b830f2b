"""Audit messages reach a real rsyslog over mutual TLS, all of them, even when it is killed in between."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pacs_secure.adapters.syslog_repository import SyslogRepository
from pacs_secure.archive.feed import occurrence
from pacs_secure.archive.forwarder import Forwarder
from pacs_secure.core.access import Door, Role
from pacs_secure.core.errors import Unavailable
from pacs_secure.messages import dicom_xml, syslog
from tests.audit_drafts import every_kind
from tests.builders import subject
from tests.certificates import Authority
from tests.fakes_feeds import MemoryBookmarks
from tests.syslog_receiver import SyslogReceiver, syslog_receiver
from tests.unit.archive.instances import data_set, store
from tests.world import ORIGIN, World, memory_world

pytestmark = pytest.mark.real

ARCHIVE = subject(Role.OPERATOR, identifier="archive", door=Door.JOB, address="")


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[SyslogReceiver]:
    with syslog_receiver(tmp_path / "syslog") as running:
        yield running


@pytest.fixture
def world() -> World:
    return memory_world()


def repository(receiver: SyslogReceiver, authority: Authority | None = None) -> SyslogRepository:
    client = receiver.client
    ca_file = (authority or receiver.authority).file
    return SyslogRepository("127.0.0.1", receiver.port, ca_file, client.certificate, client.key)


def test_every_kind_of_message_arrives_as_it_was_rendered(receiver: SyslogReceiver) -> None:
    sent = list(every_kind())

    repository(receiver).send([syslog.frame(one) for one in sent])

    found = receiver.messages()
    assert [body.decode() for _, body in found] == [dicom_xml.render(one) for one in sent]
    assert all(head.startswith(b"<8") and head.endswith(b"DICOM+RFC3881 -") for head, _ in found)


def test_a_receiver_of_another_authority_gets_nothing(receiver: SyslogReceiver, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()

    with pytest.raises(Unavailable):
        repository(receiver, Authority(tmp_path / "other")).send([b"4 none"])
    assert receiver.messages() == []


def test_a_receiver_that_is_killed_again_and_again_loses_nothing(receiver: SyslogReceiver, world: World) -> None:
    carrier = Forwarder(
        world.archive.feed, MemoryBookmarks(), repository(receiver), syslog.frame, ARCHIVE, lambda: datetime.now(UTC)
    )
    failures = 0
    for number in range(1, 31):
        store(world, data_set(number))
        if number % 10 == 0:
            # It goes down while a delivery may be under way.
            killer = threading.Timer(0.002 * (number // 10), receiver.kill)
            killer.start()
            failures += not carrier.attempt()
            killer.join()
            failures += not carrier.attempt()
            receiver.start()
        assert carrier.attempt()

    assert failures >= 3
    kept = [occurrence(entry, ORIGIN) for entry in world.ledger.kept]
    carrier.stop()
    arrived = {body.decode() for _, body in receiver.messages()}
    assert {dicom_xml.render(one) for one in kept} <= arrived


@pytest.mark.parametrize("milliseconds", [5, 40, 80, 120, 200])
def test_what_counts_as_taken_was_written_whenever_the_receiver_is_killed(
    receiver: SyslogReceiver, milliseconds: int
) -> None:
    frames = [syslog.frame(one) for one in every_kind()] * 10
    killer = threading.Timer(milliseconds / 1000, receiver.kill)
    killer.start()
    taken = 0
    with suppress(Unavailable):
        for start in range(0, len(frames), 500):
            repository(receiver).send(frames[start : start + 500])
            taken = start + 500
    killer.join()

    whole = [body for _, body in receiver.messages() if body.endswith(b"</AuditMessage>")]
    assert len(whole) >= min(taken, len(frames))
