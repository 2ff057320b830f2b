"""The door's certificate and revocation lists change without a restart, and what is broken changes nothing."""

import logging
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pacs_secure.core.errors import Malformed, Tampered, Unavailable
from pacs_secure.crypto.certificates import read_certificate
from pacs_secure.crypto.revocation import RevocationList
from pacs_secure.dimse.credentials import NO_LIST, Credentials, TlsFiles
from tests import dicom_door as said
from tests.certificates import DAY, Authority
from tests.dicom_door import CT_EXPLICIT, Door, ct, message, store_command, until


@dataclass(eq=False)
class Lists:
    """An authority's lists; set them, or set ``down`` to put it out of reach."""

    pem: bytes = b""
    next: bytes | None = None
    """What it makes when it is asked for a newer one."""
    down: bool = False
    renewed: int = 0

    def fetch(self) -> bytes:
        if self.down:
            raise Unavailable("out of reach")
        return self.pem

    def renew(self) -> None:
        self.renewed += 1
        if self.next is None:
            raise Unavailable("no right to ask")
        self.pem = self.next


@dataclass
class Kept:
    """Credentials over files of a test, and what they did."""

    authority: Authority
    files: TlsFiles
    lists: Lists = field(default_factory=Lists)
    alarms: list[str] = field(default_factory=list)
    installed: list[tuple[ssl.SSLContext, tuple[RevocationList, ...]]] = field(default_factory=list)
    ahead: timedelta = timedelta(0)
    others: list["Lists"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.credentials = Credentials(
            self.files, [self.lists, *self.others], self.alarms.append, lambda: datetime.now(UTC) + self.ahead
        )
        self.credentials.install_by(lambda context, lists: self.installed.append((context, lists)))


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    authority = Authority(tmp_path)
    own = authority.issue("archive")
    return Kept(authority, TlsFiles(own.certificate, own.key, authority.file))


def test_without_a_list_the_door_is_closed_and_that_is_told_once(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    kept.lists.down = True

    assert [kept.credentials.look_at_lists() for _ in range(3)] == [False] * 3

    assert kept.alarms == [NO_LIST]
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.ERROR]
    assert kept.installed[-1][0].verify_flags & ssl.VERIFY_CRL_CHECK_LEAF


def test_a_newer_list_is_used_and_an_older_one_is_not(kept: Kept) -> None:
    one, other = kept.authority.issue("one"), kept.authority.issue("other")
    first = kept.authority.revocation_list(number=1, made=timedelta(seconds=-60))
    kept.lists.pem = first
    assert kept.credentials.look_at_lists()
    kept.lists.pem = kept.authority.revocation_list(one, number=2)
    assert kept.credentials.look_at_lists()
    kept.lists.pem = kept.authority.revocation_list(one, other, number=3)
    assert kept.credentials.look_at_lists()
    kept.lists.pem = first
    assert kept.credentials.look_at_lists()

    assert [len(lists[0].serials) for _, lists in kept.installed[1:]] == [0, 1, 2]
    assert len({id(context) for context, _ in kept.installed}) == 4
    assert kept.alarms == []


def test_a_forged_list_changes_nothing(kept: Kept, tmp_path: Path) -> None:
    one = kept.authority.issue("one")
    kept.lists.pem = kept.authority.revocation_list(one, number=1)
    kept.credentials.look_at_lists()
    kept.lists.pem = kept.authority.revocation_list(number=9, by=Authority(tmp_path, "forger"))

    assert kept.credentials.look_at_lists()
    assert len(kept.installed) == 2


def test_a_list_outlives_an_authority_out_of_reach_but_not_its_own_end(kept: Kept) -> None:
    kept.lists.pem = kept.authority.revocation_list()
    assert kept.credentials.look_at_lists()
    kept.lists.down = True

    assert kept.credentials.look_at_lists()
    kept.ahead = 2 * DAY
    assert not kept.credentials.look_at_lists()
    assert kept.alarms == [NO_LIST]

    kept.lists.down, kept.ahead = False, timedelta(0)
    kept.lists.pem = kept.authority.revocation_list(number=2)
    assert kept.credentials.look_at_lists()


def test_after_a_third_of_its_time_a_newer_list_is_asked_for(kept: Kept) -> None:
    kept.lists.pem = kept.authority.revocation_list(made=-DAY / 2)
    kept.lists.next = kept.authority.revocation_list(number=2)

    assert kept.credentials.look_at_lists()

    assert (kept.lists.renewed, kept.installed[-1][1][0].number) == (1, 2)


def test_a_list_that_nobody_may_renew_is_used_as_long_as_it_is_good(kept: Kept) -> None:
    kept.lists.pem = kept.authority.revocation_list(made=-DAY / 2)

    assert kept.credentials.look_at_lists()
    assert (kept.lists.renewed, len(kept.installed)) == (1, 2)


def test_a_list_that_comes_while_the_files_are_broken_counts_at_once(kept: Kept) -> None:
    one = kept.authority.issue("one")
    kept.lists.pem = kept.authority.revocation_list(number=1, made=timedelta(seconds=-60))
    kept.credentials.look_at_lists()
    kept.files.key.write_bytes(kept.authority.issue("another").key.read_bytes())
    kept.lists.pem = kept.authority.revocation_list(one, number=2)

    assert kept.credentials.look_at_lists()
    assert len(kept.installed[-1][1][0].serials) == 1
    assert kept.installed[-1][0] is kept.installed[-2][0]


def test_an_authority_whose_list_is_broken_takes_nothing_from_another(tmp_path: Path) -> None:
    first, second = Authority(tmp_path, "first"), Authority(tmp_path, "second")
    own = first.issue("archive")
    both = tmp_path / "both.pem"
    both.write_bytes(first.file.read_bytes() + second.file.read_bytes())
    broken, good = Lists(b"nonsense"), Lists(second.revocation_list())
    kept = Kept(first, TlsFiles(own.certificate, own.key, both), broken, others=[good])

    assert kept.credentials.look_at_lists()
    assert [one.issuer for one in kept.installed[-1][1]] == [read_certificate(second.file.read_bytes()).issuer]
    broken.pem = first.revocation_list()
    assert kept.credentials.look_at_lists()
    assert len(kept.installed[-1][1]) == 2


def test_broken_files_keep_what_was_there(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    kept.lists.pem = kept.authority.revocation_list()
    kept.credentials.look_at_lists()
    good = kept.files.key.read_bytes()
    kept.files.key.write_bytes(kept.authority.issue("another").key.read_bytes())

    assert not kept.credentials.look_at_files()
    assert "keeps its certificate" in caplog.text
    assert len(kept.installed) == 2
    with pytest.raises(Malformed):
        kept.credentials.context()

    kept.files.key.write_bytes(good)
    assert kept.credentials.look_at_files()
    assert len(kept.installed) == 3


def test_authorities_that_are_gone_renew_no_list(kept: Kept) -> None:
    kept.lists.pem = kept.authority.revocation_list()
    kept.files.authorities.unlink()

    assert not kept.credentials.look_at_lists()


@pytest.fixture
def watched(quick_door: Door) -> Kept:
    """Return credentials of a real door, with a list that is good."""
    own = quick_door.authority.issue("renewed-archive")
    kept = Kept(quick_door.authority, TlsFiles(own.certificate, own.key, quick_door.authority.file))
    kept.lists.pem = kept.authority.revocation_list(made=timedelta(seconds=-60))
    kept.credentials.look_at_lists()
    kept.credentials.install_by(quick_door.server.replace_certificate)
    return kept


def rejected_by_tls(door: Door) -> bool:
    try:
        with door.peer() as peer:
            return peer.associate() == (0, b"")
    except OSError:
        return True


def test_a_certificate_that_was_revoked_opens_nothing_and_its_idle_association_ends(
    quick_door: Door, watched: Kept
) -> None:
    quick_door.enrol("CT2")
    idle = quick_door.associated()
    other = quick_door.peer("CT2")
    assert other.associate(calling="CT2")[0] == said.ASSOCIATE_AC
    watched.lists.pem = watched.authority.revocation_list(quick_door.pairs["CT1"], number=2)
    watched.credentials.look_at_lists()

    assert idle.hear()[0] == said.ABORT
    assert quick_door.recorded("association ended: certificate is revoked")
    assert rejected_by_tls(quick_door)
    assert quick_door.recorded("TLS handshake: certificate verify failed")
    other.say(message(store_command(), ct()))
    assert other.status() == 0
    idle.connection.close()
    other.connection.close()


def test_a_certificate_revoked_while_the_files_are_broken_opens_nothing(quick_door: Door, watched: Kept) -> None:
    assert quick_door.still_serves()
    watched.files.key.write_text("broken")
    watched.lists.pem = watched.authority.revocation_list(quick_door.pairs["CT1"], number=2)
    watched.credentials.look_at_lists()

    assert rejected_by_tls(quick_door)


def test_without_a_valid_list_no_device_is_let_in_and_running_associations_go_on(
    quick_door: Door, watched: Kept
) -> None:
    running = quick_door.associated(CT_EXPLICIT)
    expired = watched.authority.revocation_list(made=-DAY, life=DAY / 2, number=5)
    files, lists = watched.files, Lists(expired)
    late = Credentials(files, [lists], watched.alarms.append, lambda: datetime.now(UTC))
    assert not late.look_at_lists()
    late.install_by(quick_door.server.replace_certificate)

    assert rejected_by_tls(quick_door)
    running.say(message(store_command(), ct()))
    assert running.status() == 0
    running.connection.close()
    watched.credentials.install_by(quick_door.server.replace_certificate)
    assert until(quick_door.still_serves)


def test_a_device_that_is_revoked_loses_its_idle_association(quick_door: Door) -> None:
    with quick_door.associated() as idle:
        quick_door.revoke("CT1")
        assert idle.hear()[0] == said.ABORT
    assert quick_door.recorded("association ended: device is revoked")
    assert quick_door.idle()
    assert quick_door.reasons().count("association ended: device is revoked") == 1


def test_a_device_whose_row_somebody_else_wrote_loses_its_association(
    quick_door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tampered(_: bytes) -> None:
        raise Tampered("not what was written")

    with quick_door.associated() as idle:
        monkeypatch.setattr(quick_door.world.devices, "by_certificate", tampered)
        assert idle.hear()[0] == said.ABORT
    assert quick_door.recorded("association ended: device is not as it was enrolled")


def test_devices_out_of_reach_end_no_association(quick_door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def down(spki_sha256: bytes) -> None:
        asked.append(spki_sha256)
        raise Unavailable("out of reach")

    with quick_door.associated() as peer:
        with monkeypatch.context() as broken:
            broken.setattr(quick_door.world.devices, "by_certificate", down)
            assert until(lambda: len(asked) > 1)
        peer.say(message(store_command(), ct()))
        assert peer.status() == 0
