"""A search's scope and the decision on each single study are one and the same (ACC-02, ACC-03)."""

from pathlib import Path
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from pacs_secure.adapters.casbin_policy import CasbinPolicy
from pacs_secure.core.access import Action, Door, Purpose, Relation, Role, Scope, StudyFacts, Subject
from pacs_secure.core.identifiers import Institution, Uid

POLICY = CasbinPolicy(Path(__file__).parents[2] / "policies")
DEPARTMENTS = st.sampled_from(["", "radiology", "surgery"])
FROM_A_FEED = st.frozensets(st.sampled_from(sorted(set(Relation) - {Relation.NONE, Relation.DEPARTMENT})))


@st.composite
def subjects(draw: st.DrawFn) -> Subject:
    role = draw(st.sampled_from(sorted(Role)))
    return Subject("somebody", role, Institution("north"), draw(DEPARTMENTS), Door.WEB, "")


@st.composite
def studies(draw: st.DrawFn) -> StudyFacts:
    nobody = UUID(int=0)
    return StudyFacts(Institution("north"), Uid("1.2.3"), nobody, nobody, draw(DEPARTMENTS), draw(FROM_A_FEED))


def in_scope(scope: Scope, study: StudyFacts) -> bool:
    """Narrow as an index does: by department and by what a feed says of the subject and the patient."""
    same = Relation.DEPARTMENT in scope.relations and bool(scope.department) and study.department == scope.department
    return scope.everything or same or not scope.relations.isdisjoint(study.relations)


def held(subject: Subject, study: StudyFacts) -> frozenset[Relation]:
    same = bool(subject.department) and subject.department == study.department
    return study.relations | {Relation.NONE} | ({Relation.DEPARTMENT} if same else set())


@given(subject=subjects(), study=studies(), purpose=st.sampled_from(sorted(Purpose)))
def test_a_search_finds_exactly_the_studies_that_each_decision_would_allow(
    subject: Subject, study: StudyFacts, purpose: Purpose
) -> None:
    relations, _ = POLICY.relations(subject, Action.STUDY_SEARCH, purpose)
    scope = Scope(subject.institution, relations, subject.department, subject.identifier)

    decision = POLICY.decide(subject, Action.STUDY_SEARCH, purpose, held(subject, study))

    assert in_scope(scope, study) == decision.allowed


@given(subject=subjects(), study=studies(), purpose=st.sampled_from(sorted(Purpose)))
def test_whoever_may_read_a_study_may_find_it_and_the_other_way_round(
    subject: Subject, study: StudyFacts, purpose: Purpose
) -> None:
    relations = held(subject, study)

    found = POLICY.decide(subject, Action.STUDY_SEARCH, purpose, relations)
    read = POLICY.decide(subject, Action.STUDY_READ, purpose, relations)

    assert found.allowed == read.allowed
