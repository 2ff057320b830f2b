"""Every act is an audit event, with codes that are the standard's own."""

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from pacs_secure.core import audit_codes
from pacs_secure.core.audit import Outcome
from pacs_secure.core.audit_codes import DCM, Code
from pacs_secure.core.audit_events import EVENTS, INDICATORS, AuditEvent, Deed, Flow, Pattern, event_of
from pacs_secure.core.vocabulary import Action
from tests.audit_drafts import draft_of

STANDARD: Mapping[str, Mapping[str, str]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "dicom-audit-codes.json").read_text(encoding="utf-8")
)


def event(action: Action, outcome: Outcome = Outcome.COMPLETED, **facts: str) -> AuditEvent:
    return event_of(replace(draft_of(action, outcome), facts={**facts}))


def test_every_action_has_a_row_and_every_outcome_an_indicator() -> None:
    assert set(EVENTS) == set(Action)
    assert set(INDICATORS) == set(Outcome)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("outcome", Outcome)
def test_every_act_is_an_event_however_it_came_out(action: Action, outcome: Outcome) -> None:
    found = event(action, outcome)

    assert found.event_id in audit_codes.EVENT_IDS
    assert set(found.types) <= set(audit_codes.EVENT_TYPES)
    assert bool(found.types) == (found.event_id in (audit_codes.SECURITY_ALERT, *_TYPED))
    assert found.pattern is Pattern.NONE or outcome is Outcome.COMPLETED


LAUNCHED = {Action.SYSTEM_START, Action.SYSTEM_STOP}
_TYPED = (audit_codes.APPLICATION_ACTIVITY, audit_codes.USER_AUTHENTICATION)


@pytest.mark.parametrize("action", Action)
def test_an_event_that_follows_a_pattern_does_what_the_pattern_says(action: Action) -> None:
    found = event(action)

    deeds = {
        Pattern.CREATE: (Deed.CREATE, Flow.IN),
        Pattern.READ: (Deed.READ, Flow.OUT),
        Pattern.UPDATE: (Deed.UPDATE, Flow.IN),
        Pattern.DELETE: (Deed.DELETE, Flow.NONE),
        Pattern.QUERY: (Deed.EXECUTE, Flow.IN),
        Pattern.NONE: (Deed.EXECUTE, Flow.LAUNCH if action in LAUNCHED else Flow.NONE),
    }
    assert (found.deed, found.flow) == deeds[found.pattern]


def test_every_code_stands_in_the_standard_with_that_meaning() -> None:
    codes = (
        ("CID 400", audit_codes.EVENT_IDS),
        ("CID 401", audit_codes.EVENT_TYPES),
        ("CID 402", audit_codes.ROLES),
        ("CID 404", audit_codes.OBJECT_IDS),
        ("RFC-3881", (audit_codes.PATIENT_NUMBER, audit_codes.SEARCH_CRITERIA, audit_codes.URI)),
    )
    for group, used in codes:
        assert {code.value: code.meaning for code in used}.items() <= STANDARD[group].items()
        assert {code.scheme for code in used} == {group if group.startswith("RFC") else DCM}


def test_no_code_is_named_beside_the_lists() -> None:
    named = {one for one in vars(audit_codes).values() if isinstance(one, Code) and one.scheme == DCM}

    listed = chain(audit_codes.EVENT_IDS, audit_codes.EVENT_TYPES, audit_codes.ROLES, audit_codes.OBJECT_IDS)
    assert named == set(listed)


def test_a_message_has_the_action_code_that_the_standard_fixes_for_it() -> None:
    fixed = {
        "110100": "E", "110101": "R", "110102": "E", "110105": "D", "110112": "E", "110113": "E", "110114": "E",
    }  # fmt: skip
    free = {"110104": set("CRU")}

    for action in Action:
        for outcome in Outcome:
            found = event(action, outcome)
            allowed = free.get(found.event_id.value) or {fixed[found.event_id.value]}
            assert found.event_action.value in allowed


def test_whatever_was_refused_is_an_alert_but_a_login_that_failed() -> None:
    for action in Action:
        found = event(action, Outcome.REFUSED)
        login = action in {Action.SESSION_AUTHENTICATE, Action.SESSION_OPEN, Action.SESSION_END}
        assert found.event_id.value == ("110114" if login else "110113")
        assert found.types


def test_a_transfer_begins_and_ends_with_events_of_their_own() -> None:
    assert event(Action.STUDY_READ, Outcome.BEGUN).event_id.value == "110102"
    assert event(Action.STUDY_READ).event_id.value == "110104"
    assert event(Action.STUDY_READ, Outcome.FAILED).event_id.value == "110104"


def test_a_refused_association_is_a_failed_authentication_of_a_node() -> None:
    refused = event(Action.ASSOCIATION_OPEN, Outcome.REFUSED)

    assert (refused.event_id.value, [kind.value for kind in refused.types]) == ("110113", ["110126"])


def test_what_only_looked_is_no_change() -> None:
    assert event(Action.STUDY_CLASSIFY, facts="shown").deed is Deed.READ
    assert event(Action.STUDY_CLASSIFY, Outcome.BEGUN, facts="shown").deed is Deed.READ
    assert event(Action.STUDY_CLASSIFY, facts="changed").deed is Deed.UPDATE
    assert event(Action.CARE_GRANT, care="listed").deed is Deed.READ
    assert event(Action.CARE_GRANT).deed is Deed.UPDATE
