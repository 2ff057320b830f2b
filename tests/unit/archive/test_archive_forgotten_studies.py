"""The ledger tells which studies were forgotten, and nobody without the institution's index key which those were."""

from dataclasses import replace
from datetime import timedelta

from pacs_secure.archive.forgotten_studies import STUDY_TOKEN, ForgottenStudies, token_of
from pacs_secure.core.access import Action
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.identifiers import ObjectId, object_id, uid
from tests.builders import ELSEWHERE, HERE, NOW, draft
from tests.unit.archive.instances import study_uid
from tests.world import World

ONE, OTHER = uid(study_uid(1)), uid(study_uid(2))


def made(later: timedelta = timedelta()) -> ObjectId:
    return object_id(int((NOW + later).timestamp() * 1000), bytes(16))


def fenced(world: World, after: timedelta = timedelta(), action: Action = Action.STUDY_FORGET) -> Draft:
    facts: dict[str, str | int] = {
        "stage": "fenced",
        STUDY_TOKEN: token_of(world.archive.search.seals.index(HERE), ONE),
    }
    return replace(draft(Outcome.COMPLETED, at=NOW + after), action=action, institution=HERE, facts=facts)


def told(world: World, *drafts: Draft) -> ForgottenStudies:
    for one in drafts:
        world.ledger.append(one)
    return ForgottenStudies(world.ledger.entries(0, world.ledger.size()), world.archive.search.seals.index)


def test_what_was_made_before_its_study_was_forgotten_last_is_the_forgotten_studys(world: World) -> None:
    hour = timedelta(hours=1)
    studies = told(world, fenced(world, hour), fenced(world))

    assert studies.had(HERE, ONE, made(hour))
    assert not studies.had(HERE, ONE, made(2 * hour))
    assert not studies.had(HERE, OTHER, made())
    assert not studies.had(ELSEWHERE, ONE, made())


def test_another_act_that_says_so_and_a_ledger_that_says_nothing_name_no_study(world: World) -> None:
    assert not told(world).had(HERE, ONE, made())
    assert not told(world, fenced(world, action=Action.STUDY_CLASSIFY)).had(HERE, ONE, made())


def test_the_token_tells_nobody_else_which_study_it_was(world: World) -> None:
    here, elsewhere = (world.archive.search.seals.index(of) for of in (HERE, ELSEWHERE))
    assert token_of(here, ONE) not in {token_of(elsewhere, ONE), token_of(here, OTHER)}
    assert ONE not in token_of(here, ONE)
