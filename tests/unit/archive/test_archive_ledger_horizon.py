"""How far the ledger may go: whole bundles, up to the first entry that must stay."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from pacs_secure.archive.ledger_horizon import MOST_WRITERS, Bounds, survey
from pacs_secure.core.audit import Draft, LedgerEntry
from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import KeyId
from pacs_secure.core.retention import Stopped
from pacs_secure.crypto.tlog import NO_ENTRY, WIDTH, Author, compose_entry, state
from tests.builders import NOW, draft

HOUR = timedelta(hours=1)
STUDY, PATIENT = uuid4(), uuid4()


def chain(drafts: list[Draft], writers: list[Author] | None = None) -> list[LedgerEntry]:
    entries: list[LedgerEntry] = []
    for index, one in enumerate(drafts):
        said = state(one)
        if writers:
            said = writers[index % len(writers)].sign(said)
        entries.append(compose_entry(said, index, entries[-1].leaf_hash if entries else NO_ENTRY))
    return entries


def drafts(count: int) -> list[Draft]:
    return [draft(at=NOW + number * HOUR) for number in range(count)]


def bounds(young_from: int = 10_000, stop: int = 10_000, why: Stopped = Stopped.UNPUBLISHED) -> Bounds:
    return Bounds(NOW + young_from * HOUR, {STUDY}, {PATIENT}, stop, why)


@pytest.mark.parametrize(
    ("young_from", "horizon"), [(0, 0), (255, 0), (256, 256), (300, 256), (511, 256), (512, 512), (513, 512)]
)
def test_only_whole_bundles_of_old_entries_may_go(young_from: int, horizon: int) -> None:
    steps, stopped = survey(chain(drafts(600)), 0, bounds(young_from))

    assert [(step.start, step.horizon) for step in steps] == ([(0, horizon)] if horizon else [])
    assert stopped is Stopped.YOUNG
    if steps:
        assert steps[0].until == NOW + (horizon - 1) * HOUR


@pytest.mark.parametrize("why", [Stopped.OPEN, Stopped.UNPUBLISHED])
def test_what_is_under_way_or_not_yet_published_stays(why: Stopped) -> None:
    steps, stopped = survey(chain(drafts(600)), 0, bounds(stop=300, why=why))

    assert ([step.horizon for step in steps], stopped) == ([256], why)


@pytest.mark.parametrize(
    "held", [{"study_alias": STUDY, "patient_alias": PATIENT}, {"study_alias": None, "patient_alias": PATIENT}]
)
def test_the_first_entry_about_a_held_study_or_its_patient_stays_and_all_after_it(held: dict[str, object]) -> None:
    written = drafts(600)
    written[300] = replace(written[300], **held)  # type: ignore[arg-type]

    steps, stopped = survey(chain(written), 0, bounds())

    assert ([step.horizon for step in steps], stopped) == ([256], Stopped.HELD)


def test_another_study_of_a_patient_on_hold_may_go() -> None:
    written = drafts(256)
    written[10] = replace(written[10], study_alias=uuid4(), patient_alias=PATIENT)

    steps, stopped = survey(chain(written), 0, bounds())

    assert ([step.horizon for step in steps], stopped) == ([256], Stopped.UNPUBLISHED)


def test_it_goes_on_where_the_last_one_ended() -> None:
    steps, _ = survey(chain(drafts(600))[256:], 256, bounds())

    assert [(step.start, step.horizon) for step in steps] == [(256, 512)]


def test_a_step_names_the_number_that_each_of_its_writers_has_next() -> None:
    writers = [Author(KeyId(uuid4()), bytes([number]) * 32) for number in range(3)]
    entries = chain(drafts(300), writers)
    numbers = {writer.sign(state(draft())).authorship for writer in writers}

    (step,), _ = survey(entries, 0, bounds())

    assert sorted(step.writers.values()) == [85, 85, 86]
    assert step.writers.keys() == {by.writer for by in numbers if by}


def test_many_writers_make_many_certificates() -> None:
    writers = [Author(KeyId(uuid4()), bytes(32)) for _ in range(5 * WIDTH)]

    steps, _ = survey(chain(drafts(5 * WIDTH), writers), 0, bounds())

    assert [(step.start, step.horizon) for step in steps] == [(n * WIDTH, n * WIDTH + WIDTH) for n in range(5)]
    assert all(len(step.writers) <= MOST_WRITERS for step in steps)


def test_what_is_not_as_it_was_recorded_is_certified_by_nobody() -> None:
    entries = chain(drafts(300))
    for spoilt in (
        [*entries[:7], *entries[8:]],
        [*entries[:7], replace(entries[7], content=entries[8].content), *entries[8:]],
    ):
        with pytest.raises(Tampered):
            survey(spoilt, 0, bounds())


def test_of_an_empty_ledger_nothing_may_go() -> None:
    assert survey([], 0, bounds()) == ([], Stopped.UNPUBLISHED)
