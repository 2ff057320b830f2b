"""One ledger entry on its way out: what every rendering says of it, in the words of no format.

Pseudonyms and aliases only. What an entry keeps sealed stays sealed: a message that left the house
could not be forgotten (GDPR 17), and whoever may know more asks the archive.
"""

import ipaddress
import json
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from pacs_secure.core.audit import Draft
from pacs_secure.core.audit_codes import APPLICATION, APPLICATION_LAUNCHER, DESTINATION, SOURCE, Code
from pacs_secure.core.audit_events import INDICATORS, AuditEvent, Flow, event_of
from pacs_secure.core.vocabulary import DEVICES, Role

LOCAL = "localhost"
"""Where an act of the command line, or of the archive itself, comes from."""
NOT_TOLD = "not told"
"""Where an act comes from, in an answer in which that would say who it was (LOG-07)."""
NOBODY = "unknown"
"""Who did what nobody proved to have done, or what was recorded while the vault was away."""


class Network(StrEnum):
    """NetworkAccessPointTypeCode (PS3.15 A.5.1)."""

    NAME = "1"
    ADDRESS = "2"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who acted."""

    pseudonym: str
    role: Role


@dataclass(frozen=True, slots=True)
class Node:
    """A system that took part."""

    name: str
    part: Code
    """Its role in the event (PS3.16 CID 402)."""
    network: Network
    place: str
    ae_title: str = ""


_PARTS: dict[Flow, tuple[Code, Code]] = {
    Flow.IN: (SOURCE, DESTINATION),
    Flow.OUT: (DESTINATION, SOURCE),
    Flow.LAUNCH: (APPLICATION_LAUNCHER, APPLICATION),
    Flow.NONE: (APPLICATION, APPLICATION),
}
"""The roles of whoever asks and of the archive. In a query the question is the data (ITI-20, BALP)."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A ledger entry in its place, with the name of the ledger that it stands in."""

    index: int
    leaf_hash: bytes
    draft: Draft
    origin: str
    """Of the ledger, as its checkpoints name it."""
    number: int | None = None
    """Stands for whoever acted where pseudonyms are not told (LOG-07): the same person within one answer only."""
    placed: bool = True
    """Whether it may be told from where it was asked."""

    @property
    def who(self) -> str:
        """Name whoever acted, without naming them."""
        if self.number is None:
            return self.draft.actor or NOBODY
        return f"{self.draft.role.value} {self.number}" if self.number else NOBODY

    @property
    def event(self) -> AuditEvent:
        """Return its row of the table."""
        return event_of(self.draft)

    @property
    def indicator(self) -> str:
        """Return its EventOutcomeIndicator."""
        return INDICATORS[self.draft.outcome]

    @property
    def outcome(self) -> str:
        """Say how far the act came, and by which rule."""
        return f"{self.draft.outcome.value}: {printable(self.draft.rule)}"

    @property
    def object_name(self) -> str:
        """Return what the act was about, the first half of its action."""
        return self.draft.action.value.partition(":")[0]

    @property
    def uri(self) -> str:
        """Name the entry itself."""
        return f"{self.origin}#{self.index}"

    @property
    def person(self) -> Person | None:
        """Return who acted; None when a device did."""
        draft = self.draft
        return None if draft.role in DEVICES else Person(self.who, draft.role)

    @property
    def client(self) -> Node:
        """Return from which system it was asked: the device that it was, or that a person acted through."""
        draft, device = self.draft, str(self.draft.facts.get("device", ""))
        network, place = _place(draft.address) if self.placed else (Network.NAME, NOT_TOLD)
        name = device or (self.who if draft.role in DEVICES else place)
        return Node(printable(name), _PARTS[self.event.flow][0], network, place, printable(device))

    @property
    def archive(self) -> Node:
        """Return this archive's own part."""
        return Node(self.origin, _PARTS[self.event.flow][1], Network.NAME, self.origin.partition("/")[0])

    @property
    def details(self) -> dict[str, str]:
        """Return everything else that the entry says in clear, and where its proof is found."""
        draft = self.draft
        told = {
            "ledger-index": str(self.index),
            "leaf-hash": self.leaf_hash.hex(),
            "act": str(draft.act),
            "action": draft.action.value,
            "outcome": draft.outcome.value,
            "door": draft.door.value,
            "role": draft.role.value,
            "department": draft.department,
            "rule": draft.rule,
            "policy": draft.policy_version,
            "PurposeOfUse": draft.purpose.value if draft.purpose else "",
            "details": "sealed" if draft.details else "",
        }
        facts = {f"fact.{name}": str(value) for name, value in sorted(draft.facts.items())}
        return {name: value for name, value in (told | facts).items() if value}

    @property
    def instances(self) -> int | None:
        """Return how many SOP Instances it was about; None when the entry does not say."""
        counts = [self.draft.facts.get(name) for name in ("objects", "new", "duplicates")]
        known = [count for count in counts if isinstance(count, int)]
        return sum(known) if known else None

    @property
    def query(self) -> bytes:
        """Return what a message may say of a query: its clear facts, for what was looked for is sealed."""
        return json.dumps(dict(sorted(self.draft.facts.items())), ensure_ascii=False, separators=(",", ":")).encode()


def urn(alias: UUID) -> str:
    """Write an alias as a URI (RFC 4122 3)."""
    return f"urn:uuid:{alias}"


def printable(text: str) -> str:
    """Return the text without what no XML document may hold (XML 1.0 2.2) and without line breaks."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _place(address: str) -> tuple[Network, str]:
    try:
        return Network.ADDRESS, str(ipaddress.ip_address(address))
    except ValueError:
        return Network.NAME, printable(address) or LOCAL
