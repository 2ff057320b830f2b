"""Enrolling: decided, and recorded in the commit that makes the device known."""

from dataclasses import replace

import pytest

from pacs_secure.archive.enrolment import Enrolment, certified
from pacs_secure.core.access import Role
from pacs_secure.core.devices import Device, describe
from pacs_secure.core.errors import Conflict, Denied, Malformed, NotFound, Unavailable
from pacs_secure.crypto.certificates import read_certificate
from pacs_secure.ports import IssuedCertificate
from tests.builders import ELSEWHERE, HERE, RADIOLOGY, device, subject
from tests.unit.archive.instances import acts
from tests.world import World

ADMIN = subject(Role.ADMIN)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.OPERATOR])
def test_a_device_is_known_from_the_moment_that_it_is_on_record(world: World, role: Role) -> None:
    known: Enrolment = world.archive.enrolment
    known.enrol(subject(role), device("CT1", operations=["store", "find"]))

    assert [one.ae_title for one in world.devices.all()] == ["CT1"]
    (entry,) = world.entries()
    assert (entry["action"], entry["outcome"]) == ("device:enrol", "completed")
    assert entry["facts"] == {"ae_title": "CT1", "operations": "find,store"}


def test_whoever_may_not_enrol_leaves_a_record_and_no_device(world: World) -> None:
    with pytest.raises(Denied):
        world.archive.enrolment.enrol(subject(), device())

    assert world.devices.all() == []
    assert acts(world) == [("device:enrol", "refused")]


def test_nobody_enrols_for_another_institution(world: World) -> None:
    with pytest.raises(Denied):
        world.archive.enrolment.enrol(subject(Role.ADMIN), device(of=ELSEWHERE))
    assert world.devices.all() == []


def test_a_title_that_is_taken_is_a_conflict(world: World) -> None:
    world.archive.enrolment.enrol(subject(Role.ADMIN, of=ELSEWHERE), device(of=ELSEWHERE))

    with pytest.raises(Conflict):
        world.archive.enrolment.enrol(subject(Role.ADMIN), device(certificate="another"))


def test_without_a_ledger_no_device(world: World) -> None:
    world.ledger.down = True

    with pytest.raises(Unavailable):
        world.archive.enrolment.enrol(subject(Role.ADMIN), device())
    assert world.devices.all() == []


WANTED = describe(HERE, "WS1", department=RADIOLOGY, allow=["store", "find"], host="192.0.2.7", port=104)


def issued_serial(issued: IssuedCertificate) -> str:
    return read_certificate(issued.cert_pem.encode()).serial


def only(world: World) -> Device:
    """Return the one device that is kept, but for the proof that the archive wrote it."""
    (device,) = world.devices.all()
    return bare(device)


def bare(device: Device) -> Device:
    return replace(device, proof=b"")


def test_a_device_is_issued_a_certificate_and_known_by_it(world: World) -> None:
    issued = world.archive.enrolment.issue(ADMIN, WANTED)

    facts = read_certificate(issued.cert_pem.encode())
    assert only(world) == replace(WANTED, spki_sha256=facts.spki_sha256, serial=facts.serial, not_after=facts.not_after)
    assert acts(world) == [("device:enrol", "completed")]
    assert world.entries()[0]["facts"]["certificate"] == facts.serial
    assert issued.key_pem not in str(world.entries())


def test_who_may_not_enrol_is_issued_nothing(world: World) -> None:
    with pytest.raises(Denied):
        world.archive.enrolment.issue(subject(), WANTED)
    assert world.authority.issued == {}


def test_an_authority_out_of_reach_enrols_nobody_and_that_is_on_record(world: World) -> None:
    world.authority.down = True

    with pytest.raises(Unavailable):
        world.archive.enrolment.issue(ADMIN, WANTED)
    assert world.devices.all() == []
    assert acts(world) == [("device:enrol", "failed")]


def test_a_title_of_another_institution_is_issued_nothing(world: World) -> None:
    world.archive.enrolment.enrol(subject(Role.ADMIN, of=ELSEWHERE), device("WS1", of=ELSEWHERE))

    with pytest.raises(Conflict):
        world.archive.enrolment.issue(ADMIN, WANTED)
    assert world.authority.issued == {}
    assert acts(world)[1:] == [("device:enrol", "failed")]


def test_a_certificate_whose_device_could_not_be_kept_is_taken_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise Unavailable("disk full")

    monkeypatch.setattr(world.devices, "enrol", full)
    with pytest.raises(Unavailable):
        world.archive.enrolment.issue(ADMIN, WANTED)
    assert world.authority.revoked == list(world.authority.issued)


