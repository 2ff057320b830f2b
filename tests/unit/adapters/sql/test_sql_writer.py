"""The one thread that writes: what its callers share, and what they never share."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql import writer as module
from pacs_secure.adapters.sql.sqlite import create_file, make_writer
from pacs_secure.adapters.sql.writer import Writer
from pacs_secure.core.errors import Conflict, Malformed, Unavailable

Work = Callable[[Connection], int]


class Table:
    """One table of numbers behind a writer that counts its commits."""

    def __init__(self, path: Path) -> None:
        create_file(path)
        self.commits: list[int] = []
        self.engine = make_writer(path)
        with self.engine.begin() as connection:
            connection.execute(text("CREATE TABLE kept (number INTEGER PRIMARY KEY)"))
        event.listen(self.engine, "commit", lambda _: self.commits.append(1))
        self.writer = Writer(self.engine)

    def keep(self, number: int) -> int:
        return self.writer.submit(inserting(number)).result(10)

    def kept(self) -> list[int]:
        def ask(connection: Connection) -> list[int]:
            return list(connection.scalars(text("SELECT number FROM kept ORDER BY number")))

        return self.writer.submit(ask).result(10)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the thread busy, so that whatever is queued meanwhile meets in the next commit."""
        begun, go_on = threading.Event(), threading.Event()

        def wait(_: Connection) -> None:
            begun.set()
            go_on.wait(10)

        holding = self.writer.submit(wait)
        assert begun.wait(10)
        try:
            yield
        finally:
            go_on.set()
            holding.result(10)


def inserting(number: int) -> Work:
    def insert(connection: Connection) -> int:
        connection.execute(text("INSERT INTO kept VALUES (:number)"), {"number": number})
        return number

    return insert


def after(first: Work, then: Exception) -> Work:
    """Do the work, then fail."""

    def fail(connection: Connection) -> int:
        first(connection)
        raise then

    return fail


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    made = Table(tmp_path / "kept.db")
    yield made
    made.writer.close()
    made.engine.dispose()


def eventually(true: Callable[[], bool]) -> bool:
    patience = monotonic() + 5
    while not true() and monotonic() < patience:
        sleep(0.002)
    return true()


class TestSharing:
    def test_whoever_waits_gets_the_answer_of_their_own_work(self, table: Table) -> None:
        with ThreadPoolExecutor(8) as callers:
            assert list(callers.map(table.keep, range(40))) == list(range(40))
        assert table.kept() == list(range(40))

    def test_what_waits_together_shares_one_commit(self, table: Table) -> None:
        with table.held():
            waiting = [table.writer.submit(inserting(number)) for number in range(50)]
            table.commits.clear()
        assert [one.result(10) for one in waiting] == list(range(50))

        assert len(table.commits) == 2  # of the one that held, and of all fifty

    def test_no_commit_grows_without_bound(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "MOST_A_COMMIT", 20)
        with table.held():
            waiting = [table.writer.submit(inserting(number)) for number in range(50)]
            table.commits.clear()
        for one in waiting:
            one.result(10)

        assert len(table.commits) == 4

    def test_nobody_is_answered_before_the_commit(self, table: Table) -> None:
        seen: list[bool] = []
        with table.held():
            waiting = table.writer.submit(inserting(1))
            event.listen(table.engine, "commit", lambda _: seen.append(waiting.done()))
        waiting.result(10)

        assert seen == [False, False]

    def test_work_is_done_in_the_order_in_which_it_came(self, table: Table) -> None:
        done: list[int] = []

        def doing(number: int) -> Callable[[Connection], None]:
            return lambda _: done.append(number)

        with table.held():
            for number in range(30):
                (table.writer.follow if number % 3 else table.writer.submit)(doing(number))
        table.kept()

        assert done == list(range(30))


