"""Sharing: whom it opens what, from when until when, and who may take it back and look at what came of it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from pacs_secure.archive.proofs import of_study
from pacs_secure.archive.shares import Created, Invitation, OpenedShare
from pacs_secure.core.access import Purpose, Role, Safeguard, StoredFacts, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import Conflict, Denied, Hidden, Malformed, NotFound, Tampered, Unavailable
from pacs_secure.core.sharing import MOST_ATTEMPTS, Person, Standing
from pacs_secure.crypto.one_time_code import keep
from tests.builders import ELSEWHERE, HERE, subject
from tests.clock import Clock
from tests.fakes_sharing import MemoryShares
from tests.unit.archive.instances import acts, data_set, store, study_uid
from tests.unit.archive.people import (
    COLLEAGUE,
    DPO,
    GUEST,
    INVITER,
    NEIGHBOUR,
    STRANGER,
    THE_COLLEAGUE,
    THE_GUEST,
    THE_NEIGHBOUR,
    THEIR_DPO,
    WHY,
    found,
    reads,
    settle,
)
from tests.world import World, memory_world

EVERYBODY = (GUEST, COLLEAGUE, NEIGHBOUR)
THEY = {GUEST: THE_GUEST, COLLEAGUE: THE_COLLEAGUE, NEIGHBOUR: THE_NEIGHBOUR}


@pytest.fixture
def world(clock: Clock) -> World:
    world = memory_world()
    store(world, data_set(1), data_set(2))
    settle(world)
    return world


def invitation(world: World, **changed: Any) -> Invitation:
    until = world.archive.sharing.invitations.now() + timedelta(days=7)
    return replace(Invitation(study_uid(), THE_GUEST, Purpose.TREATMENT, until, WHY), **changed)


def share(world: World, by: Subject = INVITER, **changed: Any) -> Created:
    return world.archive.sharing.create(by, None, invitation(world, **changed))


def name(created: Created) -> str:
    return str(created.opened.share.share_id)


def put(world: World, created: Created, **changed: Any) -> None:
    """Change what is kept of a share behind the archive's back."""
    shares = world.house.engines.shares
    assert isinstance(shares, MemoryShares)
    shares.kept[created.opened.share.share_id] = replace(created.opened.share, **changed)


def only(world: World) -> str:
    """Return the name of the one share there is."""
    shares = world.house.engines.shares
    assert isinstance(shares, MemoryShares)
    (share_id,) = shares.kept
    return str(share_id)


def seen(world: World, by: Subject) -> list[OpenedShare]:
    return list(world.archive.sharing.listed(by, None))


