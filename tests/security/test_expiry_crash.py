"""A process killed while the ledger expires: nothing is missing without a certificate, and the next run ends it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pacs_secure import audit_verify
from pacs_secure.core.access import Role
from tests.aged import write_past
from tests.security.test_forgotten_patient import Clinic, clinic_below
from tests.vault_fixture import RunningVault

pytestmark = pytest.mark.real

STEPS = (
    ("retention", "certify"),
    ("publisher", "retain"),
    ("eraser", "erase"),
    ("ledger_keys", "remove"),
    ("publisher", "expire"),
    ("retention", "expire"),
)
"""Each step of a run by the engine that takes it."""


def dying(real: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    def step(*words: Any, **named: Any) -> Any:
        answer = real(*words, **named) if after else None
        os.kill(os.getpid(), signal.SIGKILL)
        return answer

    return step


def expire(clinic: Clinic) -> int:
    clinic.world.notary.attest()
    operator = clinic.person(Role.OPERATOR, department="")
    return clinic.world.archive.ledger_retention.expire(operator, None, details={}).entries


def demand_sound(clinic: Clinic) -> None:
    clinic.world.notary.attest()
    assert clinic.world.archive.verify.check_ledger(clinic.person(Role.DPO, department="")).findings == ()
    key = Ed25519PublicKey.from_public_bytes(clinic.public_key)
    verification = audit_verify.Verification(audit_verify.Directory(clinic.world.checkpoints), key)
    verification.run()
    assert verification.findings == []


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("engine", "name"), STEPS)
def test_a_killed_run_is_ended_by_the_next(
    tmp_path: Path, openbao: RunningVault, engine: str, name: str, *, after: bool
) -> None:
    of = openbao.new_institution()
    with clinic_below(tmp_path, openbao, of) as clinic:
        write_past(clinic.world.house, 600, of=of)
        clinic.world.notary.attest()

    child = os.fork()
    if not child:
        try:
            with clinic_below(tmp_path, openbao, of) as clinic:
                engines = clinic.world.house.engines
                adapter = type(getattr(engines, engine))
                setattr(adapter, name, dying(getattr(adapter, name), after=after))
                expire(clinic)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL

    with clinic_below(tmp_path, openbao, of) as clinic:
        demand_sound(clinic)
        expire(clinic)
        assert clinic.world.house.engines.retention.first() == 512
        assert not any((clinic.world.checkpoints / "tile" / "entries" / f"{bundle:03}").exists() for bundle in (0, 1))
        assert not list(clinic.world.house.engines.ledger_keys.before(2023))
        demand_sound(clinic)
