"""Whoever calls without right, breaks the protocol or says nothing at all: refused, recorded, and nothing left behind.

Each test ends in `opened`, which holds that no thread and no socket of the door is left.
"""

import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from pynetdicom.pdu_primitives import UserIdentityNegotiation

from pacs_secure.dimse import calling
from pacs_secure.dimse.limits import Limits
from pacs_secure.dimse.upper_layer import ASSOCIATE_LIMIT, MAXIMUM_PDU
from tests.certificates import SERVER_ONLY, Authority
from tests.dicom_door import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    CT_EXPLICIT,
    ECHO_COMMAND,
    HOST,
    P_DATA,
    QUICK,
    RELEASE_RP,
    Door,
    Peer,
    command,
    ct,
    message,
    opened,
    pdu,
    store_command,
    until,
    us,
    value,
)

PERMANENT, TRANSIENT = 1, 2
CALLING, CALLED, NO_REASON, CONTEXT_NAME = 3, 7, 1, 2
UNTOLD = "no association was asked for"


@pytest.fixture
def patient(quick_door: Door) -> Iterator[Door]:
    """Return a door with little patience that must still serve an honest device in the end."""
    yield quick_door
    assert quick_door.still_serves()
    assert quick_door.idle()


# --- who calls ------------------------------------------------------------------------------


def refused_in_handshake(door: Door, context: ssl.SSLContext) -> None:
    """With TLS 1.3 the refusal comes with the first read."""
    try:
        with door.peer(context=context) as peer:
            peer.say(pdu(5, bytes(4)))
            assert peer.connection.recv(1) == b""
    except (ssl.SSLError, ConnectionError):
        assert door.server.connections <= 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_certificate_is_refused_and_recorded(patient: Door, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=str(patient.authority.file))
    context.maximum_version = context.minimum_version = version

    refused_in_handshake(patient, context)

    assert patient.recorded("TLS handshake: peer did not return a certificate")


def test_a_certificate_of_an_unknown_authority_is_refused_and_recorded(patient: Door, tmp_path: Path) -> None:
    forged = Authority(tmp_path, "forger").issue("CT1-forged")

    refused_in_handshake(patient, patient.tls(forged))

    assert patient.recorded("TLS handshake: certificate verify failed")


def test_an_expired_certificate_is_refused_and_recorded(patient: Door) -> None:
    pair = patient.enrol("OLD", pair=patient.authority.issue("OLD", life=timedelta(hours=-1)))

    refused_in_handshake(patient, patient.tls(pair))

    assert patient.recorded("TLS handshake: certificate verify failed")


def test_a_certificate_for_servers_is_none_for_devices(patient: Door) -> None:
    pair = patient.enrol("SRV", pair=patient.authority.issue("SRV", usage=SERVER_ONLY))

    refused_in_handshake(patient, patient.tls(pair))

    assert patient.recorded("TLS handshake: certificate verify failed")


def test_old_versions_and_weak_ciphers_are_refused(patient: Door) -> None:
    weak = patient.tls()
    weak.set_ciphers("AES256-GCM-SHA384")
    weak.maximum_version = ssl.TLSVersion.TLSv1_2

    refused_in_handshake(patient, weak)

    assert patient.recorded("TLS handshake: no shared cipher")


def test_what_is_no_tls_is_refused_and_recorded(patient: Door) -> None:
    with patient.plain() as peer:
        peer.say(calling._association_request("PACS_SECURE", "CT1", [CT_EXPLICIT]))
        assert peer.hear()[0] != ASSOCIATE_AC

    assert until(lambda: any(reason.startswith("TLS handshake") for reason in patient.reasons()))


