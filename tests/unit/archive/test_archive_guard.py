"""The Guard: decided, recorded, and only then allowed; a refusal is on record before anyone hears of it."""

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from pacs_secure.archive.noticing import told_by
from pacs_secure.core.access import Action, Assurance, Door, Purpose, Relation, Role, Safeguard, Subject, relations_of
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import ArchiveError, Denied, Held, Hidden, NotFound, Unavailable
from pacs_secure.core.notices import NoticeKind
from pacs_secure.crypto.index_seal import DetailsSeal
from pacs_secure.crypto.tlog import read_draft
from pacs_secure.ports import Shelf
from tests.builders import ELSEWHERE, HERE, draft, request, study_facts, subject
from tests.unit.archive.instances import acts
from tests.world import World

SEPARATION = "p, overseer, study:create study:search study:read share:create board:admit, *, *, *, deny"
DERMATOLOGIST = subject(Role.CLINICIAN, department="dermatology")


def test_a_grant_is_given_only_after_its_record_is_in_the_ledger(world: World) -> None:
    study = study_facts()
    grant = world.archive.guard.admit(replace(request(Action.STUDY_READ, study=study), objects=3))

    (entry,) = world.entries()
    assert (entry["outcome"], entry["action"], entry["act"]) == ("begun", "study:read", str(grant.act))
    assert (entry["study"], entry["patient"]) == (str(study.alias), str(study.patient_alias))
    assert entry["facts"] == {"objects": 3}
    assert datetime.fromisoformat(entry["at"]) <= grant.recorded_at <= datetime.now(UTC)
    assert grant.covers(HERE, study.study_instance_uid)
    assert grant.scope.reaches == frozenset(), "only a search has a scope"


def test_no_record_no_grant(world: World) -> None:
    world.archive.guard.admit(request(Action.STUDY_READ))  # the ledger key is in memory now
    world.ledger.down = True

    with pytest.raises(Unavailable):
        world.archive.guard.admit(request(Action.STUDY_READ, study=study_facts()))


def test_a_permit_is_not_recorded_yet_its_record_shares_the_commit_of_the_change(world: World) -> None:
    permit = world.archive.guard.decide(request(Action.STUDY_CREATE))

    assert world.entries() == []
    assert world.archive.guard.draft(permit, Outcome.BEGUN, {}).act == permit.act


@pytest.mark.parametrize(
    ("role", "department", "action", "purpose", "error", "rule"),
    [
        (Role.RESEARCHER, "radiology", Action.STUDY_READ, None, Denied, "no purpose of use"),
        (Role.CLINICIAN, "dermatology", Action.STUDY_READ, None, Hidden, "default deny"),
        (Role.DPO, "radiology", Action.STUDY_SEARCH, None, Denied, SEPARATION),
        (Role.RADIOLOGIST, "radiology", Action.LEDGER_VERIFY, None, Denied, "default deny"),
        (Role.STRANGER, "", Action.STUDY_SEARCH, Purpose.TREATMENT, Denied, "default deny"),
    ],
)
def test_a_refusal_is_on_record_before_the_caller_hears_of_it(
    world: World,
    role: Role,
    department: str,
    action: Action,
    purpose: Purpose | None,
    error: type[ArchiveError],
    rule: str,
) -> None:
    by = subject(role, department=department)
    study = study_facts() if action is Action.STUDY_READ else None

    with pytest.raises(ArchiveError) as refused:
        world.archive.guard.admit(request(action, by, study=study, purpose=purpose))

    assert type(refused.value) is error
    (entry,) = world.entries()
    assert (entry["outcome"], entry["action"], entry["rule"]) == ("refused", action.value, rule)
    assert entry["policy"] == world.house.engines.policy.version


@pytest.mark.parametrize("by", [subject(Role.RESEARCHER), DERMATOLOGIST])
def test_a_refusal_that_cannot_be_recorded_is_unavailable(world: World, by: Subject) -> None:
    world.ledger.down = True

    with pytest.raises(Unavailable):
        world.archive.guard.decide(request(Action.STUDY_READ, by, study=study_facts(), purpose=None))


