"""What the ledger will say of an act."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from pacs_secure.archive.details import Details
from pacs_secure.archive.drafts import Drafts, ground
from pacs_secure.core.access import Action, Purpose, Safeguard, StudyFacts
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import KeyId
from tests.builders import ELSEWHERE, HERE, decision, request, study_facts, subject
from tests.world import World


def drafts(world: World) -> Drafts:
    return Drafts(world.archive.search.seals, world.archive.ledger_keys, lambda: datetime.now(UTC))


def test_a_person_has_one_pseudonym_wherever_the_entry_stands(world: World) -> None:
    written = drafts(world)
    asked = request(Action.STUDY_READ, subject(identifier="somebody"))

    here = written.of(asked, decision(), uuid4(), Outcome.BEGUN, {}, study_facts())
    there = written.of(asked, decision(), uuid4(), Outcome.BEGUN, {}, study_facts(of=ELSEWHERE))

    assert (here.institution, there.institution) == (HERE, ELSEWHERE)
    assert here.actor == there.actor == written.pseudonym(HERE, "somebody")
    assert written.pseudonym(ELSEWHERE, "somebody") != here.actor


@pytest.mark.parametrize(
    ("mine", "of_study", "told"),
    [("surgery", "psychiatry", "psychiatry"), ("surgery", "surgery", None), ("", "surgery", None)],
)
def test_an_entry_says_whose_department_a_study_is_when_it_is_another(
    world: World, mine: str, of_study: str, told: str | None
) -> None:
    asked = request(Action.STUDY_READ, subject(department=mine))
    draft = drafts(world).of(asked, decision(), uuid4(), Outcome.BEGUN, {}, study_facts(department=of_study))

    assert draft.facts.get("of_department") == told


def test_details_about_a_patient_are_sealed_under_the_key_of_that_patient_and_year(world: World) -> None:
    written, one, another = drafts(world), uuid4(), uuid4()
    asked = request(Action.STUDY_READ)

    def key(study: StudyFacts | None, patient: UUID | None = None) -> KeyId:
        draft = written.of(asked, decision(), uuid4(), Outcome.BEGUN, {}, study, patient)
        assert draft.details is not None
        assert draft.patient_alias == (study.patient_alias if study else patient)
        return draft.details.key_id

    of_one = key(study_facts(patient_alias=one))
    assert of_one == key(study_facts("1.2.3", patient_alias=one)) == key(None, one)
    assert len({of_one, key(study_facts(patient_alias=another)), key(None)}) == 3
    assert key(None) == key(None) != world.archive.search.seals.ledger_keys(HERE).ledger


def test_each_year_has_keys_of_its_own(world: World) -> None:
    study, keys = study_facts(), set()
    for year in (2025, 2026):
        at = datetime(year, 12, 31, 23, 59, tzinfo=UTC)
        written = Drafts(world.archive.search.seals, world.archive.ledger_keys, lambda at=at: at)  # type: ignore[misc]
        keys |= {written.of(request(), decision(), uuid4(), Outcome.BEGUN, {}, study).details for _ in range(2)}

    assert len({details.key_id for details in keys if details}) == 2


def test_a_refusal_is_sealed_under_nobodys_key_and_says_nothing_of_its_patient(world: World) -> None:
    written, study = drafts(world), study_facts()
    asked = replace(request(), private={"study": "1.2.3"})
    written.of(request(), decision(), uuid4(), Outcome.REFUSED, {}, None)
    asked_of_vault = world.keyring.minted, world.keyring.fetched

    refused = written.of(asked, decision(), uuid4(), Outcome.REFUSED, {}, study)
    of_nobody = written.of(asked, decision(), uuid4(), Outcome.REFUSED, {}, None)

    # Whoever measures cannot tell whether there is such a patient.
    assert (world.keyring.minted, world.keyring.fetched) == asked_of_vault
    assert refused.patient_alias == study.patient_alias
    assert _key(refused) == _key(of_nobody) == world.archive.ledger_keys.seal(HERE, None, refused.at.year)[0]
    opened = Details(world.keyring).open([refused, of_nobody])
    assert opened == [{"subject": "someone"}, {"subject": "someone", "study": "1.2.3"}]


def test_a_refusal_keeps_its_actor_when_only_the_key_of_its_details_is_out_of_reach(world: World) -> None:
    written = drafts(world)
    pseudonym = written.pseudonym(HERE, "someone")
    world.keyring.sealed = True

    refused = written.of(request(), decision(), uuid4(), Outcome.REFUSED, {}, study_facts())

    assert (refused.actor, refused.details) == (pseudonym, None)
    with pytest.raises(Unavailable):
        written.of(request(), decision(), uuid4(), Outcome.BEGUN, {}, study_facts())


def _key(draft: Draft) -> KeyId:
    assert draft.details is not None
    return draft.details.key_id


@pytest.mark.parametrize(
    ("safeguards", "purpose", "told"),
    [
        ((), Purpose.PATIENT_REQUEST, {}),
        ((Safeguard.RESTRICTED,), Purpose.PATIENT_REQUEST, {"ground": "the patient's own request"}),
        ((Safeguard.RESTRICTED,), Purpose.BREAK_GLASS, {"ground": "an emergency of the patient"}),
    ],
)
def test_the_use_of_a_restricted_study_says_its_ground(
    safeguards: tuple[Safeguard, ...], purpose: Purpose, told: dict[str, str]
) -> None:
    assert ground(request(Action.STUDY_READ, study=study_facts(safeguards=safeguards), purpose=purpose)) == told
