"""Witnesses, time stamps and clocks are what the settings say."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pacs_secure import watchers
from pacs_secure.adapters.s3_strongroom import S3Strongroom
from pacs_secure.core.access import Action
from pacs_secure.core.errors import Malformed, Unavailable
from pacs_secure.settings import Settings, load
from tests.builders import HERE
from tests.certificates import Authority
from tests.object_store_fixture import ObjectServer
from tests.settings_file import WHOLE, written
from tests.witnesses import make
from tests.world import World


def settings(folder: Path, more: str) -> Settings:
    return load(written(folder, WHOLE + more))


def witness(name: str, verifier_key: str, url: str = "http://127.0.0.1:8787") -> str:
    return f'\n[[ledger.witnesses]]\nname = "{name}"\nurl = "{url}"\nverifier_key = "{verifier_key}"\n'


def quiet(kind: str, facts: Mapping[str, str | int]) -> None:
    raise AssertionError((kind, facts))


def test_without_a_word_nobody_vouches_and_only_our_own_clock_is_watched(tmp_path: Path, world: World) -> None:
    told = settings(tmp_path, "")

    assert watchers.witnessing(told, world.ledger, world.publisher, world.keyring.public_key, quiet) is None
    assert watchers.time_stamping(told, world.publisher, quiet) is None
    watchers.clock_watch(told, quiet).look()


def test_a_quorum_is_two_or_the_only_one_or_as_it_is_said(tmp_path: Path, world: World) -> None:
    one, two = make(tmp_path / "1", "w1.example"), make(tmp_path / "2", "w2.example")
    alone = settings(tmp_path, witness("w1", one))
    both = settings(tmp_path, witness("w1", one) + witness("w2", two))
    said = settings(tmp_path, "").model_copy()

    assert (alone.ledger.quorum, both.ledger.quorum, said.ledger.quorum) == (1, 2, 0)
    asked = watchers.witnessing(both, world.ledger, world.publisher, world.keyring.public_key, quiet)
    assert asked is not None
    assert asked.attest() == 0
    asked.stop()


def test_witnesses_that_are_one_or_none_are_refused(tmp_path: Path, world: World) -> None:
    key = make(tmp_path / "1", "w1.example")
    for text in (
        witness("w1", key) + witness("w2", key),
        witness("w1", "no key"),
        witness("w1", key, "http://witness.example"),
    ):
        with pytest.raises(Malformed):
            watchers.witnessing(
                settings(tmp_path, text), world.ledger, world.publisher, world.keyring.public_key, quiet
            )


def test_a_time_stamping_authority_and_time_servers_are_as_configured(tmp_path: Path, world: World) -> None:
    told = settings(
        tmp_path,
        f'\n[ledger.time_stamping]\nurl = "https://tsa.example/"\nca_file = "{Authority(tmp_path).file}"\n'
        '\n[clock]\nservers = ["127.0.0.1:1"]\n',
    )
    stamping = watchers.time_stamping(told, world.publisher, quiet)
    assert stamping is not None
    stamping.look()
    watchers.clock_watch(told, quiet)
    with pytest.raises(Unavailable):
        watchers.time_stamping(
            settings(tmp_path, '\n[ledger.time_stamping]\nurl = "https://tsa.example/"\nca_file = "none.pem"\n'),
            world.publisher,
            quiet,
        )
    with pytest.raises(Malformed):
        watchers.clock_watch(settings(tmp_path, '\n[clock]\nservers = ["host:port"]\n'), quiet)


def test_checkpoints_are_locked_away_for_as_long_as_entries_are_kept_and_a_year_or_as_it_is_said(
    tmp_path: Path, world: World, object_server: ObjectServer
) -> None:
    place = object_server.place(bucket=object_server.locked_bucket)
    text = f"""
[ledger.lock]
url = "s3://{place.bucket}/{place.prefix}"
endpoint = "{place.endpoint}"
credentials_file = "{place.credentials_file}"
ca_file = "{place.ca_file}"
"""
    told = settings(tmp_path, text)
    assert watchers.checkpoint_lock(settings(tmp_path, ""), world.publisher, quiet) is None
    assert (told.ledger.locked_days, settings(tmp_path, f"{text}days = 2\n").ledger.locked_days) == (48 * 31, 2)

    lock = watchers.checkpoint_lock(settings(tmp_path, f"{text}days = 2\n"), world.publisher, quiet)
    assert lock is not None
    world.archive.guard.announce(HERE, Action.SYSTEM_START, {})
    size = world.notary.attest()
    lock.look()
    strongroom = S3Strongroom(place, 2, lambda: datetime.now(UTC))
    assert strongroom.read(f"checkpoints/{size:020}") == world.publisher.checkpoint()
