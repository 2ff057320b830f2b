"""The policy decision point, its reload, and the policies it will not load."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pacs_secure.adapters.casbin_policy import CasbinPolicy
from pacs_secure.core.access import LABELS, Action, Door, Purpose, Reach, Relation, Role, Safeguard, Subject
from pacs_secure.core.errors import Malformed, Unavailable
from pacs_secure.core.identifiers import Institution

SHIPPED = Path(__file__).parents[3] / "policies"
DEPARTMENT_RULE = "p, clinician, study:search study:read share:create board:admit, TREAT, department, -, allow"
NOBODY_KNOWN = frozenset({Relation.NONE})


def subject(role: Role) -> Subject:
    return Subject("somebody", role, Institution("north"), "radiology", Door.WEB, "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "policies"))


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_decision_names_the_rule_and_the_version_that_made_it() -> None:
    policy = CasbinPolicy(SHIPPED)

    decision = policy.decide(
        subject(Role.CLINICIAN), Action.STUDY_READ, Purpose.TREATMENT, frozenset({Relation.DEPARTMENT, Relation.NONE})
    )

    assert decision.allowed
    assert decision.rule == DEPARTMENT_RULE
    assert decision.policy_version == policy.version
    assert len(policy.version) == 16


def test_a_study_without_any_relation_is_reached_by_nobody() -> None:
    decision = CasbinPolicy(SHIPPED).decide(
        subject(Role.RADIOLOGIST), Action.STUDY_READ, Purpose.TREATMENT, frozenset()
    )

    assert not decision.allowed


def test_what_no_rule_allows_is_refused_by_default() -> None:
    decision = CasbinPolicy(SHIPPED).decide(
        subject(Role.STRANGER), Action.LEDGER_VERIFY, Purpose.OPERATIONS, NOBODY_KNOWN
    )

    assert (decision.allowed, decision.may_know, decision.rule) == (False, True, "default deny")


def test_a_study_out_of_reach_is_hidden_and_not_refused() -> None:
    decision = CasbinPolicy(SHIPPED).decide(subject(Role.CLINICIAN), Action.STUDY_READ, Purpose.TREATMENT, NOBODY_KNOWN)

    assert (decision.allowed, decision.may_know) == (False, False)


def test_a_study_within_reach_for_another_purpose_is_refused_and_not_hidden() -> None:
    decision = CasbinPolicy(SHIPPED).decide(
        subject(Role.CLINICIAN), Action.STUDY_READ, Purpose.HEALTH_RESEARCH, frozenset({Relation.DEPARTMENT})
    )

    assert (decision.allowed, decision.may_know) == (False, True)


def test_a_deny_wins_over_an_allow(folder: Path) -> None:
    with (folder / "policy.csv").open("a", encoding="utf-8") as rules:
        rules.write("p, radiologist, study:read, TREAT, *, *, deny\n")

    decision = CasbinPolicy(folder).decide(
        subject(Role.RADIOLOGIST), Action.STUDY_READ, Purpose.TREATMENT, NOBODY_KNOWN
    )

    assert not decision.allowed
    assert decision.rule == "p, radiologist, study:read, TREAT, *, *, deny"


def test_a_search_is_told_how_far_it_reaches() -> None:
    policy = CasbinPolicy(SHIPPED)
    explicit = LABELS | {Safeguard.ENDED}

    clinician = policy.reaches(subject(Role.CLINICIAN), Action.STUDY_SEARCH, Purpose.TREATMENT)
    researcher = policy.reaches(subject(Role.RESEARCHER), Action.STUDY_SEARCH, Purpose.HEALTH_RESEARCH)

    assert clinician == {
        Reach(Relation.DEPARTMENT, frozenset()),
        Reach(Relation.TREATING, explicit),
        Reach(Relation.INVITED, explicit),
        Reach(Relation.EMERGENCY, frozenset(Safeguard)),
    }
    assert researcher == frozenset()


def test_two_rules_that_pass_different_safeguards_do_not_add_up(folder: Path) -> None:
    with (folder / "policy.csv").open("a", encoding="utf-8") as rules:
        rules.write("p, clinician, study:read, TREAT, department, vip, allow\n")
        rules.write("p, clinician, study:read, TREAT, department, ended, allow\n")
    policy = CasbinPolicy(folder)

    def may(*safeguards: Safeguard) -> bool:
        near = frozenset({Relation.DEPARTMENT})
        clinician = subject(Role.CLINICIAN)
        return policy.decide(clinician, Action.STUDY_READ, Purpose.TREATMENT, near, frozenset(safeguards)).allowed

    assert may()
    assert may(Safeguard.VIP)
    assert may(Safeguard.ENDED)
    assert not may(Safeguard.VIP, Safeguard.ENDED)


@pytest.mark.parametrize(
    ("role", "action", "purpose", "needed"),
    [
        (Role.DPO, Action.LEDGER_VERIFY, Purpose.OPERATIONS, True),
        (Role.CLINICIAN, Action.STUDY_READ, Purpose.TREATMENT, False),
        (Role.CLINICIAN, Action.STUDY_READ, Purpose.BREAK_GLASS, True),
        (Role.CLINICIAN, Action.BREAK_GLASS_OPEN, Purpose.TREATMENT, True),
    ],
)
def test_oversight_and_the_broken_glass_need_a_second_factor(
    role: Role, action: Action, purpose: Purpose, *, needed: bool
) -> None:
    assert CasbinPolicy(SHIPPED).needs_second_factor(subject(role), action, purpose) is needed


@pytest.mark.parametrize(
    ("role", "purpose"),
    [
        (Role.CLINICIAN, Purpose.TREATMENT),
        (Role.DPO, Purpose.OPERATIONS),
        (Role.ADMIN, Purpose.SYSTEM_ADMINISTRATION),
        (Role.RESEARCHER, None),
        (Role.STRANGER, None),
    ],
)
def test_a_role_acts_for_its_declared_purpose_or_must_name_one(role: Role, purpose: Purpose | None) -> None:
    assert CasbinPolicy(SHIPPED).default_purpose(subject(role)) == purpose


def test_a_reload_replaces_the_rules_whole(folder: Path) -> None:
    policy = CasbinPolicy(folder)
    before = policy.version
    change(folder / "policy.csv", DEPARTMENT_RULE + "\n", "")

    after = policy.replace(folder)
    decision = policy.decide(
        subject(Role.CLINICIAN), Action.STUDY_READ, Purpose.TREATMENT, frozenset({Relation.DEPARTMENT})
    )

    assert before != after == policy.version == decision.policy_version
    assert not decision.allowed


def test_a_reload_that_fails_leaves_the_old_rules_in_force(folder: Path) -> None:
    policy = CasbinPolicy(folder)
    before = policy.version
    change(folder / "policy.csv", "p, clinician", "p, cinician")

    with pytest.raises(Malformed):
        policy.replace(folder)

    assert policy.version == before


def test_an_unchanged_folder_keeps_its_version(folder: Path) -> None:
    assert CasbinPolicy(folder).version == CasbinPolicy(SHIPPED).version


def edit(name: str, old: str, new: str) -> Callable[[Path], object]:
    return lambda folder: change(folder / name, old, new)


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def append(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text((folder / name).read_text() + text)


MANY = "p, clinician, study:read, TREAT, own, -, allow\n" * 50


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (append("policy.csv", "p, clinician, study:read, TREAT\n"), "must be p, role"),
        (append("policy.csv", "g, clinician, study:read, TREAT, own, -, allow\n"), "must be p, role"),
        (append("policy.csv", "p, clinician, study:peek, TREAT, own, -, allow\n"), "unknown word"),
        (append("policy.csv", "p, wizard, study:read, TREAT, own, -, allow\n"), "unknown word"),
        (append("policy.csv", "p, clinician, study:read, FUN, own, -, allow\n"), "unknown word"),
        (append("policy.csv", "p, clinician, study:read, TREAT, foe, -, allow\n"), "unknown word"),
        (append("policy.csv", "p, clinician, study:read, TREAT, own, -, maybe\n"), "unknown word"),
        (append("policy.csv", "p, clinician, study:read, TREAT, own, *, deny\n"), "every relation"),
        (append("policy.csv", "p, clinician, study:read, TREAT, *, vip, deny\n"), "every relation"),
        (append("policy.csv", "p, clinician, study:read, TREAT, own, king, allow\n"), "unknown word"),
        (append("policy.csv", "p, clinician, , TREAT, own, -, allow\n"), "unknown word"),
        (append("policy.csv", "p, dpo, policy:propose, HOPERAT, none, *, allow\n"), "duties are separate"),
        (append("policy.csv", "p, clinician, break-glass:review, TREAT, none, *, allow\n"), "duties are separate"),
        (append("policy.csv", MANY), "at most 50"),
        (edit("roles.csv", "role,groups", "role,group"), "columns"),
        (edit("roles.csv", "stranger,,,no", "stranger,,"), "columns"),
        (edit("roles.csv", "stranger,,", "wizard,,"), "unknown role"),
        (edit("roles.csv", "stranger,,,no", "stranger,,,perhaps"), "unknown role"),
        (edit("roles.csv", "stranger,,", "admin,,"), "each role once"),
        (edit("roles.csv", "stranger,,,no\n", ""), "each role once"),
        (edit("model.conf", "&& !some(where (p.eft == deny))", ""), "a deny must win"),
        (edit("model.conf", "r = role, action", "r = action, role"), "a deny must win"),
        (edit("model.conf", " && covers(p.despite, r.safeguards)", ""), "a deny must win"),
        (edit("model.conf", "[matchers]", "[matches]"), "a deny must win"),
        (edit("model.conf", "[policy_effect]", "policy_effect"), "no casbin model"),
        (write("policy.csv", "# nothing\n"), "empty"),
        (lambda folder: (folder / "policy.csv").unlink(), "lacks"),
    ],
)
def test_files_that_form_no_policy_are_not_loaded(
    folder: Path, spoil: Callable[[Path], object], complaint: str
) -> None:
    spoil(folder)

    with pytest.raises(Malformed, match=complaint):
        CasbinPolicy(folder)


@pytest.mark.parametrize("role", ["admin", "dpo", "officer", "operator"])
@pytest.mark.parametrize("action", ["study:read", "study:search"])
def test_a_policy_that_shows_pictures_to_oversight_is_not_loaded(folder: Path, role: str, action: str) -> None:
    change(folder / "policy.csv", "p, overseer, study:create study:search study:read", "p, overseer, study:create")
    append("policy.csv", f"p, {role}, {action}, BTG, own, -, allow\n")(folder)

    with pytest.raises(Malformed, match="oversight never sees pictures"):
        CasbinPolicy(folder)


def test_a_policy_that_cannot_be_read_is_out_of_reach(folder: Path) -> None:
    (folder / "roles.csv").write_bytes(b"\xff\xfe")

    with pytest.raises(Unavailable):
        CasbinPolicy(folder)


def test_decisions_leave_no_line_in_any_log(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)

    policy = CasbinPolicy(SHIPPED)
    policy.decide(subject(Role.CLINICIAN), Action.STUDY_READ, Purpose.TREATMENT, NOBODY_KNOWN)

    assert not caplog.records
    assert capfd.readouterr() == ("", "")