@pytest.mark.parametrize(
    ("prepare", "titles", "diagnostic", "reason"),
    [
        (lambda door: door.world.devices.kept.clear(), ("CT1", None), CALLING, "no device has this certificate"),
        (lambda door: door.revoke("CT1"), ("CT1", None), CALLING, "device is revoked"),
        (lambda door: door.enrol("CT2"), ("CT2", None), CALLING, "calling AE title is not the certificate's"),
        (lambda _: None, ("CT1", "OTHER"), CALLED, "called AE title is not ours"),
    ],
    ids=["unenrolled", "revoked", "another's title", "another archive's title"],
)
def test_who_may_not_come_is_rejected_and_recorded(
    quick_door: Door, prepare: Callable[[Door], None], titles: tuple[str, str | None], diagnostic: int, reason: str
) -> None:
    context = quick_door.tls("CT1")
    prepare(quick_door)

    with quick_door.peer(context=context) as peer:
        called = titles[1] or "PACS_SECURE"
        assert peer.associate(calling=titles[0], called=called) == (ASSOCIATE_RJ, bytes((0, PERMANENT, 1, diagnostic)))

    assert quick_door.idle()
    assert quick_door.reasons() == [reason]
    entry = quick_door.world.entries()[-1]
    assert (entry["outcome"], entry["role"], entry["address"]) == ("refused", "stranger", HOST)
    assert titles[0] not in str(entry)


def test_another_application_context_is_rejected(patient: Door) -> None:
    with patient.peer() as peer:
        answer = peer.associate(change=(b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.9"))
        assert answer == (ASSOCIATE_RJ, bytes((0, PERMANENT, 1, CONTEXT_NAME)))

    assert patient.recorded("application context is not DICOM's")


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 5])
def test_a_user_identity_nobody_verifies_is_rejected_and_not_recorded_in_clear(patient: Door, kind: int) -> None:
    user = UserIdentityNegotiation()
    user.user_identity_type, user.primary_field = kind, b"dr.weber"
    user.secondary_field = b"secret" if kind == 2 else b""
    item = user.from_primitive().encode()
    encoded = bytearray(calling._association_request("PACS_SECURE", "CT1", [CT_EXPLICIT]))
    place = encoded.rindex(b"\x50\0", 0, encoded.index(b"\x51\0\0\4"))
    length = int.from_bytes(encoded[place + 2 : place + 4], "big") + len(item)
    encoded[place + 2 : place + 4] = length.to_bytes(2, "big")
    encoded += item
    encoded[2:6] = (len(encoded) - 6).to_bytes(4, "big")

    with patient.peer() as peer:
        peer.say(bytes(encoded))
        assert peer.hear() == (ASSOCIATE_RJ, bytes((0, PERMANENT, 1, NO_REASON)))

    assert patient.recorded("user identity cannot be verified here")
    assert "weber" not in str(patient.world.entries())


def test_a_device_revoked_while_it_sends_may_send_no_more(quick_door: Door) -> None:
    with quick_door.associated() as peer:
        peer.say(message(store_command(1), ct(1)))
        assert peer.status() == 0
        quick_door.revoke("CT1")
        peer.say(message(store_command(2), ct(2)))
        assert peer.status() == 0x0124
    assert quick_door.idle()
    assert len(quick_door.world.blobs.stored) == 1
    refused = [entry for entry in quick_door.world.entries() if entry["action"] == "study:create"]
    assert [entry["facts"].get("reason") for entry in refused if entry["outcome"] == "refused"] == ["device is revoked"]


# --- silence --------------------------------------------------------------------------------


def ends_within(peer: Peer, seconds: float) -> bool:
    began = time.monotonic()
    with suppress(OSError):
        while peer.connection.recv(65_536):
            pass
    return time.monotonic() - began < seconds


def test_who_says_nothing_is_cut_off_and_recorded(patient: Door) -> None:
    with patient.plain() as peer:
        assert ends_within(peer, 2)

    assert patient.recorded("TLS handshake: nothing came in time")


def test_a_slow_handshake_is_cut_off(patient: Door) -> None:
    began = time.monotonic()
    with patient.plain() as peer, suppress(OSError):
        for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100):
            peer.say(bytes((byte,)))
            time.sleep(0.05)
            assert time.monotonic() - began < 3
    assert patient.recorded("TLS handshake: nothing came in time")


