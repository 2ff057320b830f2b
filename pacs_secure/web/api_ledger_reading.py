"""Reading the ledger over HTTP: what names nobody in the URL, a patient in the body, an employee nowhere."""

from base64 import b64encode
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, ConfigDict, Field

from pacs_secure.archive import Archive
from pacs_secure.archive.declarations import Whom
from pacs_secure.archive.ledger_proofs import Inclusion
from pacs_secure.archive.ledger_reading import MOST_AT_ONCE, ReadEntry, ReadPage, Wanted
from pacs_secure.core.access import Action, Purpose, Role
from pacs_secure.core.audit import Outcome
from pacs_secure.core.classification import LONGEST_DEPARTMENT
from pacs_secure.web.api import Api, Asked, Body
from pacs_secure.web.identity import Identification

NOTE = {"protocol": "API"}
_DIGITS = 16
"""Of the largest number that an entry can have."""

Index = Annotated[int, Field(ge=0, lt=2**53)]
LongString = Annotated[str, Field(max_length=64)]
"""Of VR LO, at most (PS3.5 6.2)."""
Employee = Annotated[str, Field(max_length=256)]
"""Taken only to be refused and recorded as what it is: see ``POST /ledger/questions``."""


class Terms(Body):
    """Which entries are wanted, one page of them."""

    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    """From the beginning until before the end."""
    action: Action | None = None
    outcome: Outcome | None = None
    role: Role | None = None
    department: Annotated[str | None, Field(max_length=LONGEST_DEPARTMENT)] = None
    study: LongString = ""
    """Study Instance UID."""
    order: Literal["newest", "oldest"] = "newest"
    after: Index | None = None
    """Go on behind this entry."""
    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = 100
    details: bool = False
    """Whether what names persons is to be opened; for one patient or one study only."""
    person: Employee = ""
    actor: Employee = ""

    def wanted(self, whom: Whom | None = None) -> Wanted:
        """Return it in the archive's words."""
        return Wanted(
            since=self.since,
            until=self.until,
            action=self.action,
            outcome=self.outcome,
            role=self.role,
            department=self.department,
            study_instance_uid=self.study,
            whom=whom,
            person=self.person or self.actor,
            newest_first=self.order == "newest",
            after=self.after,
            limit=self.limit,
            opened=self.details,
        )


class TermsOfPatient(Terms):
    """The same, about one patient, whom no URL may name."""

    patient_id: LongString = ""
    issuer_of_patient_id: LongString | None = None
    """None: whoever issued it; "" is no issuer."""


class How(Body):
    """How one entry is to be read."""

    details: bool = False


class LedgerEntryRead(Body):
    """One entry of the ledger."""

    index: int
    at: datetime
    act: UUID
    """The same in every entry of one act."""
    action: Action
    outcome: Outcome
    person: int
    """Within one act the same number is the same person; across acts only in an answer about one patient or study.
    0: nobody is known."""
    role: Role
    department: str
    door: str
    address: str
    """Empty in an answer that is about many patients: it would say who it was (LOG-07)."""
    purpose: Purpose | None
    rule: str
    policy: str
    study: UUID | None
    """Random name of the study."""
    patient: UUID | None
    """Random name of the patient."""
    facts: dict[str, str | int]
    leaf_sha256: str
    details: dict[str, str] | None
    state: Literal["none", "sealed", "opened", "forgotten"]
    """Of what it says of persons."""

    @classmethod
    def of(cls, read: ReadEntry, *, asked: bool) -> Self:
        """Write an entry down; ``asked`` says whether its details were to be opened."""
        draft = read.draft
        state: Literal["none", "sealed", "opened", "forgotten"] = "none"
        if draft.details is not None:
            state = "sealed" if not asked else "forgotten" if read.told is None else "opened"
        return cls(
            index=read.entry.index,
            at=draft.at,
            act=draft.act,
            action=draft.action,
            outcome=draft.outcome,
            person=read.person,
            role=draft.role,
            department=draft.department,
            door=draft.door.value,
            address=draft.address,
            purpose=draft.purpose,
            rule=draft.rule,
            policy=draft.policy_version,
            study=draft.study_alias,
            patient=draft.patient_alias,
            facts=draft.facts,
            leaf_sha256=read.entry.leaf_hash.hex(),
            details=read.told,
            state=state,
        )


