"""Reporting: decided, recorded with the digest of what left, signed, and the same for ever once the period is over."""

import json
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

import pytest

from pacs_secure.archive.ledger_report import wanting
from pacs_secure.archive.report.signature import check
from pacs_secure.core.access import Role, Subject
from pacs_secure.core.errors import Denied, Malformed, Unavailable
from pacs_secure.core.reports import Integrity, Language, Printed, ReportFormat, Table
from tests.builders import ELSEWHERE, subject
from tests.clock import Clock
from tests.unit.archive.instances import acts, store
from tests.world import ORIGIN, World, memory_world

DPO = subject(Role.DPO, identifier="d.schutz", department="")


@pytest.fixture
def world(clock: Clock) -> World:
    return memory_world()


def today() -> date:
    return datetime.now(UTC).date()


def report(world: World, by: Subject = DPO, form: ReportFormat = ReportFormat.JSON) -> Printed:
    days = (today() - timedelta(days=1), today())
    return world.archive.report.make(by, None, days, Language.GERMAN, form, details={"protocol": "test"})


def test_a_report_is_recorded_before_the_ledger_is_read_and_with_its_digest_before_it_leaves(world: World) -> None:
    store(world)
    world.notary.attest()
    printed = report(world)

    assert acts(world)[-2:] == [("ledger:report", "begun"), ("ledger:report", "completed")]
    told = world.entries()[-1]["facts"]
    assert told["sha256"] == sha256(printed.content).hexdigest()
    assert (told["bytes"], told["sound"], told["format"]) == (len(printed.content), "yes", "json")
    check(printed.content, printed.note, ORIGIN, world.keyring.public_key())


def test_it_counts_what_happened_in_ones_own_institution_only(world: World) -> None:
    store(world)
    own = json.loads(report(world).content)
    theirs = json.loads(report(world, subject(Role.DPO, of=ELSEWHERE, department="")).content)

    actions = {table["name"]: dict(table["rows"]) for table in own["counts"]}["action"]
    assert actions["study:create"] == 1
    assert {table["name"]: dict(table["rows"]) for table in theirs["counts"]}["action"].keys() == {"ledger:report"}
    assert (own["closed"], own["institution"]) == (False, "north")


def test_a_closed_period_has_the_same_report_for_ever_and_its_making_changes_nothing(
    world: World, clock: Clock
) -> None:
    store(world)
    world.notary.attest()
    clock.forward(days=2)
    first = report(world)
    world.notary.attest()
    store(world)
    clock.forward(days=30)
    world.notary.attest()
    second = report(world)

    assert json.loads(first.content)["closed"]
    assert first.content == second.content
    assert first.note == second.note


@pytest.mark.parametrize("role", [Role.CLINICIAN, Role.ADMIN, Role.RADIOLOGIST])
def test_whoever_may_not_report_leaves_a_refusal(world: World, role: Role) -> None:
    with pytest.raises(Denied):
        report(world, subject(role))
    assert acts(world) == [("ledger:report", "refused")]


def test_days_that_are_no_period_fail_on_record(world: World) -> None:
    with pytest.raises(Malformed):
        world.archive.report.make(
            DPO, None, (today(), today() - timedelta(days=1)), Language.ENGLISH, ReportFormat.PDF, details={}
        )
    assert acts(world) == [("ledger:report", "begun"), ("ledger:report", "failed")]


def test_while_it_cannot_be_signed_nothing_leaves(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_message: bytes) -> bytes:
        raise Unavailable("the vault is away")

    monkeypatch.setattr(world.keyring, "sign", away)

    with pytest.raises(Unavailable):
        report(world)
    assert acts(world)[-1] == ("ledger:report", "failed")


def test_what_the_verification_leaves_to_be_done_is_an_open_point() -> None:
    nothing, one = Table("problems", ()), Table("problems", ("place",), (("chain",),))

    def points(*, sound: bool, problems: Table, size: int, witnesses: tuple[str, ...]) -> list[str]:
        return [point.name for point in wanting(Integrity(sound, problems, 0, 0, 2, size, "", witnesses, 3))]

    assert points(sound=False, problems=one, size=0, witnesses=()) == ["ledger-unsound", "no-checkpoint"]
    assert points(sound=True, problems=nothing, size=3, witnesses=()) == ["no-witness"]
    assert points(sound=True, problems=nothing, size=3, witnesses=("w",)) == []
    behind = wanting(Integrity(True, nothing, 0, 0, 9, 10, "", ("w",), 3))
    assert [(point.name, point.values) for point in behind] == [("witnesses-behind", {"size": 3, "count": 10})]
