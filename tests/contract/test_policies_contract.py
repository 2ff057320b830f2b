"""The history of the policy, in memory and in SQL alike."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest

from pacs_secure.adapters.sql import SqlLedger, SqlPolicies
from pacs_secure.adapters.sql.policies import SqlPolicies as TheAdapter
from pacs_secure.core.access import Action
from pacs_secure.core.errors import Conflict, Denied, NotFound, Tampered, Unavailable
from pacs_secure.core.policies import Approval, Proposal, digest
from pacs_secure.ports import Ledger, PolicyHistory
from tests.builders import ELSEWHERE, HERE, NOW, draft, permit, subject
from tests.fakes import MemoryLedger
from tests.fakes_policies import MemoryPolicies
from tests.postgres_fixture import ENGINES, Settled, place_of, tamper

TEXTS = {"policy.csv": "p, ä rule\n", "roles.csv": ""}
PERMIT = permit(action=Action.POLICY_PROPOSE)


@dataclass
class History:
    """One adapter of the port beside its ledger."""

    policies: PolicyHistory
    ledger: Ledger

    def propose(self, version: str = "a" * 16, replaces: str = "0" * 16) -> Proposal:
        made = Proposal(uuid4(), version, replaces, digest(TEXTS), HERE, "an actor", NOW, b"a box", b"a proof")
        self.policies.propose(PERMIT, made, TEXTS, draft())
        return made

    def approve(self, proposal: Proposal, sequence: int = 1) -> Proposal:
        approval = Approval(sequence, "another", NOW, b"another box", b"another proof")
        self.policies.approve(PERMIT, proposal.proposal_id, approval, draft())
        return replace(proposal, approval=approval)


@pytest.fixture(params=["memory", *ENGINES])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[History]:
    if request.param == "memory":
        ledger = MemoryLedger()
        yield History(MemoryPolicies(ledger), ledger)
        return
    database = Settled(place_of(request, tmp_path))
    yield History(SqlPolicies(database), SqlLedger(database))
    database.close()


def test_what_is_proposed_is_kept_with_its_texts_and_on_record(history: History) -> None:
    made = history.propose()

    assert list(history.policies.proposals(9)) == list(history.policies.pending(made.version)) == [made]
    assert history.policies.texts(made.proposal_id) == TEXTS
    assert (history.policies.newest(), history.policies.approved(1), history.ledger.size()) == (0, None, 1)


def test_what_is_approved_is_in_force_and_on_record(history: History) -> None:
    first = history.approve(history.propose())
    second = history.approve(history.propose("b" * 16), 2)

    assert (history.policies.newest(), history.ledger.size()) == (2, 4)
    assert [history.policies.approved(sequence) for sequence in (0, 1, 2, 3)] == [None, first, second, None]
    assert list(history.policies.proposals(9)) == [second, first]
    assert list(history.policies.proposals(1)) == [second]
    assert list(history.policies.pending(first.version)) == []


def test_the_same_policy_waits_only_once_but_may_come_again(history: History) -> None:
    first = history.propose()
    with pytest.raises(Conflict):
        history.propose()
    other = history.propose(replaces="1" * 16)
    assert list(history.policies.pending(first.version)) == [other, first]

    history.approve(first)
    again = history.propose()
    assert list(history.policies.pending(first.version)) == [again, other]


@pytest.mark.parametrize("sequence", [0, 2, 7])
def test_an_approval_has_the_next_sequence_or_none(history: History, sequence: int) -> None:
    made = history.propose()
    with pytest.raises(Conflict):
        history.approve(made, sequence)

    assert (history.policies.newest(), history.ledger.size()) == (0, 1)


def test_nothing_is_approved_twice_and_nothing_that_is_not_there(history: History) -> None:
    made = history.propose()
    history.approve(made)
    with pytest.raises(Conflict):
        history.approve(made, 2)
    with pytest.raises(NotFound):
        history.approve(replace(made, proposal_id=uuid4()), 2)
    with pytest.raises(NotFound):
        history.policies.texts(uuid4())

    assert history.ledger.size() == 2


def test_nobody_proposes_for_another_institution(history: History) -> None:
    foreign = permit(subject(of=ELSEWHERE), Action.POLICY_PROPOSE)
    made = Proposal(uuid4(), "a" * 16, "0" * 16, digest(TEXTS), HERE, "an actor", NOW, b"", b"")
    with pytest.raises(Denied):
        history.policies.propose(foreign, made, TEXTS, draft())

    assert history.policies.proposals(9) == []


@pytest.mark.parametrize("packed", [b"", b"no texts", None])
def test_texts_that_somebody_wrote_past_the_archive_are_none(place: str | Path, packed: bytes | None) -> None:
    import json
    import zlib

    contents = (
        [packed] if packed is not None else [zlib.compress(json.dumps(one).encode()) for one in (["a"], {"a": 1})]
    )
    with closing(Settled(place)) as database:
        history = History(TheAdapter(database), SqlLedger(database))
        made = history.propose()
        for content in contents:
            tamper(place, "UPDATE policies SET texts = ?", content)
            with pytest.raises(Tampered):
                history.policies.texts(made.proposal_id)


def test_a_closed_database_is_out_of_reach(place: str | Path) -> None:
    database = Settled(place)
    database.close()

    with pytest.raises(Unavailable):
        SqlPolicies(database).newest()
