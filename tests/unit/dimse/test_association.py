"""An accepted association sleeps until something is said, and ends wholly."""

import time

from pacs_secure.dimse.association import Accepting
from tests.dicom_door import ABORT, RELEASE_RP, Door, ct, message, pdu, store_command, threads


def running(door: Door) -> Accepting:
    assert door.server._listener is not None
    (association,) = door.server._listener._associations
    return association


def test_an_idle_association_costs_next_to_nothing(door: Door) -> None:
    with door.associated():
        began = time.process_time()
        time.sleep(1)
        assert time.process_time() - began < 0.1


def test_an_answer_does_not_wait_for_a_clock(door: Door) -> None:
    with door.associated() as peer:
        peer.say(message(store_command(), ct()))
        assert peer.status() == 0
        began = time.monotonic()
        for _ in range(20):
            peer.say(message(store_command(), ct()))
            assert peer.status() == 0
        assert time.monotonic() - began < 1


def test_a_release_is_answered_and_everything_ends(door: Door) -> None:
    before = threads()
    with door.associated() as peer:
        association = running(door)
        peer.say(pdu(5, bytes(4)))
        assert peer.hear()[0] == RELEASE_RP
    association.join(2)

    assert not association.is_alive()
    assert not association.upper_layer.is_alive()
    assert threads() == before


def test_hanging_up_sends_an_abort(door: Door) -> None:
    with door.associated() as peer:
        running(door).hang_up()
        assert peer.hear()[0] == ABORT
        assert peer.hear()[0] == 0
    assert door.idle()
