"""Incidents: who was affected, what is known at each stage, and who may see the list (SEC-06)."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pacs_secure.core.access import Action, Role, Subject
from pacs_secure.core.errors import Denied, Malformed
from pacs_secure.core.incidents import DEMANDED, Stage, Suspicion
from pacs_secure.core.reports import Language, ReportFormat
from tests.builders import subject
from tests.unit.archive.instances import acts, data_set, store, study_uid
from tests.unit.archive.people import reads
from tests.world import World

DPO, OPERATOR = subject(Role.DPO, identifier="d.schutz"), subject(Role.OPERATOR)
THIEF = subject(Role.RADIOLOGIST, identifier="r.aub")


def suspicion(**more: Any) -> Suspicion:
    now = datetime.now(UTC)
    whole = Suspicion(now - timedelta(hours=1), now + timedelta(hours=1), "a stolen token", Stage.NOTIFICATION)
    return replace(whole, **{"actions": frozenset({Action.STUDY_READ}), **more})


def report(world: World, by: Subject = DPO, **more: Any) -> dict[str, Any]:
    printed = world.archive.incident.make(
        by, None, suspicion(**more), Language.GERMAN, ReportFormat.JSON, details={"protocol": "test"}
    )
    told: dict[str, Any] = json.loads(printed.content)
    return told


@pytest.fixture
def read(world: World) -> World:
    """Two patients' pictures, both read by somebody who should not have been there."""
    for study in (1, 2):
        store(world, data_set(study, PatientID=f"P{study}"))
        assert reads(world, THIEF, study)
    return world


def number(told: dict[str, Any], name: str) -> int:
    found: int = next(point["values"]["count"] for point in told["totals"] if point["name"] == name)
    return found


def test_it_says_who_was_affected_and_is_on_record_with_its_digest(read: World) -> None:
    told = report(read)

    assert (number(told, "patients"), number(told, "acts"), len(told["persons"]["rows"])) == (2, 2, 2)
    assert acts(read)[-2:] == [("incident:report", "begun"), ("incident:report", "completed")]
    assert b"stolen token" not in b"".join(entry.content for entry in read.ledger.kept), "the cause is sealed"
    assert b"sha256" in read.ledger.kept[-1].content


def test_it_is_narrowed_to_studies_department_and_acts(read: World) -> None:
    told = report(read, studies=(study_uid(1), study_uid(9)))

    assert (number(told, "patients"), [one["name"] for one in told["narrowed"]]) == (1, ["actions", "studies"])
    assert told["narrowed"][1]["values"] == {"count": 2, "known": 1}
    assert number(report(read, actor_department="surgery"), "patients") == 0
    everything = report(read, actions=frozenset())
    assert [one["name"] for one in everything["narrowed"]] == ["everything"]
    assert number(everything, "acts") == 4


@pytest.mark.parametrize("stage", Stage)
def test_each_stage_says_what_is_known_and_what_is_not(read: World, stage: Stage) -> None:
    items = {one["name"]: one for one in report(read, stage=stage, statements={"measures": "revoked"})["items"]}

    assert tuple(items) == DEMANDED[stage]
    assert items["cause"]["said"] == "a stolen token"
    assert items["persons"]["values"] == {"patients": 2}
    assert not items["contact"]["known"]
    if "measures" in items:
        assert items["measures"]["said"] == "revoked"


def test_the_list_of_those_affected_is_for_whoever_may_read_the_ledger(read: World) -> None:
    told = report(read, OPERATOR)

    assert (number(told, "patients"), told["persons"]) == (2, None)


def test_others_leave_a_refusal_and_what_is_no_incident_a_failure(world: World) -> None:
    with pytest.raises(Denied):
        report(world, subject(Role.OFFICER))
    with pytest.raises(Malformed):
        report(world, cause=" ")
    with pytest.raises(Malformed):
        report(world, studies=("no UID",))
    assert acts(world) == [
        ("incident:report", "refused"),
        *[("incident:report", "begun"), ("incident:report", "failed")] * 2,
    ]


@pytest.mark.parametrize(("minutes", "closed"), [(60, True), (1, False)])
def test_a_window_is_closed_once_its_last_entries_have_their_place(world: World, minutes: int, *, closed: bool) -> None:
    now = datetime.now(UTC)
    told = report(world, begins_at=now - timedelta(hours=2), ends_at=now - timedelta(minutes=minutes))

    assert told["closed"] is closed
