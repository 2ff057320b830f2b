"""How many may come, and that every place is given back exactly once."""

from concurrent.futures import ThreadPoolExecutor

from pacs_secure.dimse.connections import Connections, Place


def admitted(connections: Connections, address: str) -> Place:
    place = connections.admit(address)
    assert place is not None
    return place


def test_no_more_than_the_total_are_admitted_until_one_leaves() -> None:
    connections = Connections(2, 2, 2)
    first, _ = admitted(connections, "a"), admitted(connections, "b")

    assert connections.admit("c") is None
    first.leave()
    assert connections.admit("c")


def test_one_address_may_hold_only_so_many_that_have_not_said_who_they_are() -> None:
    connections = Connections(9, 9, 1)
    first = admitted(connections, "a")

    assert connections.admit("a") is None
    assert connections.admit("b")
    assert first.prove()
    assert connections.admit("a")


def test_associations_are_fewer_than_connections() -> None:
    connections = Connections(9, 1, 9)
    first, second = admitted(connections, "a"), admitted(connections, "a")

    assert first.prove()
    assert first.prove()
    assert not second.prove()
    first.leave()
    assert second.prove()


def test_a_place_is_given_back_once_however_often_and_from_wherever() -> None:
    connections = Connections(50, 50, 50)
    places = [admitted(connections, "a") for _ in range(50)]
    for place in places[::2]:
        place.prove()

    with ThreadPoolExecutor(8) as pool:
        for place in places * 2:
            pool.submit(place.leave)

    assert len(connections) == 0
    assert connections.emptied(0)
    assert [admitted(connections, "a").prove() for _ in range(50)] == [True] * 50


def test_waiting_for_those_who_stay_ends() -> None:
    connections = Connections(1, 1, 1)
    admitted(connections, "a")

    assert not connections.emptied(0.01)
