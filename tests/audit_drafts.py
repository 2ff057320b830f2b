"""Entries of every kind for the tests of audit messages: each action with each outcome, always the same bytes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import product
from uuid import UUID

from pacs_secure.core.audit import Draft, Outcome, SealedDetails
from pacs_secure.core.identifiers import Institution, KeyId
from pacs_secure.core.vocabulary import OF_A_STUDY, Action, Door, Purpose, Role
from pacs_secure.messages.occurrence import Occurrence

ORIGIN = "archive.example/north"
STUDY, PATIENT = UUID("18d40037-9556-42d7-9f6f-66863eb1f098"), UUID("620951dc-89a5-46c1-9a07-20cfff4476fd")
ACTOR = "4105c17d50025957f73d9e849f806b3b"
SECRET = b"a sealed detail that no message may carry"

_OF_A_STUDY = OF_A_STUDY | {Action.STUDY_CREATE, Action.SHARE_REDEEM, Action.SHARE_REVOKE, Action.CARE_END}
_OF_A_PATIENT = {Action.BREAK_GLASS_OPEN, Action.BREAK_GLASS_END, Action.LEDGER_DISCLOSE}


def draft_of(action: Action, outcome: Outcome) -> Draft:
    """Return an entry as the archive would write it."""
    return Draft(
        at=datetime(2026, 3, 1, 12, 0, 0, 7, UTC),
        act=UUID("d5287c17-7151-4c11-a70c-0e6facc8346a"),
        action=action,
        outcome=outcome,
        institution=Institution("north"),
        actor=ACTOR,
        role=Role.RADIOLOGIST,
        department="Röntgen & Co. <1>",
        door=Door.WEB,
        address="192.0.2.7",
        purpose=Purpose.TREATMENT,
        rule='p, radiologist, "study:read"\n',
        policy_version="v 1",
        study_alias=STUDY if action in _OF_A_STUDY else None,
        patient_alias=PATIENT if action in _OF_A_STUDY | _OF_A_PATIENT else None,
        facts={"protocol": "WADO-RS", "objects": 3},
        details=SealedDetails(KeyId(UUID("3f2504e0-4f89-41d3-9a0c-0305e82c3301")), SECRET),
    )


def occurrence(draft: Draft, index: int = 7) -> Occurrence:
    """Put an entry in its place."""
    return Occurrence(index, sha256(repr(draft).encode()).digest(), draft, ORIGIN)


def every_kind() -> Iterator[Occurrence]:
    """Yield each action with each outcome, by a person, a device and nobody."""
    for index, (action, outcome) in enumerate(product(Action, Outcome)):
        draft = draft_of(action, outcome)
        yield occurrence(draft, index)
        yield occurrence(replace(draft, role=Role.MODALITY, door=Door.DIMSE, address="2001:db8::7"), index)
        yield occurrence(replace(_by_nobody(draft), door=Door.JOB, address="", facts={}), index)


def chosen() -> dict[str, Occurrence]:
    """Return the entries whose messages are kept as vectors, by what they say."""
    read, create, search = Action.STUDY_READ, Action.STUDY_CREATE, Action.STUDY_SEARCH
    done = Outcome.COMPLETED
    drafts = {
        "a read begins": draft_of(read, Outcome.BEGUN),
        "a read is done": draft_of(read, done),
        "a read is broken off": draft_of(read, Outcome.ABORTED),
        "a read is refused": draft_of(read, Outcome.REFUSED),
        "a read through a device": replace(draft_of(read, done), facts={"device": "WORKSTATION1", "objects": 1}),
        "a read in an emergency": replace(draft_of(read, done), purpose=Purpose.BREAK_GLASS),
        "a modality stores": replace(
            draft_of(create, done), role=Role.MODALITY, door=Door.DIMSE, facts={"new": 2, "duplicates": 1}
        ),
        "a search": replace(draft_of(search, done), facts={"protocol": "QIDO-RS", "results": 2}),
        "a study is erased": draft_of(Action.STUDY_ERASE, done),
        "a study is classified": draft_of(Action.STUDY_CLASSIFY, done),
        "the facts of a study are shown": replace(draft_of(Action.STUDY_CLASSIFY, done), facts={"facts": "shown"}),
        "the glass is broken": draft_of(Action.BREAK_GLASS_OPEN, done),
        "a stranger is refused": _by_nobody(draft_of(Action.SESSION_AUTHENTICATE, Outcome.REFUSED)),
        "an association is refused": _by_nobody(draft_of(Action.ASSOCIATION_OPEN, Outcome.REFUSED)),
        "the ledger is verified by hand": replace(
            draft_of(Action.LEDGER_VERIFY, done), role=Role.OPERATOR, door=Door.COMMAND_LINE, address=""
        ),
        "the archive starts": replace(_by_nobody(draft_of(Action.SYSTEM_START, done)), door=Door.JOB, address=""),
    }
    return {name: occurrence(draft, index) for index, (name, draft) in enumerate(drafts.items())}


def _by_nobody(draft: Draft) -> Draft:
    return replace(draft, actor="", role=Role.STRANGER, department="", purpose=None, details=None)
