"""Shares at the web door: a colleague or an outside expert is invited to one study, and taken back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import AfterValidator, AwareDatetime, Field

from pacs_secure.archive import Archive
from pacs_secure.archive.readings import Reading
from pacs_secure.archive.shares import Invitation, OpenedShare, Sharing
from pacs_secure.core.access import Action, Door, Purpose, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.identifiers import institution
from pacs_secure.core.sharing import Person, Standing
from pacs_secure.web.api import Api, Asked, Body
from pacs_secure.web.identity import Identification


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("outside the calendar") from None


Until = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Reason = Annotated[str, Field(min_length=10, max_length=500)]


class Named(Body):
    """A person, by the name under which their institution knows them."""

    person: Annotated[str, Field(min_length=1, max_length=256)]
    institution: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] | None = None
    """None: the caller's own."""

    def beside(self, subject: Subject) -> Person:
        """Return the person, of the caller's own institution unless another one is named."""
        return Person(institution(self.institution or subject.institution), self.person)

    @classmethod
    def of(cls, person: Person) -> Self:
        """Name a person."""
        return cls(person=person.identifier, institution=person.institution)


class NewShare(Body):
    """Who is to see which study, why and until when."""

    study_instance_uid: Annotated[str, Field(min_length=1, max_length=64)]
    invitee: Named
    purpose: Purpose = Purpose.TREATMENT
    until: Until
    reason: Reason
    second_factor: bool = False
    """Whether a one-time code, told on another way, must be given first."""


class Redemption(Body):
    """The one-time code that the invited person was told."""

    code: Annotated[str, Field(min_length=1, max_length=64)]


class ShareTold(Body):
    """A share, to those whom it concerns."""

    share: UUID
    standing: Standing
    study_instance_uid: str | None
    """None for an invited person to whom it opens nothing now."""
    inviter: Named
    invitee: Named
    purpose: Purpose
    reason: str
    begins_at: datetime
    ends_at: datetime
    second_factor: bool
    wrong_codes: int
    redeemed_at: datetime | None
    revoked_at: datetime | None


class ShareCreated(ShareTold):
    """A new share; the code is shown this once and kept nowhere."""

    code: str | None


class Read(Body):
    """One read of the study by the invited person."""

    at: datetime
    act: UUID
    """The same in every ledger entry of this read."""
    door: Door
    outcome: Outcome
    objects: int
    octets: int


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What is asked about shares."""

    sharing: Sharing

    def create(self, asked: Asked[NewShare, None]) -> ShareCreated:
        """Invite one person to one study, for a purpose, until a date."""
        wanted, subject = asked.body, asked.caller.subject
        invitation = Invitation(
            wanted.study_instance_uid,
            wanted.invitee.beside(subject),
            wanted.purpose,
            wanted.until,
            wanted.reason,
            wanted.second_factor,
        )
        created = self.sharing.create(subject, asked.caller.purpose, invitation)
        return ShareCreated(**_told(created.opened).model_dump(), code=created.code)

    def listed(self, asked: Asked[None, None]) -> Sequence[ShareTold]:
        """List the shares that one made or was given."""
        return [_told(opened) for opened in self.sharing.listed(asked.caller.subject, asked.caller.purpose)]

    def get(self, asked: Asked[None, None]) -> ShareTold:
        """Return one share."""
        return _told(self.sharing.get(asked.caller.subject, asked.caller.purpose, asked.path["share"]))

    def reads(self, asked: Asked[None, None]) -> Sequence[Read]:
        """List what the invited person has read, and when."""
        found = self.sharing.reads(asked.caller.subject, asked.caller.purpose, asked.path["share"])
        return [read_of(reading) for reading in found]

    def redeem(self, asked: Asked[Redemption, None]) -> ShareTold:
        """Give the one-time code of a share; five wrong ones end it."""
        caller = asked.caller
        return _told(self.sharing.redeem(caller.subject, caller.purpose, asked.path["share"], asked.body.code))

    def revoke(self, asked: Asked[None, None]) -> None:
        """Take a share back, in effect at once."""
        self.sharing.revoke(asked.caller.subject, asked.caller.purpose, asked.path["share"])


def routes(archive: Archive, identification: Identification) -> APIRouter:
    """Return the endpoints of shares."""
    api, at = Api(archive, identification, "Shares"), Endpoints(archive.sharing)
    one = "/shares/{share}"
    create = Action.SHARE_CREATE
    api.add("POST", "/shares", at.create, action=create, body=NewShare, answer=ShareCreated, status=HTTPStatus.CREATED)
    api.add("GET", "/shares", at.listed, action=Action.SHARE_LIST, answer=list[ShareTold])
    api.add("GET", one, at.get, action=Action.SHARE_LIST, answer=ShareTold)
    api.add("GET", f"{one}/reads", at.reads, action=Action.SHARE_LIST, answer=list[Read])
    api.add("POST", f"{one}/redeem", at.redeem, action=Action.SHARE_REDEEM, body=Redemption, answer=ShareTold)
    api.add("POST", f"{one}/revoke", at.revoke, action=Action.SHARE_REVOKE)
    api.add("DELETE", one, at.revoke, action=Action.SHARE_REVOKE)
    return api.router


def _told(opened: OpenedShare) -> ShareTold:
    share = opened.share
    return ShareTold(
        share=share.share_id,
        standing=opened.standing,
        study_instance_uid=opened.study_instance_uid,
        inviter=Named.of(opened.inviter),
        invitee=Named.of(opened.invitee),
        purpose=share.purpose,
        reason=opened.reason,
        begins_at=share.begins_at,
        ends_at=share.ends_at,
        second_factor=bool(share.code),
        wrong_codes=share.wrong_codes,
        redeemed_at=share.redeemed_at,
        revoked_at=share.revoked_at,
    )


def read_of(reading: Reading) -> Read:
    """Tell of one read."""
    return Read(
        at=reading.at,
        act=reading.act,
        door=reading.door,
        outcome=reading.outcome,
        objects=reading.objects,
        octets=reading.octets,
    )
