"""A broken glass stays open in the report until somebody judged it (ACC-06)."""

from datetime import timedelta
from uuid import uuid4

from pacs_secure.archive.report.emergencies import BrokenGlasses
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.vocabulary import Action
from tests.unit.archive.report.entries import EMERGENCY_RULE, NOON, entry, rows

PATIENT = uuid4()


def opened(name: str, days: int = 0) -> Draft:
    facts = {"emergency": name, "ends_at": "2026-10-07T16:00:00+00:00"}
    at = NOON + timedelta(days=days)
    return entry(Outcome.COMPLETED, action=Action.BREAK_GLASS_OPEN, patient=PATIENT, facts=facts, at=at)


def reviewed(name: str, judgement: str = "justified", outcome: Outcome = Outcome.COMPLETED) -> Draft:
    facts = {"emergency": name, "judgement": judgement}
    return entry(outcome, action=Action.BREAK_GLASS_REVIEW, who="d.schutz", facts=facts, at=NOON + timedelta(days=2))


def test_it_is_open_until_it_is_judged() -> None:
    glasses = BrokenGlasses()
    glasses.add(opened("one"))
    glasses.add(reviewed("one", outcome=Outcome.REFUSED))

    assert [row["review"] for row in rows(glasses.table())] == ["open"]
    assert glasses.unreviewed() == 1

    glasses.add(reviewed("one", "not justified"))

    (row,) = rows(glasses.table())
    assert (row["review"], row["reviewed_at"], row["until"]) == (
        "not justified",
        "2026-10-09T12:00:00Z",
        "2026-10-07T16:00:00",
    )
    assert glasses.unreviewed() == 0


def test_what_was_read_in_it_is_counted() -> None:
    glasses = BrokenGlasses()
    glasses.add(opened("one"))
    read = entry(patient=PATIENT, rule=EMERGENCY_RULE)
    for one in (read, read, entry(Outcome.COMPLETED, patient=PATIENT, rule=EMERGENCY_RULE), entry(patient=PATIENT)):
        glasses.add(one)

    assert [row["reads"] for row in rows(glasses.table())] == [2]


def test_one_from_before_the_period_is_listed_while_it_waits_and_no_longer() -> None:
    glasses = BrokenGlasses()
    glasses.before(opened("waits", -30))
    glasses.before(opened("judged", -29))
    glasses.before(reviewed("judged"))
    glasses.before(reviewed("of a time that is not kept any more"))

    assert [row["at"] for row in rows(glasses.table())] == ["2026-09-07T12:00:00Z"]
