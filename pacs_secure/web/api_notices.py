"""What the data-protection officer was told, over HTTP: read, and acknowledged one by one."""

from datetime import datetime
from typing import Self
from uuid import UUID

from fastapi import APIRouter

from pacs_secure.archive import Archive
from pacs_secure.archive.notices import ReadNotice
from pacs_secure.core.access import Action
from pacs_secure.core.notices import NoticeKind
from pacs_secure.web.api import Api, Asked, Body
from pacs_secure.web.identity import Identification

NOTE = {"protocol": "API"}


class Which(Body):
    """Which notices are wanted."""

    acknowledged: bool = False
    """Those that somebody has read, instead of those that nobody has."""


class ToldNotice(Body):
    """One notice, with what it says of persons."""

    id: UUID
    number: int
    """Index of the ledger entry that it belongs to."""
    kind: NoticeKind
    about: UUID
    """The emergency, or the act of reading."""
    act: UUID
    at: datetime
    sent_at: datetime | None
    """When it first went out of the house; None: it waits here only."""
    acknowledged_at: datetime | None
    told: dict[str, str]
    """Who, in which role, and why."""

    @classmethod
    def of(cls, read: ReadNotice) -> Self:
        """Write a notice down."""
        kept, notice = read.kept, read.kept.notice
        return cls(
            id=notice.notice_id,
            number=kept.number,
            kind=notice.kind,
            about=notice.about,
            act=notice.act,
            at=notice.made_at,
            sent_at=kept.sent_at,
            acknowledged_at=kept.acknowledged_at,
            told=read.told,
        )


def routes(archive: Archive, identification: Identification) -> APIRouter:
    """Return the endpoints about notices."""
    api, verb = Api(archive, identification, "Notices"), archive.notices

    def list_notices(asked: Asked[None, Which]) -> list[ToldNotice]:
        """List the newest notices, of those that nobody has acknowledged yet or of the others."""
        subject, purpose = asked.caller.subject, asked.caller.purpose
        found = verb.list(subject, purpose, acknowledged=asked.query.acknowledged, details=NOTE)
        return [ToldNotice.of(one) for one in found]

    def acknowledge_notice(asked: Asked[None, None]) -> None:
        """Say that a notice was read."""
        verb.acknowledge(asked.caller.subject, asked.caller.purpose, asked.path["id"], details=NOTE)

    api.add("GET", "/notices", list_notices, action=Action.NOTICE_LIST, query=Which, answer=list[ToldNotice])
    api.add("POST", "/notices/{id}/acknowledge", acknowledge_notice, action=Action.NOTICE_ACKNOWLEDGE)
    return api.router
