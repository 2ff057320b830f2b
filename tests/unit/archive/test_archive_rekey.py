"""Rekeying: the shelf is wrapped anew, from where it stood, and older versions go when nothing needs them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat

import pytest

from pacs_secure.archive.rekey import AT_ONCE, Rekey, Rekeyed, Stay
from pacs_secure.core.access import Role, Subject
from pacs_secure.core.errors import ArchiveError, Conflict, Denied, Unavailable
from pacs_secure.core.identifiers import KeyId
from pacs_secure.ports import Shelf, Tombstone
from tests.builders import ELSEWHERE, HERE, NOW, subject
from tests.unit.archive.instances import acts, store
from tests.world import World

OPERATOR = subject(Role.OPERATOR, identifier="os:root", department="")
NOTE = {"protocol": "test"}


def verb(world: World, **changed: object) -> Rekey:
    """Return the verb an hour after whatever was turned just now."""
    later = replace(world.archive.rekey, now=lambda: datetime.now(UTC) + timedelta(hours=1))
    return replace(later, **changed)  # type: ignore[arg-type]


def rotate(world: World, by: Subject = OPERATOR) -> int:
    return verb(world).rotate(by, None, details=NOTE).newest


def rewrap(world: World, by: Subject = OPERATOR, **changed: object) -> Rekeyed:
    return verb(world, **changed).rewrap(by, None, details=NOTE)


def mint(world: World, count: int) -> list[KeyId]:
    return sorted(world.keyring.mint(HERE, Shelf.STUDY).key_id for _ in range(count))


def below(world: World) -> int:
    keyring, newest = world.keyring, world.keyring.state(HERE).newest
    return sum(keyring.below(HERE, shelf, keyring.shelved(HERE, shelf), newest) for shelf in Shelf)


def rows(world: World) -> dict[Shelf, tuple[int, int, bool]]:
    of = world.house.engines.rewraps.of(HERE)
    return {row.shelf: (row.done, row.failed, row.finished is not None) for row in of}


@pytest.fixture(autouse=True)
def _something_stored(world: World) -> None:
    store(world)


def test_a_rotation_turns_the_key_and_says_that_everything_is_still_to_do(world: World) -> None:
    assert rotate(world) == 2

    status = verb(world).status(OPERATOR, None, details=NOTE)
    assert (status.kek.newest, status.kek.least, status.pending) == (2, 1, True)
    assert {one.shelf: one.keys for one in status.shelves} == {
        shelf: len(world.keyring.shelved(HERE, shelf)) for shelf in Shelf
    }
    assert rows(world) == dict.fromkeys(Shelf, (0, 0, False))
    assert acts(world)[-5:] == [
        ("keys:rotate", "begun"),
        ("keys:rotate", "begun"),
        ("keys:rotate", "completed"),
        ("keys:status", "begun"),
        ("keys:status", "completed"),
    ]
    assert verb(world).pending(HERE)


def test_a_rewrapping_leaves_nothing_under_an_older_version_and_only_then_retires_it(world: World) -> None:
    mint(world, 2 * AT_ONCE + 5)
    rotate(world)
    there = sum(len(world.keyring.shelved(HERE, shelf)) for shelf in Shelf)
    looked: list[int] = []

    rekeyed = verb(world).rewrap(OPERATOR, None, details=NOTE, progress=looked.append)

    assert rekeyed == Rekeyed(2, done=there)
    assert below(world) == 0
    assert world.keyring.state(HERE).least == 2
    assert sum(looked) == 2 * there
    assert acts(world)[-2:] == [("keys:rewrap", "begun"), ("keys:rewrap", "completed")]
    assert world.entries()[-1]["facts"] | {"at": ""} == {
        "at": "",
        "failed": 0,
        "forgotten": 0,
        "older": "retired",
        "protocol": "test",
        "rewrapped": there,
        "version": 2,
    }
    assert not verb(world).pending(HERE)


def test_no_object_is_rewritten(world: World) -> None:
    before = dict(world.blobs.stored)
    rotate(world)
    rewrap(world)

    assert before
    assert world.blobs.stored == before


def test_nothing_to_do_is_done_at_once(world: World) -> None:
    assert rewrap(world) == Rekeyed(1)
    assert rows(world) == {}


def test_whoever_was_killed_is_followed_by_somebody_who_goes_on_where_it_stood(world: World) -> None:
    minted = mint(world, 3 * AT_ONCE)
    rotate(world)
    seen: list[int] = []

    def killed(count: int) -> None:
        seen.append(count)
        if len(seen) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verb(world).rewrap(OPERATOR, None, details=NOTE, progress=killed)
    left = below(world)
    assert 0 < left < len(minted)
    (row,) = [one for one in world.house.engines.rewraps.of(HERE) if one.shelf is Shelf.STUDY]
    assert row.last is not None
    assert row.finished is None

    rekeyed = rewrap(world)

    assert (rekeyed.done, rekeyed.stay) == (left, Stay.NOTHING)
    assert rows(world)[Shelf.STUDY] == (len(world.keyring.shelved(HERE, Shelf.STUDY)), 0, True)


def test_a_crash_between_the_turn_and_its_rows_is_made_up_for(world: World) -> None:
    world.keyring.rotate(HERE)

    assert rewrap(world).stay is Stay.NOTHING
    assert below(world) == 0


def test_entries_that_cannot_be_wrapped_keep_older_versions_and_raise_an_alarm(world: World) -> None:
    bad, *_ = mint(world, 3)
    rotate(world)
    world.keyring.refusing = {bad}

    rekeyed = rewrap(world)

    assert (rekeyed.failed, rekeyed.stay) == (1, Stay.FAILED)
    assert world.keyring.state(HERE).least == 1
    assert below(world) == 1
    assert acts(world)[-2:] == [("keys:rewrap", "failed"), ("system:alarm", "failed")]

    world.keyring.refusing = set()
    assert rewrap(world).stay is Stay.NOTHING
    assert world.keyring.state(HERE).least == 2


def test_older_versions_stay_while_a_key_that_was_wrapped_before_the_turn_may_be_on_its_way(world: World) -> None:
    rotate(world)

    assert rewrap(world, now=lambda: datetime.now(UTC)).stay is Stay.YOUNG
    assert (below(world), world.keyring.state(HERE).least) == (0, 1)
    assert rewrap(world) == Rekeyed(2)
    assert world.keyring.state(HERE).least == 2


def test_rows_that_somebody_moved_ahead_retire_nothing_that_is_needed(world: World) -> None:
    mint(world, 5)
    rotate(world)
    engine = world.house.engines.rewraps
    for row in engine.of(HERE):
        engine.advance(None, replace(row, finished=NOW))  # type: ignore[arg-type]

    assert rewrap(world).stay is Stay.BELOW
    assert world.keyring.state(HERE).least == 1
    assert rewrap(world).stay is Stay.NOTHING
    assert below(world) == 0


@pytest.mark.parametrize("asked", range(9))
def test_an_archive_that_ends_stops_between_two_batches_and_goes_on_later(world: World, asked: int) -> None:
    mint(world, AT_ONCE + 1)
    rotate(world)
    answers = chain(repeat(False, asked), repeat(True))

    stopped = verb(world).rewrap(OPERATOR, None, details=NOTE, stop=lambda: next(answers))

    assert stopped.stay is Stay.STOPPED
    assert world.keyring.state(HERE).least == 1
    assert rewrap(world).stay is Stay.NOTHING


def test_no_second_turn_before_the_first_is_carried_out(world: World) -> None:
    rotate(world)

    with pytest.raises(Conflict):
        rotate(world)
    assert world.keyring.state(HERE).newest == 2
    assert acts(world)[-1] == ("keys:rotate", "failed")

    rewrap(world)
    assert rotate(world) == 3


def bury(world: World, *key_ids: KeyId) -> None:
    world.tombstones.bury([Tombstone(one, HERE, Shelf.STUDY, NOW) for one in key_ids])


def test_a_key_that_was_forgotten_while_it_was_written_over_is_taken_off_again(world: World) -> None:
    forgotten, *kept = mint(world, 4)
    rotate(world)
    world.keyring.between = lambda: bury(world, forgotten)

    assert rewrap(world).stay is Stay.NOTHING
    there = world.keyring.shelved(HERE, Shelf.STUDY)
    assert forgotten not in there
    assert set(kept) <= set(there)


def test_a_key_that_is_forgotten_elsewhere_under_the_same_name_stays(world: World) -> None:
    mine, *_ = mint(world, 1)
    there = [(ELSEWHERE, Shelf.STUDY), (HERE, Shelf.LEDGER)]
    world.tombstones.bury([Tombstone(mine, of, shelf, NOW) for of, shelf in there])
    rotate(world)

    assert rewrap(world).stay is Stay.NOTHING
    assert mine in world.keyring.shelved(HERE, Shelf.STUDY)


def test_without_the_right_to_erase_that_ends_the_run(world: World) -> None:
    forgotten, *_ = mint(world, 4)
    bury(world, forgotten)
    rotate(world)

    with pytest.raises(Unavailable, match="forgotten"):
        rewrap(world, eraser=None)
    assert acts(world)[-1] == ("keys:rewrap", "failed")
    assert world.keyring.state(HERE).least == 1


@pytest.mark.parametrize("act", ["status", "rotate", "rewrap"])
def test_a_process_without_the_role_says_so(world: World, act: str) -> None:
    rekey = verb(world, rewrapper=None)

    assert (rekey.able, verb(world).able) == (False, True)
    with pytest.raises(Unavailable):
        getattr(rekey, act)(OPERATOR, None, details=NOTE)
    assert acts(world)[-1] == (f"keys:{act}", "failed")


@pytest.mark.parametrize("act", ["status", "rotate", "rewrap"])
@pytest.mark.parametrize("role", [Role.RADIOLOGIST, Role.OFFICER, Role.MODALITY])
def test_others_may_not(world: World, act: str, role: Role) -> None:
    with pytest.raises(Denied):
        getattr(verb(world), act)(subject(role), None, details=NOTE)
    assert acts(world)[-1] == (f"keys:{act}", "refused")
    assert world.keyring.state(HERE).newest == 1


@pytest.mark.parametrize("sealed", ["vault", "tombstones"])
def test_what_is_out_of_reach_stops_it_and_it_goes_on_later(world: World, sealed: str) -> None:
    rotate(world)
    down: dict[str, Callable[[bool], None]] = {
        "vault": lambda value: setattr(world.keyring, "sealed", value),
        "tombstones": lambda value: setattr(world.tombstones, "down", value),
    }
    down[sealed](True)
    with pytest.raises(ArchiveError):
        rewrap(world)
    down[sealed](False)

    assert rewrap(world).stay is Stay.NOTHING
    assert below(world) == 0


def test_each_institution_turns_its_own(world: World) -> None:
    other = subject(Role.OPERATOR, identifier="os:root", department="", of=ELSEWHERE)
    world.keyring.mint(ELSEWHERE, Shelf.STUDY)

    assert rotate(world, other) == 2
    assert world.keyring.state(HERE).newest == 1
    assert rewrap(world, other).stay is Stay.NOTHING
    assert world.keyring.state(ELSEWHERE).least == 2
