"""Somebody with the database file and its engine: what they read, what they may change, what becomes of it."""

import sqlite3
import traceback
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger import SqlLedger
from pacs_secure.adapters.sql.records import SqlRecords
from pacs_secure.adapters.sql.tables import metadata
from pacs_secure.archive.indexing import index
from pacs_secure.core.access import Action
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import ArchiveError, Tampered, Unavailable
from pacs_secure.core.identifiers import uid
from pacs_secure.core.instance import Description
from pacs_secure.core.query import Level, Narrowing
from pacs_secure.crypto.index_seal import IndexSeal
from tests.builders import HERE, NOW, ROOT, device, draft, grant, indexed_instance, instance_row, permit, scope, viewer

STUDY = uid(f"{ROOT}.1")
CANARIES = ("DOE", "JOHN", "PAT-4711", "19700102", "ACC-0815", "REFERRER", "HEAD INJURY")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = Database(path)
    yield opened
    opened.close()


def tamper(path: Path, *statements: str) -> None:
    """Do what the owner of the file can do with any SQLite shell."""
    with closing(sqlite3.connect(path)) as shell:
        for statement in statements:
            shell.execute(statement)
        shell.commit()


def described() -> Description:
    return Description(
        modality="DOE^JOHN",
        study_date="20260301",
        study_time="DOE^JOHN",
        series_number=1,
        instance_number=1,
        patient_id="PAT-4711",
        issuer_of_patient_id="HOSPITAL",
        patient_birth_date="19700102",
        accession_number="ACC-0815",
        patient_name="DOE^JOHN",
        referring_physician_name="REFERRER^ANY",
        study_json=b'{"00100010":{"vr":"PN","Value":[{"Alphabetic":"DOE^JOHN"}]}}',
        series_json=b'{"0008103E":{"vr":"LO","Value":["HEAD INJURY"]}}',
        instance_json=b'{"00204000":{"vr":"LT","Value":["HEAD INJURY"]}}',
        metadata_json=b"{}",
    )


TEXTS = {
    "audit_outbox": {"at", "notice_kind"},
    "audit_set_aside": {"at", "notice_kind"},
    "board_members": {"actor"},
    "bookmarks": {"channel"},
    "boards": {"convener", "institution", "meets_on"},
    "devices": {
        *("ae_title", "also_ae_titles", "department", "host", "institution"),
        *("networks", "operations", "serial", "sop_classes"),
    },
    "employee_questions": {"actor", "institution", "ruled_by"},
    "emergencies": {"actor", "institution", "judgement", "reviewed_by"},
    "forgettings": {"department", "institution", "stage", "study_instance_uid"},
    "instances": {"institution", "sop_class_uid", "sop_instance_uid", "transfer_syntax_uid"},
    "institutions": {"name"},
    "ledger_keys": {"institution"},
    "ledger_subjects": {"actor"},
    "ledger_times": {"action", "actor", "department", "institution", "outcome", "role"},
    "notice_channels": {"channel", "institution"},
    "notices": {"acknowledged_by", "institution", "kind"},
    "patients": {"institution"},
    "policies": {"actor", "approved_by", "institution", "replaces", "version"},
    "revoked_logins": {"institution"},
    "revoked_people": {"actor", "institution"},
    "rewraps": {"institution", "shelf"},
    "series": {"modality", "series_instance_uid"},
    "shares": {"institution", "invitee", "inviter", "purpose"},
    "sessions": {"actor", "institution", "provider_session", "provider_subject"},
    "studies": {
        *("department", "institution", "modalities", "study_date", "study_instance_uid"),
        *("study_time", "treatment_ended_on"),
    },
    "study_modalities": {"institution", "modality", "study_date", "study_time"},
    "ties": {"actor", "institution", "purpose", "relation"},
}
"""Every column of every table that could hold a text; actors, inviters and who reviewed are keyed pseudonyms."""


class TestReading:
    def test_nothing_personal_stands_in_any_file(self, path: Path) -> None:
        """SEC-01; whoever sends a name as a modality or a time does not get it in clear either."""
        with closing(Database(path)) as database:
            records = SqlRecords(database)
            for number in range(20):
                row = instance_row(instance=f"{STUDY}.1.{number}")
                indexed = index(IndexSeal(bytes(range(32))), row, described(), "radiology")
                records.add(permit(), indexed, lambda facts: draft(Outcome.BEGUN, study=facts))
            files = {file.name: file.read_bytes() for file in path.parent.iterdir()}

        assert set(files) == {"index.db", "index.db-wal", "index.db-shm"}
        assert STUDY.encode() in b"".join(files.values())  # the rows are there
        for name, content in files.items():
            assert [canary for canary in CANARIES if canary.encode() in content] == [], name

    def test_errors_and_logs_hold_no_values(self, database: Database, caplog: pytest.LogCaptureFixture) -> None:
        marker = "DOE^JOHN"
        with pytest.raises(ArchiveError) as caught:
            SqlRecords(database).add(permit(), indexed_instance(department=f"{marker}\ud800"), None)

        assert marker not in caplog.text + repr(caught.value) + repr(caught.value.__cause__)

    def test_the_cause_of_an_error_does_not_say_what_was_asked_for(self, path: Path, database: Database) -> None:
        tamper(path, "DROP TABLE name_tokens", "DROP TABLE study_modalities")
        asked = Narrowing(Level.STUDY, study_instance_uids=(STUDY,), modalities_in_study=("DOE",))

        with pytest.raises(Unavailable) as caught:
            list(SqlRecords(database).search(scope(), asked))
        told = "".join(traceback.format_exception(caught.value))
        assert "no such table" in told
        assert not [value for value in (STUDY, "DOE", HERE) if value in told]

    def test_every_column_that_could_hold_text_is_known(self) -> None:
        """A new text column must be thought about: nothing personal may stand in it."""
        texts: dict[str, set[str]] = {}
        for table in metadata.tables.values():
            for column in table.columns:
                if column.type.python_type is str:
                    texts.setdefault(table.name, set()).add(column.name)

        assert texts == TEXTS


