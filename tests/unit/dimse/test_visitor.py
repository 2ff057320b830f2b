"""A person behind a device: proven when the association begins, and looked at again at every operation."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pydicom
import pytest
from pynetdicom import AE
from pynetdicom.pdu_primitives import UserIdentityNegotiation

from pacs_secure.core.access import Role
from pacs_secure.dimse.server import DicomServer
from pacs_secure.dimse.tls import server_context
from pacs_secure.dimse.visitor import Actor, Refused
from tests.builders import ELSEWHERE, HERE, subject
from tests.data_sets import CT, EXPLICIT
from tests.dicom_door import AE_TITLE, HOST, Door, ct, until


def identity(token: bytes, kind: int = 5, *, answered: bool = False) -> UserIdentityNegotiation:
    item = UserIdentityNegotiation()
    item.user_identity_type, item.primary_field, item.positive_response_requested = kind, token, answered
    if kind == 2:
        item.secondary_field = b"secret"
    return item


def ask(door: Door, *items: UserIdentityNegotiation, calling: str = "CT1", port: int | None = None) -> Any:
    entity = AE(calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 10
    entity.add_requested_context(CT, [EXPLICIT])
    return entity.associate(
        HOST,
        port or door.port,
        ae_title=AE_TITLE,
        ext_neg=list(items),
        tls_args=(door.tls(calling), HOST),
        bind_address=(HOST, 0),
    )


@contextmanager
def associated(door: Door, *items: UserIdentityNegotiation, calling: str = "CT1") -> Iterator[Any]:
    association = ask(door, *items, calling=calling)
    assert association.is_established
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def rejected(association: Any) -> tuple[int, int, int] | None:
    """Return result, source and reason of a rejection (PS3.8 9.3.4), None when there was none."""
    if not association.is_rejected:
        return None
    told = association.acceptor.primitive
    return told.result, told.result_source, told.diagnostic


NOT_PROVEN = (1, 1, 1)


def store(association: Any, number: int = 1) -> int:
    data_set = pydicom.dcmread(io.BytesIO(ct(number)), force=True)
    data_set.file_meta = pydicom.dataset.FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    status: int = association.send_c_store(data_set).Status
    return status


def refusals(door: Door) -> list[str]:
    """Return why storing was refused, as recorded."""
    return [
        entry["facts"].get("reason", entry["rule"])
        for entry in door.world.entries()
        if (entry["action"], entry["outcome"]) == ("study:create", "refused")
    ]


def test_what_a_person_stores_is_recorded_in_their_name_and_names_the_device(door: Door) -> None:
    with associated(door, identity(door.token())) as association:
        assert store(association) == 0

    assert until(lambda: len(door.outcomes()) == 2)
    begun = door.world.entries()[0]
    assert (begun["role"], begun["department"], begun["door"]) == ("radiologist", "surgery", "dimse")
    assert begun["facts"]["device"] == "device:CT1"
    assert ";" in begun["rule"], "both rules are named"


@pytest.mark.parametrize("answered", [True, False])
def test_who_asks_for_a_positive_response_gets_one(door: Door, *, answered: bool) -> None:
    token = door.token()
    with associated(door, identity(token, answered=answered)) as association:
        told = [item for item in association.acceptor.primitive.user_information if _is_identity(item)]
    assert [item.server_response for item in told] == ([token] if answered else [])


def _is_identity(item: object) -> bool:
    return isinstance(item, UserIdentityNegotiation)


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_an_identity_of_a_kind_that_nobody_verifies_is_rejected(door: Door, kind: int) -> None:
    assert rejected(ask(door, identity(b"dr.weber", kind))) == NOT_PROVEN
    assert door.recorded("user identity cannot be verified here")


def test_a_door_that_proves_nobody_rejects_who_says_a_person_is_there(door: Door) -> None:
    own = door.authority.issue("second")
    context = server_context(str(own.certificate), str(own.key), str(door.authority.file))
    second = DicomServer(door.world.archive, door.world.devices, HERE, AE_TITLE, HOST, 0, context)
    port = second.start()
    try:
        assert rejected(ask(door, identity(door.token()), port=port)) == NOT_PROVEN
    finally:
        second.stop()


FOREIGN: dict[str, Callable[[Door], bytes]] = {
    "for another archive": lambda door: door.token(audience="OTHER"),
    "for the web door": lambda door: door.token(audience="pacs-secure"),
    "bound to another device": lambda door: door.token(device="WS1"),
    "of another institution": lambda door: door.token(of=ELSEWHERE),
    "for longer than ten minutes": lambda door: door.token(minutes=11),
    "nonsense": lambda _: b"nonsense",
}


@pytest.mark.parametrize("token", FOREIGN.values(), ids=FOREIGN)
def test_a_token_that_is_not_for_this_association_is_rejected(door: Door, token: Callable[[Door], bytes]) -> None:
    door.enrol("WS1", ("store", "find"))

    assert rejected(ask(door, identity(token(door)))) == NOT_PROVEN
    assert door.recorded("user identity cannot be verified here")
    assert "dr.weber" not in str(door.world.entries())


def test_a_token_opens_one_association(door: Door) -> None:
    token = door.token()
    with associated(door, identity(token)):
        assert rejected(ask(door, identity(token))) == NOT_PROVEN
    assert rejected(ask(door, identity(token))) == NOT_PROVEN


def test_a_device_that_needs_a_person_is_not_let_in_alone(door: Door) -> None:
    change(door, identity_required=True)

    assert rejected(ask(door)) == NOT_PROVEN
    assert door.recorded("device needs a person behind it")
    with associated(door, identity(door.token())) as association:
        assert store(association) == 0


def change(door: Door, **facts: Any) -> None:
    door.world.devices.kept["CT1"] = replace(door.world.devices.kept["CT1"], **facts)


def test_a_person_who_may_not_store_stores_nothing_through_a_device_that_may(door: Door) -> None:
    with associated(door, identity(door.token(Role.CLINICIAN))) as association:
        assert store(association) == 0x0124
    assert len(refusals(door)) == 1
    assert door.world.blobs.stored == {}


def test_a_device_that_may_not_store_stores_nothing_for_a_person_who_may(door: Door) -> None:
    change(door, operations=frozenset({"find"}))
    with associated(door, identity(door.token())) as association:
        assert store(association) == 0x0124
    assert refusals(door) == ["the device may not store"]
    assert door.world.entries()[-1]["role"] == "radiologist"


def test_a_token_that_has_ended_carries_nothing_more(door: Door) -> None:
    with associated(door, identity(door.token())) as association:
        assert store(association, 1) == 0
        door.people.ahead = timedelta(minutes=11)
        assert store(association, 2) == 0x0124
    assert refusals(door) == ["the person's token has ended"]


def test_a_login_that_is_revoked_proves_nobody_any_more(quick_door: Door) -> None:
    door = quick_door
    with associated(door, identity(door.token())):
        door.people.revoked = True
        assert door.recorded("association ended: the person's login is revoked")
        assert door.idle()
    assert rejected(ask(door, identity(door.token()))) == NOT_PROVEN


def test_without_a_memory_of_used_tokens_a_person_shall_come_again_later(door: Door) -> None:
    door.people.used.down = True

    assert rejected(ask(door, identity(door.token()))) == (2, 3, 1)
    door.people.used.down = False
    with associated(door, identity(door.token())) as association:
        assert store(association) == 0


def test_an_operation_that_is_refused_says_in_whose_name() -> None:
    actor = Actor(subject(), None, None)

    assert Refused(actor, "a reason").actor is actor
