"""Policy changes: one proposes, another approves, and nothing that cannot be proven comes into force."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from pacs_secure.adapters.policy_check import check_policy
from pacs_secure.archive.policies import Policies
from pacs_secure.archive.policy_proofs import of_approval, of_proposal
from pacs_secure.core.access import AccessRequest, Action, Role, Subject
from pacs_secure.core.errors import (
    ArchiveError,
    Conflict,
    Denied,
    Malformed,
    NotFound,
    OverLimit,
    Tampered,
    Unavailable,
)
from pacs_secure.core.policies import LONGEST_TEXTS, ROLES, RULES, TRUTHS, Approval, Proposal
from pacs_secure.house import furnish
from tests.builders import ELSEWHERE, HERE, NOW, subject
from tests.unit.archive.instances import acts
from tests.unit.archive.test_archive_classification import details
from tests.world import World, shipped_policy

ADMIN = subject(Role.ADMIN, identifier="a.dmin")
DPO = subject(Role.DPO, identifier="d.schutz")
WHY = "technologists compare with old studies now"
OLD = "p, technologist, study:search study:read, TREAT, department, -, allow"
NEW = "p, technologist, study:search study:read, TREAT, department, ended, allow"
RULES_TEXT = shipped_policy().texts[RULES]
CHANGED = {RULES: RULES_TEXT.replace(OLD, NEW)}
TRUE = [f"technologist,study:{act},TREAT,department,allow,ended" for act in ("read", "search")]
SHIPPED = shipped_policy().version
VERSION = shipped_policy().version_of({**shipped_policy().texts, **CHANGED})


@pytest.fixture
def policies(world: World, monkeypatch: pytest.MonkeyPatch) -> Policies:
    assert CHANGED[RULES] != RULES_TEXT
    return world.archive.policies


def quick(policies: Policies) -> None:
    """Let every policy pass as sound: to read a whole truth table takes seconds."""
    policies._check = lambda _texts: []


def propose(policies: Policies, by: Subject = ADMIN) -> Proposal:
    return policies.propose(by, None, CHANGED, WHY, TRUE)


def another(world: World) -> Policies:
    """Return the same archive in another process, with the policy that ships."""
    return furnish(replace(world.house.engines, policy=shipped_policy())).archive.policies


def test_what_one_proposes_and_another_approves_is_in_force_at_once(world: World, policies: Policies) -> None:
    proposal = propose(policies)
    assert (proposal.version, proposal.replaces) == (VERSION, SHIPPED)
    assert world.house.engines.policy.version == SHIPPED

    in_force = policies.approve(DPO, None, VERSION)

    assert (in_force.version, world.house.engines.policy.version) == (VERSION, VERSION)
    assert in_force.since is not None
    assert TRUE[0] in in_force.texts[TRUTHS]
    assert check_policy(in_force.texts) == []
    assert [(e["action"], e["outcome"], e["policy"]) for e in world.entries()] == [
        ("policy:propose", "completed", SHIPPED),
        ("policy:approve", "completed", SHIPPED),
    ]
    proposed, approved = (entry["facts"] for entry in world.entries())
    assert (proposed["proposed"], proposed["replaces"]) == (VERSION, SHIPPED)
    assert (approved["old"], approved["new"], approved["sha256"]) == (SHIPPED, VERSION, proposed["sha256"])
    assert details(world, 0) == {"subject": "a.dmin", "reason": WHY}


def test_every_entry_names_the_version_that_was_in_force(world: World, policies: Policies) -> None:
    quick(policies)
    guard, ask = world.archive.guard, AccessRequest(DPO, Action.LEDGER_VERIFY, None)
    guard.admit(ask)
    propose(policies)
    guard.admit(ask)
    policies.approve(DPO, None, VERSION)
    guard.admit(ask)
    with pytest.raises(Denied):
        guard.admit(AccessRequest(ADMIN, Action.LEDGER_VERIFY, None))

    approved = acts(world).index(("policy:approve", "completed"))
    versions = [entry["policy"] for entry in world.entries()]
    assert versions == [SHIPPED] * (approved + 1) + [VERSION] * 2
    assert acts(world)[approved + 1 :] == [("ledger:verify", "begun"), ("ledger:verify", "refused")]


def test_a_policy_may_be_taken_back_the_same_way(world: World, policies: Policies) -> None:
    quick(policies)
    propose(policies)
    policies.approve(DPO, None, VERSION)
    back = policies.propose(ADMIN, None, {**shipped_policy().texts}, "we changed our minds")
    policies.approve(DPO, None, back.version)

    assert world.house.engines.policy.version == SHIPPED
    propose(policies)
    assert policies.approve(subject(Role.OFFICER), None, VERSION).version == VERSION


class TestOnePerson:
    def test_alone_changes_nothing(self, world: World, policies: Policies) -> None:
        quick(policies)
        propose(policies, subject(Role.ADMIN, identifier="both"))
        with pytest.raises(Denied, match="never approves"):
            policies.approve(subject(Role.OFFICER, identifier="both"), None, VERSION)

        assert acts(world)[-1] == ("policy:approve", "refused")
        assert world.entries()[-1]["facts"]["error"] == "Denied"
        assert (world.policies.newest(), world.house.engines.policy.version) == (0, SHIPPED)

    def test_of_the_same_name_in_another_house_is_another_person(self, world: World, policies: Policies) -> None:
        quick(policies)
        propose(policies, subject(Role.ADMIN, identifier="both"))

        policies.approve(subject(Role.OFFICER, identifier="both", of=ELSEWHERE), None, VERSION)
        assert world.house.engines.policy.version == VERSION

    @pytest.mark.parametrize("role", [Role.ADMIN, Role.OPERATOR, Role.CLINICIAN])
    def test_of_another_role_does_not_approve(self, world: World, policies: Policies, role: Role) -> None:
        quick(policies)
        propose(policies)
        with pytest.raises(Denied):
            policies.approve(subject(role), None, VERSION)
        assert acts(world)[-1] == ("policy:approve", "refused")

    @pytest.mark.parametrize("role", [Role.DPO, Role.OFFICER, Role.CLINICIAN])
    def test_of_another_role_does_not_propose(self, world: World, policies: Policies, role: Role) -> None:
        with pytest.raises(Denied):
            propose(policies, subject(role))
        assert acts(world) == [("policy:propose", "refused")]


class TestBadPolicies:
    @pytest.mark.parametrize(
        ("texts", "complaint"),
        [
            (CHANGED, "must be allow -, the rules say allow ended"),
            ({RULES: RULES_TEXT + "p, officer, policy:propose, TREAT, none, *, allow\n"}, "duties are separate"),
            ({RULES: RULES_TEXT + "p, admin, share:redeem, TREAT, none, *, allow\n"}, "never sees pictures"),
            ({RULES: "p, clinician\n"}, "policy.csv, rule 1"),
            ({RULES: 'p, "' + "x" * 200_000 + '"\n'}, "is no table"),
            ({"notes.txt": "hello"}, "a policy consists of"),
            ({TRUTHS: "role,action,purpose,relation,expected,despite\n"}, "more)"),
        ],
    )
    def test_are_refused_when_they_are_proposed(
        self, world: World, policies: Policies, texts: dict[str, str], complaint: str
    ) -> None:
        with pytest.raises(Malformed) as refused:
            policies.propose(ADMIN, None, texts, WHY)

        assert complaint in str(refused.value)
        assert acts(world) == [("policy:propose", "refused")]
        assert world.policies.kept == []

    def test_that_are_too_long_are_not_even_read(self, world: World, policies: Policies) -> None:
        with pytest.raises(OverLimit):
            policies.propose(ADMIN, None, {RULES: "#" * (LONGEST_TEXTS + 1)}, WHY)
        assert acts(world) == [("policy:propose", "refused")]

    def test_need_no_proposal_when_they_are_in_force_or_wait_already(self, world: World, policies: Policies) -> None:
        quick(policies)
        with pytest.raises(Conflict, match="in force"):
            policies.propose(ADMIN, None, {}, WHY)
        propose(policies)
        with pytest.raises(Conflict, match="already"):
            propose(policies)

    def test_want_a_reason(self, world: World, policies: Policies) -> None:
        with pytest.raises(Malformed, match="reason"):
            policies.propose(ADMIN, None, CHANGED, "no")
        assert acts(world) == [("policy:propose", "refused")]

    def test_are_not_approved_by_a_build_that_finds_more_wrong(self, world: World, policies: Policies) -> None:
        quick(policies)
        propose(policies)
        policies._check = lambda _texts: ["something"]
        with pytest.raises(Malformed, match="something"):
            policies.approve(DPO, None, VERSION)
        assert world.policies.newest() == 0


class TestApproving:
    @pytest.mark.parametrize("version", [SHIPPED, "0" * 16, "", "x" * 300])
    def test_what_nobody_proposed_is_not_found(self, world: World, policies: Policies, version: str) -> None:
        with pytest.raises(NotFound):
            policies.approve(DPO, None, version)
        assert acts(world) == [("policy:approve", "refused")]

    def test_what_was_proposed_against_an_older_policy_is_a_conflict(self, world: World, policies: Policies) -> None:
        quick(policies)
        propose(policies)
        other = policies.propose(ADMIN, None, {ROLES: shipped_policy().texts[ROLES] + "# a comment\n"}, WHY)
        policies.approve(DPO, None, other.version)
        with pytest.raises(Conflict, match="has changed"):
            policies.approve(DPO, None, VERSION)

        assert world.house.engines.policy.version == other.version
        assert propose(policies).replaces == other.version

    def test_an_approval_that_another_process_was_faster_with_is_a_conflict(
        self, world: World, policies: Policies
    ) -> None:
        quick(policies)
        propose(policies)
        newest = world.policies.newest
        asked = iter([newest(), newest() + 1])  # another was approved between the look and the commit
        world.policies.newest = lambda: next(asked, newest())  # type: ignore[method-assign]
        with pytest.raises(Conflict):
            policies.approve(DPO, None, VERSION)


class TestFollowing:
    def test_every_process_has_what_was_approved_in_one(self, world: World, policies: Policies) -> None:
        quick(policies)
        other = another(world)
        assert not other.follow()
        propose(policies)
        policies.approve(DPO, None, VERSION)

        assert not policies.follow()
        assert other.follow()
        assert not other.follow()
        assert other._policy.version == VERSION
        assert other._guard.judge(AccessRequest(ADMIN, Action.DEVICE_LIST, None)).policy_version == VERSION

    def test_without_keys_the_rules_stay_as_they_are(self, world: World, policies: Policies) -> None:
        quick(policies)
        propose(policies)
        policies.approve(DPO, None, VERSION)
        other = another(world)
        world.keyring.sealed = True
        with pytest.raises(Unavailable):
            other.follow()
        assert other._policy.version == SHIPPED
        world.keyring.sealed = False
        assert other.follow()

    @pytest.mark.parametrize(
        "tamper",
        [
            lambda kept, _: replace(kept, proof=b""),
            lambda kept, _: replace(kept, actor="somebody else"),
            lambda kept, _: replace(kept, texts_sha256=bytes(32)),
            lambda kept, _: replace(kept, approval=replace(kept.approval, proof=b"")),
            lambda kept, _: replace(kept, approval=replace(kept.approval, actor="somebody else")),
            lambda kept, _: replace(kept, approval=replace(kept.approval, at=NOW - timedelta(days=1))),
            lambda kept, _: replace(kept, approval=replace(kept.approval, sequence=2)),
            lambda kept, texts: texts.update({RULES: RULES_TEXT + "# more\n"}) or kept,
        ],
    )
    def test_what_is_not_what_was_approved_never_comes_into_force(
        self, world: World, policies: Policies, tamper: Callable[[Proposal, dict[str, str]], Proposal]
    ) -> None:
        quick(policies)
        made = propose(policies)
        policies.approve(DPO, None, VERSION)
        world.policies.kept[0] = tamper(world.policies.kept[0], world.policies.written[made.proposal_id])
        other = another(world)

        with pytest.raises(Tampered):
            other.follow()
        assert other._policy.version == SHIPPED

    def test_a_row_that_says_that_one_person_did_both_is_not_believed_even_with_a_proof(
        self, world: World, policies: Policies
    ) -> None:
        quick(policies)
        made = propose(policies)
        seal = world.archive.search.seals.index(HERE)
        approval = Approval(1, made.actor, NOW, b"", b"")
        approval = replace(approval, proof=of_approval(seal, made, approval))
        world.policies.kept[0] = replace(made, approval=approval)

        with pytest.raises(Tampered):
            policies.follow()

    def test_a_row_that_names_another_version_is_not_believed(self, world: World, policies: Policies) -> None:
        quick(policies)
        made = replace(propose(policies), version="f" * 16)
        seal = world.archive.search.seals.index(HERE)
        made = replace(made, proof=of_proposal(seal, made))
        approval = Approval(1, "another", NOW, b"", b"")
        approval = replace(approval, proof=of_approval(seal, made, approval))
        world.policies.kept[0] = replace(made, approval=approval)

        with pytest.raises(Tampered, match="another version"):
            policies.follow()

    def test_an_approval_that_is_gone_is_noticed(self, world: World, policies: Policies) -> None:
        quick(policies)
        propose(policies)
        policies.approve(DPO, None, VERSION)
        world.policies.kept.clear()

        with pytest.raises(Tampered, match="gone"):
            policies.follow()
        assert world.house.engines.policy.version == VERSION

    def test_an_approval_without_a_proposal_is_noticed(self, world: World, policies: Policies) -> None:
        world.policies.newest = lambda: 3  # type: ignore[method-assign]

        with pytest.raises(Tampered, match="gone"):
            policies.follow()

    def test_what_was_changed_after_it_was_proposed_is_not_approved(self, world: World, policies: Policies) -> None:
        quick(policies)
        made = propose(policies)
        world.policies.written[made.proposal_id][RULES] += "# more\n"

        with pytest.raises(Tampered):
            policies.approve(DPO, None, VERSION)
        assert acts(world)[-1] == ("policy:approve", "refused")


class TestLooking:
    def test_the_rules_in_force_are_shown_to_those_who_watch_over_them(self, world: World, policies: Policies) -> None:
        for role in (Role.ADMIN, Role.DPO, Role.OFFICER, Role.OPERATOR):
            shown = policies.in_force(subject(role), None)
            assert (shown.version, shown.since, shown.texts[RULES]) == (SHIPPED, None, RULES_TEXT)
        assert acts(world)[-2:] == [("policy:explain", "begun"), ("policy:explain", "completed")]
        with pytest.raises(Denied):
            policies.in_force(subject(), None)

    def test_proposals_are_listed_with_who_why_and_what_would_change(self, world: World, policies: Policies) -> None:
        quick(policies)
        propose(policies)
        (waiting,) = policies.listed(DPO, None)
        assert (waiting.person, waiting.reason, waiting.approved_by, waiting.outdated) == ("a.dmin", WHY, "", False)
        assert (waiting.removed, waiting.added) == ((f"policy.csv: {OLD}",), (f"policy.csv: {NEW}",))
        assert waiting.truths_changed == 2

        other = policies.propose(ADMIN, None, {ROLES: shipped_policy().texts[ROLES] + "# a comment\n"}, WHY)
        policies.approve(DPO, None, other.version)
        approved, outdated = policies.listed(DPO, None)
        assert (approved.approved_by, approved.outdated, approved.added) == ("d.schutz", False, ())
        assert (outdated.proposal.version, outdated.outdated, outdated.added) == (VERSION, True, ())

    def test_a_list_that_cannot_be_proven_is_not_shown(self, world: World, policies: Policies) -> None:
        quick(policies)
        propose(policies)
        world.policies.kept[0] = replace(world.policies.kept[0], actor="somebody else")

        with pytest.raises(Tampered):
            policies.listed(DPO, None)
        assert acts(world)[-2:] == [("policy:explain", "begun"), ("policy:explain", "failed")]

    def test_nobody_is_named_in_clear(self, world: World, policies: Policies) -> None:
        quick(policies)
        propose(policies)
        policies.approve(DPO, None, VERSION)

        kept = repr(world.policies.kept) + str(world.entries())
        assert not [word for word in ("a.dmin", "d.schutz", WHY) if word in kept]
        assert isinstance(Denied("x"), ArchiveError)
