"""What one scenario remembers from step to step, and how its sentences are read."""

from base64 import b64decode
from dataclasses import dataclass, field
from uuid import UUID

import httpx
import orjson

from pacs_secure.core.access import Purpose, Role
from pacs_secure.core.audit import Verdict
from pacs_secure.core.identifiers import KeyId
from pacs_secure.crypto.index_seal import DetailsSeal
from pacs_secure.ports import Shelf
from tests.bdd.hospital import Entry, Hospital, Keys, Person
from tests.bdd.pictures import Picture, picture

SUCCESS, TRY_AGAIN = 0x0000, 0xA700
"""C-STORE statuses (PS3.4 Table B.2-1)."""
RADIOLOGIST = Person(Role.RADIOLOGIST)
STUDY = f"/studies/{picture().study_instance_uid}"


@dataclass
class Story:
    """What one scenario has seen so far."""

    mark: int = 0
    """Entries of the ledger when the last act began."""
    statuses: list[int | None] = field(default_factory=list)
    sent: list[Picture] = field(default_factory=list)
    answers: list[httpx.Response] = field(default_factory=list)
    error: Exception | None = None
    verdict: Verdict | None = None

    @property
    def answer(self) -> httpx.Response:
        return self.answers[-1]


def begin(hospital: Hospital, story: Story) -> None:
    """Remember where the ledger stands before an act."""
    story.mark = len(hospital.entries())


def person_of(who: str, purpose: str | None = None) -> Person:
    """Read "a clinician of cardiology"."""
    role, _, department = who.removeprefix("a ").partition(" of ")
    return Person(Role(role), department or "radiology", Purpose(purpose) if purpose else None)


def details_of(keys: Keys, entry: Entry) -> dict[str, str]:
    """Open what only a holder of the ledger key may read."""
    key_id = KeyId(UUID(entry["details"]["key"]))
    (key,) = keys.unwrapper.fetch(keys.institution, Shelf.LEDGER, [key_id]).values()
    box = b64decode(entry["details"]["box"])
    opened: dict[str, str] = orjson.loads(DetailsSeal(key.key).open(UUID(entry["act"]), box))
    return opened