def test_another_institution_s_study_is_hidden_whatever_the_policy_says(world: World) -> None:
    with pytest.raises(Hidden):
        world.archive.guard.admit(request(Action.STUDY_READ, study=study_facts(of=ELSEWHERE)))

    assert world.entries()[0]["rule"] == "institutions are strictly apart"


def test_whoever_names_no_purpose_acts_for_that_of_the_role(world: World) -> None:
    permit = world.archive.guard.decide(request(Action.STUDY_CREATE, purpose=None))

    assert permit.request.purpose is Purpose.TREATMENT


def test_what_is_refused_before_any_decision_is_recorded_with_the_purpose_of_the_role(world: World) -> None:
    error = world.archive.guard.not_found(request(Action.STUDY_READ, purpose=None))

    assert type(error) is NotFound
    (entry,) = world.entries()
    assert (entry["outcome"], entry["facts"]["error"], entry["purpose"]) == ("refused", "NotFound", "TREAT")


def test_a_stranger_is_recorded_without_a_purpose(world: World) -> None:
    stranger = subject(Role.STRANGER, identifier="unknown", department="")
    world.archive.guard.refuse(request(Action.SESSION_AUTHENTICATE, stranger, purpose=None), {"error": "any"})

    (entry,) = world.entries()
    assert "purpose" not in entry
    assert entry["role"] == "stranger"


def test_an_entry_names_nobody_in_clear_and_everybody_to_the_holder_of_the_ledger_key(world: World) -> None:
    asked = replace(
        request(Action.STUDY_SEARCH, subject(identifier="r.weber")), private={"PatientName": "Doe"}, details={"a": "b"}
    )
    world.archive.guard.admit(asked)

    (kept,) = world.ledger.kept
    assert b"weber" not in kept.content
    assert b"Doe" not in kept.content
    written = read_draft(kept.content)
    assert written.details is not None
    assert written.facts == {"a": "b", "objects": 0}
    (key,) = world.keyring.fetch(HERE, Shelf.LEDGER, [written.details.key_id]).values()
    seal = DetailsSeal(key.key)
    assert orjson.loads(seal.open(written.act, written.details.box)) == {"subject": "r.weber", "PatientName": "Doe"}
    assert written.actor == world.archive.search.seals.details(HERE).pseudonym(HERE, "r.weber")


def test_one_subject_has_one_pseudonym_and_another_has_another(world: World) -> None:
    for identifier in ("one", "one", "other"):
        world.archive.guard.admit(request(Action.STUDY_SEARCH, subject(identifier=identifier)))

    one, again, other = (entry["actor"] for entry in world.entries())
    assert one == again != other


def test_while_the_vault_is_away_and_the_ledger_key_unknown_nothing_is_admitted(world: World) -> None:
    world.keyring.sealed = True

    with pytest.raises(Unavailable):
        world.archive.guard.admit(request(Action.STUDY_SEARCH))
    assert world.entries() == []


def test_while_the_vault_is_away_refusals_and_verifications_are_recorded_without_their_actor(world: World) -> None:
    world.keyring.sealed = True
    guard = world.archive.guard

    with pytest.raises(Denied):
        guard.admit(request(Action.STUDY_SEARCH, subject(Role.DPO), purpose=None))
    guard.admit(request(Action.LEDGER_VERIFY, subject(Role.DPO, door=Door.COMMAND_LINE), purpose=None))

    assert acts(world) == [("study:search", "refused"), ("ledger:verify", "begun")]
    assert all(entry["actor"] == "" and "details" not in entry for entry in world.entries())


def test_a_ledger_key_once_met_outlives_an_outage_of_the_vault(world: World) -> None:
    world.archive.guard.admit(request(Action.STUDY_SEARCH))
    world.keyring.sealed = True
    world.house.drop_keys()

    with pytest.raises(Hidden):
        world.archive.guard.admit(request(Action.STUDY_READ, DERMATOLOGIST, study=study_facts(), purpose=None))
    assert world.entries()[-1]["actor"]


