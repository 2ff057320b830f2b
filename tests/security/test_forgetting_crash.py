"""A process killed while it forgets a study: whatever it left, the next run ends it, and nothing opens in between."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pacs_secure.adapters.vault_keyring import VaultEraser
from pacs_secure.archive.forgetting import LONGEST_MEMORY
from pacs_secure.core.access import Role
from pacs_secure.core.errors import NotFound
from pacs_secure.core.forgetting import Forgetting, Stage
from pacs_secure.core.identifiers import KeyId, uid
from pacs_secure.ports import Shelf
from tests.security.test_forgotten_patient import Clinic, clinic_below
from tests.unit.archive.instances import data_set, received, study_uid
from tests.vault_fixture import RunningVault

pytestmark = pytest.mark.real

STEPS = {
    "request": (("forgettings", "request"), 1),
    "fence": (("forgettings", "fence"), 1),
    "drain": (("forgettings", "advance"), 1),
    "bury": (("tombstones", "bury"), 1),
    "erase": (("eraser", "erase"), 1),
    "forget": (("forgettings", "advance"), 2),
    "remove": (("blobs", "remove"), 1),
    "sweep": (("forgettings", "advance"), 3),
}
"""Each step of a run by the engine that takes it, and at which of its calls the process dies."""


def dying(real: Callable[..., Any], at: int, *, after: bool) -> Callable[..., Any]:
    calls = [0]

    def step(*words: Any, **named: Any) -> Any:
        calls[0] += 1
        dies = calls[0] == at
        answer = None if dies and not after else real(*words, **named)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    return step


def forget(clinic: Clinic) -> list[Forgetting]:
    """Ask for the first study to be forgotten, and carry on as somebody who waits long enough in between."""
    operator = clinic.person(Role.OPERATOR, department="")
    verb, standing = clinic.world.archive.forget, list[Forgetting]()
    try:
        verb.request(operator, None, study_uid(1), details={})
    except NotFound:
        assert clinic.world.house.engines.records.epoch(clinic.of, uid(study_uid(1))) == 1
    standing += verb.carry_on(operator, None, details={})
    late = replace(verb, now=lambda: verb.now() + LONGEST_MEMORY + timedelta(seconds=1))
    return [*standing, *late.carry_on(operator, None, details={})]


def readable(clinic: Clinic, study: int) -> bool:
    radiologist = clinic.person(Role.RADIOLOGIST)
    try:
        with clinic.world.archive.retrieve.begin(radiologist, None, study_uid(study), details={}) as retrieval:
            for row in retrieval.rows:
                b"".join(retrieval.part10(row))
            retrieval.complete()
    except NotFound:
        return False
    return True


def keys(clinic: Clinic, study: int) -> set[KeyId]:
    rows = clinic.world.house.engines.records.instances(clinic.of, uid(study_uid(study)))
    return {row.sealed.study_key_id for row in rows}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_killed_run_is_ended_by_the_next(tmp_path: Path, openbao: RunningVault, step: str, *, after: bool) -> None:
    of = openbao.new_institution()
    (engine, name), at = STEPS[step]
    with clinic_below(tmp_path, openbao, of) as clinic:
        with clinic.world.archive.ingest.begin(clinic.person(Role.TECHNOLOGIST), None, {}) as reception:
            for study, number in ((1, 1), (1, 2), (2, 1)):
                reception.store(received(data_set(study, number)))
        doomed, others = keys(clinic, 1), keys(clinic, 2)

    child = os.fork()
    if not child:
        try:
            with clinic_below(tmp_path, openbao, of) as clinic:
                # What the verbs erase with buries first; the vault's own eraser is the step behind that.
                adapter = VaultEraser if engine == "eraser" else type(getattr(clinic.world.house.engines, engine))
                setattr(adapter, name, dying(getattr(adapter, name), at, after=after))
                forget(clinic)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL

    with clinic_below(tmp_path, openbao, of) as clinic:
        engines = clinic.world.house.engines
        clinic.world.house.resurrection.look_at_all()
        lying = engines.unwrapper.fetch(of, Shelf.STUDY, doomed).keys()
        assert readable(clinic, 1) == (step == "request" or (step == "fence" and not after))
        assert lying == (doomed if step in {"request", "fence", "drain"} or (step, after) == ("bury", False) else set())

        forget(clinic)

        assert list(engines.forgettings.under_way()) == []
        assert not readable(clinic, 1)
        assert readable(clinic, 2)
        assert engines.unwrapper.fetch(of, Shelf.STUDY, doomed | others).keys() == others
        assert {one.key_id for one in engines.tombstones.all()} == doomed
        assert {one.object_id for one in engines.blobs.names()} == {
            row.sealed.object_id for row in engines.records.instances(of, uid(study_uid(2)))
        }
        said = [draft.facts["stage"] for draft in clinic.drafts() if "stage" in draft.facts]
        assert said == list(Stage)
        clinic.world.notary.attest()
        assert clinic.world.archive.verify.check_ledger(clinic.person(Role.DPO, department="")).findings == ()