class LedgerPage(Body):
    """One page of entries."""

    entries: list[LedgerEntryRead]
    after: int | None
    """To be named for the next page; null when there is none."""

    @classmethod
    def of(cls, page: ReadPage, *, asked: bool) -> Self:
        """Write a page down."""
        return cls(entries=[LedgerEntryRead.of(one, asked=asked) for one in page.entries], after=page.after)


class InclusionProof(Body):
    """That one entry stands in the tree that was signed (RFC 6962, RFC 9162 2.1.3)."""

    # A note ends with the end of its last line.
    model_config = ConfigDict(str_strip_whitespace=False)

    index: int
    entry: str
    """Its exact bytes, in base64: the leaf is SHA-256 of 0x00 and these."""
    size: int
    root: str
    checkpoint: str
    """The signed note (C2SP tlog-checkpoint)."""
    path: list[str]
    """Hashes from the leaf upwards, in base64."""

    @classmethod
    def of(cls, proof: Inclusion) -> Self:
        """Write a proof down."""
        return cls(
            index=proof.index,
            entry=b64encode(proof.content).decode(),
            size=proof.size,
            root=b64encode(proof.root).decode(),
            checkpoint=proof.checkpoint.decode(),
            path=[b64encode(node).decode() for node in proof.path],
        )


def routes(archive: Archive, identification: Identification) -> APIRouter:
    """Return the endpoints."""
    api, verb = Api(archive, identification, "Ledger"), archive.ledger_reading

    def search_ledger(asked: Asked[None, Terms]) -> LedgerPage:
        """Search the ledger by what names nobody."""
        caller, terms = asked.caller, asked.query
        page = verb.search(caller.subject, caller.purpose, terms.wanted(), details=NOTE)
        return LedgerPage.of(page, asked=terms.details)

    def search_ledger_of_patient(asked: Asked[TermsOfPatient, None]) -> LedgerPage:
        """Search the ledger, by a patient too."""
        caller, body = asked.caller, asked.body
        whom = Whom(body.patient_id, body.issuer_of_patient_id) if body.patient_id else None
        page = verb.search(caller.subject, caller.purpose, body.wanted(whom), details=NOTE)
        return LedgerPage.of(page, asked=body.details)

    def read_ledger_entry(asked: Asked[None, How]) -> LedgerEntryRead:
        """Read one entry."""
        caller, opened = asked.caller, asked.query.details
        index = _index(asked.path["index"])
        read = verb.entry(caller.subject, caller.purpose, index, opened=opened, details=NOTE)
        return LedgerEntryRead.of(read, asked=opened)

    def prove_ledger_entry(asked: Asked[None, None]) -> InclusionProof:
        """Prove that one entry stands in the published ledger."""
        caller, index = asked.caller, _index(asked.path["index"])
        return InclusionProof.of(archive.ledger_proofs.of(caller.subject, caller.purpose, index, details=NOTE))

    path, one, reads = "/ledger/entries", "/ledger/entries/{index}", Action.LEDGER_READ
    api.add("GET", path, search_ledger, action=reads, query=Terms, answer=LedgerPage)
    api.add("POST", "/ledger/searches", search_ledger_of_patient, action=reads, body=TermsOfPatient, answer=LedgerPage)
    api.add("GET", one, read_ledger_entry, action=reads, query=How, answer=LedgerEntryRead)
    api.add("GET", f"{one}/proof", prove_ledger_entry, action=Action.LEDGER_VERIFY, answer=InclusionProof)
    return api.router


def _index(text: str) -> int:
    """Read an entry's number; whatever is none is that of no entry."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else -1
