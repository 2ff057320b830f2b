"""Shares: kept, changed and revoked together with their ties and their entry, in memory and in SQL alike."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from pacs_secure.adapters.sql import SqlLedger, SqlTies
from pacs_secure.adapters.sql.shares import SqlShares
from pacs_secure.core.access import Tie
from pacs_secure.core.errors import Conflict, Denied, Tampered
from pacs_secure.core.sharing import Share
from pacs_secure.ports import Ledger, Shares, Ties
from tests.builders import ELSEWHERE, HERE, NOW, draft, permit, share, tie
from tests.fakes import MemoryTies
from tests.fakes_sharing import MemoryShares
from tests.postgres_fixture import ENGINES, Settled, place_of, tamper

MOST = 10


@dataclass
class Kept:
    """One adapter of the port beside its ties and its ledger."""

    shares: Shares
    ties: Ties
    ledger: Ledger

    def add(self, made: Share, *bound: Tie) -> Share:
        self.shares.add(permit(), made, bound, draft())
        return made

    def bound(self, made: Share) -> int:
        return len(self.ties.of(HERE, made.study_alias, NOW))


@pytest.fixture(params=["memory", *ENGINES])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    if request.param == "memory":
        ties = MemoryTies()
        yield Kept(MemoryShares(ties), ties, ties.ledger)
        return
    database = Settled(place_of(request, tmp_path))
    yield Kept(SqlShares(database), SqlTies(database), SqlLedger(database))
    database.close()


def tie_of(made: Share) -> Tie:
    return tie(alias=made.study_alias, origin=made.share_id, actor=made.invitee)


def test_a_share_is_kept_as_it_was_given_with_its_tie_and_its_entry(kept: Kept) -> None:
    made = share(code=b"a slow hash")
    kept.add(made, tie_of(made))

    assert kept.shares.by_id(made.share_id) == made
    assert kept.shares.by_id(uuid4()) is None
    assert (kept.bound(made), kept.ledger.size()) == (1, 1)


def test_an_attempt_is_counted_and_a_redemption_binds(kept: Kept) -> None:
    made = kept.add(share(code=b"a slow hash"))
    tried = replace(made, attempts=1)
    kept.shares.change(permit(), made, tried, (), draft())
    assert (kept.shares.by_id(made.share_id), kept.bound(made)) == (tried, 0)

    redeemed = replace(tried, redeemed_at=NOW)
    kept.shares.change(permit(), tried, redeemed, [tie_of(made)], draft())
    assert (kept.shares.by_id(made.share_id), kept.bound(made)) == (redeemed, 1)
    assert kept.ledger.size() == 3


def test_of_two_changes_to_the_same_share_one_wins(kept: Kept) -> None:
    made = kept.add(share(code=b"a slow hash"))
    kept.shares.change(permit(), made, replace(made, attempts=1), (), draft())

    with pytest.raises(Conflict):
        kept.shares.change(permit(), made, replace(made, attempts=1), [tie_of(made)], draft())
    assert (kept.bound(made), kept.ledger.size()) == (0, 2)


def test_a_share_that_is_redeemed_revoked_or_unknown_is_not_changed(kept: Kept) -> None:
    made, other = kept.add(share(code=b"a slow hash")), kept.add(share(code=b"a slow hash"))
    redeemed = replace(made, attempts=1, redeemed_at=NOW)
    kept.shares.change(permit(), made, redeemed, (), draft())
    kept.shares.revoke(permit(), other, NOW, draft())

    for before in (made, other, share()):
        with pytest.raises(Conflict):
            kept.shares.change(permit(), before, replace(before, attempts=9), [tie_of(before)], draft())
    assert kept.ledger.size() == 4


def test_revoking_ends_the_tie_at_once_and_once(kept: Kept) -> None:
    made, other = share(), share()
    kept.add(made, tie_of(made))
    kept.add(other, tie_of(other))
    kept.shares.revoke(permit(), made, NOW, draft())

    assert kept.shares.by_id(made.share_id) == replace(made, revoked_at=NOW)
    assert (kept.bound(made), kept.bound(other)) == (0, 1)
    for again in (made, share()):
        with pytest.raises(Conflict):
            kept.shares.revoke(permit(), again, NOW, draft())
    assert kept.ledger.size() == 3


def test_whatever_is_of_another_institution_than_the_entry_is_refused_whole(kept: Kept) -> None:
    made, theirs = share(), share(of=ELSEWHERE)
    with pytest.raises(Denied):
        kept.add(theirs)
    with pytest.raises(Denied):
        kept.add(made, tie_of(made), replace(tie_of(made), institution=ELSEWHERE))
    with pytest.raises(Denied):
        kept.shares.change(permit(), theirs, theirs, (), draft())
    with pytest.raises(Denied):
        kept.shares.revoke(permit(), theirs, NOW, draft())

    assert kept.shares.by_id(made.share_id) is None
    assert (kept.bound(made), kept.ledger.size()) == (0, 0)


def test_the_newest_of_an_institution_or_a_person_come_first(kept: Kept) -> None:
    first, second, third = (kept.add(share(begins_at=NOW + timedelta(hours=hour))) for hour in range(3))
    mine = kept.add(share(inviter="me", begins_at=NOW))
    for_me = kept.add(share(invitee="me", begins_at=NOW + timedelta(minutes=1)))

    assert list(kept.shares.of(HERE, 2)) == [third, second]
    assert first in kept.shares.of(HERE, MOST)
    assert list(kept.shares.of(ELSEWHERE, MOST)) == []
    assert list(kept.shares.among("me", MOST)) == [for_me, mine]
    assert list(kept.shares.among("me", 1)) == [for_me]
    assert list(kept.shares.among("nobody", MOST)) == []


def test_a_stored_purpose_that_is_none_is_told(place: str | Path) -> None:
    database = Settled(place)
    made = share()
    SqlShares(database).add(permit(), made, (), draft())
    tamper(place, "UPDATE shares SET purpose = 'PLAY'")

    with pytest.raises(Tampered):
        SqlShares(database).by_id(made.share_id)
    database.close()