def test_silent_callers_stop_nobody_else(patient: Door) -> None:
    with ExitStack() as silent:
        for _ in range(20):
            silent.enter_context(patient.plain())
        began = time.monotonic()
        assert patient.still_serves()
        assert time.monotonic() - began < QUICK.handshake


def test_who_asks_for_no_association_is_cut_off_and_recorded(patient: Door) -> None:
    with patient.peer() as peer:
        assert ends_within(peer, 2)

    assert patient.recorded(UNTOLD)


@pytest.mark.parametrize("said", [b"\1", b"\1\0\0\0\1\0", b"\1\0\0\0\1\0" + bytes(200)])
def test_half_an_association_request_and_silence_is_cut_off_and_recorded(patient: Door, said: bytes) -> None:
    with patient.peer() as peer:
        peer.say(said)
        assert ends_within(peer, 2)

    assert patient.recorded(UNTOLD)


def test_a_request_byte_by_byte_is_cut_off(patient: Door) -> None:
    encoded = calling._association_request("PACS_SECURE", "CT1", [CT_EXPLICIT])
    began = time.monotonic()
    with patient.peer() as peer, suppress(OSError):
        for byte in encoded:
            peer.say(bytes((byte,)))
            time.sleep(0.05)
            assert time.monotonic() - began < 3
    assert patient.recorded(UNTOLD)


@pytest.mark.parametrize("said", [b"", b"\4\0", b"\4\0\0\0\1\0" + bytes(100), message(store_command(), ct())[:-4]])
def test_silence_within_an_association_is_ended(patient: Door, said: bytes) -> None:
    with patient.associated() as peer:
        peer.say(said)
        assert ends_within(peer, 3)
    assert patient.world.blobs.stored == {}


def test_a_data_set_byte_by_byte_is_cut_off(patient: Door) -> None:
    began = time.monotonic()
    with patient.associated() as peer, suppress(OSError):
        peer.say(message(store_command()), pdu(P_DATA, length=5000))
        for _ in range(5000):
            peer.say(b"\0")
            time.sleep(0.05)
            assert time.monotonic() - began < 4


def test_who_never_reads_its_answers_is_cut_off(patient: Door) -> None:
    flood = pdu(P_DATA, value(3, ECHO_COMMAND)) * 500
    with patient.associated(("1.2.840.10008.1.1", "1.2.840.10008.1.2")) as peer:
        peer.connection.settimeout(2)
        with pytest.raises(OSError):  # noqa: PT011, PT012 - which one depends on who is faster
            while True:
                peer.say(flood)


# --- too much -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (pdu(1, length=0xFFFFFFFF), ABORT),
        (pdu(1, length=ASSOCIATE_LIMIT + 1), ABORT),
        (pdu(9, b"unknown"), ABORT),
        (pdu(4, value(3, store_command())), ABORT),
        (pdu(5, bytes(4)), ABORT),
        (pdu(1, b"no association request at all"), ASSOCIATE_RJ),  # of another protocol version
        (pdu(1), ABORT),
        (b"GET / HTTP/1.1\r\n\r\n", ABORT),
    ],
    ids=["4 GiB", "over the limit", "unknown", "data first", "release first", "garbage", "empty", "HTTP"],
)
def test_what_is_no_association_request_is_aborted(patient: Door, said: bytes, answer: int) -> None:
    with patient.peer() as peer:
        peer.say(said)
        assert peer.hear()[0] == answer
        assert peer.hear()[0] == 0

    assert until(lambda: len(patient.reasons()) == 1)


