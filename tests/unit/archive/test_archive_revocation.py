"""Logins made void: who may, for whom it holds, and how soon."""

from datetime import datetime, timedelta

import pytest

from pacs_secure.archive.revocation import OLDEST, Revocable, Revocation
from pacs_secure.core.access import Assurance, Role, Subject
from pacs_secure.core.errors import Denied, Malformed, Unauthenticated, Unavailable
from pacs_secure.ports import Identified
from tests.builders import ELSEWHERE, HERE, NOW, subject
from tests.unit.archive.instances import acts
from tests.world import World

ADMIN = subject(Role.ADMIN)
MINUTE = timedelta(minutes=1)


class Clock:
    """Both clocks of a revocation."""

    now = NOW
    monotonic = 0.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def revocation(world: World, clock: Clock) -> Revocation:
    return Revocation(
        world.archive.guard, world.sessions, world.archive.search.seals, lambda: clock.now, lambda: clock.monotonic
    )


def person(name: str = "r.weber", at: datetime | None = NOW, *, of: str = HERE, login: str = "l") -> Subject:
    return subject(identifier=name, of=of, assurance=Assurance(logged_in_at=at, login=login))


def is_void(revocation: Revocation, who: Subject) -> bool:
    try:
        revocation.demand_valid(who)
    except Unauthenticated:
        return True
    return False


def test_every_login_of_a_person_up_to_now_is_void(revocation: Revocation) -> None:
    revocation.revoke(ADMIN, "r.weber", "the phone was stolen")

    assert is_void(revocation, person(at=NOW - MINUTE))
    assert is_void(revocation, person(at=NOW))
    assert is_void(revocation, person(at=None))
    assert not is_void(revocation, person(at=NOW + MINUTE))
    assert not is_void(revocation, person("somebody.else"))
    assert not is_void(revocation, person(of=ELSEWHERE))


def test_one_login_is_void_whoever_shows_it(revocation: Revocation) -> None:
    revocation.revoke_login(ADMIN, "token 1", "it was in a log")

    assert is_void(revocation, person(login="token 1"))
    assert not is_void(revocation, person(login="token 2"))
    assert not is_void(revocation, person(login="token 1", of=ELSEWHERE))


def test_a_revocation_is_recorded_and_its_names_are_sealed(world: World, revocation: Revocation) -> None:
    revocation.revoke(ADMIN, "r.weber", "the phone was stolen")

    (entry,) = world.entries()
    assert (entry["action"], entry["outcome"], entry["facts"]) == (
        "session:revoke", "completed", {"revoked": "person"},
    )  # fmt: skip
    assert "weber" not in str(entry)
    assert "phone" not in str(entry)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.DPO, Role.OPERATOR])
def test_oversight_may_revoke(revocation: Revocation, role: Role) -> None:
    revocation.revoke(subject(role), "r.weber", "left the clinic")

    assert is_void(revocation, person())


def test_nobody_else_may_and_that_is_recorded(world: World, revocation: Revocation) -> None:
    with pytest.raises(Denied):
        revocation.revoke(subject(Role.RADIOLOGIST), "r.weber", "spite")
    with pytest.raises(Denied):
        revocation.revoke(subject(Role.ADMIN, assurance=Assurance()), "r.weber", "without a second factor")

    assert acts(world) == [("session:revoke", "refused")] * 2
    assert not is_void(revocation, person())


@pytest.mark.parametrize(
    ("name", "reason"),
    [("", "r"), (" ", "r"), ("a\nb", "r"), ("a" * 257, "r"), ("a", ""), ("a", "x" * 1001)],
)
def test_a_name_and_a_reason_are_needed(world: World, revocation: Revocation, name: str, reason: str) -> None:
    for revoke in (revocation.revoke, revocation.revoke_login):
        with pytest.raises(Malformed):
            revoke(ADMIN, name, reason)
    assert world.entries() == []


def test_what_another_process_revokes_holds_within_seconds(world: World, revocation: Revocation, clock: Clock) -> None:
    assert not is_void(revocation, person())
    world.archive.sessions.revocation.revoke(ADMIN, "r.weber", "elsewhere")
    late = datetime.now(NOW.tzinfo) - MINUTE
    assert not is_void(revocation, person(at=late))

    clock.monotonic += OLDEST + 0.1
    assert is_void(revocation, person(at=late))


def test_the_store_is_asked_once_in_ten_seconds(world: World, revocation: Revocation, clock: Clock) -> None:
    for _ in range(50):
        revocation.demand_valid(person())
    assert world.sessions.asked == 1

    clock.monotonic += OLDEST + 0.1
    revocation.demand_valid(person())
    assert world.sessions.asked == 2


def test_while_nobody_can_say_nobody_is_let_in(world: World, revocation: Revocation) -> None:
    world.sessions.down = True

    with pytest.raises(Unavailable):
        revocation.demand_valid(person())


def test_a_revoked_login_is_forgotten_when_no_token_lives_so_long(revocation: Revocation, clock: Clock) -> None:
    revocation.revoke_login(ADMIN, "token 1", "why not")
    clock.now += timedelta(hours=25)
    clock.monotonic += OLDEST + 0.1

    assert not is_void(revocation, person(login="token 1"))


class Trusting:
    """Believes that every token is the name of a person."""

    def authenticate(self, token: str, address: str) -> Identified:
        return Identified(person(token), None)


def test_a_door_that_asks_both_believes_no_revoked_login(revocation: Revocation) -> None:
    door = Revocable(Trusting(), revocation)
    revocation.revoke(ADMIN, "r.weber", "left")

    assert door.authenticate("somebody.else", "").subject.identifier == "somebody.else"
    with pytest.raises(Unauthenticated):
        door.authenticate("r.weber", "")


def test_many_threads_wait_for_one_answer(world: World, revocation: Revocation) -> None:
    revocation._reading.acquire()
    from threading import Thread

    threads = [Thread(target=revocation.demand_valid, args=(person(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    revocation._reading.release()
    for thread in threads:
        thread.join(10)

    assert world.sessions.asked == 1