def test_enrolling_again_replaces_the_certificate_and_takes_the_old_one_back(world: World) -> None:
    first = issued_serial(world.archive.enrolment.issue(ADMIN, WANTED))
    second = issued_serial(world.archive.enrolment.issue(ADMIN, WANTED))

    assert only(world).serial == second
    assert world.authority.revoked == [first]


def test_a_renewed_device_keeps_everything_but_its_certificate(world: World) -> None:
    first = world.archive.enrolment.issue(ADMIN, WANTED)
    before = only(world)

    second = world.archive.enrolment.renew(ADMIN, "WS1")

    assert certified(before, second.cert_pem.encode()) == only(world) != before
    assert world.authority.revoked == [issued_serial(first)]
    assert world.entries()[-1]["facts"]["renewed"] == "yes"


def test_a_renewal_holds_although_the_old_certificate_cannot_be_taken_back(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world.archive.enrolment.issue(ADMIN, WANTED)
    before = only(world)

    def down(_: str) -> bool:
        raise Unavailable("out of reach")

    monkeypatch.setattr(world.authority, "revoke", down)
    world.archive.enrolment.renew(ADMIN, "WS1")

    assert world.devices.by_certificate(before.spki_sha256) is None
    assert "could not be revoked" in caplog.text


@pytest.mark.parametrize("of", [HERE, ELSEWHERE])
def test_what_is_not_there_or_elsewhere_is_neither_renewed_nor_revoked(world: World, of: str) -> None:
    there = device("WS1" if of == ELSEWHERE else "WS9", of=of)
    world.archive.enrolment.enrol(subject(Role.ADMIN, of=of), there)

    with pytest.raises(NotFound):
        world.archive.enrolment.renew(ADMIN, "WS1")
    with pytest.raises(NotFound):
        world.archive.enrolment.revoke(ADMIN, "WS1", "sold")
    assert acts(world)[1:] == [("device:enrol", "refused"), ("device:revoke", "refused")]


def test_a_revoked_device_is_not_renewed_but_may_be_enrolled_anew(world: World) -> None:
    world.archive.enrolment.issue(ADMIN, WANTED)
    world.archive.enrolment.revoke(ADMIN, "WS1", "stolen")

    with pytest.raises(Conflict):
        world.archive.enrolment.renew(ADMIN, "WS1")
    world.archive.enrolment.issue(ADMIN, WANTED)

    assert only(world).revoked_at is None


def test_revoking_marks_the_device_and_its_certificate_and_keeps_the_reason_sealed(world: World) -> None:
    serial = issued_serial(world.archive.enrolment.issue(ADMIN, WANTED))

    revoked = world.archive.enrolment.revoke(ADMIN, "WS1", " Dr. Weber left ")

    assert (only(world), revoked.revoked_at is not None) == (bare(revoked), True)
    assert world.authority.revoked == [serial]
    assert acts(world)[-1] == ("device:revoke", "completed")
    assert "Weber" not in str(world.entries())


def test_revoking_again_changes_nothing_but_tells_the_authority_again(world: World) -> None:
    world.archive.enrolment.issue(ADMIN, WANTED)
    world.authority.down = True
    with pytest.raises(Unavailable, match="revoke again"):
        world.archive.enrolment.revoke(ADMIN, "WS1", "stolen")
    first = only(world)
    world.authority.down = False

    again = world.archive.enrolment.revoke(ADMIN, "WS1", "stolen")

    assert first.revoked_at is not None
    assert bare(again) == first
    assert world.authority.revoked == [first.serial]
    assert acts(world)[1:] == [("device:revoke", one) for one in ("completed", "failed", "completed")]


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_nothing_is_revoked_without_a_reason(world: World, reason: str) -> None:
    world.archive.enrolment.issue(ADMIN, WANTED)

    with pytest.raises(Malformed):
        world.archive.enrolment.revoke(ADMIN, "WS1", reason)
    assert only(world).revoked_at is None


def test_who_may_not_revoke_revokes_nothing(world: World) -> None:
    world.archive.enrolment.issue(ADMIN, WANTED)

    with pytest.raises(Denied):
        world.archive.enrolment.revoke(subject(), "WS1", "because")
    assert only(world).revoked_at is None


def test_the_list_holds_the_devices_of_ones_own_institution_and_is_itself_on_record(world: World) -> None:
    for name, of in (("CT1", HERE), ("CT2", ELSEWHERE), ("CT3", HERE)):
        world.devices.kept[name] = device(name, of=of)

    assert [one.ae_title for one in world.archive.enrolment.list(ADMIN)] == ["CT1", "CT3"]
    assert acts(world) == [("device:list", "begun"), ("device:list", "completed")]
    with pytest.raises(Denied):
        world.archive.enrolment.list(subject())