class TestLedgerRows:
    @pytest.fixture(autouse=True)
    def _some_entries(self, database: Database) -> None:
        ledger = SqlLedger(database)
        for _ in range(3):
            ledger.append(draft())
        ledger.add_checkpoint(3, b"note")

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE ledger SET content = x'00' WHERE entry_index = 1",
            "UPDATE ledger SET entry_index = 9 WHERE entry_index = 2",
            "UPDATE OR REPLACE ledger SET entry_index = 0 WHERE entry_index = 2",
            "DELETE FROM ledger",
            "DELETE FROM ledger WHERE entry_index = 2",
            "REPLACE INTO ledger SELECT 1, x'00', leaf_hash, prev_hash FROM ledger WHERE entry_index = 2",
            "INSERT OR REPLACE INTO ledger VALUES (2, x'00', x'00', x'00')",
            "INSERT INTO ledger VALUES (0, x'00', x'00', x'00') ON CONFLICT DO UPDATE SET content = x'00'",
            "UPDATE checkpoints SET note = x'00'",
            "DELETE FROM checkpoints",
            "REPLACE INTO checkpoints VALUES (3, x'00')",
        ],
    )
    def test_no_statement_changes_what_was_recorded(self, path: Path, database: Database, statement: str) -> None:
        ledger = SqlLedger(database)
        before = list(ledger.entries(0, 9)), list(ledger.checkpoints())

        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            tamper(path, statement)
        assert (list(ledger.entries(0, 9)), list(ledger.checkpoints())) == before

    def test_triggers_that_were_taken_away_are_back_after_a_start(self, path: Path, database: Database) -> None:
        tamper(path, "DROP TRIGGER ledger_refuses_update", "DROP TRIGGER checkpoints_refuses_delete")
        database.close()
        Database(path).close()

        for statement in ("UPDATE ledger SET content = x'00'", "DELETE FROM checkpoints"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                tamper(path, statement)


class TestOpenActs:
    def test_an_act_that_is_tied_to_another_entry_is_not_closed_as_that(self, path: Path, database: Database) -> None:
        ledger = SqlLedger(database)
        ledger.append(draft(Outcome.BEGUN, action=Action.STUDY_READ))
        ledger.append(draft(Outcome.COMPLETED, action=Action.STUDY_CREATE))

        for statement in ("UPDATE open_acts SET begun = 1", f"UPDATE open_acts SET begun = 0, act = x'{uuid4().hex}'"):
            tamper(path, statement)
            with pytest.raises(Tampered):
                SqlRecords(database).open_acts(NOW.replace(year=2100))

    def test_an_entry_that_is_none_is_not_closed(self, path: Path, database: Database) -> None:
        SqlLedger(database).append(draft(Outcome.BEGUN))
        tamper(path, "DROP TRIGGER ledger_refuses_update", "UPDATE ledger SET content = x'7b7d'")

        with pytest.raises(Tampered):
            SqlRecords(database).open_acts(NOW.replace(year=2100))


class TestRows:
    @pytest.fixture(autouse=True)
    def _an_instance(self, database: Database) -> None:
        SqlRecords(database).add(permit(), indexed_instance(), None)

    @pytest.mark.parametrize(
        "value",
        [
            "object_id = x'00'",
            "object_id = 'text'",
            "study_key_id = 7",
            "act = zeroblob(17)",
            "received_at = 'yesterday'",
            "received_at = 9223372036854775807",
            "received_at = 1.5e300",
            "frames = x'ff'",
            "frames = 'text'",
        ],
    )
    def test_a_row_that_cannot_be_read_is_tampered(self, path: Path, database: Database, value: str) -> None:
        tamper(path, f"UPDATE instances SET {value}")
        records = SqlRecords(database)

        with pytest.raises(Tampered):
            records.instances(HERE, STUDY)
        with pytest.raises(Tampered):
            list(records.every_instance(grant()))

    def test_an_alias_that_cannot_be_read_stops_adding_to_that_study_only(self, path: Path, database: Database) -> None:
        tamper(path, "UPDATE studies SET alias = x'00'")
        records = SqlRecords(database)

        with pytest.raises(Tampered):
            records.studies(viewer(), STUDY)
        with pytest.raises(Tampered):
            records.add(permit(), indexed_instance(instance=f"{STUDY}.1.2"), None)
        other = f"{ROOT}.2"
        assert records.add(permit(), indexed_instance(other, f"{other}.1", f"{other}.1.1", patient="b"), None) == "new"

    def test_text_that_is_no_text_is_an_error_of_ours(self, path: Path, database: Database) -> None:
        tamper(path, "UPDATE studies SET modalities = CAST(x'ff' AS TEXT)")

        with pytest.raises(ArchiveError):
            list(SqlRecords(database).search(scope(), Narrowing(Level.STUDY)))

    def test_a_device_cannot_be_put_into_two_places(self, path: Path) -> None:
        one = device("CT1")
        with pytest.raises(sqlite3.IntegrityError):
            tamper(
                path,
                *(
                    "INSERT INTO devices VALUES "
                    f"('{title}', 'north', '', 'store', x'{one.spki_sha256.hex()}', 'host', 1, NULL, "
                    "'', '', '', 0, '', NULL, x'')"
                    for title in ("CT1", "CT2")
                ),
            )
