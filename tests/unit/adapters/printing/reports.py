"""A report with something in every chapter, and an incident at every stage."""

from datetime import timedelta
from functools import cache
from uuid import UUID

from pacs_secure.archive.report.counting import NO_PURPOSE
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.emergencies import Judgement
from pacs_secure.core.incidents import DEMANDED, Incident, Item, Stage
from pacs_secure.core.reports import BLIND_SPOTS, Integrity, Point, Report, Table, Thresholds
from pacs_secure.core.vocabulary import Action, Door, Purpose, Role
from tests.unit.archive.report.entries import EMERGENCY_RULE, NONE_RULE, NOON, PERIOD, entry, reads, tallied

HOSTILE = '"><script>alert(1)</script>$x^2$ {{ 7 * 7 }} #panic("x") 放射 \U0001f512 \x07'
"""A name that a department has when somebody means us ill."""

SOUND = Integrity(
    sound=True,
    problems=Table("problems", ("place", "position", "problem")),
    unreadable=0,
    first_entry=120_331,
    last_entry=137_202,
    checkpoint_size=137_210,
    checkpoint_root="9f" * 32,
    witnesses=("witness.example/w1",),
    witnessed_size=137_210,
)
UNSOUND = Integrity(
    sound=False,
    problems=Table("problems", ("place", "position", "problem"), (("chain", 7, "it does not continue"),)),
    unreadable=1,
    first_entry=-1,
    last_entry=-1,
    checkpoint_size=0,
    checkpoint_root="",
    witnesses=(),
)


def everything() -> list[Draft]:
    """Return entries of every act, role, purpose, outcome and door, and what every rule flags."""
    patient = UUID(int=77)
    drafts = [entry(Outcome.COMPLETED, action=action, patient=patient) for action in Action]
    drafts += [entry(Outcome.COMPLETED, role=role, department=HOSTILE) for role in Role]
    drafts += [entry(Outcome.COMPLETED, purpose=purpose) for purpose in (*Purpose, None)]
    drafts += [entry(outcome) for outcome in Outcome]
    drafts += [entry(Outcome.COMPLETED, door=door, department="") for door in Door]
    for place, judgement in enumerate((*Judgement, None)):
        facts: dict[str, str | int] = {"emergency": str(place), "ends_at": "2026-10-07T16:00:00+00:00"}
        drafts.append(entry(Outcome.COMPLETED, action=Action.BREAK_GLASS_OPEN, patient=patient, facts=facts))
        if judgement is not None:
            said = {"emergency": str(place), "judgement": judgement.value}
            drafts.append(entry(Outcome.COMPLETED, action=Action.BREAK_GLASS_REVIEW, facts=said))
    drafts += reads(3, rule=EMERGENCY_RULE) + reads(2, rule=NONE_RULE) + reads(2, role=Role.GUEST, who="g.ast")
    for label in ("staff", "vip", "psychiatry genetics"):
        drafts += reads(1, facts={"protected": label, "of_department": "psychiatry", "device": "WS1"})
    drafts += reads(40, NOON.replace(hour=23)) + reads(40, NOON + timedelta(days=3))
    drafts += [entry(Outcome.REFUSED, rule="default deny", facts={"error": "NotFound"}) for _ in range(12)]
    return sorted(drafts, key=lambda one: one.at)


@cache
def report(integrity: Integrity = SOUND, *, empty: bool = False) -> Report:
    tally = tallied([] if empty else everything(), Thresholds(patients_a_day=30))
    values: dict[str, str | int] = {
        "patients": 3,
        "persons": 9,
        "disclosures": 1,
        "recipients": 2,
        "purposes": "BTG TREAT",
    }
    return Report(
        institution="north",
        origin="north.example/ledger",
        software="1.0",
        first_day=PERIOD.first.isoformat(),
        last_day=PERIOD.last.isoformat(),
        time_zone=PERIOD.time_zone,
        closed=not empty,
        policies=tally.policies(),
        integrity=integrity,
        totals=tally.counting.totals(),
        counts=tally.counting.tables(PERIOD),
        chapters=tally.chapters(),
        unusual=tally.unusual.flagged(),
        open_points=() if empty else tally.open_points(),
        blind_spots=BLIND_SPOTS,
        processing=tuple(Point(name, values) for name in PROCESSING),
        measures=tuple(Point(name, MEASURED) for name in MEASURES),
    )


PROCESSING = (
    "controller",
    "purposes",
    "data-subjects",
    "data-categories",
    "recipients",
    "third-countries",
    "time-limits",
    "security",
)
MEASURES = ("roles", "second-factor", "devices", "break-glass", "invitations", "after-treatment", "login")
MEASURED: dict[str, str | int] = {
    "count": 13,
    "policy": "3f2a",
    "roles": "admin dpo",
    "enrolled": 4,
    "revoked": 1,
    "minutes": 5,
    "hours": 4,
    "days": 90,
}


def incident(stage: Stage = Stage.FINAL, integrity: Integrity = SOUND) -> Incident:
    values: dict[str, dict[str, str | int]] = {
        "window": {"begins": "2026-10-17T00:00:00Z", "ends": "2026-10-18T00:00:00Z"},
        "persons": {"patients": 3},
        "acts": {"acts": 3, "objects": 400, "bytes": 123_456},
        "ledger": {"sound": int(integrity.sound), "last": 8},
    }
    said = {"cause": HOSTILE, "measures": "the login was revoked"}
    known = {*values, *said, "categories"} - (set() if integrity.sound else {"ledger"})
    return Incident(
        institution="north",
        origin="north.example/ledger",
        software="1.0",
        stage=stage,
        begins_at="2026-10-17T00:00:00Z",
        ends_at="2026-10-18T00:00:00Z",
        closed=integrity.sound,
        cause=HOSTILE,
        integrity=integrity,
        narrowed=(Point("actor-department", {"department": HOSTILE}), Point("actions", {"actions": "study:read"})),
        totals=(Point("patients", {"count": 3}), Point("acts", {"count": 3})),
        categories=(Point("pictures", {"count": 3}), Point("special", {"count": 1, "labels": "vip"})),
        tables=(Table("action", ("action", "acts"), (("study:read", 3),)), Table("department", ("department", "acts"))),
        items=tuple(Item(name, name in known, said.get(name, ""), values.get(name, {})) for name in DEMANDED[stage]),
        blind_spots=BLIND_SPOTS,
        persons=Table("persons", ("patient",), ((str(UUID(int=77)),), (NO_PURPOSE,))) if integrity.sound else None,
    )
