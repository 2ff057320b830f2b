"""Every search is led by an index: what the engine itself says of its plans."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql import search
from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.growth import add
from pacs_secure.adapters.sql.records import SqlRecords
from pacs_secure.core.access import Relation, Scope
from pacs_secure.core.errors import OverLimit
from pacs_secure.core.identifiers import Uid, uid
from pacs_secure.core.query import Level, Narrowing
from tests.builders import HERE, ROOT, digest, grant, indexed_instance, scope

STUDY, SERIES, INSTANCE = (Uid(f"{ROOT}.7{below}") for below in ("", ".7", ".7.7"))
DEPARTMENT = scope(Relation.DEPARTMENT)
TOKEN = digest("patient id", "a patient")
LOW = "ix_studies_newest (institution=? AND study_date>? AND study_date<?)"


class Planner:
    """Runs a search and asks the engine how it went about the same statement."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.records = SqlRecords(database)
        self._ran: list[tuple[str, Any]] = []
        event.listen(database._readers, "before_cursor_execute", self._note)

    def plan(self, narrowing: Narrowing, of: Scope | None = None) -> list[str]:
        self._ran.clear()
        list(self.records.search(of or scope(), narrowing))
        return self.explain()

    def explain(self) -> list[str]:
        statement, parameters = self._ran[-1]
        with self._database.read() as connection:
            steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            return [step.detail for step in steps]

    def _note(self, _connection: Connection, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if not statement.startswith("EXPLAIN"):
            self._ran.append((statement, parameters))


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    database = Database(tmp_path_factory.mktemp("planned") / "index.db")
    yield Planner(database)
    database.close()


def narrowing(level: Level, **asked: Any) -> Narrowing:
    return Narrowing(level, **asked)


CASES: list[tuple[str, Narrowing, Scope, str]] = [
    ("nothing", narrowing(Level.STUDY, limit=101), scope(), "studies USING INDEX ix_studies_newest (institution=?)"),
    (
        "dates",
        narrowing(Level.STUDY, study_date_from="20260101", study_date_to="20260107"),
        scope(),
        f"studies USING INDEX {LOW}",
    ),
    (
        "patient",
        narrowing(Level.STUDY, patient_id_token=TOKEN),
        scope(),
        "studies USING INDEX ix_studies_patient_id_token (institution=? AND patient_id_token=?)",
    ),
    (
        "patient and dates",
        narrowing(Level.STUDY, patient_id_token=TOKEN, study_date_from="20260101", study_date_to="20260107"),
        scope(),
        "studies USING INDEX ix_studies_patient_id_token (institution=? AND patient_id_token=?)",
    ),
    (
        "accession number",
        narrowing(Level.STUDY, accession_number_token=TOKEN),
        scope(),
        "studies USING INDEX ix_studies_accession_number_token (institution=? AND accession_number_token=?)",
    ),
    (
        "birth date",
        narrowing(Level.STUDY, birth_date_token=TOKEN),
        scope(),
        "studies USING INDEX ix_studies_birth_date_token (institution=? AND birth_date_token=?)",
    ),
    (
        "name",
        narrowing(Level.STUDY, name_tokens=(frozenset({b"a", b"b"}), frozenset({b"c"}))),
        scope(),
        "studies USING INTEGER PRIMARY KEY (rowid=?)",
    ),
    (
        "modality",
        narrowing(Level.STUDY, modalities_in_study=("CT",), limit=101),
        scope(),
        "study_modalities USING PRIMARY KEY (institution=? AND modality=?)",
    ),
    (
        "modality and dates",
        narrowing(Level.STUDY, modalities_in_study=("CT",), study_date_from="20260101", study_date_to="20260107"),
        scope(),
        "study_modalities USING PRIMARY KEY (institution=? AND modality=? AND study_date>? AND study_date<?)",
    ),
    (
        "modality and patient",
        narrowing(Level.STUDY, modalities_in_study=("CT",), patient_id_token=TOKEN),
        scope(),
        "studies USING INDEX ix_studies_patient_id_token (institution=? AND patient_id_token=?)",
    ),
    (
        "modalities",
        narrowing(Level.STUDY, modalities_in_study=("CT", "MR"), limit=101),
        scope(),
        "studies USING INDEX ix_studies_newest (institution=?)",
    ),
    (
        "department",
        narrowing(Level.STUDY, limit=101),
        DEPARTMENT,
        "studies USING INDEX ix_studies_department (institution=? AND department=?)",
    ),
    (
        "department and dates",
        narrowing(Level.STUDY, study_date_from="20260101", study_date_to="20260107"),
        DEPARTMENT,
        "ix_studies_department (institution=? AND department=? AND study_date>? AND study_date<?)",
    ),
    (
        "study",
        narrowing(Level.STUDY, study_instance_uids=(STUDY,)),
        scope(),
        "studies USING INDEX sqlite_autoindex_studies_1 (institution=? AND study_instance_uid=?)",
    ),
    (
        "study of a series",
        narrowing(Level.STUDY, series_instance_uids=(SERIES,)),
        scope(),
        "series USING INDEX ix_series_series_instance_uid (series_instance_uid=?)",
    ),
    (
        "study of an instance",
        narrowing(Level.STUDY, sop_instance_uids=(INSTANCE,)),
        scope(),
        "instances USING INDEX sqlite_autoindex_instances_1 (institution=? AND sop_instance_uid=?)",
    ),
    (
        "studies with a class",
        narrowing(Level.STUDY, sop_class_uids=(uid("1.2"),), limit=101),
        scope(),
        "instances USING COVERING INDEX ix_instances_series_id (series_id=? AND sop_class_uid=?)",
    ),
    (
        "series of a study",
        narrowing(Level.SERIES, study_instance_uids=(STUDY,)),
        scope(),
        "series USING INDEX sqlite_autoindex_series_1 (study_id=?)",
    ),
    (
        "series of a modality",
        narrowing(Level.SERIES, modalities=("CT",), limit=101),
        scope(),
        "study_modalities USING PRIMARY KEY (institution=? AND modality=?)",
    ),
    (
        "series of an instance",
        narrowing(Level.SERIES, sop_instance_uids=(INSTANCE,)),
        scope(),
        "instances USING INDEX sqlite_autoindex_instances_1 (institution=? AND sop_instance_uid=?)",
    ),
    (
        "instances of a series",
        narrowing(Level.INSTANCE, study_instance_uids=(STUDY,), series_instance_uids=(SERIES,)),
        scope(),
        "instances USING INDEX ix_instances_series_id (series_id=?)",
    ),
    (
        "instance",
        narrowing(Level.INSTANCE, sop_instance_uids=(INSTANCE,)),
        scope(),
        "instances USING INDEX sqlite_autoindex_instances_1 (institution=? AND sop_instance_uid=?)",
    ),
    (
        "instances",
        narrowing(Level.INSTANCE, limit=101),
        scope(),
        "instances USING INDEX ix_instances_series_id (series_id=?)",
    ),
]


@pytest.mark.parametrize(("asked", "of", "led"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_an_index_leads_every_search(planner: Planner, asked: Narrowing, of: Scope, led: str) -> None:
    plan = planner.plan(asked, of)

    assert any(step.endswith(led) for step in plan), plan
    assert not [step for step in plan if step.startswith("SCAN")], plan


UNSORTED = ("nothing", "dates", "modality", "modality and dates", "modalities", "department", "department and dates")


@pytest.mark.parametrize(
    ("asked", "of"), [case[1:3] for case in CASES if case[0] in UNSORTED], ids=[c[0] for c in CASES if c[0] in UNSORTED]
)
def test_a_page_of_the_newest_studies_is_never_sorted_for(planner: Planner, asked: Narrowing, of: Scope) -> None:
    assert not [step for step in planner.plan(asked, of) if "TEMP B-TREE" in step]


def test_rows_for_delivery_and_verification_are_found_by_index(planner: Planner) -> None:
    planner.records.instances(HERE, STUDY, SERIES, INSTANCE)
    assert "SEARCH instances USING INDEX sqlite_autoindex_instances_1 (institution=? AND sop_instance_uid=?)" in (
        planner.explain()
    )
    planner.records.instances(HERE, STUDY)
    assert planner.explain() == [
        "SEARCH studies USING COVERING INDEX sqlite_autoindex_studies_1 (institution=? AND study_instance_uid=?)",
        "SEARCH series USING INDEX sqlite_autoindex_series_1 (study_id=?)",
        "SEARCH instances USING INDEX ix_instances_series_id (series_id=?)",
        "USE TEMP B-TREE FOR ORDER BY",
    ]
    list(planner.records.every_instance(grant()))
    assert planner.explain()[0] == "SEARCH instances USING INTEGER PRIMARY KEY (rowid>?)"


def test_plans_do_not_change_when_rows_come(tmp_path: Path) -> None:
    def no_proof(_: object) -> bytes:
        return b""

    database = Database(tmp_path / "index.db")
    database.write(
        lambda connection: [
            add(
                connection,
                indexed_instance(f"{ROOT}.{n}", f"{ROOT}.{n}.1", f"{ROOT}.{n}.1.1", patient=str(n)),
                lambda _: b"",
                0,
            )
            for n in range(500)
        ]
    )
    database.close()
    database = Database(tmp_path / "index.db")
    planner = Planner(database)
    plans = {name: planner.plan(asked, of) for name, asked, of, _ in CASES}
    database.close()

    assert {name for name, _, _, led in CASES if not any(step.endswith(led) for step in plans[name])} == set()


@pytest.mark.parametrize("field", ["study_instance_uids", "series_instance_uids", "sop_instance_uids", "modalities"])
def test_a_list_beyond_what_an_engine_takes_is_over_the_limit(planner: Planner, field: str) -> None:
    longest = tuple(f"1.{number}" for number in range(search.MOST_VALUES))

    assert list(planner.records.search(scope(), narrowing(Level.INSTANCE, **{field: longest}))) == []
    with pytest.raises(OverLimit):
        list(planner.records.search(scope(), narrowing(Level.INSTANCE, **{field: (*longest, "1.2.3")})))
