"""A ledger that has been written for years: entries of the past, their details under the keys of their years."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import orjson

from pacs_secure.archive.proofs import of_ledger_key
from pacs_secure.core.access import Action, Door, Purpose, Role
from pacs_secure.core.audit import Draft, Outcome, SealedDetails
from pacs_secure.core.identifiers import Institution
from pacs_secure.house import House
from pacs_secure.ports import LedgerKey
from tests.builders import HERE

BEGUN = datetime(2020, 2, 1, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def old_draft(
    house: House,
    at: datetime,
    patient: UUID | None = None,
    study: UUID | None = None,
    *,
    of: Institution = HERE,
    outcome: Outcome = Outcome.COMPLETED,
) -> Draft:
    """Write down a read of the past as the archive would have written it."""
    act = uuid4()
    key_id, seal = house.archive.ledger_keys.seal(of, patient, at.year)
    proof = of_ledger_key(house.archive.search.seals.details(of), LedgerKey(key_id, of, patient, at.year))
    return Draft(
        at=at,
        act=act,
        action=Action.STUDY_READ,
        outcome=outcome,
        institution=of,
        actor=house.archive.guard.pseudonym(of, "m.alt"),
        role=Role.RADIOLOGIST,
        department="radiology",
        door=Door.WEB,
        address="192.0.2.7",
        purpose=Purpose.TREATMENT,
        rule="a rule of the past",
        policy_version="a policy of the past",
        study_alias=study,
        patient_alias=patient,
        facts={"objects": 1},
        details=SealedDetails(key_id, seal.seal(act, orjson.dumps({"subject": "m.alt"})), proof),
    )


def write_past(
    house: House,
    count: int,
    begun: datetime = BEGUN,
    every: timedelta = DAY,
    *,
    patients: Sequence[UUID | None] = (None,),
    of: Institution = HERE,
) -> datetime:
    """Record so many reads of the past, of these patients in turn; return when the last one was."""
    ledger = house.engines.ledger
    for number in range(count):
        patient = patients[number % len(patients)]
        ledger.follow(old_draft(house, begun + number * every, patient, of=of))
    # What follows is kept in order: once this one is durable, all before it are.
    ledger.append(old_draft(house, begun + count * every, patients[0], of=of))
    return begun + count * every