class TestCreating:
    @pytest.mark.parametrize("invited", EVERYBODY, ids=lambda one: str(one.role))
    def test_the_invited_person_sees_that_study_and_nothing_else(self, world: World, invited: Subject) -> None:
        assert (found(world, invited), reads(world, invited)) == ([], False)
        share(world, invitee=THEY[invited])

        assert found(world, invited) == [study_uid(1)]
        assert reads(world, invited)
        assert not reads(world, invited, 2)

    def test_nobody_else_sees_more_than_before(self, world: World) -> None:
        share(world)

        for other in (COLLEAGUE, NEIGHBOUR, STRANGER, replace(GUEST, identifier="another")):
            assert (found(world, other), reads(world, other)) == ([], False)

    def test_a_name_is_somebody_in_one_institution_only(self, world: World) -> None:
        share(world)

        assert not reads(world, replace(GUEST, institution=ELSEWHERE))

    def test_it_holds_until_its_end(self, world: World, clock: Clock) -> None:
        created = share(world)
        clock.forward(days=7, seconds=1)

        assert (found(world, GUEST), reads(world, GUEST)) == ([], False)
        (listed,) = seen(world, GUEST)
        assert (listed.standing, listed.study_instance_uid) == (Standing.EXPIRED, None)
        assert created.code is None

    def test_it_holds_for_its_purpose(self, world: World) -> None:
        share(world, purpose=Purpose.PATIENT_REQUEST)

        assert not reads(world, GUEST)

    def test_the_study_s_ledger_tells_of_it_and_names_nobody_in_clear(self, world: World) -> None:
        created = share(world)

        entry = world.entries()[-1]
        kept = created.opened.share
        assert acts(world)[-1] == ("share:create", "completed")
        assert entry["study"] == str(kept.study_alias)
        assert entry["facts"]["share"] == name(created)
        assert entry["facts"]["invitee"] == kept.invitee
        stored = world.ledger.kept[-1].content + kept.box + b"".join(tie.box for tie in world.ties.kept)
        assert not [word for word in (b"sommer", b"expert", b"opinion") if word in stored]

    def test_with_a_record_that_cannot_be_written_there_is_no_share(self, world: World) -> None:
        wanted = invitation(world)
        world.ledger.down = True
        with pytest.raises(Unavailable):
            world.archive.sharing.create(INVITER, None, wanted)

        world.ledger.down = False
        assert (seen(world, INVITER), reads(world, GUEST)) == ([], False)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"reason": "too short"},
            {"reason": "x" * 501},
            {"reason": " " * 20},
            {"invitee": Person(HERE, "")},
            {"invitee": Person(HERE, "x" * 257)},
            {"invitee": Person(HERE, "two\nlines")},
            {"invitee": Person(HERE, INVITER.identifier)},
            {"study_instance_uid": "no uid"},
        ],
    )
    def test_what_makes_no_sense_is_refused_and_recorded(self, world: World, wrong: dict[str, Any]) -> None:
        with pytest.raises(Malformed):
            share(world, **wrong)

        assert acts(world)[-1] == ("share:create", "refused")
        assert world.ties.kept == []

    @pytest.mark.parametrize("days", [-1, 0, 91])
    def test_its_end_lies_ahead_and_not_too_far(self, world: World, days: int) -> None:
        with pytest.raises(Malformed):
            share(world, until=world.archive.sharing.invitations.now() + timedelta(days=days))

    def test_nobody_makes_an_institution_by_inviting_into_it(self, world: World) -> None:
        with pytest.raises(Malformed):
            share(world, invitee=Person(HERE, ""))
        minted = world.keyring.minted
        with pytest.raises(Malformed):
            share(world, invitee=Person(type(HERE)("nowhere"), "somebody"))

        assert world.keyring.minted == minted

    @pytest.mark.parametrize("study", [study_uid(1), study_uid(9)])
    def test_a_study_that_one_may_not_see_cannot_be_told_from_a_missing_one(self, world: World, study: str) -> None:
        with pytest.raises(NotFound, match="no such object"):
            share(world, by=STRANGER, study_instance_uid=study)

        assert acts(world)[-1] == ("share:create", "refused")

    @pytest.mark.parametrize("invited", EVERYBODY, ids=lambda one: str(one.role))
    def test_whoever_was_invited_passes_nothing_on(self, world: World, invited: Subject) -> None:
        # A radiologist may share whatever the own house has, so only what was shared with one is asked about.
        share(world, invitee=THEY[invited])

        with pytest.raises(Denied):
            share(world, by=invited, invitee=Person(HERE, "a.friend"))

    @pytest.mark.parametrize("role", [Role.DPO, Role.ADMIN, Role.OFFICER, Role.RESEARCHER, Role.TECHNOLOGIST])
    def test_no_other_role_shares(self, world: World, role: Role) -> None:
        with pytest.raises((Denied, Hidden)):
            share(world, by=subject(role))

    @pytest.mark.parametrize("label", [Safeguard.PSYCHIATRY, Safeguard.VIP, Safeguard.RESTRICTED])
    def test_a_protected_study_is_not_shared_by_its_department(self, world: World, label: Safeguard) -> None:
        ((_, study),) = [one for one in world.records._studies.items() if one[0][1] == study_uid(1)]
        changed = replace(study.facts, safeguards=frozenset({label}))
        study.stored = StoredFacts(changed, of_study(world.archive.search.seals.index(HERE), changed))

        with pytest.raises((Denied, Hidden)):
            share(world)