@pytest.mark.parametrize(
    "said",
    [
        pdu(4, length=MAXIMUM_PDU + 7),
        pdu(4, length=0xFFFFFFFF),
        pdu(7, length=2000),
        pdu(4),
        pdu(4, b"\0\0\0"),
        pdu(4, value(3, b"abc", length=200)),
        pdu(4, value(3, b"", length=0)),
        pdu(4, value(2, b"a Data Set first")),
        pdu(4, value(3, store_command()) + value(3, store_command())),
        pdu(4, value(3, store_command()) + value(2, b"x", context_id=3)),
        pdu(4, value(1, b"\0" * 16_000)) + pdu(4, value(3, b"\0" * 2000)),
        pdu(4, value(3, store_command()[:-3])),
        pdu(4, value(3, store_command(x0110=None))),
        pdu(4, value(3, store_command(x0100=None))),
        pdu(4, value(3, store_command(x0100=us(0x8001)))),
        pdu(4, value(3, command((0x0100, b"\1")))),
        pdu(4, value(3, b"")),
        pdu(1, b"a second association request"),
        pdu(6, bytes(4)),
        pdu(0xAA, bytes(4)),
    ],
    ids=[
        "a PDU larger than the cap",
        "a PDU of 4 GiB",
        "an abort of 2,000 bytes",
        "no value",
        "half a value's head",
        "a value longer than its PDU",
        "a value without a head",
        "a Data Set without a command",
        "a command within a Data Set",
        "a message on two contexts",
        "a command of 18 kB",
        "a command cut short",
        "no Message ID",
        "no Command Field",
        "an answer nobody asked for",
        "a Command Field of one byte",
        "an empty command",
        "a second request",
        "a release nobody asked for",
        "an unknown PDU",
    ],
)
def test_what_breaks_the_protocol_is_aborted_and_recorded(patient: Door, said: bytes) -> None:
    with patient.associated() as peer:
        peer.say(said)
        assert peer.hear()[0] == ABORT
        assert peer.hear()[0] == 0
    assert patient.idle()
    assert patient.world.blobs.stored == {}


def test_what_broke_the_protocol_is_in_the_ledger_under_its_device(patient: Door) -> None:
    with patient.associated() as peer:
        peer.say(pdu(4, b"\0\0\0"))
        assert peer.hear()[0] == ABORT

    assert patient.recorded("a presentation data value has a wrong length")
    assert patient.world.entries()[-1]["role"] == "modality"


def test_what_was_stored_before_the_protocol_broke_is_accounted(patient: Door) -> None:
    with patient.associated() as peer:
        peer.say(message(store_command(), ct()))
        assert peer.status() == 0
        peer.say(pdu(4, length=0xFFFFFFFF))
        assert peer.hear()[0] == ABORT

    assert until(lambda: patient.outcomes() == ["begun", "aborted"])


def test_a_truncated_pdu_is_refused_and_leaves_nothing(patient: Door) -> None:
    with patient.associated() as peer:
        peer.say(message(store_command(), ct())[:-1])
        peer.connection.shutdown(socket.SHUT_WR)
    assert patient.idle()
    assert (patient.world.blobs.stored, patient.outcomes()) == ({}, [])


def test_a_connection_reset_in_a_data_set_leaves_nothing(patient: Door) -> None:
    with patient.associated() as peer:
        peer.say(message(store_command(), ct())[:-1])
        peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert patient.idle()
    assert patient.world.blobs.stored == {}


def item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(content)) + content


SYNTAX = item(0x40, b"1.2")
CONTEXT = b"\1\0\0\0" + item(0x30, b"1.2")


@pytest.mark.parametrize(
    "items",
    [
        item(0x20, CONTEXT + SYNTAX) * 10_000,
        item(0x20, CONTEXT + SYNTAX * 9000) * 3,
        item(0x20, b"\1\0\0\0") * 30_000,
        item(0x50, item(0x54, b"\0\x031.2\1\1") * 5000) * 3,
        item(0x10, b"1") * 50_000,
    ],
    ids=["contexts", "syntaxes", "empty contexts", "roles", "application contexts"],
)
def test_an_association_request_that_proposes_too_much_costs_no_time(patient: Door, items: bytes) -> None:
    fixed = calling._association_request("PACS_SECURE", "CT1", [CT_EXPLICIT])[6:74]
    began = time.process_time()
    with patient.peer() as peer:
        peer.say(pdu(1, fixed + items))
        assert peer.hear()[0] == ABORT

    assert time.process_time() - began < 0.2
    assert patient.recorded("an association request proposes too much")


