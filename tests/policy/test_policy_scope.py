"""A search's scope and the decision on each single study are one and the same (ACC-02, ACC-03)."""

from pathlib import Path
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from pacs_secure.adapters.casbin_policy import CasbinPolicy
from pacs_secure.core.access import (
    Action,
    Door,
    Purpose,
    Relation,
    Role,
    Safeguard,
    Scope,
    StudyFacts,
    Subject,
    Viewer,
    relations_of,
)
from pacs_secure.core.identifiers import Institution, Uid
from tests.builders import NOW, tie

POLICY = CasbinPolicy(Path(__file__).parents[2] / "policies")
DEPARTMENTS = st.sampled_from(["", "radiology", "surgery"])
TIES = st.frozensets(st.sampled_from(sorted(set(Relation) - {Relation.NONE, Relation.DEPARTMENT})))
SAFEGUARDS = st.frozensets(st.sampled_from(sorted(set(Safeguard) - {Safeguard.ENDED})), max_size=3)


@st.composite
def subjects(draw: st.DrawFn) -> Subject:
    role = draw(st.sampled_from(sorted(Role)))
    return Subject("somebody", role, Institution("north"), draw(DEPARTMENTS), Door.WEB, "")


@st.composite
def studies(draw: st.DrawFn) -> StudyFacts:
    nobody = UUID(int=0)
    of = draw(st.sampled_from([Institution("north"), Institution("north"), Institution("south")]))
    safeguards, ended_on = draw(SAFEGUARDS), draw(st.sampled_from(["", "20250101", "20260101"]))
    return StudyFacts(
        of, Uid("1.2.3"), nobody, nobody, draw(DEPARTMENTS), draw(TIES), safeguards, treatment_ended_on=ended_on
    )


def viewer_of(subject: Subject, purpose: Purpose, study: StudyFacts) -> Viewer:
    """Return the subject's eyes, with the ties that the study was drawn with."""
    ties = tuple(tie(relation, study.alias, of=study.institution) for relation in sorted(study.relations))
    return Viewer(subject.institution, subject.department, "an actor", purpose, NOW, "20250601", ties)


def scope_of(subject: Subject, purpose: Purpose, study: StudyFacts) -> Scope:
    viewer = viewer_of(subject, purpose, study)
    return Scope(viewer, POLICY.reaches(subject, Action.STUDY_SEARCH, purpose), subject.institution).of(
        study.institution
    )


def allowed(subject: Subject, action: Action, purpose: Purpose, study: StudyFacts) -> bool:
    seen = study.seen_by(viewer_of(subject, purpose, study))
    held = relations_of(subject, seen, tied=True)
    return bool(held) and POLICY.decide(subject, action, purpose, held, seen.safeguards).allowed


@given(subject=subjects(), study=studies(), purpose=st.sampled_from(sorted(Purpose)))
def test_a_search_finds_exactly_the_studies_that_each_decision_would_allow(
    subject: Subject, study: StudyFacts, purpose: Purpose
) -> None:
    assert scope_of(subject, purpose, study).holds(study) == allowed(subject, Action.STUDY_SEARCH, purpose, study)


@given(subject=subjects(), study=studies(), purpose=st.sampled_from(sorted(Purpose)))
def test_whoever_may_read_a_study_may_find_it_and_the_other_way_round(
    subject: Subject, study: StudyFacts, purpose: Purpose
) -> None:
    assert allowed(subject, Action.STUDY_SEARCH, purpose, study) == allowed(subject, Action.STUDY_READ, purpose, study)
