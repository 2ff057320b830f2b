"""What an incident is: a window, a cause, and what each stage has to say of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from pacs_secure.core.access import Action
from pacs_secure.core.errors import Malformed
from pacs_secure.core.incidents import DEMANDED, LONGEST_TEXT, MOST_STUDIES, SAYABLE, Stage, Suspicion
from tests.builders import draft

BEGINS = datetime(2026, 10, 17, tzinfo=UTC)
WHOLE = Suspicion(BEGINS, BEGINS + timedelta(days=1), "a stolen token", Stage.EARLY)


def test_a_whole_suspicion_is_taken() -> None:
    replace(WHOLE, statements={"measures": "the login was revoked"}).demand_whole()


@pytest.mark.parametrize(
    "wrong",
    [
        {"begins_at": BEGINS.replace(tzinfo=None), "ends_at": BEGINS.replace(tzinfo=None) + timedelta(days=1)},
        {"ends_at": BEGINS},
        {"ends_at": BEGINS + timedelta(days=400)},
        {"begins_at": datetime.min.replace(tzinfo=UTC), "ends_at": datetime.max.replace(tzinfo=UTC)},
        {"cause": "  "},
        {"cause": "x" * (LONGEST_TEXT + 1)},
        {"statements": {"measures": "x" * (LONGEST_TEXT + 1)}},
        {"statements": {"weather": "fine"}},
        {"studies": ("1.2",) * (MOST_STUDIES + 1)},
    ],
    ids="-".join,
)
def test_what_no_report_can_be_made_of_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        replace(WHOLE, **wrong).demand_whole()  # type: ignore[arg-type]


def test_an_act_belongs_to_it_by_time_department_and_kind() -> None:
    act = replace(draft(at=BEGINS, action=Action.STUDY_READ), patient_alias=uuid4(), department="surgery")

    assert WHOLE.touches(act)
    assert not WHOLE.touches(replace(act, at=WHOLE.ends_at))
    assert not replace(WHOLE, actor_department="cardiology").touches(act)
    assert replace(WHOLE, actor_department="surgery").touches(act)
    assert not replace(WHOLE, actions=frozenset({Action.SESSION_OPEN})).touches(act)
    assert replace(WHOLE, actions=frozenset({Action.STUDY_READ})).touches(act)
    assert not WHOLE.touches(replace(act, patient_alias=None))
    assert WHOLE.touches(replace(act, patient_alias=None, action=Action.STUDY_SEARCH)), "a search finds names"


def test_every_stage_says_what_gdpr_33_asks_for_as_soon_as_it_can() -> None:
    early, notification, final = (set(DEMANDED[stage]) for stage in Stage)

    assert {"persons", "acts", "categories", "contact", "consequences", "measures"} <= notification <= final
    assert {"cause", "attack", "cross-border"} <= early <= final
    assert final >= SAYABLE