def test_a_data_set_over_the_limit_is_0xc010_and_the_next_is_stored(tmp_path: Path) -> None:
    with opened(tmp_path, Limits(data_set=4000)) as door, door.associated() as peer:
        peer.say(message(store_command(1), ct(1, size=5120), piece=1000))
        assert peer.status() == 0xC010
        peer.say(message(store_command(2), ct(2)))
        assert peer.status() == 0


def test_all_together_hold_no_more_than_the_memory_they_may(tmp_path: Path) -> None:
    with opened(tmp_path, Limits(data_sets=6000)) as door:
        with door.associated() as hoarder, door.associated() as peer:
            hoarder.say(message(store_command(1), ct(1, size=5120), piece=1000)[:-200])
            assert door.server._listener is not None
            budget = door.server._listener._budget
            assert until(lambda: budget.left == 1000)
            peer.say(message(store_command(2), ct(2, size=2048)))
            assert peer.status() == 0xA700
        assert until(lambda: budget.left == 6000)
        assert door.still_serves()


def test_too_many_associations_are_rejected_for_now_and_recorded(tmp_path: Path) -> None:
    with opened(tmp_path, Limits(associations=2)) as door, door.associated() as first, door.associated():
        with door.peer() as third:
            assert third.associate() == (ASSOCIATE_RJ, bytes((0, TRANSIENT, 3, 2)))
        assert door.recorded("too many associations")
        first.say(pdu(5, bytes(4)))
        assert first.hear()[0] == RELEASE_RP
        assert until(lambda: door.server.connections == 1)
        assert door.still_serves()


def test_connections_beyond_the_total_are_closed_and_counted(tmp_path: Path) -> None:
    with opened(tmp_path, Limits(connections=3, handshake=1)) as door:
        with ExitStack() as silent:
            peers = [silent.enter_context(door.plain()) for _ in range(10)]
            assert until(lambda: door.server.connections == 3)
            assert [peer.hear() for peer in peers[3:]] == [(0, b"")] * 7
        assert door.idle()
        assert door.still_serves()
        door.server.stop()
        assert others(door) == 7


def test_one_address_cannot_take_every_place(tmp_path: Path) -> None:
    limits = Limits(unproven_per_address=2, handshake=1)
    with opened(tmp_path, limits) as door, door.associated(), door.associated(), ExitStack() as silent:
        peers = [silent.enter_context(door.plain()) for _ in range(4)]
        assert [peer.hear() for peer in peers[2:]] == [(0, b"")] * 2
        assert door.server.connections == 4


def test_a_flood_of_strangers_is_no_flood_of_the_ledger(tmp_path: Path) -> None:
    with opened(tmp_path, Limits(refusals_per_second=2)) as door:
        for _ in range(30):
            with door.plain() as peer:
                peer.say(b"no handshake\r\n\r\n")
        refusals = door.server._household.refusals
        assert until(lambda: len(door.reasons()) + others(door) + refusals._silent == 30)
        door.server.stop()

        assert len(door.reasons()) <= 8
        assert door.reasons()[-1] == "turned away in a flood"
        assert len(door.reasons()) - 1 + others(door) == 30


def others(door: Door) -> int:
    """Return how many were only counted, as recorded."""
    return sum(entry["facts"].get("others", 0) for entry in door.world.entries())


def test_a_ledger_out_of_reach_still_lets_no_stranger_in(quick_door: Door) -> None:
    quick_door.world.devices.kept.clear()
    quick_door.world.ledger.down = True

    with quick_door.peer() as peer:
        assert peer.associate()[0] == ASSOCIATE_RJ


def test_crossing_aborts_leave_nothing(quick_door: Door) -> None:
    for _ in range(5):
        peers = [quick_door.associated() for _ in range(4)]
        for peer in peers:
            peer.say(pdu(7, bytes(4)), pdu(5, bytes(4)), pdu(4, b"\0"))
            peer.connection.close()
    waiting = quick_door.peer()
    quick_door.server.stop()
    assert waiting.hear()[0] in {ABORT, 0}
    waiting.connection.close()
