"""What officers are told, in SQL: a notice is a row in the commit of its act, and waits there until it was sent."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import BindParameter, Select, bindparam, func, insert, select, update
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.emergency_tables import notice_channels, notices
from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger import append_in
from pacs_secure.adapters.sql.rows import AnyRow
from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Conflict, Denied, NotFound
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.notices import KeptNotice, Notice, NoticeKind

_INSTITUTION: BindParameter[str] = bindparam("an_institution")
_CHANNEL: BindParameter[str] = bindparam("a_channel")

_get = select(notices).where(notices.c.institution == _INSTITUTION, notices.c.notice_id == bindparam("a_notice"))
_get_to_change = _get.with_for_update()
_newest = (
    select(notices)
    .where(notices.c.institution == _INSTITUTION)
    .order_by(notices.c.number.desc())
    .limit(bindparam("a_limit"))
)
_through = (
    select(func.coalesce(func.max(notice_channels.c.through), -1))
    .where(notice_channels.c.institution == _INSTITUTION, notice_channels.c.channel == _CHANNEL)
    .scalar_subquery()
)
_waiting: Select[*tuple[object, ...]] = (
    select(notices)
    .where(
        notices.c.institution == _INSTITUTION,
        notices.c.acknowledged_at.is_(None),
        notices.c.number > _through,
    )
    .order_by(notices.c.number)
    .limit(bindparam("a_limit"))
)
_come_so_far = (
    update(notice_channels)
    .where(notice_channels.c.institution == _INSTITUTION, notice_channels.c.channel == _CHANNEL)
    .values(through=bindparam("so_far"))
)
_sent_now = (
    update(notices)
    .where(
        notices.c.institution == _INSTITUTION,
        notices.c.number <= bindparam("so_far"),
        notices.c.number > _through,
        notices.c.sent_at.is_(None),
        notices.c.acknowledged_at.is_(None),
    )
    .values(sent_at=bindparam("at_last", type_=notices.c.sent_at.type))
)


class SqlNotices:
    """`pacs_secure.ports.Notices` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, institution: Institution, notice_id: UUID) -> KeptNotice | None:
        """Return a notice of the institution, or None."""
        with self._database.read() as connection:
            row = connection.execute(_get, {"an_institution": institution, "a_notice": notice_id}).first()
            return None if row is None else _notice(row)

    def listed(self, institution: Institution, limit: int, *, acknowledged: bool) -> Sequence[KeptNotice]:
        """Return the newest notices, those that somebody has acknowledged or those that nobody has."""
        at = notices.c.acknowledged_at
        wanted = _newest.where(at.is_not(None) if acknowledged else at.is_(None))
        with self._database.read() as connection:
            found = connection.execute(wanted, {"an_institution": institution, "a_limit": limit})
            return [_notice(row) for row in found]

    def acknowledge(self, permit: Permit, notice_id: UUID, actor: str, at: datetime, draft: Draft) -> None:
        """Mark a notice as read and record it, in one commit.

        Raises:
            Conflict: somebody has acknowledged it before.
            Denied: the Permit is another institution's.
            NotFound: there is no such notice.
        """
        institution = permit.request.subject.institution
        demand_recorded_at_home(institution, draft)

        def acknowledge(connection: Connection) -> None:
            row = connection.execute(_get_to_change, {"an_institution": institution, "a_notice": notice_id}).first()
            if row is None:
                raise NotFound("no such object")
            if row.acknowledged_at is not None:
                raise Conflict("somebody has acknowledged this before")
            done = update(notices).where(notices.c.number == row.number)
            connection.execute(done.values(acknowledged_at=at, acknowledged_by=actor))
            append_in(connection, draft)

        self._database.write(acknowledge)

    def waiting(self, institution: Institution, channel: str, limit: int) -> Sequence[KeptNotice]:
        """Return the oldest notices that nobody has acknowledged and the channel has not taken, in order."""
        named = {"an_institution": institution, "a_channel": channel, "a_limit": limit}
        with self._database.read() as connection:
            return [_notice(row) for row in connection.execute(_waiting, named)]

    def sent(self, institution: Institution, channel: str, through: int, at: datetime) -> None:
        """Note that the channel has taken every notice up to that number."""
        named = {"an_institution": institution, "a_channel": channel, "so_far": through}

        def note(connection: Connection) -> None:
            connection.execute(_sent_now, {**named, "at_last": at})
            if connection.execute(_come_so_far, named).rowcount == 0:
                values = {"institution": institution, "channel": channel, "through": through}
                connection.execute(insert(notice_channels), values)

        self._database.write(note)


def demand_recorded_at_home(institution: Institution, draft: Draft) -> None:
    """Refuse an act of one institution that would be recorded in another's."""
    if draft.institution != institution:
        raise Denied("institutions are strictly apart")


def _notice(row: AnyRow) -> KeptNotice:
    notice = Notice(
        row.notice_id, Institution(row.institution), NoticeKind(row.kind), row.about, row.act, row.made_at, row.box
    )
    return KeptNotice(notice, row.number, row.sent_at, row.acknowledged_at, row.acknowledged_by)
