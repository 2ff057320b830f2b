"""Who treats a patient and who referred a study, over HTTP: stated, listed and ended."""

from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, Field

from pacs_secure.archive import Archive
from pacs_secure.archive.care import LONGEST_NAME
from pacs_secure.core.access import Action
from pacs_secure.core.care import FOR_GOOD, Care
from pacs_secure.web.api import Api, Asked, Body
from pacs_secure.web.api_facts import Reason
from pacs_secure.web.identity import Identification

Study = Annotated[str, Field(min_length=1, max_length=64)]
Person = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class CareGrant(Body):
    """A person of the house treats the patient of a study."""

    study: Study
    person: Person
    until: AwareDatetime
    reason: Reason


class Referral(Body):
    """A person of the house referred a study."""

    study: Study
    person: Person
    until: AwareDatetime | None = None
    reason: Reason


class End(Body):
    """Why what was stated ends."""

    reason: Reason


class CareQuery(Body):
    """Whose care is asked about: the patient's of a study."""

    study: Study


class Stated(Body):
    """One statement, by whose id it can be ended."""

    id: UUID
    relation: Literal["treating", "referring"]
    person: str
    since: AwareDatetime
    until: AwareDatetime | None
    """None: until somebody ends it."""
    reason: str


def routes(archive: Archive, identification: Identification) -> APIRouter:
    """Return the endpoints."""
    api = Api(archive, identification, "Care")

    def grant_care(asked: Asked[CareGrant, None]) -> Stated:
        """State that a person treats the patient of a study."""
        caller, body = asked.caller, asked.body
        return _told(
            archive.care.grant(caller.subject, caller.purpose, body.study, body.person, body.until, body.reason)
        )

    def list_care(asked: Asked[None, CareQuery]) -> list[Stated]:
        """List who treats the patient of a study and who referred it."""
        caller = asked.caller
        return [_told(one) for one in archive.care.list(caller.subject, caller.purpose, asked.query.study)]

    def end_care(asked: Asked[End, None]) -> None:
        """End what was stated."""
        archive.care.end(asked.caller.subject, asked.caller.purpose, asked.path["id"], asked.body.reason)

    def refer(asked: Asked[Referral, None]) -> Stated:
        """State that a person referred a study."""
        caller, body = asked.caller, asked.body
        return _told(
            archive.care.refer(caller.subject, caller.purpose, body.study, body.person, body.reason, body.until)
        )

    grant, made = Action.CARE_GRANT, HTTPStatus.CREATED
    api.add("POST", "/care", grant_care, action=grant, body=CareGrant, answer=Stated, status=made)
    api.add("GET", "/care", list_care, action=grant, query=CareQuery, answer=list[Stated])
    api.add("POST", "/care/{id}/end", end_care, action=Action.CARE_END, body=End)
    api.add("POST", "/referrals", refer, action=grant, body=Referral, answer=Stated, status=made)
    return api.router


def _told(care: Care) -> Stated:
    return Stated(
        id=care.origin,
        relation="treating" if care.relation == "treating" else "referring",
        person=care.person,
        since=care.begins_at,
        until=None if care.ends_at == FOR_GOOD else care.ends_at,
        reason=care.reason,
    )
