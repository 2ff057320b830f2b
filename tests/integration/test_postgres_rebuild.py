"""A lost PostgreSQL database made anew by one archive while the outbox and its sequencer do what they always do."""

from pathlib import Path

import pytest

from pacs_secure.adapters.sql import Database
from pacs_secure.core.access import Role
from pacs_secure.core.errors import Conflict
from tests.builders import subject
from tests.fakes_keys import FakeKeyring
from tests.postgres_fixture import PostgresServer, Settled
from tests.unit.archive.instances import TECHNOLOGIST, data_set, received
from tests.world import disk_world

pytestmark = pytest.mark.real

OPERATOR = subject(Role.OPERATOR)


def test_index_and_ledger_come_back_into_an_empty_database(
    postgres_url: str, bare_postgres_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    keyring = FakeKeyring()
    with disk_world(tmp_path, keyring, keyring, keyring, database=Settled(postgres_url), key_list=keyring) as world:
        with world.archive.ingest.begin(TECHNOLOGIST, None, {}) as reception:
            for study in range(1, 6):
                reception.store(received(data_set(study)))
        world.database.settle()
        world.notary.attest()
        before = world.entries()

    anew = Settled(bare_postgres_url)
    with disk_world(tmp_path, keyring, keyring, keyring, database=anew, key_list=keyring) as world:
        verdict = world.archive.rebuild.run(OPERATOR)
        assert (verdict.findings, verdict.told["adopted"], verdict.told["entries"]) == ((), 5, len(before))
        assert world.entries()[: len(before)] == before
        world.notary.attest()
        assert world.archive.verify.check_ledger(OPERATOR).findings == ()
        assert world.archive.verify.check_archive(OPERATOR, deep=True).findings == ()
        with pytest.raises(Conflict):
            world.archive.rebuild.run(OPERATOR)


def test_another_archive_that_is_running_makes_it_no_empty_database(postgres_url: str, tmp_path: Path) -> None:
    keyring = FakeKeyring()
    with disk_world(tmp_path, keyring, keyring, keyring, database=Database(postgres_url), key_list=keyring) as world:
        with world.archive.ingest.begin(TECHNOLOGIST, None, {}) as reception:
            reception.store(received(data_set(1)))
        # What it said waits in the outbox, for nobody leads.
        with pytest.raises(Conflict):
            world.archive.rebuild.run(OPERATOR)
