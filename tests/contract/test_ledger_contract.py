"""What every ledger keeps, held against the one in SQL and the one in memory alike."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from pacs_secure.adapters.sql.ledger import SqlLedger
from pacs_secure.core.access import Action, Role
from pacs_secure.core.audit import Draft, LedgerEntry, Outcome
from pacs_secure.core.errors import Conflict, Malformed, NotFound, OverLimit
from pacs_secure.core.seeking import Sought
from pacs_secure.crypto.tlog import NO_ENTRY, compose_entry, leaf_hash, parse_entry, read_draft, state
from pacs_secure.ports import Ledger
from tests.builders import ELSEWHERE, HERE, NOW, appended, draft, study_facts, subject
from tests.fakes import MemoryLedger
from tests.postgres_fixture import ENGINES, Settled, place_of

MINUTE = timedelta(minutes=1)
RADIOLOGIST = subject(identifier="r.weber")
CLINICIAN = subject(Role.CLINICIAN, identifier="k.sommer", department="surgery")
MINE, YOURS = study_facts("1.2.1"), study_facts("1.2.2")
ALSO_MINE = study_facts("1.2.3", patient_alias=MINE.patient_alias)


@pytest.fixture(params=[*ENGINES, "memory"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
    else:
        database = Settled(place_of(request, tmp_path))
        yield SqlLedger(database)
        database.close()


def eventually(true: Callable[[], bool]) -> bool:
    patience = monotonic() + 5
    while not true() and monotonic() < patience:
        sleep(0.005)
    return true()


def sound(entries: list[LedgerEntry]) -> bool:
    """Whether the entries are one dense chain from the very first."""
    previous = NO_ENTRY
    for index, entry in enumerate(entries):
        parsed = parse_entry(entry.content)
        if (entry.index, parsed.index, entry.prev_hash, parsed.prev_hash) != (
            index,
            index,
            previous,
            previous,
        ) or entry.leaf_hash != leaf_hash(entry.content):
            return False
        previous = entry.leaf_hash
    return True


class TestEntries:
    def test_an_empty_ledger_has_no_entries(self, ledger: Ledger) -> None:
        assert (ledger.size(), list(ledger.entries(0, 10)), list(ledger.checkpoints())) == (0, [], [])

    def test_the_first_entry_stands_at_zero_and_names_no_predecessor(self, ledger: Ledger) -> None:
        written = draft()

        entry = appended(ledger, written)

        assert entry == compose_entry(state(written), 0, NO_ENTRY)
        assert (ledger.size(), list(ledger.entries(0, 1))) == (1, [entry])

    def test_each_entry_names_the_one_before(self, ledger: Ledger) -> None:
        entries = [appended(ledger, draft()) for _ in range(5)]

        assert list(ledger.entries(0, 99)) == entries
        assert sound(entries)

    def test_what_is_stored_says_what_was_drafted(self, ledger: Ledger) -> None:
        written = draft(Outcome.COMPLETED, facts={"bytes": 2**53 - 1, "sha256": "ab" * 32, "höhe": "→"})

        assert read_draft(appended(ledger, written).content) == written

    @pytest.mark.parametrize(
        ("start", "stop", "indices"),
        [(0, 0, []), (0, 2, [0, 1]), (1, 3, [1, 2]), (3, 99, [3, 4]), (5, 9, []), (3, 1, []), (4, 5, [4])],
    )
    def test_any_range_can_be_read(self, ledger: Ledger, start: int, stop: int, indices: list[int]) -> None:
        for _ in range(5):
            ledger.append(draft())

        assert [entry.index for entry in ledger.entries(start, stop)] == indices

    def test_a_range_of_more_than_a_page_is_read_whole(self, ledger: Ledger) -> None:
        for _ in range(1201):
            ledger.follow(draft())
        assert eventually(lambda: ledger.size() == 1201)

        assert sound(list(ledger.entries(0, 1201)))
        assert [entry.index for entry in ledger.entries(499, 1003)] == list(range(499, 1003))

    def test_entries_may_be_appended_while_others_are_read(self, ledger: Ledger) -> None:
        for _ in range(3):
            ledger.append(draft())

        seen = []
        for entry in ledger.entries(0, 3):
            seen.append(entry.index)
            ledger.append(draft())
        assert (seen, ledger.size()) == ([0, 1, 2], 6)

    @pytest.mark.parametrize(
        ("flawed", "error"),
        [
            (replace(draft(), at=NOW.replace(tzinfo=None)), Malformed),
            (draft(facts={"note": "\ud800"}), Malformed),
            (draft(facts={"note": "x" * 70_000}), OverLimit),
        ],
    )
    def test_a_draft_that_cannot_be_written_takes_no_place(
        self, ledger: Ledger, flawed: Draft, error: type[Exception]
    ) -> None:
        ledger.append(draft())
        with pytest.raises(error):
            ledger.append(flawed)

        assert appended(ledger, draft()).index == 1
        assert sound(list(ledger.entries(0, 9)))


class TestFinding:
    """Candidates may be more than is wanted, never less; those that fit come in the order of their time."""

    @staticmethod
    def fitting(ledger: Ledger, sought: Sought, after: int | None = None) -> list[int]:
        return [entry.index for entry in ledger.find(sought, after) if sought.fits(read_draft(entry.content))]

    @pytest.fixture
    def filled(self, ledger: Ledger) -> Ledger:
        """Six entries of one institution, one of another; the second to last is older than it stands."""
        minutes = (0, 1, 2, 3, 9, 4)
        who = (RADIOLOGIST, RADIOLOGIST, CLINICIAN, CLINICIAN, RADIOLOGIST, CLINICIAN)
        studies = (MINE, ALSO_MINE, YOURS, None, MINE, YOURS)
        for minute, by, study in zip(minutes, who, studies, strict=True):
            outcome = Outcome.BEGUN if study is MINE else Outcome.COMPLETED
            ledger.append(draft(outcome, at=NOW + minute * MINUTE, by=by, study=study))
        ledger.append(draft(at=NOW, by=subject(of=ELSEWHERE), action=Action.STUDY_SEARCH))
        return ledger

    @pytest.mark.parametrize(
        ("narrowed", "indices"),
        [
            ({}, [0, 1, 2, 3, 5, 4]),
            ({"since": NOW + MINUTE}, [1, 2, 3, 5, 4]),
            ({"until": NOW + 3 * MINUTE}, [0, 1, 2]),
            ({"since": NOW + MINUTE, "until": NOW + 4 * MINUTE}, [1, 2, 3]),
            ({"action": Action.STUDY_SEARCH}, []),
            ({"outcome": Outcome.BEGUN}, [0, 4]),
            ({"role": Role.CLINICIAN}, [2, 3, 5]),
            ({"department": "surgery"}, [2, 3, 5]),
            ({"actor": draft(by=RADIOLOGIST).actor, "until": NOW + 5 * MINUTE}, [0, 1]),
            ({"patients": frozenset({MINE.patient_alias})}, [0, 1, 4]),
            ({"patients": frozenset({MINE.patient_alias, YOURS.patient_alias}), "role": Role.CLINICIAN}, [2, 5]),
            ({"patients": frozenset({MINE.patient_alias}), "since": NOW + MINUTE}, [1, 4]),
            ({"patients": frozenset()}, []),
            ({"study": YOURS.alias}, [2, 5]),
            ({"study": YOURS.alias, "patients": frozenset({MINE.patient_alias})}, []),
            ({"institution": ELSEWHERE}, [6]),
            ({"institution": ELSEWHERE, "study": MINE.alias}, []),
        ],
        ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
    )
    def test_what_is_looked_for_is_found_in_both_directions(
        self, filled: Ledger, narrowed: dict[str, Any], indices: list[int]
    ) -> None:
        sought = Sought(**{"institution": HERE, **narrowed})

        assert self.fitting(filled, sought) == indices[::-1]
        assert self.fitting(filled, replace(sought, newest_first=False)) == indices

    def test_a_search_goes_on_behind_an_entry(self, filled: Ledger) -> None:
        assert self.fitting(filled, Sought(HERE), 3) == [2, 1, 0]
        assert self.fitting(filled, Sought(HERE, newest_first=False), 3) == [5, 4]
        assert self.fitting(filled, Sought(HERE, study=MINE.alias), 4) == [0]

    @pytest.mark.parametrize("after", [-1, 7, 2**40])
    def test_a_search_behind_no_entry_finds_no_place(self, filled: Ledger, after: int) -> None:
        with pytest.raises(NotFound):
            list(filled.find(Sought(HERE), after))

    def test_more_than_a_page_of_one_moment_is_found_whole(self, ledger: Ledger) -> None:
        for _ in range(1201):
            ledger.follow(draft(at=NOW, study=MINE))
        assert eventually(lambda: ledger.size() == 1201)

        for narrowed in (Sought(HERE), Sought(HERE, patients=frozenset({MINE.patient_alias}))):
            assert self.fitting(ledger, narrowed) == list(range(1201))[::-1]
            assert self.fitting(ledger, replace(narrowed, newest_first=False)) == list(range(1201))


class TestManyWriters:
    def test_the_chain_is_dense_and_sound_under_eight_threads(self, ledger: Ledger) -> None:
        together = threading.Barrier(8)

        def write(thread: int) -> None:
            together.wait(10)
            for number in range(50):
                ledger.append(draft(facts={"thread": thread, "number": number}))

        with ThreadPoolExecutor(8) as writers:
            list(writers.map(write, range(8)))

        entries = list(ledger.entries(0, 999))
        assert len(entries) == 400
        assert sound(entries)
        told = [read_draft(entry.content).facts for entry in entries]
        for thread in range(8):
            assert [facts["number"] for facts in told if facts["thread"] == thread] == list(range(50))

    def test_what_follows_gets_its_place_without_being_waited_for(self, ledger: Ledger) -> None:
        ledger.follow(draft(facts={"name": "followed"}))

        assert eventually(lambda: ledger.size() == 1)
        assert read_draft(next(ledger.entries(0, 1)).content).facts == {"name": "followed"}

    def test_what_follows_stands_before_what_is_appended_after_it(self, ledger: Ledger) -> None:
        for _ in range(3):
            ledger.follow(draft())

        assert appended(ledger, draft()).index == 3

    def test_what_follows_and_cannot_be_written_harms_nobody(self, ledger: Ledger) -> None:
        with suppress(OverLimit):  # a ledger may say so at once
            ledger.follow(draft(facts={"note": "x" * 70_000}))

        assert appended(ledger, draft()).index == 0

    def test_readers_and_writers_do_not_wait_for_one_another(self, ledger: Ledger) -> None:
        ending = threading.Event()

        def read() -> bool:
            always = True
            while not ending.is_set():
                always = always and sound(list(ledger.entries(0, ledger.size())))
            return always

        with ThreadPoolExecutor(3) as threads:
            readers = [threads.submit(read) for _ in range(2)]
            try:
                for _ in range(60):
                    ledger.append(draft())
            finally:
                ending.set()  # whatever failed: readers must not read for ever
            assert all(reader.result(20) for reader in readers)


class TestCheckpoints:
    def test_checkpoints_come_oldest_first(self, ledger: Ledger) -> None:
        for size in (256, 7, 1000):
            ledger.add_checkpoint(size, b"note of %d" % size)

        assert list(ledger.checkpoints()) == [b"note of 7", b"note of 256", b"note of 1000"]
        assert list(ledger.checkpoints(256)) == [b"note of 256", b"note of 1000"]
        assert list(ledger.checkpoints(1001)) == []

    def test_the_same_checkpoint_twice_is_kept_once(self, ledger: Ledger) -> None:
        ledger.add_checkpoint(7, b"note")
        ledger.add_checkpoint(7, b"note")

        assert list(ledger.checkpoints()) == [b"note"]

    def test_another_checkpoint_of_a_size_is_a_conflict_and_changes_nothing(self, ledger: Ledger) -> None:
        ledger.add_checkpoint(7, b"note")
        with pytest.raises(Conflict):
            ledger.add_checkpoint(7, b"fork")

        assert list(ledger.checkpoints()) == [b"note"]

    def test_many_checkpoints_come_back_each_once(self, ledger: Ledger) -> None:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda size: ledger.add_checkpoint(size, b"%d" % size), range(601)))

        assert list(ledger.checkpoints()) == [b"%d" % size for size in range(601)]
