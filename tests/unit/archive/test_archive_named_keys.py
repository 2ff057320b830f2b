"""The keys that entries name: found whatever a list says, in a ledger without a gap."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from pacs_secure.archive.named_keys import keys_named, unbroken
from pacs_secure.core.audit import LedgerEntry, SealedDetails
from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import KeyId
from pacs_secure.ports import LedgerKey
from tests.builders import ELSEWHERE, HERE, draft
from tests.fakes import MemoryLedger

PATIENT, KEY = uuid4(), KeyId(uuid4())


def ledger() -> MemoryLedger:
    ledger, sealed = MemoryLedger(), SealedDetails(KEY, b"box", b"proof")
    for of, patient in ((HERE, uuid4()), (HERE, PATIENT), (ELSEWHERE, PATIENT), (HERE, None)):
        ledger.append(replace(draft(), institution=of, patient_alias=patient, details=sealed))
    return ledger


def test_what_entries_about_the_patient_name_is_found_and_nothing_else() -> None:
    kept = ledger().kept

    assert list(keys_named(kept, HERE, PATIENT)) == [LedgerKey(KEY, HERE, PATIENT, draft().at.year, b"proof")]
    assert list(keys_named(kept, HERE, PATIENT, draft().at.year - 1)) == []


def test_a_ledger_may_begin_where_others_have_expired() -> None:
    kept = ledger().kept

    assert list(unbroken(kept[2:])) == kept[2:]


@pytest.mark.parametrize(
    "meddle", [lambda kept: kept.pop(1), lambda kept: kept.insert(2, replace(kept.pop(2), content=b"{}"))]
)
def test_an_entry_that_is_missing_or_changed_stops_the_search(meddle: Callable[[list[LedgerEntry]], object]) -> None:
    kept = ledger().kept
    meddle(kept)

    with pytest.raises(Tampered):
        list(keys_named(kept, HERE, PATIENT))