class TestFailing:
    @pytest.mark.parametrize(
        ("flawed", "error"),
        [
            (after(inserting(90), Conflict("taken")), Conflict),
            (after(inserting(90), KeyError("a defect")), KeyError),
            (inserting(1 << 63), Malformed),
            (lambda connection: connection.execute(text("SELECT :one"), {"one": "\ud800"}), Malformed),
            (lambda connection: connection.execute(text("SELECT :one"), {"one": object()}), Unavailable),
            (lambda connection: connection.execute(text("INSERT INTO kept VALUES (NULL), (1), (1)")), Unavailable),
        ],
        ids=["refusal", "defect", "number", "text", "type", "constraint"],
    )
    def test_what_fails_takes_back_only_itself(self, table: Table, flawed: Work, error: type[Exception]) -> None:
        with table.held():
            works: list[Work] = [inserting(1), flawed, inserting(2)]
            before, failing, behind = (table.writer.submit(work) for work in works)

        with pytest.raises(error):
            failing.result(10)
        assert (before.result(10), behind.result(10), table.kept()) == (1, 2, [1, 2])

    def test_when_the_engine_fails_all_who_share_the_commit_hear_of_it_each_for_themselves(self, table: Table) -> None:
        with table.held():
            broken: Work = lambda connection: connection.execute(text("SELECT * FROM nowhere")).scalar_one()  # noqa: E731
            waiting = [table.writer.submit(work) for work in (broken, *map(inserting, range(3)))]

        errors = []
        for one in waiting:
            with pytest.raises(Unavailable) as caught:
                one.result(10)
            errors.append(caught.value)
        assert len({id(error) for error in errors}) == 4
        assert table.kept() == []
        assert table.keep(7) == 7

    def test_when_the_commit_itself_fails_nobody_is_told_of_success(self, table: Table) -> None:
        def fail(_: Connection) -> None:
            raise OSError(5, "Input/output error")

        event.listen(table.engine, "commit", fail)
        with pytest.raises(Unavailable):
            table.keep(1)
        event.remove(table.engine, "commit", fail)

        assert table.kept() == []

    def test_a_failure_is_logged_without_what_was_written(self, table: Table, caplog: pytest.LogCaptureFixture) -> None:
        def fail(connection: Connection) -> None:
            connection.execute(text("INSERT INTO nowhere VALUES (:name)"), {"name": "Doe^John"})

        with pytest.raises(Unavailable) as caught:
            table.writer.submit(fail).result(10)

        assert "a commit of 1 failed" in caplog.text
        assert "Doe" not in caplog.text + repr(caught.value)
        assert caught.value.__cause__ is None


class TestFollowing:
    def test_it_joins_the_commit_that_somebody_waits_for(self, table: Table) -> None:
        with table.held():
            table.writer.follow(inserting(1))
            waiting = table.writer.submit(inserting(2))
            table.commits.clear()
        waiting.result(10)

        assert len(table.commits) == 2
        assert table.kept() == [1, 2]

    def test_alone_it_is_committed_soon(self, table: Table) -> None:
        table.writer.follow(inserting(1))

        assert eventually(lambda: len(table.commits) == 1)
        assert table.kept() == [1]

    def test_its_failure_is_only_logged(self, table: Table, caplog: pytest.LogCaptureFixture) -> None:
        table.writer.follow(after(inserting(1), Conflict("Doe^John")))

        assert eventually(lambda: "nobody waits for failed: Conflict" in caplog.text)
        assert "Doe" not in caplog.text
        assert table.kept() == []

    def test_beyond_a_bound_even_it_is_waited_for(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "MOST_WAITING", 10)
        returned: list[int] = []

        def follow() -> None:
            for number in range(11):
                table.writer.follow(inserting(number))
                returned.append(number)

        with table.held():
            following = threading.Thread(target=follow)
            following.start()
            assert eventually(lambda: len(returned) == 10)
            sleep(0.05)
            assert len(returned) == 10
        following.join(10)

        assert table.kept() == list(range(11))


class TestEnd:
    def test_closing_finishes_what_waits(self, table: Table) -> None:
        with table.held():
            for number in range(300):
                table.writer.follow(inserting(number))
            closing = threading.Thread(target=table.writer.close)
            closing.start()
        closing.join(10)

        with table.engine.begin() as connection:
            assert connection.scalar(text("SELECT count(*) FROM kept")) == 300

    def test_after_closing_nothing_is_taken_and_closing_again_does_nothing(self, table: Table) -> None:
        table.writer.close()
        table.writer.close()

        with pytest.raises(Unavailable):
            table.writer.submit(inserting(1))
        with pytest.raises(Unavailable):
            table.writer.follow(inserting(1))

    def test_work_that_would_wait_for_itself_is_a_defect(self, table: Table) -> None:
        def nested(_: Connection) -> int:
            return table.keep(1)

        with pytest.raises(RuntimeError, match="must use the connection"):
            table.writer.submit(nested).result(10)

    def test_a_writer_that_was_carried_over_a_fork_is_a_defect(
        self, table: Table, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(os, "getpid", lambda: -1)
            with pytest.raises(RuntimeError, match="before a fork"):
                table.writer.submit(inserting(1))
