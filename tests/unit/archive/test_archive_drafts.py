"""What the ledger will say of an act."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from pacs_secure.archive.drafts import Drafts, ground
from pacs_secure.core.access import Action, Purpose, Safeguard
from pacs_secure.core.audit import Outcome
from tests.builders import ELSEWHERE, HERE, decision, request, study_facts, subject
from tests.world import World


def drafts(world: World) -> Drafts:
    return Drafts(world.archive.search.seals, lambda: datetime.now(UTC))


def test_a_person_has_one_pseudonym_wherever_the_entry_stands(world: World) -> None:
    written = drafts(world)
    asked = request(Action.STUDY_READ, subject(identifier="somebody"))

    here = written.of(asked, decision(), uuid4(), Outcome.BEGUN, {}, study_facts())
    there = written.of(asked, decision(), uuid4(), Outcome.BEGUN, {}, study_facts(of=ELSEWHERE))

    assert (here.institution, there.institution) == (HERE, ELSEWHERE)
    assert here.actor == there.actor == written.pseudonym(HERE, "somebody")
    assert written.pseudonym(ELSEWHERE, "somebody") != here.actor


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
