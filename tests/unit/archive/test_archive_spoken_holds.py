"""Holds that the ledger tells of: set by any word, lifted by a signed one only, and the latest word counts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from pacs_secure.archive.spoken_holds import Hold, SpokenHolds
from pacs_secure.core.access import Action
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import KeyId
from pacs_secure.ports import ForgettableKey
from tests.builders import NOW, draft
from tests.fakes import MemoryLedger

WRITER = ForgettableKey(KeyId(uuid4()), bytes(32))
HOLD = Hold(uuid4(), uuid4())


def said(held: str, minutes: int = 0, **changed: object) -> Draft:
    told = draft(action=Action.STUDY_CLASSIFY, at=NOW + timedelta(minutes=minutes), facts={"held_after": held})
    told = replace(told, study_alias=HOLD.study, patient_alias=HOLD.patient)
    return replace(told, **changed)  # type: ignore[arg-type]


def held_after(words: Sequence[Draft], *, signed: bool = True, key: bytes | None = WRITER.key) -> frozenset[Hold]:
    ledger = MemoryLedger()
    if signed:
        ledger.author(lambda: WRITER)
    for word in words:
        ledger.append(word)
    holds = SpokenHolds({WRITER.key_id: key}.get, 0)
    holds.follow(ledger.entries(0, ledger.size()))
    assert holds.place == len(words)
    return holds.held()


def test_nothing_is_held_of_which_nothing_was_said() -> None:
    others = [
        draft(),
        said("yes", action=Action.STUDY_READ),
        said("yes", outcome=Outcome.REFUSED),
        said("yes", study_alias=None),
        said("yes", patient_alias=None),
    ]

    assert held_after(others) == frozenset()


@pytest.mark.parametrize("signed", [True, False])
def test_whoever_sets_a_hold_is_believed(*, signed: bool) -> None:
    assert held_after([said("yes")], signed=signed) == {HOLD}


def test_the_latest_signed_word_counts() -> None:
    yes, no = said("yes", 1), said("no", 2)

    assert held_after([yes, no]) == frozenset()
    assert held_after([yes, no, said("yes", 3)]) == {HOLD}
    # An old word that is put where new ones belong is as old as it says.
    assert held_after([yes, no, said("yes", 3), said("no", 2)]) == {HOLD}
    assert held_after([no]) == frozenset()


def test_a_hold_is_lifted_by_no_word_that_nobody_signed() -> None:
    words = [said("yes", 1), said("no", 2)]

    assert held_after(words, signed=False) == {HOLD}
    assert held_after(words, key=None) == {HOLD}
    assert held_after(words, key=bytes(31) + b"x") == {HOLD}


def test_a_ledger_that_lacks_its_first_entries_is_not_followed() -> None:
    ledger = MemoryLedger()
    for word in (said("yes", 1), draft()):
        ledger.append(word)

    with pytest.raises(Tampered):
        SpokenHolds(lambda _: None, 0).follow(ledger.kept[1:])
