"""The life of studies against a model: stored, read, cut off, forgotten or coming late, in any order."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pacs_secure.archive.forgetting import LONGEST_MEMORY
from pacs_secure.core.access import Role
from pacs_secure.core.errors import Conflict, NotFound, Unavailable
from pacs_secure.core.query import Level, Query
from pacs_secure.ports import Shelf
from tests.builders import HERE, subject
from tests.unit.archive.instances import TECHNOLOGIST, data_set, received, study_uid
from tests.world import memory_world

RADIOLOGIST, OPERATOR = subject(Role.RADIOLOGIST), subject(Role.OPERATOR, department="")
NOTE = {"protocol": "test"}
STUDY, NUMBER, VERSION = st.integers(1, 3), st.integers(1, 2), st.integers(1, 2)


def content(study: int, number: int, version: int) -> bytes:
    return data_set(study, number, pixels=bytes([study, number, version, 0]) * 8)


class Life(RuleBasedStateMachine):
    """One archive in memory, and beside it what a reader of the promises would expect."""

    def __init__(self) -> None:
        super().__init__()
        self.world = memory_world()
        self.archive = self.world.archive
        self.later = timedelta()
        self.there: dict[int, dict[int, int]] = {}
        """Of each study: the version of each of its instances."""
        self.asked: set[int] = set()
        """Studies that were asked to be forgotten and are still to be read."""
        self.buried = 0

    @rule(study=STUDY, number=NUMBER, version=VERSION)
    def store(self, study: int, number: int, version: int) -> None:
        kept = self.there.get(study, {}).get(number)
        try:
            with self.archive.ingest.begin(TECHNOLOGIST, None, NOTE) as reception:
                stored = reception.store(received(content(study, number, version)))
        except Conflict:
            assert kept not in {None, version}
        else:
            assert stored.added == ("new" if kept is None else "duplicate")
            self.there.setdefault(study, {})[number] = version

    @rule(study=STUDY, what=st.sampled_from(["records", "blobs", "ledger", "keyring"]))
    def store_while_an_engine_is_away(self, study: int, what: str) -> None:
        engine = getattr(self.world, what)
        name = "sealed" if what == "keyring" else "down"
        self.world.house.drop_keys()
        setattr(engine, name, True)
        try:
            with self.archive.ingest.begin(TECHNOLOGIST, None, NOTE) as reception:
                reception.store(received(content(study, 9, 1)))
        except Unavailable:
            pass
        else:
            raise AssertionError("it was taken in without what it rests on")
        finally:
            setattr(engine, name, False)

    @rule()
    def keys_are_dropped(self) -> None:
        self.world.house.drop_keys()

    @rule(study=STUDY)
    def ask_to_forget(self, study: int) -> None:
        try:
            self.archive.forget.request(OPERATOR, None, study_uid(study), details=NOTE)
        except NotFound:
            assert study not in self.there
        else:
            assert study in self.there
            self.asked.add(study)

    @precondition(lambda self: self.asked)
    @rule()
    def fence(self) -> None:
        verb = replace(self.archive.forget, now=lambda: self.archive.forget.now() + self.later)
        verb.carry_on(OPERATOR, None, details=NOTE)
        for study in self.asked:
            del self.there[study]
        self.asked = set()

    @rule()
    def time_passes(self) -> None:
        self.later += LONGEST_MEMORY + timedelta(seconds=1)
        verb = replace(self.archive.forget, now=lambda: self.archive.forget.now() + self.later)
        verb.carry_on(OPERATOR, None, details=NOTE)
        for study in self.asked:
            del self.there[study]
        self.asked = set()

    @rule(study=STUDY)
    def read(self, study: int) -> None:
        try:
            with self.archive.retrieve.begin(RADIOLOGIST, None, study_uid(study), details=NOTE) as retrieval:
                read = sorted(b"".join(retrieval.data_set(row)) for row in retrieval.rows)
                retrieval.complete()
        except NotFound:
            assert study not in self.there
        else:
            expected = self.there[study]
            assert read == sorted(content(study, number, version) for number, version in expected.items())

    @rule()
    def search(self) -> None:
        found = self.archive.search.find(RADIOLOGIST, None, Query(Level.STUDY), details=NOTE).results
        assert len(found) == len(self.there)

    @invariant()
    def no_forgotten_key_is_on_the_shelf(self) -> None:
        buried = [one.key_id for one in self.world.tombstones.all()]
        assert len(buried) >= self.buried
        self.buried = len(buried)
        assert self.world.keyring.lying(HERE, Shelf.STUDY, buried) == frozenset()

    def teardown(self) -> None:
        assert self.archive.verify.check_archive(OPERATOR, deep=True).findings == ()
        assert self.archive.verify.check_ledger(OPERATOR).findings == ()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
