"""Sessions over the API: one's own, and making logins void."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, model_validator

from pacs_secure.archive import Archive
from pacs_secure.archive.revocation import LONGEST_LINE, LONGEST_REASON
from pacs_secure.core.access import Action
from pacs_secure.web.api import Api, Asked, Body
from pacs_secure.web.identity import Identification

Line = Annotated[str, Field(min_length=1, max_length=LONGEST_LINE)]


class OwnSession(Body):
    """One open session of the caller."""

    session: UUID
    begun_at: datetime
    idle_ends_at: datetime
    ends_at: datetime
    this: bool
    """Whether it is the one that asks."""


class Revocation(Body):
    """Whose logins, or which login, are made void, and why."""

    person: Line | None = None
    """The person's name as tokens have it, within the caller's own institution."""
    login: Line | None = None
    """The `jti` of an access token, or the name of a session."""
    reason: Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.person is None) == (self.login is None):
            raise ValueError("name a person or a login")
        return self


def routes(archive: Archive, identification: Identification) -> APIRouter:
    """Return the routes below ``/api/v1/sessions``."""
    api = Api(archive, identification, "Sessions")

    def own(asked: Asked[None, None]) -> list[OwnSession]:
        """List the caller's own open sessions."""
        this = asked.caller.session.session_id if asked.caller.session else None
        return [
            OwnSession(
                session=one.session_id,
                begun_at=one.begun_at,
                idle_ends_at=one.idle_ends_at,
                ends_at=one.ends_at,
                this=one.session_id == this,
            )
            for one in archive.sessions.own(asked.caller.subject)
        ]

    def revoke(asked: Asked[Revocation, Any]) -> None:
        """Make every login of a person, or one login, void from now on."""
        wanted, revocation = asked.body, archive.sessions.revocation
        if wanted.person is not None:
            revocation.revoke(asked.caller.subject, wanted.person, wanted.reason)
        elif wanted.login is not None:
            revocation.revoke_login(asked.caller.subject, wanted.login, wanted.reason)

    api.add("GET", "/sessions", own, action=Action.SESSION_AUTHENTICATE, answer=list[OwnSession])
    api.add("POST", "/sessions/revoke", revoke, action=Action.SESSION_REVOKE, body=Revocation)
    return api.router
