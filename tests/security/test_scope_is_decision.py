"""What a search may see is what each study's own decision allows, in SQL, over hundreds of worlds (ACC-02, ACC-03).

A world is a few studies in three institutions (some under one UID in two of them), with departments, labels,
restrictions and ended treatments, and ties of every kind between people and what is there. ``WORLDS=2000`` makes more.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import product
from sqlite3 import Connection as DriverConnection
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import event as hypothesis_event
from hypothesis import strategies as st
from sqlalchemy import delete, event, insert
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql import Database, SqlRecords, SqlTies
from pacs_secure.adapters.sql.rows import pack_safeguards
from pacs_secure.adapters.sql.tables import patients, studies, ties
from pacs_secure.adapters.sql.ties import _values as values_of
from pacs_secure.archive.facts import Facts
from pacs_secure.archive.guard import Guard, Terms
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.ledger_keys import LedgerKeys
from pacs_secure.archive.proofs import of_study, proven
from pacs_secure.core.access import (
    TIES_A_PATIENT,
    TIES_A_STUDY,
    AccessRequest,
    Action,
    Purpose,
    Relation,
    Role,
    Safeguard,
    Scope,
    StudyFacts,
    Subject,
)
from pacs_secure.core.errors import Denied
from pacs_secure.core.identifiers import Institution, Uid, institution, uid
from pacs_secure.core.query import Level, Narrowing
from pacs_secure.crypto.index_seal import IndexSeal
from tests.builders import NOW, ROOT, digest, subject, tie
from tests.fakes import MemoryLedger, MemoryLedgerKeys
from tests.fakes_keys import FakeKeyring
from tests.world import shipped_policy

WORLDS = int(os.environ.get("WORLDS", "500"))
INSTITUTIONS = tuple(map(institution, ("north", "south", "east")))
DEPARTMENTS = ("radiology", "surgery", "")
NAMES = ("a.smith", "b.jones")
TERMS = Terms(after_treatment=timedelta(days=90))
LONG_AGO, THE_LAST_DAY, THE_DAY_AFTER = (
    (NOW - TERMS.after_treatment + timedelta(days=days)).strftime("%Y%m%d") for days in (-300, 0, 1)
)
A_DAY, A_TICK = timedelta(days=1), timedelta(microseconds=1)


@dataclass(frozen=True)
class Sketch:
    """A study of a world, before it has aliases."""

    of: Institution
    number: int
    patient: int
    department: str
    safeguards: frozenset[Safeguard]
    ended_on: str


@dataclass(frozen=True)
class Bond:
    """A tie of a world, to the study of that place in its list or to that study's patient."""

    relation: Relation
    name: str
    at_home: Institution
    purpose: Purpose | None
    begins_at: datetime
    ends_at: datetime
    released_at: datetime | None
    study: int


SAFEGUARDS: tuple[frozenset[Safeguard], ...] = (
    *[frozenset()] * 6,
    frozenset({Safeguard.RESTRICTED}),
    frozenset({Safeguard.PSYCHIATRY}),
    frozenset({Safeguard.VIP, Safeguard.STAFF}),
    frozenset({Safeguard.RESTRICTED, Safeguard.GENETICS}),
)
ENDED = ("", "", "", LONG_AGO, THE_LAST_DAY, THE_DAY_AFTER)
WINDOWS = (
    *[(NOW - A_DAY, NOW + A_DAY, None)] * 8,
    (NOW, NOW + A_TICK, None),
    (NOW - A_DAY, NOW, None),
    (NOW + A_TICK, NOW + A_DAY, None),
    (NOW - A_DAY, NOW + A_DAY, NOW),
    (NOW - A_DAY, NOW + A_DAY, NOW + A_TICK),
)
"""When ties begin and end, and when they were taken back before that."""
READERS = (Role.CLINICIAN, Role.RADIOLOGIST, Role.REFERRER, Role.GUEST, Role.TECHNOLOGIST, Role.WORKSTATION)
CARE = (Role.CLINICIAN, Role.CLINICIAN, Role.RADIOLOGIST)
MOSTLY_NORTH = (*[INSTITUTIONS[0]] * 4, *INSTITUTIONS[1:])

