"""Breaking the glass: for one patient, for a reason, for hours; told at once, judged by somebody else, once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pacs_secure.archive.break_glass import BreakGlass
from pacs_secure.archive.declarations import Declared, Whom
from pacs_secure.archive.noticing import told_by
from pacs_secure.core.access import Assurance, Purpose, Relation, Role, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.emergencies import Judgement
from pacs_secure.core.errors import ArchiveError, Conflict, Denied, Malformed, NotFound, Tampered, Unavailable
from pacs_secure.core.notices import NoticeKind
from tests.builders import ELSEWHERE, HERE, subject
from tests.unit.archive.instances import acts, data_set, store, study_uid
from tests.world import World
from tests.world import told as entry_told

WHY = "Unconscious after a fall, allergies unknown."
ERIKA = Whom(patient_id="ERIKA")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
DPO = subject(Role.DPO, identifier="d.schutz")
NOTE: dict[str, str] = {"protocol": "test"}
NOWHERE = "00000000-0000-4000-8000-000000000000"


def fresh(role: Role = Role.CLINICIAN, identifier: str = "r.weber", **facts: Any) -> Subject:
    """Somebody of another department than the pictures, who has just logged in."""
    proven = Assurance(second_factor=True, logged_in_at=datetime.now(UTC))
    return subject(role, identifier=identifier, department="surgery", assurance=proven, **facts)


@pytest.fixture
def glass(world: World) -> BreakGlass:
    """An archive with two studies of one patient, and one of another with the same Patient ID twice."""
    store(world, data_set(1, PatientID="ERIKA"))
    store(world, data_set(2, PatientID="ERIKA"))
    store(world, data_set(3, PatientID="TWICE", IssuerOfPatientID="one"))
    store(world, data_set(4, PatientID="TWICE", IssuerOfPatientID="other"))
    store(world, data_set(5, PatientID="TWICE"))
    return world.archive.break_glass


def opened(glass: BreakGlass, by: Subject | None = None, whom: Whom = ERIKA, why: str = WHY) -> Declared:
    return glass.open(by or fresh(), whom, why, None, details=NOTE)


def alias(world: World, study: int) -> str:
    return str(world.records._studies[HERE, study_uid(study)].facts.patient_alias)  # type: ignore[index]


def read(world: World, study: int, by: Subject | None = None) -> None:
    purpose = Purpose.BREAK_GLASS
    with world.archive.retrieve.begin(by or fresh(), purpose, study_uid(study), details={}) as retrieval:
        list(retrieval.metadata())
        retrieval.complete()


class TestOpening:
    def test_it_ties_its_person_to_that_patient_for_the_longest_time(self, world: World, glass: BreakGlass) -> None:
        before = datetime.now(UTC)

        made = opened(glass).emergency

        (tie,) = world.ties.kept
        assert (tie.relation, tie.institution, tie.purpose) == (Relation.EMERGENCY, HERE, None)
        assert (tie.alias, tie.actor, tie.origin) == (made.patient_alias, made.actor, made.emergency_id)
        assert (tie.begins_at, tie.ends_at) == (made.opened_at, made.ends_at)
        assert str(made.patient_alias) == alias(world, 1) == alias(world, 2)
        assert made.ends_at - made.opened_at == 4 * HOUR
        assert before <= made.opened_at <= datetime.now(UTC)
        read(world, 1)
        read(world, 2)
        with pytest.raises(NotFound):
            read(world, 3)

    def test_it_says_who_for_whom_and_why_to_those_who_may_open_it(self, glass: BreakGlass) -> None:
        made = opened(glass)

        said = made.said
        assert (said.person, said.role, said.department) == ("r.weber", "clinician", "surgery")
        assert (said.reason, said.patient_id) == (WHY, "ERIKA")
        assert glass.show(fresh(), None, str(made.emergency.emergency_id), details=NOTE) == made

    def test_the_officer_is_told_in_the_same_commit(self, world: World, glass: BreakGlass) -> None:
        made = opened(glass).emergency

        (kept,) = world.ledger.notices.values()
        entry = entry_told(world.ledger.kept[kept.number])
        assert (kept.notice.kind, kept.notice.about) == (NoticeKind.BREAK_GLASS, made.emergency_id)
        assert (entry["action"], entry["outcome"]) == ("break-glass:open", "completed")
        assert (entry["purpose"], entry["patient"]) == ("BTG", str(made.patient_alias))
        assert entry["facts"] == {
            "protocol": "test",
            "emergency": str(made.emergency_id),
            "ends_at": made.ends_at.isoformat(),
            "reported": str(kept.notice.notice_id),
        }
        told = told_by(world.archive.search.seals, kept.notice)
        assert told == {"person": "r.weber", "role": "clinician", "department": "surgery", "reason": WHY}

    def test_nothing_of_it_stands_in_clear(self, world: World, glass: BreakGlass) -> None:
        made = opened(glass).emergency

        (kept,) = world.ledger.notices.values()
        written = [made.box, kept.notice.box, world.ties.kept[0].box, world.ledger.kept[kept.number].content]
        assert not [one for one in written for word in (b"Unconscious", b"ERIKA", b"weber") if word in one]

    @pytest.mark.parametrize(
        ("whom", "study"),
        [
            (Whom(study_instance_uid=study_uid(2)), 1),
            (Whom(study_instance_uid=study_uid(4)), 4),
            (Whom("TWICE", "one"), 3),
            (Whom("TWICE", ""), 5),
            (Whom("ERIKA "), 1),
        ],
    )
    def test_the_patient_is_found_by_identifiers_or_by_a_study(
        self, world: World, glass: BreakGlass, whom: Whom, study: int
    ) -> None:
        assert str(opened(glass, whom=whom).emergency.patient_alias) == alias(world, study)

    @pytest.mark.parametrize("lasts", [MINUTE, HOUR, 4 * HOUR])
    def test_it_may_be_shorter(self, glass: BreakGlass, lasts: timedelta) -> None:
        made = glass.open(fresh(), ERIKA, WHY, lasts, details=NOTE).emergency

        assert made.ends_at - made.opened_at == lasts

    @pytest.mark.parametrize(
        ("whom", "why", "lasts", "error"),
        [
            (ERIKA, "too short", None, Malformed),
            (ERIKA, " " * 20, None, Malformed),
            (ERIKA, "x" * 501, None, Malformed),
            (ERIKA, WHY, 4 * HOUR + MINUTE, Malformed),
            (ERIKA, WHY, MINUTE / 2, Malformed),
            (ERIKA, WHY, -HOUR, Malformed),
            (Whom(), WHY, None, Malformed),
            (Whom("ERIKA", study_instance_uid=study_uid(1)), WHY, None, Malformed),
            (Whom(study_instance_uid="no UID"), WHY, None, Malformed),
            (Whom("NOBODY"), WHY, None, NotFound),
            (Whom("ERIKA", "an issuer"), WHY, None, NotFound),
            (Whom(study_instance_uid=study_uid(99)), WHY, None, NotFound),
            (Whom("TWICE"), WHY, None, Conflict),
        ],
    )
    def test_what_is_no_reason_no_time_or_no_patient_is_refused_and_recorded(
        self, world: World, glass: BreakGlass, whom: Whom, why: str, lasts: timedelta | None, error: type[ArchiveError]
    ) -> None:
        with pytest.raises(error):
            glass.open(fresh(), whom, why, lasts, details=NOTE)

        last = world.entries()[-1]
        assert (last["action"], last["outcome"]) == ("break-glass:open", "refused")
        assert (last["purpose"], last["facts"]["error"]) == ("BTG", error.__name__)
        assert (world.ties.kept, world.ledger.notices) == ([], {})

    @pytest.mark.parametrize(
        ("by", "rule"),
        [
            (fresh(Role.DPO), "default deny"),
            (fresh(Role.ADMIN), "default deny"),
            (fresh(Role.TECHNOLOGIST), "default deny"),
            (fresh(Role.REFERRER), "default deny"),
            (fresh(Role.GUEST), "default deny"),
            (replace(fresh(), assurance=Assurance(logged_in_at=datetime.now(UTC))), "no second factor"),
            (replace(fresh(), assurance=Assurance(second_factor=True)), "no fresh login"),
        ],
    )
    def test_only_caregivers_who_proved_themselves_twice_and_just_now_may(
        self, world: World, glass: BreakGlass, by: Subject, rule: str
    ) -> None:
        with pytest.raises(Denied):
            opened(glass, by)

        assert (world.entries()[-1]["outcome"], world.entries()[-1]["rule"]) == ("refused", rule)
        assert world.ties.kept == []

    def test_the_institution_is_never_left(self, glass: BreakGlass) -> None:
        for whom in (ERIKA, Whom(study_instance_uid=study_uid(1))):
            with pytest.raises(NotFound):
                opened(glass, fresh(of=ELSEWHERE), whom)

    def test_what_cannot_be_recorded_opens_nothing(self, world: World, glass: BreakGlass) -> None:
        world.ledger.down = True

        with pytest.raises(Unavailable):
            opened(glass)

        assert world.ties.kept == []

    def test_a_box_that_was_moved_does_not_open(self, world: World, glass: BreakGlass) -> None:
        one, other = (opened(glass).emergency for _ in range(2))
        world.house.engines.emergencies.kept[one.emergency_id] = replace(one, box=other.box)  # type: ignore[attr-defined]

        with pytest.raises(Tampered):
            glass.list(fresh(), None, details=NOTE)
        assert acts(world)[-1] == ("break-glass:list", "failed")


class TestEnd:
    def test_its_person_may_end_it_before_its_time(self, world: World, glass: BreakGlass) -> None:
        made = opened(glass).emergency

        ended = glass.end(fresh(), None, str(made.emergency_id), details=NOTE).emergency

        assert made.opened_at < ended.ends_at < made.ends_at
        assert world.ties.released == {world.ties.kept[0].tie_id: ended.ends_at}
        last = world.entries()[-1]
        assert (last["action"], last["outcome"], last["patient"]) == (
            "break-glass:end",
            "completed",
            str(made.patient_alias),
        )
        with pytest.raises(NotFound):
            read(world, 1)
        with pytest.raises(Conflict):
            glass.end(fresh(), None, str(made.emergency_id), details=NOTE)

    @pytest.mark.parametrize("emergency_id", ["theirs", NOWHERE, "no id at all"])
    def test_nobody_ends_what_is_not_theirs(self, world: World, glass: BreakGlass, emergency_id: str) -> None:
        made = opened(glass).emergency
        named = str(made.emergency_id) if emergency_id == "theirs" else emergency_id

        with pytest.raises(NotFound):
            glass.end(fresh(identifier="somebody else"), None, named, details=NOTE)

        assert acts(world)[-1] == ("break-glass:end", "refused")
        assert (world.ties.kept[0].ends_at, world.ties.released) == (made.ends_at, {})


class TestReview:
    def test_somebody_else_judges_it_once(self, world: World, glass: BreakGlass) -> None:
        name = str(opened(glass).emergency.emergency_id)

        judged = glass.review(DPO, None, name, Judgement.JUSTIFIED, " ", details=NOTE)

        assert judged.emergency.review is not None
        assert (judged.emergency.review.judgement, judged.reviewer, judged.remark) == (
            Judgement.JUSTIFIED,
            "d.schutz",
            "",
        )
        last = world.entries()[-1]
        assert (last["action"], last["outcome"], last["facts"]["judgement"]) == (
            "break-glass:review",
            "completed",
            "justified",
        )
        read(world, 1)
        with pytest.raises(Conflict):
            glass.review(DPO, None, name, Judgement.NOT_JUSTIFIED, "A second thought.", details=NOTE)

    def test_what_was_not_justified_ends_at_once_and_says_why(self, world: World, glass: BreakGlass) -> None:
        made = opened(glass).emergency

        judged = glass.review(
            DPO, None, str(made.emergency_id), Judgement.NOT_JUSTIFIED, "The patient was never here.", details=NOTE
        )

        assert judged.remark == "The patient was never here."
        assert judged.emergency.ends_at < made.ends_at
        with pytest.raises(NotFound):
            read(world, 1)

    @pytest.mark.parametrize(
        ("judgement", "said"),
        [(Judgement.NOT_JUSTIFIED, "no"), (Judgement.JUSTIFIED, "x" * 501), (Judgement.JUSTIFIED, "bell\a")],
    )
    def test_a_remark_that_is_none_is_refused(
        self, world: World, glass: BreakGlass, judgement: Judgement, said: str
    ) -> None:
        made = opened(glass).emergency

        with pytest.raises(Malformed):
            glass.review(DPO, None, str(made.emergency_id), judgement, said, details=NOTE)

        assert acts(world)[-1] == ("break-glass:review", "refused")

    def test_whoever_broke_it_does_not_judge_it_whatever_role_they_have_now(
        self, world: World, glass: BreakGlass
    ) -> None:
        made = opened(glass, fresh(identifier="d.schutz")).emergency

        with pytest.raises(Denied, match="does not judge"):
            glass.review(DPO, None, str(made.emergency_id), Judgement.JUSTIFIED, "", details=NOTE)

        assert glass.list(DPO, None, details=NOTE)[0].emergency.review is None

    @pytest.mark.parametrize("by", [fresh(), fresh(Role.ADMIN), fresh(Role.OFFICER)])
    def test_nobody_but_the_data_protection_officer_judges(self, glass: BreakGlass, by: Subject) -> None:
        made = opened(glass, fresh(identifier="another")).emergency

        with pytest.raises(Denied):
            glass.review(by, None, str(made.emergency_id), Judgement.JUSTIFIED, "", details=NOTE)

    def test_what_is_not_there_cannot_be_judged(self, glass: BreakGlass) -> None:
        with pytest.raises(NotFound):
            glass.review(DPO, None, NOWHERE, Judgement.JUSTIFIED, "", details=NOTE)


class TestLooking:
    def test_everybody_sees_their_own_and_the_officer_sees_all_unreviewed_ones_first(
        self, world: World, glass: BreakGlass
    ) -> None:
        mine = opened(glass).emergency.emergency_id
        theirs = opened(glass, fresh(Role.RADIOLOGIST, "a.smith")).emergency.emergency_id
        glass.review(DPO, None, str(theirs), Judgement.JUSTIFIED, "", details=NOTE)

        def seen(by: Subject) -> list[object]:
            return [one.emergency.emergency_id for one in glass.list(by, None, details=NOTE)]

        assert (seen(fresh()), seen(fresh(identifier="new"))) == ([mine], [])
        assert seen(DPO) == [mine, theirs]
        assert seen(replace(DPO, institution=ELSEWHERE)) == []
        assert acts(world)[-2:] == [("break-glass:list", "begun"), ("break-glass:list", "completed")]

    def test_another_one_s_is_shown_to_the_officer_only(self, world: World, glass: BreakGlass) -> None:
        made = opened(glass)
        name = str(made.emergency.emergency_id)

        assert glass.show(DPO, None, name, details=NOTE) == made
        for by in (fresh(identifier="somebody else"), replace(DPO, institution=ELSEWHERE)):
            with pytest.raises(NotFound):
                glass.show(by, None, name, details=NOTE)
            assert acts(world)[-1] == ("break-glass:list", "failed")
        with pytest.raises(NotFound):
            glass.show(DPO, None, "no id", details=NOTE)

    def test_what_was_read_under_it_is_shown_with_it(self, world: World, glass: BreakGlass) -> None:
        store(world, data_set(1, 2, PatientID="ERIKA"))
        made = opened(glass).emergency
        read(world, 2)
        read(world, 1)
        opened(glass, fresh(identifier="somebody else"))
        read(world, 1, fresh(identifier="somebody else"))
        glass.end(fresh(), None, str(made.emergency_id), details=NOTE)

        for by in (fresh(), DPO):
            found = glass.reads(by, None, str(made.emergency_id), details=NOTE)

            assert [one.reading.objects for one in found] == [1, 2]
            assert {one.reading.outcome for one in found} == {Outcome.COMPLETED}
            assert all(one.reading.octets > 0 for one in found)
            assert len({one.study_alias for one in found}) == 2
        with pytest.raises(NotFound):
            glass.reads(fresh(identifier="somebody else"), None, str(made.emergency_id), details=NOTE)
