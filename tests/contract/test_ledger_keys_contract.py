"""What every list of ledger keys keeps, held against the one in SQL and the one in memory alike."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from pacs_secure.adapters.sql.ledger import SqlLedger
from pacs_secure.adapters.sql.ledger_keys import SqlLedgerKeys
from pacs_secure.core.audit import Outcome, SealedDetails
from pacs_secure.core.errors import OverLimit
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.ports import Ledger, LedgerKey, LedgerKeys
from tests.builders import ELSEWHERE, HERE, draft, permit
from tests.fakes import MemoryLedger, MemoryLedgerKeys
from tests.postgres_fixture import ENGINES, Settled, place_of

PATIENT, OTHER = uuid4(), uuid4()


@dataclass
class Kept:
    ledger: Ledger
    keys: LedgerKeys

    def record(
        self, patient: UUID | None, year: int = 2026, *, key: KeyId | None = None, of: Institution = HERE
    ) -> LedgerKey:
        """Append an entry that names a key; return whose key it is."""
        key_id = key or KeyId(uuid4())
        written = replace(
            draft(),
            at=datetime(year, 6, 1, tzinfo=UTC),
            institution=of,
            patient_alias=patient,
            details=SealedDetails(key_id, b"box", b"proof of " + key_id.bytes),
        )
        self.ledger.append(written)
        return LedgerKey(key_id, of, patient, year, b"proof of " + key_id.bytes)


@pytest.fixture(params=[*ENGINES, "memory"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    if request.param == "memory":
        ledger = MemoryLedger()
        yield Kept(ledger, MemoryLedgerKeys(ledger))
    else:
        database = Settled(place_of(request, tmp_path))
        yield Kept(SqlLedger(database), SqlLedgerKeys(database))
        database.close()


def test_an_entry_without_details_names_no_key(kept: Kept) -> None:
    kept.ledger.append(draft(details=None))

    assert list(kept.keys.before(9999)) == []


def test_a_key_is_found_at_the_place_of_the_entry_that_named_it_and_nowhere_else(kept: Kept) -> None:
    named = kept.record(PATIENT)

    assert kept.keys.of(HERE, PATIENT, 2026) == [named]
    for elsewhere in ((ELSEWHERE, PATIENT, 2026), (HERE, OTHER, 2026), (HERE, None, 2026), (HERE, PATIENT, 2025)):
        assert kept.keys.of(*elsewhere) == []


def test_keys_of_entries_about_nobody_have_a_place_too(kept: Kept) -> None:
    named = kept.record(None)

    assert kept.keys.of(HERE, None, 2026) == [named]
    assert list(kept.keys.before(2027)) == [named]


def test_the_key_of_a_refusal_is_nobodys(kept: Kept) -> None:
    key_id = KeyId(uuid4())
    refused = draft(Outcome.REFUSED, at=datetime(2026, 6, 1, tzinfo=UTC))
    kept.ledger.append(replace(refused, patient_alias=PATIENT, details=SealedDetails(key_id, b"box")))

    assert kept.keys.of_patient(HERE, PATIENT) == []
    assert [key.key_id for key in kept.keys.of(HERE, None, 2026)] == [key_id]


def test_a_place_may_have_several_keys_and_everyone_sees_them_in_one_order(kept: Kept) -> None:
    named = [kept.record(PATIENT) for _ in range(5)]

    assert list(kept.keys.of(HERE, PATIENT, 2026)) == sorted(named, key=lambda key: key.key_id)


def test_a_key_is_listed_once_and_stays_of_the_year_it_was_made_in(kept: Kept) -> None:
    made = kept.record(PATIENT, 2025)
    kept.record(PATIENT, 2025, key=made.key_id)
    kept.record(PATIENT, 2026, key=made.key_id)

    assert kept.keys.of_patient(HERE, PATIENT) == [made]
    assert kept.keys.of(HERE, PATIENT, 2026) == []


def test_the_keys_of_a_patient_are_those_of_all_years_or_of_the_first_ones(kept: Kept) -> None:
    theirs = [kept.record(PATIENT, year) for year in (2024, 2025, 2026)]
    kept.record(OTHER, 2024)
    kept.record(PATIENT, 2024, of=ELSEWHERE)
    kept.record(None, 2024)

    assert kept.keys.of_patient(HERE, PATIENT) == theirs
    assert kept.keys.of_patient(HERE, PATIENT, 2025) == theirs[:2]
    assert kept.keys.of_patient(HERE, PATIENT, 2023) == []


def test_the_keys_of_earlier_years_come_oldest_first_whosever_they_are(kept: Kept) -> None:
    named = [
        kept.record(patient, year, of=of)
        for year in (2023, 2022)
        for patient in (PATIENT, None)
        for of in (HERE, ELSEWHERE)
    ]
    kept.record(PATIENT, 2024)

    assert list(kept.keys.before(2024)) == sorted(named, key=lambda key: (key.year, key.key_id))
    assert {key.year for key in kept.keys.before(2023)} == {2022}


def test_more_than_a_page_of_keys_comes_each_once(kept: Kept) -> None:
    named = {kept.record(uuid4(), 2022).key_id for _ in range(520)}

    found = [key.key_id for key in kept.keys.before(2023)]
    assert (len(found), set(found)) == (520, named)


def test_removed_keys_are_off_the_list_and_others_stay(kept: Kept) -> None:
    gone, stays = kept.record(PATIENT), kept.record(OTHER)
    unknown = LedgerKey(KeyId(uuid4()), HERE, PATIENT, 2026)

    kept.keys.remove(permit(), [gone, unknown])
    kept.keys.remove(permit(), [gone])
    kept.keys.remove(permit(), [])

    assert list(kept.keys.before(2027)) == [stays]


def test_an_entry_that_gets_no_place_lists_no_key(kept: Kept) -> None:
    with pytest.raises(OverLimit):
        kept.ledger.append(draft(facts={"note": "x" * 70_000}))

    assert list(kept.keys.before(9999)) == []
