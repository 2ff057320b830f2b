"""A device is what the archive wrote it to be, and not what a row says."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pacs_secure.archive.proven_devices import ProvenDevices
from pacs_secure.core.devices import Device
from pacs_secure.core.errors import Tampered
from tests.builders import ELSEWHERE, NOW, device, draft, permit
from tests.world import World


@pytest.fixture
def devices(world: World) -> ProvenDevices:
    proven = ProvenDevices(world.devices, world.archive.search.seals)
    proven.enrol(permit(), device("CT1"), draft())
    return proven


def meddle(world: World, change: Callable[[Device], Device]) -> None:
    (kept,) = world.devices.all()
    world.devices.kept[kept.ae_title] = change(kept)


def test_a_device_that_was_enrolled_is_known_by_certificate_and_name(devices: ProvenDevices) -> None:
    known = devices.by_certificate(device("CT1").spki_sha256)

    assert known is not None
    assert known == devices.by_ae_title("CT1")
    assert devices.holds(known)
    assert devices.by_ae_title("CT2") is devices.by_certificate(b"") is None


def test_a_change_keeps_the_device_believable(devices: ProvenDevices) -> None:
    known = devices.by_ae_title("CT1")
    assert known is not None
    devices.change(permit(), known, replace(known, revoked_at=NOW), draft())

    changed = devices.by_ae_title("CT1")
    assert changed is not None
    assert changed.revoked_at == NOW


@pytest.mark.parametrize(
    "change",
    [
        lambda one: replace(one, department="surgery"),
        lambda one: replace(one, operations=frozenset({"store", "find", "get", "move"})),
        lambda one: replace(one, spki_sha256=b"x" * 32),
        lambda one: replace(one, networks=frozenset({"10.0.0.0/8"})),
        lambda one: replace(one, sop_classes=frozenset({"1.2"})),
        lambda one: replace(one, also_ae_titles=frozenset({"CT9"})),
        lambda one: replace(one, identity_required=not one.identity_required),
        lambda one: replace(one, host="elsewhere", port=1),
        lambda one: replace(one, revoked_at=NOW),
        lambda one: replace(one, not_after=NOW),
        lambda one: replace(one, serial="0f"),
        lambda one: replace(one, institution=ELSEWHERE),
    ],
)
def test_a_device_that_somebody_else_changed_is_not_believed(
    world: World, devices: ProvenDevices, change: Callable[[Device], Device]
) -> None:
    meddle(world, change)
    (kept,) = devices.all()

    assert not devices.holds(kept)
    with pytest.raises(Tampered):
        devices.by_ae_title("CT1")
    with pytest.raises(Tampered):
        devices.by_certificate(kept.spki_sha256)


def test_devices_are_known_while_the_vault_is_away(world: World, devices: ProvenDevices) -> None:
    world.keyring.sealed = True
    world.house.drop_keys()

    assert devices.by_ae_title("CT1") is not None
