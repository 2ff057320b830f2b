"""What would turn a decision: whatever is named does, and nothing lighter was left out."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_secure.archive.turning import _applied, _possible, turned_by
from pacs_secure.core.access import AccessRequest, Action, Assurance, Purpose, Relation, Role, Safeguard
from pacs_secure.core.errors import ArchiveError
from pacs_secure.core.explanation import Change, ChangeKind
from tests.builders import ELSEWHERE, NOW, TWICE_PROVEN, study_facts, subject
from tests.world import memory_world

GUARD = memory_world().archive.guard
PURPOSES = [*Purpose]
TIES = [Relation.TREATING, Relation.REFERRING, Relation.INVITED, Relation.EMERGENCY]

requests = st.builds(
    AccessRequest,
    st.builds(
        subject,
        st.sampled_from(sorted(Role)),
        department=st.sampled_from(["", "radiology", "surgery"]),
        assurance=st.sampled_from([Assurance(), TWICE_PROVEN]),
    ),
    st.sampled_from(sorted(Action)),
    st.sampled_from([None, *PURPOSES]),
    st.one_of(
        st.none(),
        st.builds(
            study_facts,
            of=st.sampled_from(["north", "north", "south"]),
            relations=st.frozensets(st.sampled_from(TIES), max_size=1),
            safeguards=st.frozensets(st.sampled_from(sorted(Safeguard)), max_size=2),
            held=st.booleans(),
        ),
    ),
)


def of(
    role: Role, action: Action = Action.STUDY_READ, *, purpose: Purpose = Purpose.TREATMENT, **study: object
) -> AccessRequest:
    facts = study_facts(**study) if study else None  # type: ignore[arg-type]
    return AccessRequest(subject(role, assurance=Assurance()), action, purpose, facts)


def said(request: AccessRequest) -> list[str]:
    found = turned_by(GUARD.judge, request, GUARD._now())
    return [" and ".join(change.said for change in together) for together in found]


@settings(max_examples=60, deadline=None)
@given(request=requests)
def test_whatever_is_named_turns_the_decision_and_pairs_are_named_only_when_nothing_turns_it_alone(
    request: AccessRequest,
) -> None:
    now = GUARD._now()
    allowed = GUARD.judge(request).allowed
    found = turned_by(GUARD.judge, request, now)

    for together in found:
        tried = request
        for change in together:
            tried = _applied(tried, change, now)
        assert GUARD.judge(tried).allowed is not allowed
    alone = [
        change for change in _possible(request) if GUARD.judge(_applied(request, change, now)).allowed is not allowed
    ]
    assert {len(together) for together in found} <= ({1} if alone else {2})
    assert len(found) == len(alone) or not alone


def test_the_decision_explained_is_the_one_that_is_made() -> None:
    for role, action, held in product(Role, Action, [True, False]):
        request = AccessRequest(
            subject(role, assurance=Assurance()), action, Purpose.OPERATIONS, study_facts(held=held)
        )
        try:
            GUARD.decide(request)
            made = True
        except ArchiveError:
            made = False
        assert GUARD.judge(request).allowed is made


@pytest.mark.parametrize(
    ("request_", "turns"),
    [
        (
            of(Role.CLINICIAN, department="surgery"),
            [
                "with the relation department",
                "with the relation emergency",
                "with the relation invited",
                "with the relation treating",
                "as radiologist",
            ],
        ),
        (
            of(Role.CLINICIAN, safeguards=[Safeguard.VIP]),
            [
                "with the relation emergency",
                "with the relation invited",
                "with the relation treating",
                "without the safeguard vip",
            ],
        ),
        (
            of(Role.RADIOLOGIST, safeguards=[Safeguard.RESTRICTED]),
            ["for the purpose PATRQT", "with the relation emergency", "without the safeguard restricted"],
        ),
        (of(Role.DPO, Action.LEDGER_VERIFY, purpose=Purpose.OPERATIONS), ["with a second factor", "as operator"]),
        (
            of(Role.OFFICER, Action.STUDY_ERASE, purpose=Purpose.OPERATIONS, held=True),
            ["with a second factor and without a legal hold"],
        ),
        (of(Role.REFERRER, department="surgery", safeguards=[Safeguard.VIP]), ["with the relation invited"]),
    ],
)
def test_what_would_turn_it_is_what_a_reader_of_the_policy_would_say(request_: AccessRequest, turns: list[str]) -> None:
    assert said(request_) == turns


def test_breaking_the_glass_wants_a_second_factor_and_a_fresh_login() -> None:
    assert said(of(Role.CLINICIAN, Action.BREAK_GLASS_OPEN, purpose=Purpose.BREAK_GLASS)) == [
        "with a second factor and with a fresh login"
    ]


def test_a_device_comes_by_no_tie_and_becomes_no_person() -> None:
    changes = [*_possible(of(Role.MODALITY, department="surgery"))]

    assert {one.value for one in changes if one.kind is ChangeKind.RELATION} == {"department"}
    assert {one.value for one in changes if one.kind is ChangeKind.ROLE} == {"workstation"}


def test_into_another_house_leads_nothing_but_an_invitation() -> None:
    changes = [*_possible(of(Role.CLINICIAN, of=ELSEWHERE))]

    assert [one for one in changes if one.kind is ChangeKind.RELATION] == [Change(ChangeKind.RELATION, "invited")]


def test_what_nothing_turns_is_said_to_be_so() -> None:
    assert turned_by(lambda _: GUARD.judge(of(Role.STRANGER)), of(Role.STRANGER), NOW) == ()