# One choice a study, a tie and a subject: a draw of each costs the same however much it decides.
sketches = st.sampled_from(
    [
        Sketch(*one)
        for one in product(MOSTLY_NORTH, range(4), range(2), (*DEPARTMENTS, *DEPARTMENTS[:2]), SAFEGUARDS, ENDED)
    ]
)
bonds = st.sampled_from(
    [
        Bond(relation, name, home, purpose, *window, study)
        for relation, name, home, purpose, window, study in product(
            sorted(TIES_A_PATIENT | TIES_A_STUDY),
            NAMES,
            MOSTLY_NORTH,
            (None, None, Purpose.TREATMENT, Purpose.TREATMENT, Purpose.BREAK_GLASS, Purpose.HEALTH_RESEARCH),
            WINDOWS,
            range(6),
        )
    ]
)
subjects = st.sampled_from(
    [
        subject(role, identifier=name, of=home, department=department)
        for role, name, home, department in product(
            [*CARE] * 2 + [*READERS] * 3 + [*Role], NAMES, MOSTLY_NORTH, DEPARTMENTS
        )
    ]
)
purposes = st.sampled_from([*[None] * 6, *[Purpose.TREATMENT] * 6, *[Purpose.BREAK_GLASS] * 3, *Purpose])
devices = st.sampled_from(
    [
        *[None] * 54,
        *[
            subject(role, identifier="WS1", of=home, department=department)
            for role, home, department in product((Role.WORKSTATION, Role.MODALITY), INSTITUTIONS, DEPARTMENTS)
        ],
    ]
)


@dataclass
class Hospitals:
    """Three institutions in one database, furnished anew for every world, under the policy that ships."""

    database: Database
    records: SqlRecords
    facts: Facts
    seals: Mapping[Institution, IndexSeal]
    actors: Mapping[tuple[Institution, str], str]
    places: list[tuple[Institution, Uid]] = field(default_factory=list)
    worlds: int = 0
    compared: int = 0

    def furnish(self, drawn: Sequence[Sketch], bound: Sequence[Bond]) -> None:
        """Throw out the last world and put this one in, in one commit."""
        self.worlds += 1
        kept = list({(one.of, one.number): one for one in drawn}.values())
        self.places = [(one.of, _uid(one)) for one in kept]
        self.database.write(lambda connection: self._write(connection, kept, bound))

    def _write(self, connection: Connection, kept: Sequence[Sketch], bound: Sequence[Bond]) -> None:
        for table in (ties, studies, patients):
            connection.execute(delete(table))
        people = {(one.of, one.patient): (number, uuid4()) for number, one in enumerate(kept, 1)}
        connection.execute(
            insert(patients),
            [
                {"id": number, "institution": of, "patient_token": digest(of, patient), "alias": alias}
                for (of, patient), (number, alias) in people.items()
            ],
        )
        facts = [
            StudyFacts(
                one.of,
                _uid(one),
                uuid4(),
                people[one.of, one.patient][1],
                one.department,
                safeguards=one.safeguards,
                treatment_ended_on=one.ended_on,
            )
            for one in kept
        ]
        connection.execute(
            insert(studies),
            [self._row(one, people[one.institution, p.patient][0]) for one, p in zip(facts, kept, strict=True)],
        )
        made = [self._tie(one, facts[one.study]) for one in bound if one.study < len(facts)]
        if made:
            connection.execute(insert(ties), made)

    def _row(self, facts: StudyFacts, patient_id: int) -> dict[str, object]:
        return {
            "institution": facts.institution,
            "study_instance_uid": facts.study_instance_uid,
            "patient_id": patient_id,
            "alias": facts.alias,
            "department": facts.department,
            "study_date": "20260301",
            "study_time": "",
            "patient_id_token": b"",
            "accession_number_token": b"",
            "birth_date_token": b"",
            "modalities": "",
            "series_count": 1,
            "instance_count": 1,
            "updated_at": NOW,
            "safeguards": pack_safeguards(facts.safeguards),
            "held": 0,
            "treatment_ended_on": facts.treatment_ended_on,
            "proof": of_study(self.seals[facts.institution], facts),
            "box": b"",
        }

    def _tie(self, bond: Bond, study: StudyFacts) -> dict[str, object]:
        made = tie(
            bond.relation,
            study.patient_alias if bond.relation in TIES_A_PATIENT else study.alias,
            actor=self.actors[bond.at_home, bond.name],
            of=study.institution,
            purpose=bond.purpose,
            begins_at=bond.begins_at,
            ends_at=bond.ends_at,
        )
        return {**values_of(proven(self.seals[study.institution], made)), "released_at": bond.released_at}

    def found(self, by: Subject, purpose: Purpose | None, device: Subject | None) -> set[tuple[Institution, Uid]]:
        """Search everywhere that the subject may search, in whole and page by page."""
        try:
            scope = self.facts.guard.admit(AccessRequest(by, Action.STUDY_SEARCH, purpose, device=device)).scope
        except Denied:
            return set()
        everywhere = [scope.institution, *scope.inviting]
        found: set[tuple[Institution, Uid]] = set()
        for of in everywhere:
            within = scope.of(of)
            whole = [hit.study_instance_uid for hit in self.records.search(within, Narrowing(Level.STUDY))]
            assert not whole or self.paged(within) == whole
            assert len(whole) == len(set(whole))
            found |= {(of, study) for study in whole}
        return found

    def paged(self, scope: Scope) -> list[Uid]:
        """Search page by page, as a client that trusts limit and offset does."""
        pages: list[Uid] = []
        while True:
            narrowing = Narrowing(Level.STUDY, limit=2, offset=len(pages))
            page = [hit.study_instance_uid for hit in self.records.search(scope, narrowing)]
            pages += page
            if len(page) < 2:
                return pages

    def opened(self, by: Subject, purpose: Purpose | None, device: Subject | None) -> set[tuple[Institution, Uid]]:
        """Decide on each study singly, as a retrieval does."""
        opened: set[tuple[Institution, Uid]] = set()
        for study in {study for _, study in self.places}:
            for facts in self.facts.everywhere(by, purpose, study):
                asked = AccessRequest(by, Action.STUDY_READ, purpose, facts, device=device)
                if self.facts.guard.judge(asked).allowed:
                    opened.add((facts.institution, study))
            self.compared += 1
        return opened


