"""Entries are found by derived rows, whatever the ledger's length."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger import SqlLedger
from pacs_secure.adapters.sql.ledger_index_tables import ledger_subjects, ledger_times
from pacs_secure.adapters.sql.ledger_search import found
from pacs_secure.core.access import Action
from pacs_secure.core.errors import OverLimit
from pacs_secure.core.seeking import Sought
from tests.builders import HERE, NOW, draft, study_facts

STUDY = study_facts()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "index.db")
    yield opened
    opened.close()


def plan(database: Database, sought: Sought, after: int | None) -> str:
    """Return how the database looks for it."""
    ran: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        ran.append((statement, parameters))

    event.listen(database._readers, "before_cursor_execute", note)
    list(found(database, sought, after))
    event.remove(database._readers, "before_cursor_execute", note)
    statement, parameters = ran[-1]
    with database.read() as connection:
        return "; ".join(
            step.detail for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        )


@pytest.mark.parametrize("going_on", [False, True])
@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize(
    "narrowed",
    [
        {"since": NOW, "until": NOW},
        {"action": Action.STUDY_READ},
        {"patients": frozenset({STUDY.patient_alias})},
        {"study": STUDY.alias, "since": NOW},
    ],
    ids=["period", "action", "patient", "study"],
)
def test_no_search_walks_the_ledger_or_sorts_it(
    database: Database,
    narrowed: dict[str, object],
    newest_first: bool,  # noqa: FBT001 - both ways
    going_on: bool,  # noqa: FBT001 - both ways
) -> None:
    sought = Sought(HERE, newest_first=newest_first, **narrowed)  # type: ignore[arg-type]

    SqlLedger(database).append(draft(at=NOW, study=STUDY))
    how = plan(database, sought, 0 if going_on else None)

    assert "SCAN" not in how, how
    assert "TEMP B-TREE" not in how, how


def test_every_entry_has_its_rows_in_the_same_commit(database: Database) -> None:
    ledger = SqlLedger(database)
    ledger.append(draft(at=NOW, study=STUDY))
    ledger.append(draft(at=NOW))
    with pytest.raises(OverLimit):
        ledger.append(draft(facts={"note": "x" * 70_000}, study=STUDY))

    with database.read() as connection:
        times = connection.execute(select(ledger_times.c.entry_index).order_by(ledger_times.c.entry_index)).scalars()
        subjects = connection.execute(select(ledger_subjects.c.alias, ledger_subjects.c.entry_index)).all()
        assert list(times) == [0, 1]
        assert {tuple(row) for row in subjects} == {(STUDY.alias, 0), (STUDY.patient_alias, 0)}
