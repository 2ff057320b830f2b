"""The conditions under which a person reaches a study, as SQL asks them."""

from pathlib import Path

from sqlalchemy import select

from pacs_secure.adapters.sql import Database, reaching
from pacs_secure.adapters.sql.tables import Moment, studies
from pacs_secure.core.access import Reach, Relation, Safeguard
from tests.builders import HERE, ROOT, scope, viewer


def plan(database: Database, statement: object, asked: dict[str, object]) -> str:
    compiled = statement.compile(dialect=database._engine.dialect)  # type: ignore[attr-defined]
    named = compiled.construct_params(asked)
    moment = Moment().process_bind_param(viewer().at, database._engine.dialect)
    bound = tuple(moment if name == "at" else named[name] for name in compiled.positiontup)
    with database.read() as connection:
        steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", bound)
        return "\n".join(step.detail for step in steps)


def test_a_study_is_found_by_its_uid_and_the_ties_by_their_person(tmp_path: Path) -> None:
    database = Database(tmp_path / "index.db")
    try:
        asked = {"a_study": f"{ROOT}.1", "an_institution": HERE, **reaching.asked(viewer())}
        steps = plan(database, reaching._facts, asked)
    finally:
        database.close()

    assert "SEARCH studies USING INDEX ix_studies_study_instance_uid (study_instance_uid=?)" in steps
    assert "SCAN" not in steps
    assert "SEARCH ties USING INDEX ix_ties_actor (actor=? AND relation=?" in steps


def test_the_same_scope_is_the_same_statement() -> None:
    one = [Reach(Relation.TREATING, frozenset()), Reach(Relation.DEPARTMENT, frozenset({Safeguard.ENDED}))]
    scopes = [scope(), scope()]
    texts = set()
    for of, reaches in zip(scopes, (one, reversed(one)), strict=True):
        object.__setattr__(of, "reaches", frozenset(reaches))
        texts.add(str(select(studies.c.id).where(reaching.in_scope(of))))

    assert len(texts) == 1


def test_a_relation_that_no_table_knows_reaches_nothing() -> None:
    condition = str(reaching.in_scope(scope(Relation.OWN)))

    assert "false" in condition.lower() or "0 = 1" in condition
