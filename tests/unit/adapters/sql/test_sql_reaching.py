"""The conditions under which a person reaches a study, as SQL asks them."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from pacs_secure.adapters.sql import reaching
from pacs_secure.adapters.sql.tables import studies
from pacs_secure.core.access import Reach, Relation, Safeguard, Scope
from pacs_secure.core.errors import OverLimit
from tests.builders import scope, tie, viewer


def condition(of: Scope) -> str:
    return str(select(studies.c.id).where(reaching.in_scope(of)))


def test_the_same_scope_is_the_same_statement() -> None:
    one = [Reach(Relation.NONE, frozenset()), Reach(Relation.DEPARTMENT, frozenset({Safeguard.ENDED}))]

    assert condition(replace(scope(), reaches=frozenset(one))) == condition(
        replace(scope(), reaches=frozenset(reversed(one)))
    )


@pytest.mark.parametrize("relation", [Relation.OWN, Relation.INVITED, Relation.TREATING])
def test_a_relation_by_which_nothing_ties_the_viewer_reaches_nothing(relation: Relation) -> None:
    assert "false" in condition(scope(relation)).lower() or "0 = 1" in condition(scope(relation))


def test_nobody_has_more_ties_than_a_statement_can_ask_for() -> None:
    ties = tuple(tie() for _ in range(3))
    of = replace(scope(Relation.INVITED), viewer=replace(viewer(), ties=ties * 4_000))

    with pytest.raises(OverLimit):
        condition(of)


def test_the_table_of_ties_is_never_asked_by_a_search() -> None:
    of = replace(scope(Relation.INVITED, Relation.TREATING), viewer=replace(viewer(), ties=(tie(),)))

    assert "ties" not in condition(of)