def _uid(one: Sketch) -> Uid:
    return uid(f"{ROOT}.{one.number}")


def _forgetful(connection: DriverConnection, _: object) -> None:
    """Wait for no disk: what is lost in a crash is not asked here."""
    connection.execute("PRAGMA synchronous=OFF").close()


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospitals]:
    database = Database(tmp_path_factory.mktemp("hospitals") / "index.db")
    database._engine.dispose()
    event.listen(database._engine, "connect", _forgetful)
    records, ties, keyring = SqlRecords(database), SqlTies(database), FakeKeyring()
    seals = InstitutionSeals(records, keyring, keyring, lambda: 0.0)
    ledger = MemoryLedger()
    keys = LedgerKeys(MemoryLedgerKeys(ledger), ledger, keyring, keyring, None, None, seals.details, lambda: 0.0)
    guard = Guard(shipped_policy(), ledger, ties, seals, keys, lambda: NOW, uuid4, TERMS)
    yield Hospitals(
        database,
        records,
        Facts(guard, records, seals),
        {one: seals.index(one) for one in INSTITUTIONS},
        {one: guard.pseudonym(*one) for one in product(INSTITUTIONS, NAMES)},
    )
    database.close()


@settings(max_examples=WORLDS, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(sketches, min_size=4, max_size=6),
    st.lists(bonds, min_size=4, max_size=8),
    st.lists(st.tuples(subjects, purposes, devices), min_size=2, max_size=2),
)
def test_a_search_finds_in_every_world_exactly_what_single_decisions_open(
    hospitals: Hospitals,
    drawn: list[Sketch],
    bound: list[Bond],
    asking: list[tuple[Subject, Purpose | None, Subject | None]],
) -> None:
    hospitals.furnish(drawn, bound)
    for by, purpose, device in asking:
        opened = hospitals.opened(by, purpose, device)
        hypothesis_event(f"{min(len(opened), 3)} can be opened")

        assert hospitals.found(by, purpose, device) == opened
