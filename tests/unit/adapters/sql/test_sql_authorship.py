"""The hand that writes in SQL: one author a database, whose numbers are those of what was kept."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql import authorship
from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger import SqlLedger, append_in
from pacs_secure.archive.writer_check import WriterCheck
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import OverLimit, Tampered, Unavailable
from pacs_secure.core.identifiers import KeyId
from pacs_secure.crypto.tlog import parse_entry, read_draft
from pacs_secure.ports import ForgettableKey
from tests.builders import draft


class Keys:
    """Gives first keys, and refuses to while it is away."""

    def __init__(self) -> None:
        self.away = False
        self.asked = 0
        self.given: dict[KeyId, bytes] = {}

    def mint(self) -> ForgettableKey:
        self.asked += 1
        if self.away:
            raise Unavailable("the vault is away")
        first = ForgettableKey(KeyId(uuid4()), uuid4().bytes * 2)
        self.given[first.key_id] = first.key
        return first


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def database(tmp_path: Path, keys: Keys) -> Iterator[Database]:
    database = Database(tmp_path / "index.db")
    database.author(keys.mint)
    yield database
    database.close()


@pytest.fixture
def ledger(database: Database) -> SqlLedger:
    return SqlLedger(database)


def numbers(ledger: SqlLedger, keys: Keys) -> list[tuple[int, int]]:
    """Return each entry's writer, counted from 0, and its number; every signature must hold."""
    check, writers, found = WriterCheck(keys.given.get), list(keys.given), []
    for entry in ledger.entries(0, 999):
        said = parse_entry(entry.content).statement
        assert check.problem(said, entry.index) == ""
        found.append((writers.index(said.authorship.writer), said.authorship.number) if said.authorship else (-1, -1))
    return found


def test_one_author_numbers_everything_that_one_database_writes(ledger: SqlLedger, keys: Keys) -> None:
    for _ in range(3):
        ledger.append(draft())
    ledger.follow(draft())
    ledger.append(draft())

    assert numbers(ledger, keys) == [(0, number) for number in range(5)]
    assert keys.asked == 1


def test_no_key_is_asked_for_before_something_is_written(ledger: SqlLedger, keys: Keys) -> None:
    assert (ledger.size(), keys.asked) == (0, 0)


def test_what_was_refused_leaves_no_gap(ledger: SqlLedger, keys: Keys) -> None:
    ledger.append(draft())
    with pytest.raises(OverLimit):
        ledger.append(draft(facts={"note": "x" * 70_000}))
    ledger.append(draft())

    assert numbers(ledger, keys) == [(0, 0), (0, 1)]


def test_what_failed_behind_its_entry_leaves_no_gap(database: Database, ledger: SqlLedger, keys: Keys) -> None:
    def work(connection: Connection) -> None:
        append_in(connection, draft())
        raise KeyError

    with pytest.raises(KeyError):
        database.write(work)
    ledger.append(draft())

    assert numbers(ledger, keys) == [(0, 0)]


def test_after_a_commit_in_doubt_somebody_else_writes(ledger: SqlLedger, database: Database, keys: Keys) -> None:
    ledger.append(draft())

    def breaks(connection: Connection) -> None:
        append_in(connection, draft())
        connection.connection.close()

    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the engine makes of it
        database.write(breaks)
    first = next(iter(keys.given))
    assert ledger.said() is None
    ledger.append(draft())
    ledger.append(draft())

    assert numbers(ledger, keys) == [(0, 0), (1, 0), (1, 1)]
    told = [read_draft(entry.content).facts for entry in ledger.entries(0, 9)]
    assert told == [{}, {"continues": f"{first} 1"}, {}]  # so that the end of the first cannot be lost unnoticed
    assert ledger.said() == (list(keys.given)[1], 2)


def test_a_successor_that_was_taken_back_tells_again_whom_it_continues(
    database: Database, ledger: SqlLedger, keys: Keys
) -> None:
    ledger.append(draft())
    for _ in range(2):
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the engine makes of it
            database.write(lambda connection: connection.connection.close())
    with pytest.raises(OverLimit):
        ledger.append(draft(facts={"note": "x" * 70_000}))
    ledger.append(draft())

    (_, entry) = ledger.entries(0, 9)
    assert read_draft(entry.content).facts == {"continues": f"{next(iter(keys.given))} 1"}


def test_a_database_that_loses_what_it_keeps_is_given_nothing_more_until_it_is_back(ledger: SqlLedger) -> None:
    ledger.append(draft())
    ledger.trust(held=False)
    with pytest.raises(Unavailable):
        ledger.append(draft())
    with pytest.raises(Unavailable):
        ledger.append(replace(draft(Outcome.REFUSED, details=None), actor=""))
    assert ledger.size() == 1
    ledger.trust(held=True)
    ledger.append(draft())
    assert ledger.size() == 2


def test_while_the_vault_is_away_only_what_accuses_nobody_is_recorded(
    ledger: SqlLedger, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.away = True
    with pytest.raises(Unavailable):
        ledger.append(draft())
    ledger.append(replace(draft(Outcome.REFUSED, details=None), actor=""))
    assert keys.asked == 1  # not once more for each

    keys.away = False
    monkeypatch.setattr(authorship, "RETRY_SECONDS", 0.0)
    ledger.append(draft())

    assert numbers(ledger, keys) == [(-1, -1), (0, 0)]


def test_a_database_that_drops_what_it_is_given_is_found_at_once(
    database: Database, ledger: SqlLedger, keys: Keys
) -> None:
    ledger.append(draft())
    database.write(
        lambda connection: connection.execute(
            text("CREATE TRIGGER drops BEFORE INSERT ON ledger BEGIN SELECT RAISE(IGNORE); END")
        )
    )
    with pytest.raises(Tampered):
        ledger.append(draft())
    database.write(lambda connection: connection.execute(text("DROP TRIGGER drops")))
    ledger.append(draft())

    assert numbers(ledger, keys) == [(0, 0), (0, 1)]