class TestRedeeming:
    def test_nothing_is_open_before_the_code_was_given(self, world: World) -> None:
        created = share(world, second_factor=True)
        assert created.code is not None
        assert created.opened.standing is Standing.WAITING
        assert (found(world, GUEST), reads(world, GUEST)) == ([], False)
        (listed,) = seen(world, GUEST)
        assert listed.study_instance_uid is None

        opened = world.archive.sharing.redeem(GUEST, None, name(created), created.code.lower())
        assert (opened.standing, opened.study_instance_uid) == (Standing.ACTIVE, study_uid(1))
        assert (found(world, GUEST), reads(world, GUEST)) == ([study_uid(1)], True)
        assert world.records.open_acts(world.archive.sharing.invitations.now()) == []

    def test_the_code_is_kept_nowhere(self, world: World) -> None:
        created = share(world, second_factor=True)
        assert created.code is not None
        kept = created.opened.share

        stored = kept.code + kept.box + b"".join(entry.content for entry in world.ledger.kept)
        assert created.code.encode() not in stored
        assert created.code.replace("-", "").encode() not in stored

    def test_five_wrong_codes_end_the_share_and_the_inviter_sees_it(self, world: World) -> None:
        created = share(world, second_factor=True)
        assert created.code is not None
        for _ in range(MOST_ATTEMPTS):
            with pytest.raises(Denied):
                world.archive.sharing.redeem(GUEST, None, name(created), "0000-0000-0000")
        with pytest.raises(Conflict):
            world.archive.sharing.redeem(GUEST, None, name(created), created.code)

        assert not reads(world, GUEST)
        (listed,) = seen(world, INVITER)
        assert (listed.standing, listed.share.wrong_codes) == (Standing.LOCKED, MOST_ATTEMPTS)
        refused = [
            entry for entry in world.entries() if entry["action"] == "share:redeem" and entry["outcome"] == "refused"
        ]
        assert [entry["facts"].get("attempts") for entry in refused] == [1, 2, 3, 4, 5, None]

    def test_the_last_attempt_may_be_the_right_one(self, world: World) -> None:
        created = share(world, second_factor=True)
        assert created.code is not None
        for _ in range(MOST_ATTEMPTS - 1):
            with pytest.raises(Denied):
                world.archive.sharing.redeem(GUEST, None, name(created), "0000-0000-0000")

        world.archive.sharing.redeem(GUEST, None, name(created), created.code)
        assert reads(world, GUEST)

    @pytest.mark.parametrize("other", [COLLEAGUE, NEIGHBOUR, INVITER, replace(GUEST, identifier="another")])
    def test_nobody_uses_up_the_attempts_of_another(self, world: World, other: Subject) -> None:
        created = share(world, second_factor=True)
        assert created.code is not None
        for code in ["0000-0000-0000"] * MOST_ATTEMPTS + [created.code]:
            with pytest.raises(NotFound):
                world.archive.sharing.redeem(other, None, name(created), code)

        world.archive.sharing.redeem(GUEST, None, name(created), created.code)
        assert reads(world, GUEST)

    def test_an_attempt_counts_before_the_code_is_looked_at(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        created = share(world, second_factor=True)
        counted = []

        def look(code: str, kept: bytes) -> bool:
            counted.append(seen(world, INVITER)[0].share.attempts)
            return False

        monkeypatch.setattr("pacs_secure.archive.shares.proves", look)
        with pytest.raises(Denied):
            world.archive.sharing.redeem(GUEST, None, name(created), "any")
        assert counted == [1]

    def test_a_share_that_was_revoked_while_the_code_was_looked_at_opens_nothing(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        created = share(world, second_factor=True)

        def look(code: str, kept: bytes) -> bool:
            world.archive.sharing.revoke(INVITER, None, name(created))
            return True

        monkeypatch.setattr("pacs_secure.archive.shares.proves", look)
        with pytest.raises(Conflict):
            world.archive.sharing.redeem(GUEST, None, name(created), "any")
        assert not reads(world, GUEST)
        assert world.records.open_acts(world.archive.sharing.invitations.now()) == []

    def test_a_neighbour_redeems_too_and_it_stands_in_the_study_s_ledger(self, world: World) -> None:
        created = share(world, invitee=THE_NEIGHBOUR, second_factor=True)
        assert created.code is not None
        world.archive.sharing.redeem(NEIGHBOUR, None, name(created), created.code)

        assert found(world, NEIGHBOUR) == [study_uid(1)]
        entries = [entry for entry in world.entries() if entry["action"] == "share:redeem"]
        assert [(entry["outcome"], entry["institution"]) for entry in entries] == [("begun", HERE), ("completed", HERE)]

    def test_whoever_owns_the_database_but_no_key_redeems_nothing(self, world: World) -> None:
        ours = world.archive.sharing.invitations.actor(STRANGER)
        later = world.archive.sharing.invitations.now() + timedelta(days=80)
        for changed in ({"invitee": ours, "code": keep("MINE")}, {"code": keep("MINE")}, {"ends_at": later}):
            created = share(world, second_factor=True)
            put(world, created, **changed)
            by = STRANGER if "invitee" in changed else GUEST
            with pytest.raises(Tampered):
                world.archive.sharing.redeem(
                    by, None, name(created), "MINE" if "code" in changed else created.code or ""
                )
        assert world.ties.kept == []

    def test_what_waits_for_no_code_takes_none(self, world: World) -> None:
        created = share(world)
        with pytest.raises(Conflict):
            world.archive.sharing.redeem(GUEST, None, name(created), "0000-0000-0000")


class TestRevoking:
    @pytest.mark.parametrize("by", [INVITER, DPO], ids=lambda one: str(one.role))
    def test_it_takes_effect_at_once(self, world: World, by: Subject) -> None:
        created = share(world)
        assert reads(world, GUEST)
        world.archive.sharing.revoke(by, None, name(created))

        assert (found(world, GUEST), reads(world, GUEST)) == ([], False)
        (listed,) = seen(world, INVITER)
        assert listed.standing is Standing.REVOKED
        entry = next(one for one in world.entries() if one["action"] == "share:revoke")
        assert entry["study"] == str(created.opened.share.study_alias)

    def test_what_waits_for_its_code_never_opens(self, world: World) -> None:
        created = share(world, second_factor=True)
        assert created.code is not None
        world.archive.sharing.revoke(INVITER, None, name(created))

        with pytest.raises(Conflict):
            world.archive.sharing.redeem(GUEST, None, name(created), created.code)

    def test_what_has_ended_is_not_ended_again(self, world: World, clock: Clock) -> None:
        revoked, expired = share(world), share(world)
        world.archive.sharing.revoke(INVITER, None, name(revoked))
        clock.forward(days=8)

        for created in (revoked, expired):
            with pytest.raises(Conflict):
                world.archive.sharing.revoke(INVITER, None, name(created))
            assert acts(world)[-1] == ("share:revoke", "refused")

    @pytest.mark.parametrize("by", [STRANGER, NEIGHBOUR, THEIR_DPO], ids=lambda one: one.identifier + one.institution)
    def test_to_others_it_is_missing(self, world: World, by: Subject) -> None:
        created = share(world)
        with pytest.raises(NotFound):
            world.archive.sharing.revoke(by, None, name(created))

        assert reads(world, GUEST)

    def test_whoever_was_invited_does_not_decide(self, world: World) -> None:
        created = share(world, invitee=THE_COLLEAGUE)
        with pytest.raises(Denied):
            world.archive.sharing.revoke(COLLEAGUE, None, name(created))

        assert acts(world)[-1] == ("share:revoke", "refused")
        assert reads(world, COLLEAGUE)


class TestTelling:
    def test_everybody_is_told_of_their_own_and_the_dpo_of_all(self, world: World) -> None:
        mine, theirs = share(world), share(world, by=subject(identifier="r.other"), invitee=THE_NEIGHBOUR)
        names = [theirs.opened.share.share_id, mine.opened.share.share_id]

        assert [one.share.share_id for one in seen(world, DPO)] == names
        assert [one.share.share_id for one in seen(world, INVITER)] == names[1:]
        assert [one.share.share_id for one in seen(world, GUEST)] == names[1:]
        assert [one.share.share_id for one in seen(world, NEIGHBOUR)] == names[:1]
        assert seen(world, THEIR_DPO) == seen(world, STRANGER) == []
        assert acts(world)[-2:] == [("share:list", "begun"), ("share:list", "completed")]

    @pytest.mark.parametrize("by", [INVITER, GUEST, DPO], ids=lambda one: str(one.role))
    def test_one_share_is_told_to_those_whom_it_concerns(self, world: World, by: Subject) -> None:
        created = share(world)
        opened = world.archive.sharing.get(by, None, name(created).upper())

        assert (opened.inviter, opened.invitee) == (Person(HERE, INVITER.identifier), THE_GUEST)
        assert (opened.reason, opened.study_instance_uid) == (WHY, study_uid(1))
        assert acts(world)[-1] == ("share:list", "completed")

    @pytest.mark.parametrize("by", [STRANGER, NEIGHBOUR, THEIR_DPO], ids=lambda one: one.identifier + one.institution)
    def test_to_others_it_cannot_be_told_from_a_missing_one(self, world: World, by: Subject) -> None:
        created = share(world)
        for asked in (name(created), str(uuid4()), "no-share", "", f"{{{name(created)}}}"):
            for ask in (world.archive.sharing.get, world.archive.sharing.reads):
                with pytest.raises(NotFound, match="no such object"):
                    ask(by, None, asked)
                entry = world.entries()[-1]
                assert (entry["action"], entry["outcome"], entry["facts"]["error"]) == (
                    "share:list",
                    "refused",
                    "NotFound",
                )
                assert "study" not in entry

    @pytest.mark.parametrize("by", [INVITER, DPO], ids=lambda one: str(one.role))
    def test_every_read_shows_up(self, world: World, by: Subject) -> None:
        created = share(world)
        assert reads(world, GUEST)
        assert reads(world, INVITER)
        assert not reads(world, GUEST, 2)

        (reading,) = world.archive.sharing.reads(by, None, name(created))
        assert (reading.outcome, reading.objects) == (Outcome.COMPLETED, 1)
        assert reading.octets > 0
        assert acts(world)[-1] == ("share:list", "completed")

    def test_only_reads_within_its_time_show_up(self, world: World, clock: Clock) -> None:
        first = share(world)
        world.archive.sharing.revoke(INVITER, None, name(first))
        clock.forward(hours=1)
        share(world)
        assert reads(world, GUEST)

        assert world.archive.sharing.reads(INVITER, None, name(first)) == []

    def test_whoever_was_invited_is_not_told_who_looks(self, world: World) -> None:
        created = share(world)
        with pytest.raises(Denied):
            world.archive.sharing.reads(GUEST, None, name(created))

        assert acts(world)[-1] == ("share:list", "refused")

    def test_a_share_that_was_written_by_another_hand_is_told_as_a_failure(self, world: World) -> None:
        put(world, share(world), purpose=Purpose.PATIENT_REQUEST)

        for ask in (lambda: seen(world, INVITER), lambda: world.archive.sharing.reads(DPO, None, only(world))):
            with pytest.raises(Tampered):
                ask()
            assert acts(world)[-1] == ("share:list", "failed")

    def test_whoever_may_not_list_is_refused_whatever_they_ask_for(self, world: World) -> None:
        created = share(world)
        for asked in (name(created), str(uuid4())):
            with pytest.raises(Denied):
                world.archive.sharing.get(subject(Role.ADMIN), None, asked)
