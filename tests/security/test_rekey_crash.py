"""A rotation that breaks at any step: no key is lost, none comes back, and the next run ends it."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pacs_secure.adapters.vault_keyring import VaultEraser, VaultSigner, VaultUnwrapper, VaultWrapper
from pacs_secure.adapters.vault_provisioning import VaultRole
from pacs_secure.adapters.vault_rewrapper import VaultRewrapper
from pacs_secure.archive.rekey import AT_ONCE, Rekey, Stay
from pacs_secure.core.access import Role, Subject
from pacs_secure.core.errors import ArchiveError, Conflict, Unavailable
from pacs_secure.core.identifiers import Institution
from pacs_secure.house import furnish
from pacs_secure.ports import ForgettableKey, Shelf, Tombstone
from tests.builders import HERE, NOW, subject
from tests.unit.archive.instances import store
from tests.vault_fixture import RunningVault
from tests.world import DiskWorld, World, disk_world, memory_world

STEPS = (
    ("rewrapper", "rotate"),
    ("rewraps", "begin"),
    ("rewrapper", "rewrap"),
    ("tombstones", "holds"),
    ("rewraps", "advance"),
    ("rewrapper", "below"),
    ("rewrapper", "retire"),
)
"""Each step by the engine that takes it."""
DONE = ("rotate", "rewrap", "retire")
"""Steps after which something has changed in the vault that no row tells of yet."""
KILLS = [(*step, after) for step in STEPS for after in (False, True) if not after or step[1] in DONE]


def operator(of: Institution = HERE) -> Subject:
    return subject(Role.OPERATOR, identifier="os:root", department="", of=of)


def later(rekey: Rekey) -> Rekey:
    return replace(rekey, now=lambda: datetime.now(UTC) + timedelta(hours=1))


def turn(rekey: Rekey, of: Institution = HERE) -> Stay:
    rekey.rotate(operator(of), None, details={})
    return rekey.rewrap(operator(of), None, details={}).stay


def end(rekey: Rekey, of: Institution = HERE) -> None:
    """Do what whoever comes next does, until it is at its end."""
    for _ in range(3):
        if rekey.rewrap(operator(of), None, details={}).stay is Stay.NOTHING:
            return
    raise AssertionError("it does not come to an end")


class Breaking:
    """Stands for an engine whose n-th call of all fails, before or after it has done its work."""

    def __init__(self, real: Any, breaks: "Breaks") -> None:
        self._real = real
        self._breaks = breaks

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        return (lambda *words, **named: self._breaks.call(real, *words, **named)) if callable(real) else real


class Breaks:
    """Counts the calls of all engines, and breaks one of them."""

    def __init__(self, at: int, *, after: bool, error: type[BaseException], then: Callable[[], object]) -> None:
        self.calls = 0
        self._at = at
        self._after = after
        self._error = error
        self._then = then

    def call(self, real: Callable[..., Any], *words: Any, **named: Any) -> Any:
        self.calls += 1
        broken = self.calls == self._at
        if broken and not self._after:
            self._break()
        answer = real(*words, **named)
        if broken:
            self._break()
        return answer

    def _break(self) -> None:
        self._then()
        raise self._error("broken on purpose")


def filled() -> tuple[World, list[ForgettableKey]]:
    """Return an archive in memory with more keys than are wrapped at once."""
    world = memory_world()
    store(world)
    return world, [world.keyring.mint(HERE, Shelf.STUDY) for _ in range(AT_ONCE + 5)]


def broken(world: World, breaks: Breaks) -> Rekey:
    """Return the verb over engines that break; what they have done before lasts."""
    engines: Any = world.house.engines
    changed = {name: Breaking(getattr(engines, name), breaks) for name in ("rewrapper", "rewraps", "tombstones")}
    return later(furnish(replace(engines, **changed)).archive.rekey)


def below(world: World) -> int:
    keyring = world.keyring
    return sum(keyring.below(HERE, shelf, keyring.shelved(HERE, shelf), 2) for shelf in Shelf)


def calls() -> int:
    """Count the calls of a run that nothing breaks."""
    world, _ = filled()
    breaks = Breaks(0, after=False, error=Unavailable, then=lambda: None)
    assert turn(broken(world, breaks)) is Stay.NOTHING
    return breaks.calls


@pytest.mark.parametrize("error", [Unavailable, Conflict, KeyboardInterrupt])
@pytest.mark.parametrize("after", [False, True])
def test_whichever_call_breaks_no_key_is_lost_and_none_comes_back(error: type[BaseException], *, after: bool) -> None:
    rounds = 0
    for at in range(1, calls() + 1, 1 if error is Unavailable else 3):
        world, keys = filled()
        forgotten, *kept = keys

        def forget(world: World = world, forgotten: ForgettableKey = forgotten) -> None:
            world.tombstones.bury([Tombstone(forgotten.key_id, HERE, Shelf.STUDY, NOW)])
            world.keyring.erase(HERE, Shelf.STUDY, [forgotten.key_id])

        breaks = Breaks(at, after=after, error=error, then=forget)
        with pytest.raises((ArchiveError, KeyboardInterrupt)):
            turn(broken(world, breaks))

        state = world.keyring.state(HERE)
        assert state.least == 1 or below(world) == 0
        if state.newest == 1:
            later(world.archive.rekey).rotate(operator(), None, details={})
        end(later(world.archive.rekey))
        assert below(world) == 0
        assert world.keyring.state(HERE).least == world.keyring.state(HERE).newest == 2
        found = world.keyring.fetch(HERE, Shelf.STUDY, [one.key_id for one in keys])
        assert found == {one.key_id: one for one in kept}
        rounds += 1
    assert rounds > 5


@contextmanager
def real_world(folder: Path, openbao: RunningVault, of: Institution) -> Iterator[DiskWorld]:
    roles = (VaultRole.STORE, VaultRole.READER, VaultRole.SIGNER, VaultRole.ERASER, VaultRole.KEEPER)
    with ExitStack() as stack:
        sessions = [openbao.session(role) for role in roles]
        for session in sessions:
            stack.callback(session.close)
        wrapping, reading, signing, erasing, keeping = sessions
        unwrapper, signer = VaultUnwrapper(reading), VaultSigner(signing, of)
        eraser, rewrapper = VaultEraser(erasing, reading), VaultRewrapper(keeping)
        yield stack.enter_context(
            disk_world(folder, VaultWrapper(wrapping), unwrapper, signer, eraser=eraser, home=of, rewrapper=rewrapper)
        )


def dying(real: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    def step(*words: Any, **named: Any) -> Any:
        answer = real(*words, **named) if after else None
        os.kill(os.getpid(), signal.SIGKILL)
        return answer

    return step


@pytest.mark.real
@pytest.mark.parametrize(("engine", "name", "after"), KILLS)
def test_a_killed_run_is_ended_by_the_next(
    tmp_path: Path, openbao: RunningVault, engine: str, name: str, *, after: bool
) -> None:
    of = openbao.new_institution()
    with real_world(tmp_path, openbao, of) as world:
        keys = [world.house.engines.wrapper.mint(of, Shelf.STUDY) for _ in range(6)]

    child = os.fork()
    if not child:
        try:
            with real_world(tmp_path, openbao, of) as world:
                adapter = type(getattr(world.house.engines, engine))
                setattr(adapter, name, dying(getattr(adapter, name), after=after))
                turn(later(world.archive.rekey), of)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL

    with real_world(tmp_path, openbao, of) as world:
        rekey, rewrapper = later(world.archive.rekey), world.house.engines.rewrapper
        assert rewrapper is not None
        if rewrapper.state(of).newest == 1:
            rekey.rotate(operator(of), None, details={})
        end(rekey, of)
        state = rewrapper.state(of)
        assert (state.newest, state.least) == (2, 2)
        found = world.house.engines.unwrapper.fetch(of, Shelf.STUDY, [one.key_id for one in keys])
        assert found == {one.key_id: one for one in keys}
