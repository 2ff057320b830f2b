"""Sessions: begun by a login, put off by use, over at their end, at a logout or at a revocation."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from pacs_secure.archive.sessions import BETWEEN_TOUCHES, Opened, Sessions, SessionTerms
from pacs_secure.core.access import Assurance, Purpose, Role
from pacs_secure.core.errors import Denied, Tampered, Unauthenticated, Unavailable
from pacs_secure.ports import AtProvider, Identified, LoggedIn, SessionRow
from tests.builders import ELSEWHERE, HERE, NOW, subject
from tests.unit.archive.instances import acts
from tests.world import World

AT = AtProvider("https://issuer.example", "7f3c", "sid-1")
WHO = Identified(
    subject(identifier="r.weber", assurance=Assurance(second_factor=True, logged_in_at=NOW)), Purpose.TREATMENT
)
TERMS = SessionTerms()


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(world: World, clock: Clock) -> Sessions:
    return Sessions(world.archive.guard, world.sessions, world.archive.search.seals, clock, lambda: 0.0)


@pytest.fixture
def log_in(sessions: Sessions) -> Callable[..., Opened]:
    def log_in(who: Identified = WHO, at: AtProvider = AT) -> Opened:
        attempt, _ = sessions.attempts.begin(HERE, "/", fresh=False)
        return sessions.open(HERE, attempt, LoggedIn(who, at))

    return log_in


LogIn = Callable[..., Opened]


def over(sessions: Sessions, opened: Opened) -> bool:
    try:
        sessions.identify(opened.secret, "192.0.2.1", used=False)
    except Unauthenticated:
        return True
    return False


def test_a_login_gives_a_session_that_says_who_it_is(sessions: Sessions, log_in: LogIn) -> None:
    opened = log_in()
    found = sessions.identify(opened.secret, "192.0.2.9")

    who = found.identified
    assert who.subject == replace(
        WHO.subject, address="192.0.2.9", assurance=replace(WHO.subject.assurance, login=str(found.session_id))
    )
    assert who.purpose is Purpose.TREATMENT
    assert (found.begun_at, found.idle_ends_at, found.ends_at) == (NOW, NOW + TERMS.idle, NOW + TERMS.longest)


def test_a_login_that_says_neither_purpose_nor_time_says_none_later(sessions: Sessions, log_in: LogIn) -> None:
    opened = log_in(Identified(subject(identifier="n", assurance=Assurance()), None))

    who = sessions.identify(opened.secret, "").identified
    assert (who.purpose, who.subject.assurance.logged_in_at) == (None, None)


def test_neither_secret_nor_name_is_kept_in_clear(world: World, log_in: LogIn) -> None:
    opened = log_in()

    (row,) = world.sessions.kept.values()
    assert not [word for word in (opened.secret, "r.weber", "7f3c", "sid-1") if word in repr(row)]
    assert "weber" not in str(world.entries())


@pytest.mark.parametrize(
    "change",
    [
        lambda row: replace(row, digest=sha256(b"a secret of somebody else").digest()),
        lambda row: replace(row, ends_at=row.ends_at + timedelta(days=1)),
        lambda row: replace(row, institution=ELSEWHERE),
    ],
)
def test_whoever_changes_the_row_of_a_session_gets_none(
    world: World, sessions: Sessions, log_in: LogIn, change: Callable[[SessionRow], SessionRow]
) -> None:
    opened = log_in()
    (row,) = world.sessions.kept.values()
    changed = change(row)
    world.sessions.kept[row.session_id] = changed
    secret = opened.secret if changed.digest == row.digest else "a secret of somebody else"

    with pytest.raises(Tampered):
        sessions.identify(secret, "192.0.2.9")


def test_the_details_of_a_ledger_entry_are_no_session(world: World, sessions: Sessions, log_in: LogIn) -> None:
    log_in()
    (row,) = world.sessions.kept.values()
    seal = world.archive.search.seals.details(HERE)
    plain = seal.open(row.session_id, row.box, b"session")
    world.sessions.kept[row.session_id] = replace(row, box=seal.seal(row.session_id, plain))

    with pytest.raises(Tampered):
        sessions.own(WHO.subject)


def test_login_and_logout_are_recorded(world: World, sessions: Sessions, log_in: LogIn) -> None:
    opened = log_in()
    sessions.end(opened.secret, "192.0.2.9")

    begun, ended = world.entries()
    assert (begun["action"], begun["outcome"]) == ("session:open", "completed")
    assert (ended["action"], ended["outcome"], ended["facts"]["by"]) == ("session:end", "completed", "logout")
    assert begun["facts"]["session"] == ended["facts"]["session"] == str(opened.session.session_id)
    assert (begun["actor"], ended["address"]) == (ended["actor"], "192.0.2.9")


def test_one_attempt_gives_one_session(sessions: Sessions) -> None:
    attempt, _ = sessions.attempts.begin(HERE, "/", fresh=False)
    sessions.open(HERE, attempt, LoggedIn(WHO, AT))

    with pytest.raises(Unauthenticated):
        sessions.open(HERE, attempt, LoggedIn(WHO, AT))


def test_a_role_that_opens_no_session_is_refused_and_recorded(world: World, log_in: LogIn) -> None:
    with pytest.raises(Denied):
        log_in(Identified(subject(Role.MODALITY), None))
    assert acts(world) == [("session:open", "refused")]


def test_researchers_who_have_no_purpose_of_their_own_may_log_in(log_in: LogIn) -> None:
    assert log_in(Identified(subject(Role.RESEARCHER), None)).secret


def test_use_puts_off_the_idle_end_but_never_the_last(sessions: Sessions, log_in: LogIn, clock: Clock) -> None:
    opened = log_in()
    while clock.now + TERMS.idle < opened.session.ends_at:
        clock.now += TERMS.idle - timedelta(seconds=1)
        found = sessions.identify(opened.secret, "")
        assert found.idle_ends_at == clock.now + TERMS.idle

    clock.now = opened.session.ends_at - timedelta(seconds=1)
    assert not over(sessions, opened)
    clock.now = opened.session.ends_at
    assert over(sessions, opened)


def test_who_does_nothing_for_a_quarter_of_an_hour_is_out(sessions: Sessions, log_in: LogIn, clock: Clock) -> None:
    opened = log_in()
    clock.now += TERMS.idle - timedelta(seconds=1)
    assert not over(sessions, opened)
    clock.now += timedelta(seconds=1)
    assert over(sessions, opened)


def test_uses_close_together_are_written_once(world: World, sessions: Sessions, log_in: LogIn, clock: Clock) -> None:
    opened = log_in()
    (row,) = world.sessions.kept.values()
    clock.now += BETWEEN_TOUCHES
    sessions.identify(opened.secret, "")
    assert list(world.sessions.kept.values()) == [row]

    clock.now += timedelta(seconds=1)
    sessions.identify(opened.secret, "")
    assert next(iter(world.sessions.kept.values())).used_at == clock.now


def test_after_a_logout_the_secret_is_worth_nothing(sessions: Sessions, log_in: LogIn) -> None:
    opened = log_in()
    sessions.end(opened.secret, "")

    assert over(sessions, opened)
    with pytest.raises(Unauthenticated):
        sessions.end(opened.secret, "")


def test_a_secret_that_nobody_was_given_is_no_session(sessions: Sessions, log_in: LogIn) -> None:
    log_in()
    for secret in ("", "a" * 43, "\ud800"):
        with pytest.raises(Unauthenticated):
            sessions.identify(secret, "")


def test_revoking_the_person_or_the_session_ends_it(sessions: Sessions, log_in: LogIn, clock: Clock) -> None:
    admin = subject(Role.ADMIN)
    by_name, by_session = log_in(), log_in(Identified(subject(identifier="other"), None))
    sessions.revocation.revoke(admin, "r.weber", "stolen")
    sessions.revocation.revoke_login(admin, str(by_session.session.session_id), "stolen")

    assert over(sessions, by_name)
    assert over(sessions, by_session)


def test_a_revoked_person_gets_no_session_from_an_old_login(sessions: Sessions, log_in: LogIn, clock: Clock) -> None:
    sessions.revocation.revoke(subject(Role.ADMIN), "r.weber", "stolen")

    with pytest.raises(Unauthenticated):
        log_in()
    again = replace(WHO.subject, assurance=Assurance(logged_in_at=NOW + timedelta(seconds=1)))
    assert log_in(Identified(again, None)).secret


def test_everybody_sees_their_own_open_sessions(sessions: Sessions, log_in: LogIn, clock: Clock) -> None:
    idle = log_in()
    clock.now += TERMS.idle
    mine, ended = log_in(), log_in()
    log_in(Identified(subject(identifier="other"), None))
    sessions.end(ended.secret, "")

    assert [one.session_id for one in sessions.own(WHO.subject)] == [mine.session.session_id]
    assert idle.session.session_id not in {one.session_id for one in sessions.own(WHO.subject)}


def test_the_provider_ends_one_login_or_all_of_a_person(world: World, sessions: Sessions, log_in: LogIn) -> None:
    one, two, other = log_in(), log_in(at=replace(AT, session="sid-2")), log_in(at=replace(AT, subject="x", session=""))

    assert sessions.end_at_provider(HERE, replace(AT, subject=""), "192.0.2.50") == 1
    assert (over(sessions, one), over(sessions, two), over(sessions, other)) == (True, False, False)
    assert sessions.end_at_provider(HERE, replace(AT, session=""), "192.0.2.50") == 1
    assert (over(sessions, two), over(sessions, other)) == (True, False)
    assert sessions.end_at_provider(HERE, replace(AT, issuer="https://other.example"), "") == 0
    assert sessions.end_at_provider(ELSEWHERE, AT, "") == 0
    assert world.entries()[-1]["facts"]["by"] == "provider"


def test_without_the_store_or_the_ledger_nobody_comes_in(world: World, sessions: Sessions, log_in: LogIn) -> None:
    opened = log_in()
    world.sessions.down = True
    with pytest.raises(Unavailable):
        sessions.identify(opened.secret, "")
    world.sessions.down = False
    world.ledger.down = True
    with pytest.raises(Unavailable):
        log_in()


def test_the_running_archive_has_sessions_on_the_clock_of_the_wall(world: World) -> None:
    attempt, _ = world.archive.sessions.attempts.begin(HERE, "/", fresh=True)

    assert abs(datetime.now(UTC) - attempt.begun_at) < timedelta(minutes=1)
