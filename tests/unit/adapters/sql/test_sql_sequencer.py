"""The sequencer: what waits in the outbox gets its place, whatever else is found there."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, pairwise
from threading import Event
from time import monotonic, sleep
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError, ProgrammingError

from pacs_secure.adapters.sql import SqlLedger, SqlNotices, SqlRecords, postgres, sequencer
from pacs_secure.adapters.sql.bulk import insert_many
from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.outbox import MOST_AT_ONCE, put_in, sequence_in
from pacs_secure.adapters.sql.outbox_tables import audit_outbox, audit_set_aside, ledger_writers
from pacs_secure.adapters.sql.placing import Waiting, place_in
from pacs_secure.adapters.sql.sequencer import Sequencer, settle, taken
from pacs_secure.adapters.sql.tables import devices, ledger
from pacs_secure.adapters.sql.traits import read_traits, traits_of
from pacs_secure.core.audit import Draft, LedgerEntry, Outcome, Statement
from pacs_secure.core.errors import ArchiveError, OverLimit, Tampered, Unavailable
from pacs_secure.core.identifiers import KeyId
from pacs_secure.core.notices import Notice, NoticeKind
from pacs_secure.crypto.tlog import NO_ENTRY, parse_entry, read_draft, state
from pacs_secure.ports import ForgettableKey
from tests.builders import HERE, NOW, draft, study_facts
from tests.postgres_fixture import PostgresServer, tamper

UNSTORABLE = state(replace(draft(), actor="", details=None, department="a\x00b"))


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    opened = Database(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def signed(database: Database) -> Database:
    database.author(lambda: ForgettableKey(KeyId(uuid4()), bytes(32)))
    return database


def silent(kind: str, facts: object) -> None:
    raise AssertionError((kind, facts))


def eventually(true: object, seconds: float = 5) -> bool:
    assert callable(true)
    patience = monotonic() + seconds
    while not true() and monotonic() < patience:
        sleep(0.005)
    return bool(true())


def entries(database: Database) -> list[LedgerEntry]:
    book = SqlLedger(database)
    return list(book.entries(0, book.size()))


def sound(found: list[LedgerEntry]) -> bool:
    return [entry.index for entry in found] == list(range(len(found))) and all(
        entry.prev_hash == before.leaf_hash for before, entry in pairwise(found)
    )


def waiting(database: Database) -> int:
    with database.read() as connection:
        return len(connection.execute(audit_outbox.select()).all())


def notice(of: Draft) -> Notice:
    return Notice(uuid4(), HERE, NoticeKind.ALARM, uuid4(), of.act, NOW, b"sealed")


class TestOutbox:
    def test_what_is_recorded_waits_and_then_has_its_place(self, signed: Database) -> None:
        book, written = SqlLedger(signed), [draft() for _ in range(3)]
        for one in written:
            book.append(one)
        assert (waiting(signed), book.size()) == (3, 0)

        signed.settle()
        assert waiting(signed) == 0
        found = entries(signed)
        assert sound(found)
        assert [read_draft(entry.content) for entry in found] == written
        numbers = [parse_entry(entry.content).statement.authorship for entry in found]
        assert [one and one.number for one in numbers] == [0, 1, 2]

    def test_what_fails_leaves_nothing_and_no_gap(self, signed: Database) -> None:
        book = SqlLedger(signed)
        book.append(draft())
        with pytest.raises(OverLimit):
            book.append(draft(facts={"note": "x" * 65_200}))
        book.append(draft())
        signed.settle()

        numbers = [parse_entry(entry.content).statement.authorship for entry in entries(signed)]
        assert [one and one.number for one in numbers] == [0, 1]

    def test_acts_studies_and_notices_are_found_as_where_the_commit_sequences(self, database: Database) -> None:
        book, study = SqlLedger(database), study_facts()
        left, done = draft(Outcome.BEGUN, study=study), draft(Outcome.BEGUN)
        book.append(left)
        book.append(done)
        ended = draft(Outcome.COMPLETED, act=done.act)
        book.append(ended, notice(ended))

        assert SqlRecords(database).open_acts(NOW.replace(year=2100)) == [left]
        (told,) = SqlNotices(database).listed(HERE, 9, acknowledged=False)
        assert (told.number, told.notice.act) == (2, ended.act)
        assert [entry.index for entry in book.about(study.alias)] == [0]

    def test_an_act_that_ends_before_anyone_looked_is_not_left_open(self, database: Database) -> None:
        book, act = SqlLedger(database), uuid4()
        for outcome in (Outcome.BEGUN, Outcome.COMPLETED, Outcome.BEGUN, Outcome.FAILED):
            book.append(draft(outcome, act=act))
        for _ in range(2):
            book.append(draft(Outcome.BEGUN, act=act))

        (left,) = SqlRecords(database).open_acts(NOW.replace(year=2100))
        assert left.act == act

    def test_thousands_get_their_places_in_a_few_commits(self, database: Database) -> None:
        said = [state(draft(Outcome.BEGUN, study=study_facts())) for _ in range(MOST_AT_ONCE + 500)]
        database.write(
            lambda connection: insert_many(connection, audit_outbox, [{"at": one.at, "said": one.said} for one in said])
        )
        database.settle()

        found = entries(database)
        assert sound(found)
        assert [parse_entry(entry.content).statement.said for entry in found] == [one.said for one in said]
        assert len(SqlRecords(database).open_acts(NOW.replace(year=2100))) == len(said)

    def test_whoever_keeps_nothing_of_what_it_is_given_is_found_out(
        self, database: Database, postgres_url: str
    ) -> None:
        with psycopg.connect(postgres_url) as shell:
            shell.execute("CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
            for table in ("audit_outbox", "ledger"):
                shell.execute(
                    psycopg.sql.SQL(
                        "CREATE TRIGGER s BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION swallow()"
                    ).format(psycopg.sql.Identifier(table))
                )
        one = Waiting(state(draft()), traits_of(draft()))

        for work in (
            lambda connection: put_in(connection, one),
            lambda connection: place_in(connection, [one]),
            lambda connection: place_in(connection, [one] * 30),
        ):
            with pytest.raises(Tampered):
                database.write(work)


class TestTraits:
    def test_they_are_the_same_before_and_after_writing_down(self) -> None:
        for one in (draft(), draft(Outcome.BEGUN, study=study_facts())):
            assert read_traits(state(one)) == traits_of(one)

    @pytest.mark.parametrize("said", [b"", b"[]", b"{}", b'{"act":1}', b"\xff", b'{"act":"no uuid"}'])
    def test_what_is_no_statement_has_none(self, said: bytes) -> None:
        with pytest.raises(Tampered):
            read_traits(Statement("2026-03-01T12:00:00.000000Z", said))

    def test_a_word_that_is_none_is_not_taken(self) -> None:
        said = state(draft())
        with pytest.raises(Tampered):
            read_traits(Statement(said.at, said.said.replace(b'"radiology"', b"7")))


class TestBulk:
    def test_many_rows_arrive_as_few_do(self, database: Database) -> None:
        rows = [
            {"entry_index": index, "content": b"c%d" % index, "leaf_hash": bytes(32), "prev_hash": b"\xff" * 32}
            for index in range(50)
        ]

        def add(connection: Connection) -> None:
            insert_many(connection, ledger, [])
            insert_many(connection, ledger, rows[:5])
            insert_many(connection, ledger, rows[5:])

        database.write(add)
        with database.read() as connection:
            found = [row._asdict() for row in connection.execute(ledger.select().order_by(ledger.c.entry_index))]
        assert found == rows

    def test_what_is_taken_is_an_error_of_the_engine_without_values(self, database: Database) -> None:
        rows = [{"entry_index": 7, "content": b"secret", "leaf_hash": b"", "prev_hash": b""} for _ in range(50)]

        with pytest.raises(ArchiveError):
            database.write(lambda connection: insert_many(connection, ledger, rows))
        assert entries(database) == []

    def test_a_column_of_a_kind_that_is_not_known_is_not_guessed(self, database: Database) -> None:
        rows = [{"identity_required": True} for _ in range(50)]
        with pytest.raises(TypeError):
            database.write(lambda connection: insert_many(connection, devices, rows))


class TestLeading:
    @pytest.fixture
    def leading(self, database: Database) -> Iterator[Sequencer]:
        leader = database.leader()
        assert isinstance(leader, Sequencer)
        leader.start(silent)
        assert eventually(leader.leads)
        yield leader
        leader.stop()

    def test_what_is_recorded_has_its_place_in_no_time(self, signed: Database, leading: Sequencer) -> None:
        book = SqlLedger(signed)
        for size in range(1, 6):
            book.append(draft())
            assert eventually(lambda size=size: book.size() == size, 1)

    def test_whoever_waits_for_the_leader_is_told_when_it_lags(
        self, database: Database, leading: Sequencer, postgres_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        book = SqlLedger(database)
        book.append(draft())
        database.settle()
        with psycopg.connect(postgres_url) as other:
            other.execute("LOCK TABLE ledger IN EXCLUSIVE MODE")
            book.append(draft())
            engine = database._dialect.make_writer()
            with pytest.raises(Unavailable):
                settle(engine, 0.3)
            engine.dispose()
        database.settle()

        assert book.size() == 2

    def test_a_leader_whose_session_is_ended_comes_back_and_loses_nothing(
        self, signed: Database, leading: Sequencer, postgres_server: PostgresServer
    ) -> None:
        book, said = SqlLedger(signed), count()
        for _ in range(10):
            with postgres_server.shell() as shell:
                shell.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = "
                    "(SELECT oid FROM pg_database WHERE datname = split_part(split_part(%s, '@/', 2), '?', 1))",
                    [str(signed._dialect._address["dbname"])],  # type: ignore[attr-defined]
                )
            for _ in range(20):
                book.append(draft())
                next(said)
        signed.settle()

        found = entries(signed)
        assert sound(found)
        assert len(found) == next(said)

    def test_a_leader_that_stands_still_loses_its_place(
        self, signed: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(postgres._SEQUENCING, "idle_session_timeout", "300ms")
        SqlLedger(signed).append(draft())
        stopped, standby = signed.leader(), signed.leader()
        assert isinstance(stopped, Sequencer)
        engine = stopped._make_engine()
        with engine.connect() as connection:
            assert taken(connection)
            standby.start(silent)
            assert eventually(standby.leads, 3)
            assert eventually(lambda: SqlLedger(signed).size() == 1)
            with pytest.raises(OperationalError):
                taken(connection)
        standby.stop()
        engine.dispose()

    def test_two_sequencers_at_once_never_fork(self, signed: Database, postgres_url: str) -> None:
        """Even where both believed to lead, the key of the table lets one commit only."""
        book = SqlLedger(signed)
        for _ in range(5):
            book.append(draft())
        engines = [signed._dialect.make_writer() for _ in range(2)]
        with engines[0].connect() as one, engines[1].connect() as other:
            with one.begin():
                assert sequence_in(one).taken == 5
                other.exec_driver_sql("SET lock_timeout = '200ms'")
                with pytest.raises(OperationalError, match=r"lock timeout"):
                    sequence_in(other)
                other.rollback()
            with other.begin():
                assert sequence_in(other).taken == 0
        for engine in engines:
            engine.dispose()

        assert sound(entries(signed))
        assert book.size() == 5


class TestFindings:
    def test_a_number_that_is_left_out_is_an_alarm_and_the_ledger_goes_on(
        self, signed: Database, postgres_url: str
    ) -> None:
        book, told = SqlLedger(signed), list[tuple[str, object]]()
        for _ in range(3):
            book.append(draft())
        tamper(postgres_url, "DELETE FROM audit_outbox WHERE writer_seq = 1")
        leader, refused = signed.leader(), Event()

        def alarm(kind: str, facts: object) -> None:
            if not refused.is_set():
                refused.set()
                raise Unavailable("not now")
            told.append((kind, facts))

        leader.start(alarm)
        assert eventually(lambda: told)
        book.append(draft())
        assert eventually(lambda: book.size() == 3)
        leader.stop()

        with signed.read() as connection:
            ((writer, due),) = connection.execute(ledger_writers.select()).all()
        assert told == [("ledger writer", {"found": "number", "writer": str(writer), "due": 1, "came": 2})]
        assert due == 4

    @pytest.mark.parametrize(
        ("at", "said", "number"),
        [
            ("now", b'{},"seq":9', 0),
            (UNSTORABLE.at, UNSTORABLE.said, 0),  # it reads well, and no column takes it
            (state(draft()).at, state(draft()).said, 2**63 - 1),
        ],
    )
    @pytest.mark.parametrize("others", [1, 30])
    def test_a_row_that_gets_no_place_is_an_alarm_and_is_set_aside_while_all_others_get_theirs(
        self, signed: Database, postgres_url: str, at: str, said: bytes, number: int, others: int
    ) -> None:
        book, told = SqlLedger(signed), list[tuple[str, object]]()
        tamper(
            postgres_url,
            "INSERT INTO audit_outbox (at, said, writer, writer_seq, mac) VALUES (?, ?, ?, ?, ?)",
            at,
            said,
            uuid4().bytes,
            number,
            bytes(16),
        )
        for _ in range(others):
            book.append(draft())
        leader = signed.leader()

        def alarm(kind: str, facts: object) -> None:
            told.append((kind, facts))
            book.append(draft())

        leader.start(alarm)
        assert eventually(lambda: book.size() == others + 1 and told)
        assert eventually(lambda: waiting(signed) == 0)
        leader.stop()

        with signed.read() as connection:
            (kept,) = connection.execute(audit_set_aside.select()).all()
        assert told == [("ledger writer", {"found": "unreadable", "row": 1})]
        assert (sound(entries(signed)), kept.id, kept.said, book.lags(NOW.replace(year=2100))) == (True, 1, said, False)

    def test_an_archive_starts_whatever_waits(self, signed: Database, postgres_url: str) -> None:
        book = SqlLedger(signed)
        tamper(postgres_url, "INSERT INTO audit_outbox (at, said) VALUES (?, ?)", UNSTORABLE.at, UNSTORABLE.said)
        for _ in range(2):
            book.append(draft())
        signed.settle()

        assert (book.size(), waiting(signed), book.lags(NOW.replace(year=2100))) == (2, 1, True)
        assert not book.lags(NOW.replace(year=2000))

    def test_while_the_ledger_takes_nothing_nothing_is_set_aside(self, signed: Database, postgres_url: str) -> None:
        book, told = SqlLedger(signed), list[object]()
        tamper(postgres_url, "ALTER TABLE ledger ADD CONSTRAINT never CHECK (entry_index < 0)")
        book.append(draft())
        leader = signed.leader()
        leader.start(lambda _kind, facts: told.append(facts))
        assert eventually(lambda: told)
        assert waiting(signed) == 1

        tamper(postgres_url, "ALTER TABLE ledger DROP CONSTRAINT never")
        book.append(draft())
        assert eventually(lambda: (book.size(), waiting(signed)) == (2, 0))
        leader.stop()
        with signed.read() as connection:
            assert connection.execute(audit_set_aside.select()).all() == []

    def test_an_engine_that_fails_is_no_fault_of_what_was_said(self, signed: Database, postgres_url: str) -> None:
        SqlLedger(signed).append(draft())
        tamper(postgres_url, "ALTER TABLE ledger RENAME TO elsewhere")
        engine = signed._dialect.make_writer()
        with engine.connect() as connection, pytest.raises(ProgrammingError):
            sequence_in(connection)
        engine.dispose()
        tamper(postgres_url, "ALTER TABLE elsewhere RENAME TO ledger")

    def test_a_notice_of_a_kind_that_is_none_is_not_told(self, database: Database, postgres_url: str) -> None:
        one = draft()
        SqlLedger(database).append(one, notice(one))
        tamper(postgres_url, "UPDATE audit_outbox SET notice_kind = 'party'")
        database.settle()

        assert (waiting(database), entries(database)) == (1, [])

    def test_a_sequencer_that_meets_the_unforeseen_goes_on(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real, met = sequencer.once, Event()

        def once(connection: Connection, leave: list[int]) -> object:
            if not met.is_set():
                met.set()
                raise ValueError("unforeseen")
            return real(connection, leave)

        monkeypatch.setattr(sequencer, "once", once)
        leader = database.leader()
        leader.start(silent)
        SqlLedger(database).append(draft())
        assert eventually(lambda: SqlLedger(database).size() == 1)
        leader.stop()
        assert met.is_set()


def test_the_first_entry_names_no_predecessor(database: Database) -> None:
    SqlLedger(database).append(draft())
    database.settle()

    assert entries(database)[0].prev_hash == NO_ENTRY
