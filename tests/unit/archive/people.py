"""Who invites and who is invited, and how they look for a study."""

from pacs_secure.core.access import Role, Subject
from pacs_secure.core.errors import NotFound
from pacs_secure.core.query import Level, Query
from pacs_secure.core.sharing import Person
from tests.builders import ELSEWHERE, HERE, subject
from tests.unit.archive.instances import study_uid
from tests.world import World

INVITER = subject(Role.CLINICIAN, identifier="k.sommer")
GUEST = subject(Role.GUEST, identifier="expert@elsewhere.example", department="")
COLLEAGUE = subject(Role.CLINICIAN, identifier="m.herbst", department="oncology")
NEIGHBOUR = subject(Role.RADIOLOGIST, identifier="j.winter", of=ELSEWHERE)
DPO = subject(Role.DPO, identifier="d.schutz")
THEIR_DPO = subject(Role.DPO, identifier="d.schutz", of=ELSEWHERE)
STRANGER = subject(Role.CLINICIAN, identifier="n.gier", department="surgery")
THE_GUEST, THE_COLLEAGUE = Person(HERE, GUEST.identifier), Person(HERE, COLLEAGUE.identifier)
THE_NEIGHBOUR = Person(ELSEWHERE, NEIGHBOUR.identifier)
WHY = "a second opinion on the liver"


def settle(world: World) -> None:
    """Let the other institution be one of this archive: somebody of it was met."""
    world.archive.guard.pseudonym(ELSEWHERE, NEIGHBOUR.identifier)


def found(world: World, by: Subject) -> list[str]:
    """Return what somebody finds of everything."""
    answer = world.archive.search.find(by, None, Query(Level.STUDY), details={})
    return sorted(uid for uid in (study_uid(n) for n in range(1, 10)) if any(uid.encode() in r for r in answer.results))


def reads(world: World, by: Subject, study: int = 1) -> bool:
    """Say whether somebody can open a study."""
    try:
        with world.archive.retrieve.begin(by, None, study_uid(study), details={}) as retrieval:
            for _ in retrieval.metadata():
                pass
            retrieval.complete()
    except NotFound:
        return False
    return True
