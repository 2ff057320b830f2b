"""What every keeper of sessions promises, held against the one in SQL and the one in memory alike."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger import SqlLedger
from pacs_secure.adapters.sql.sessions import SqlSessions
from pacs_secure.core.access import Action, Permit
from pacs_secure.core.errors import Conflict, Denied, Malformed, Unavailable
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import Ledger, RevokedLogin, RevokedPerson, SessionRow, Sessions
from tests.builders import ELSEWHERE, HERE, NOW, digest, draft, permit, subject
from tests.fakes import MemoryLedger
from tests.fakes_sessions import MemorySessions
from tests.postgres_fixture import ENGINES, Settled, place_of

HOUR = timedelta(hours=1)


@dataclass
class Kept:
    """Sessions beside their ledger."""

    sessions: Sessions
    ledger: Ledger
    database: Database | None = None

    def begin(self, row: SessionRow) -> SessionRow:
        self.sessions.begin(allowed(row.institution), row, draft())
        return row

    def find(self, row: SessionRow) -> SessionRow | None:
        if self.database is not None:
            self.database.write(lambda _: None)  # what follows without waiting is committed now
        return self.sessions.find(row.digest)


def allowed(institution: str) -> Permit:
    return permit(subject(of=institution), Action.SESSION_OPEN)


def session(
    actor: str = "a" * 32,
    *,
    of: str = HERE,
    begun_at: datetime = NOW,
    provider: tuple[str, str] = ("", ""),
    session_id: UUID | None = None,
) -> SessionRow:
    session_id = session_id or uuid4()
    return SessionRow(
        session_id=session_id,
        digest=digest("secret", session_id),
        institution=Institution(of),
        actor=actor,
        provider_subject=provider[0],
        provider_session=provider[1],
        begun_at=begun_at,
        used_at=begun_at,
        ends_at=begun_at + 10 * HOUR,
        box=b"sealed",
    )


@pytest.fixture(params=[*ENGINES, "memory"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    if request.param == "memory":
        ledger = MemoryLedger()
        yield Kept(MemorySessions(ledger), ledger)
    else:
        database = Settled(place_of(request, tmp_path))
        yield Kept(SqlSessions(database), SqlLedger(database), database)
        database.close()


def test_a_session_is_found_by_the_digest_of_its_secret_alone(kept: Kept) -> None:
    row = kept.begin(session())

    assert kept.find(row) == row
    assert kept.sessions.find(digest("another")) is None
    assert kept.ledger.size() == 1


def test_one_attempt_gives_one_session_however_many_try(kept: Kept) -> None:
    session_id = uuid4()

    def claim(number: int) -> bool:
        try:
            kept.begin(replace(session(session_id=session_id), digest=digest("secret", number)))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(claim, range(8))) == 1
    assert kept.ledger.size() == 1


def test_the_last_use_moves_forward_only(kept: Kept) -> None:
    row = kept.begin(session())
    kept.sessions.touch(row.session_id, NOW + HOUR)
    kept.sessions.touch(row.session_id, NOW + HOUR / 2)
    kept.sessions.touch(uuid4(), NOW)

    assert kept.find(row) == replace(row, used_at=NOW + HOUR)


def test_an_ended_session_stays_ended_as_of_the_first_time(kept: Kept) -> None:
    row = kept.begin(session())
    for hours in (1, 2):
        kept.sessions.end(allowed(HERE), row.session_id, NOW + hours * HOUR, draft())

    assert kept.find(row) == replace(row, ended_at=NOW + HOUR)
    assert kept.sessions.open_of(HERE, row.actor, NOW) == []
    assert kept.ledger.size() == 3


def test_sessions_of_a_person_are_listed_oldest_first_until_their_end(kept: Kept) -> None:
    later, first = (kept.begin(session(begun_at=NOW + hours * HOUR)) for hours in (1, 0))
    kept.begin(session("b" * 32))
    kept.begin(session(of=ELSEWHERE))

    assert list(kept.sessions.open_of(HERE, first.actor, NOW)) == [first, later]
    assert list(kept.sessions.open_of(HERE, first.actor, first.ends_at)) == [later]


def test_sessions_are_found_by_what_the_provider_calls_them(kept: Kept) -> None:
    one = kept.begin(session(provider=("person", "login 1")))
    other = kept.begin(session(provider=("person", "login 2"), begun_at=NOW + HOUR))
    kept.begin(session())

    assert list(kept.sessions.open_at_provider("person", "login 1", NOW)) == [one]
    assert list(kept.sessions.open_at_provider("person", "", NOW)) == [one, other]
    assert list(kept.sessions.open_at_provider("person", "login 3", NOW)) == []
    assert list(kept.sessions.open_at_provider("", "", NOW)) == []


def test_revoking_a_person_ends_their_sessions_in_the_same_commit(kept: Kept) -> None:
    theirs, another, elsewhere = (kept.begin(one) for one in (session(), session("b" * 32), session(of=ELSEWHERE)))
    revoked = RevokedPerson(HERE, theirs.actor, NOW + HOUR)

    kept.sessions.revoke(allowed(HERE), revoked, draft())

    assert kept.find(theirs) == replace(theirs, ended_at=NOW + HOUR)
    assert [kept.find(one) for one in (another, elsewhere)] == [another, elsewhere]
    assert list(kept.sessions.revoked(NOW)) == [revoked]
    assert kept.ledger.size() == 4


def test_a_person_stays_revoked_up_to_the_latest_moment(kept: Kept) -> None:
    for hours in (1, 3, 2):
        kept.sessions.revoke(allowed(HERE), RevokedPerson(HERE, "a" * 32, NOW + hours * HOUR), draft())

    assert list(kept.sessions.revoked(NOW)) == [RevokedPerson(HERE, "a" * 32, NOW + 3 * HOUR)]


def test_a_revoked_login_is_remembered_until_its_end(kept: Kept) -> None:
    one, other = (RevokedLogin(HERE, digest("login", name), NOW + HOUR) for name in "ab")
    again = replace(one, ends_at=NOW + 2 * HOUR)
    for revoked in (one, other, again):
        kept.sessions.revoke(allowed(HERE), revoked, draft())

    assert set(kept.sessions.revoked(NOW)) == {again, other}
    assert list(kept.sessions.revoked(NOW + HOUR)) == [again]


def test_a_session_that_was_over_a_day_ago_is_forgotten(kept: Kept) -> None:
    old = kept.begin(session())
    kept.begin(session(begun_at=old.ends_at + timedelta(days=1)))
    assert kept.find(old) == old

    kept.begin(session(begun_at=old.ends_at + timedelta(days=1, seconds=1)))
    assert kept.find(old) is None


def test_a_permit_of_another_institution_changes_nothing(kept: Kept) -> None:
    row = kept.begin(session())
    foreign = allowed(ELSEWHERE)

    with pytest.raises(Denied):
        kept.sessions.begin(foreign, session(), draft())
    for session_id in (row.session_id, uuid4()):
        with pytest.raises(Denied):
            kept.sessions.end(foreign, session_id, NOW, draft())
    for revoked in (RevokedPerson(HERE, row.actor, NOW), RevokedLogin(HERE, digest("login"), NOW + HOUR)):
        with pytest.raises(Denied):
            kept.sessions.revoke(foreign, revoked, draft())
    assert kept.find(row) == row
    assert (list(kept.sessions.revoked(NOW)), kept.ledger.size()) == ([], 1)


def test_a_change_that_cannot_be_recorded_does_not_happen(kept: Kept) -> None:
    row, unspeakable = kept.begin(session()), draft(facts={"note": "\ud800"})

    changes: tuple[Callable[[], None], ...] = (
        lambda: kept.sessions.begin(allowed(HERE), session(), unspeakable),
        lambda: kept.sessions.end(allowed(HERE), row.session_id, NOW, unspeakable),
        lambda: kept.sessions.revoke(allowed(HERE), RevokedPerson(HERE, row.actor, NOW), unspeakable),
    )
    for change in changes:
        with pytest.raises(Malformed):
            change()
    assert list(kept.sessions.open_of(HERE, row.actor, NOW)) == [row]
    assert list(kept.sessions.revoked(NOW)) == []


def test_out_of_reach_is_unavailable(kept: Kept) -> None:
    if kept.database is not None:
        kept.database.close()
    else:
        kept.sessions.down = True  # type: ignore[attr-defined]

    with pytest.raises(Unavailable):
        kept.sessions.find(digest("any"))
    with pytest.raises(Unavailable):
        kept.sessions.revoked(NOW)