def test_an_outcome_ends_the_act_that_it_belongs_to(world: World) -> None:
    guard = world.archive.guard
    grant = guard.admit(request(Action.STUDY_READ, study=study_facts()))
    guard.finish(grant, Outcome.COMPLETED, {"bytes": 7})

    begun, ended = world.entries()
    assert (ended["act"], ended["study"], ended["facts"]) == (begun["act"], begun["study"], {"bytes": 7})
    assert world.records.open_acts(datetime.now(UTC)) == []


def test_an_outcome_may_name_the_study_that_only_the_commit_knew(world: World) -> None:
    permit = world.archive.guard.decide(request(Action.STUDY_CREATE))
    study = study_facts()

    assert world.archive.guard.draft(permit, Outcome.COMPLETED, {}, study).study_alias == study.alias


def test_a_delivery_that_is_over_fails_nobody_when_its_outcome_cannot_be_recorded(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    grant = world.archive.guard.admit(request(Action.STUDY_READ, study=study_facts()))
    world.ledger.down = True
    world.archive.guard.finish_later(grant, Outcome.COMPLETED, {})
    world.ledger.down = False

    assert "could not be recorded" in caplog.text
    assert [left.act for left in world.records.open_acts(datetime.now(UTC))] == [grant.act]


def test_an_act_that_a_crash_left_open_is_closed_in_the_words_it_was_begun_with(world: World) -> None:
    begun = draft(Outcome.BEGUN, facts={"objects": 2})
    closing = world.archive.guard.closing(begun, Outcome.ABORTED)

    assert closing.at > begun.at
    assert replace(closing, at=begun.at, outcome=begun.outcome, facts=begun.facts) == begun
    assert closing.facts == {"objects": 2, "closed": "after a crash"}


@pytest.mark.parametrize(
    ("department", "of_study", "held"),
    [
        ("radiology", "radiology", {Relation.NONE, Relation.TREATING, Relation.DEPARTMENT}),
        ("radiology", "surgery", {Relation.NONE, Relation.TREATING}),
        ("", "", {Relation.NONE, Relation.TREATING}),
    ],
)
def test_a_subject_is_related_to_studies_of_its_own_department(
    department: str, of_study: str, held: set[Relation]
) -> None:
    study = study_facts(department=of_study, relations=[Relation.TREATING])

    assert relations_of(subject(department=department), study, tied=True) == held
    assert relations_of(subject(department=department), study, tied=False) == held - {Relation.TREATING}


@pytest.mark.parametrize(
    ("role", "action", "purpose"),
    [
        (Role.DPO, Action.LEDGER_VERIFY, None),
        (Role.ADMIN, Action.DEVICE_ENROL, None),
        (Role.OFFICER, Action.STUDY_CLASSIFY, None),
        (Role.CLINICIAN, Action.BREAK_GLASS_OPEN, Purpose.BREAK_GLASS),
    ],
)
def test_oversight_and_the_broken_glass_are_for_those_who_proved_themselves_twice(
    world: World, role: Role, action: Action, purpose: Purpose | None
) -> None:
    now = datetime.now(UTC)
    once, twice = (
        subject(role, assurance=Assurance(second_factor=second_factor, logged_in_at=now))
        for second_factor in (False, True)
    )

    with pytest.raises(Denied, match="second factor"):
        world.archive.guard.decide(request(action, once, purpose=purpose))
    assert [(entry["outcome"], entry["rule"]) for entry in world.entries()] == [("refused", "no second factor")]
    world.archive.guard.decide(request(action, twice, purpose=purpose))


@pytest.mark.parametrize("action", [Action.SESSION_AUTHENTICATE, Action.SESSION_OPEN, Action.SESSION_END])
def test_coming_in_and_going_out_needs_no_second_factor(world: World, action: Action) -> None:
    world.archive.guard.decide(request(action, subject(Role.DPO, assurance=Assurance()), purpose=None))


def test_whoever_may_not_at_all_does_not_hear_of_a_second_factor(world: World) -> None:
    stranger = subject(Role.DPO, assurance=Assurance())

    with pytest.raises(Hidden):
        world.archive.guard.admit(request(Action.STUDY_READ, stranger, study=study_facts(), purpose=None))


def test_a_legal_hold_forbids_what_the_policy_would_allow(world: World) -> None:
    officer, guard = subject(Role.OFFICER), world.archive.guard

    guard.decide(request(Action.STUDY_ERASE, officer, study=study_facts(), purpose=None))
    with pytest.raises(Held):
        guard.decide(request(Action.STUDY_ERASE, officer, study=study_facts(held=True), purpose=None))
    guard.decide(request(Action.STUDY_CLASSIFY, officer, study=study_facts(held=True), purpose=None))
    assert [(entry["outcome"], entry["rule"]) for entry in world.entries()] == [("refused", "legal hold")]


def test_an_explanation_decides_alike_and_records_nothing(world: World) -> None:
    guard = world.archive.guard
    mine, theirs = study_facts(), study_facts(of=ELSEWHERE)

    assert guard.judge(request(Action.STUDY_READ, study=mine)).allowed
    assert not guard.judge(request(Action.STUDY_READ, study=theirs)).allowed
    assert guard.judge(request(Action.STUDY_READ, subject(Role.RESEARCHER), purpose=None)).rule == "no purpose of use"
    assert world.entries() == []


def test_a_labelled_study_says_so_in_its_entries(world: World) -> None:
    study = study_facts(relations=[Relation.TREATING], safeguards=[Safeguard.VIP, Safeguard.STAFF])
    world.archive.guard.admit(request(Action.STUDY_READ, study=study))

    assert world.entries()[0]["facts"]["protected"] == "staff vip"


def test_an_alarm_is_recorded_and_told_to_the_officer_in_one_commit(world: World) -> None:
    world.archive.guard.alarm(HERE, "unwitnessed", {"seconds": 61})
    world.archive.guard.alarm(HERE, "unwitnessed", {"recovered": "after 90 s"})

    raised, ended = world.entries()
    assert (raised["action"], raised["outcome"], raised["institution"]) == ("system:alarm", "failed", HERE)
    assert raised["facts"] == {"alarm": "unwitnessed", "seconds": 61}
    assert (raised["role"], raised["door"], raised["rule"]) == ("stranger", "job", "the archive itself")
    assert raised["actor"] == world.archive.guard.pseudonym(HERE, "archive")
    assert (ended["outcome"], ended["facts"]["recovered"]) == ("completed", "after 90 s")
    first, second = world.ledger.notices.values()
    assert (first.notice.kind, str(first.notice.about), first.number) == (NoticeKind.ALARM, raised["act"], 0)
    assert told_by(world.archive.search.seals, second.notice) == {"alarm": "unwitnessed", "recovered": "after 90 s"}


def test_an_alarm_that_cannot_be_told_is_not_recorded_either(world: World) -> None:
    world.archive.guard.pseudonym(HERE, "archive")  # the ledger key is in memory now
    world.keyring.sealed = True

    with pytest.raises(Unavailable):
        world.archive.guard.alarm(HERE, "unwitnessed", {})

    assert world.entries() == []


def test_the_archive_says_that_it_starts_and_stops_even_while_the_vault_is_away(world: World) -> None:
    world.keyring.sealed = True
    world.archive.guard.announce(HERE, Action.SYSTEM_START, {"version": "1"})
    world.keyring.sealed = False
    world.archive.guard.announce(HERE, Action.SYSTEM_STOP, {})

    started, stopped = world.entries()
    assert (started["action"], started["outcome"], started["facts"]) == ("system:start", "completed", {"version": "1"})
    assert (started["actor"], "details" in started) == ("", False)
    assert (stopped["action"], stopped["actor"]) == ("system:stop", world.archive.guard.pseudonym(HERE, "archive"))
