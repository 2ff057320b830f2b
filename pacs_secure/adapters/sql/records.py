"""The index in SQL: what an ingest adds, in one commit with the entry that begins its act."""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Select, bindparam, func, insert, select
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql import classification, growth, presence, reaching, rows, search
from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.epochs import current_epoch
from pacs_secure.adapters.sql.ledger import append_in
from pacs_secure.adapters.sql.tables import instances, institutions, ledger, open_acts, patients, series, studies
from pacs_secure.core.access import Grant, Permit, Scope, StoredFacts, StudyFacts, Viewer
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.errors import Denied, Tampered
from pacs_secure.core.identifiers import Institution, KeyId, ObjectId, Uid
from pacs_secure.core.instance import IndexedInstance, InstanceRow, PlacedRow, SealedHit
from pacs_secure.core.query import Narrowing
from pacs_secure.crypto.tlog import parse_entry, read_draft
from pacs_secure.ports import Added, InstitutionKeys

_AT_ONCE = 200

_keys = select(institutions.c.index_key_id, institutions.c.ledger_key_id).where(
    institutions.c.name == bindparam("an_institution")
)
INSTANCE_ROWS = select(
    studies.c.study_instance_uid,
    series.c.series_instance_uid,
    *(column for column in instances.c if column.name not in {"id", "box", "instance_number"}),
).select_from(studies.join(series).join(instances))
_every = INSTANCE_ROWS.add_columns(instances.c.id).where(instances.c.id > bindparam("after")).order_by(instances.c.id)
_last_place = select(func.coalesce(func.max(instances.c.id), 0))
_every_study = (
    select(studies.c.id, *growth.FACTS)
    .select_from(studies.join(patients))
    .where(studies.c.id > bindparam("after"))
    .order_by(studies.c.id)
)
_open_acts = (
    select(open_acts.c.act, ledger.c.content)
    .select_from(open_acts.join(ledger))
    .where(open_acts.c.begun_at < bindparam("before"))
    .order_by(open_acts.c.begun)
)


class SqlRecords:
    """`pacs_secure.ports.Records` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def institution_keys(self, institution: Institution, proposed: InstitutionKeys | None) -> InstitutionKeys | None:
        """Return the institution's keys; when it has none, adopt the proposed ones (first writer wins)."""
        with self._database.read() as connection:
            keys = _institution_keys(connection, institution)
        if keys is not None or proposed is None:
            return keys
        row = {"name": institution, "index_key_id": proposed.index, "ledger_key_id": proposed.ledger}

        def adopt(connection: Connection) -> InstitutionKeys:
            kept = _institution_keys(connection, institution)
            if kept is None:
                connection.execute(insert(institutions), row)
            return kept or proposed

        return self._database.write(adopt)

    def studies(self, viewer: Viewer, study_instance_uid: Uid) -> Sequence[StoredFacts]:
        """Return what is kept for decisions: of the viewer's institution first, then of those that invite them."""
        with self._database.read() as connection:
            return reaching.stored(connection, viewer, study_instance_uid)

    def add(
        self,
        permit: Permit,
        indexed: IndexedInstance,
        begun: Callable[[StudyFacts], Draft] | None,
        prove: Callable[[StudyFacts], bytes] = lambda _: b"",
        epoch: int = 0,
    ) -> Added:
        """Add one instance and, when given, the ledger entry that begins its act, in one commit.

        The first instance of a study or series decides its columns; ``prove`` makes the proof of a
        study's facts when it begins here, ``epoch`` is that which the instance was sealed for.

        Raises:
            Conflict: the SOP Instance UID is taken by other bytes or lies in another study, or the study is of
                another epoch.
            Denied: the Permit is another institution's.
        """
        if permit.request.subject.institution != indexed.row.identity.institution:
            raise Denied("institutions are strictly apart")
        return self._database.write(lambda connection: _add(connection, indexed, begun, prove, epoch))

    def epoch(self, institution: Institution, study_instance_uid: Uid) -> int:
        """Return how often a study of this UID was forgotten; 0 for one that nobody knows."""
        with self._database.read() as connection:
            return current_epoch(connection, institution, study_instance_uid)

    def instances(
        self,
        institution: Institution,
        study_instance_uid: Uid,
        series_instance_uid: Uid | None = None,
        sop_instance_uid: Uid | None = None,
    ) -> Sequence[InstanceRow]:
        """Return the rows of a study, series or instance in series and instance number order."""
        wanted = INSTANCE_ROWS.where(growth.THIS_STUDY).order_by(*search.SERIES_ORDER, *search.INSTANCE_ORDER)
        named: dict[str, str] = {"an_institution": institution, "a_study": study_instance_uid}
        if series_instance_uid is not None:
            wanted = wanted.where(series.c.series_instance_uid == series_instance_uid)
        if sop_instance_uid is not None:
            # The institution is the study's too, but the index on UIDs begins with it.
            wanted = wanted.where(instances.c.institution == bindparam("an_institution"))
            wanted = wanted.where(instances.c.sop_instance_uid == sop_instance_uid)
        with self._database.read() as connection:
            return [rows.instance_row(row) for row in connection.execute(wanted, named)]

    def search(self, scope: Scope, narrowing: Narrowing) -> Iterator[SealedHit]:
        """Yield candidates within the scope, newest study first; counts are within the scope too.

        Raises:
            OverLimit: a list of the narrowing is too long.
        """
        wanted = search.statement(scope, narrowing)
        if narrowing.limit is None:
            wanted = wanted.execution_options(yield_per=_AT_ONCE)
        long = narrowing.limit is None
        with self._database.read(long=long) as connection, connection.execute(wanted) as found:
            # A page is taken whole; candidates without an end are taken as they are opened.
            for row in found if long else found.all():
                yield rows.sealed_hit(row)

    def classify(self, permit: Permit, change: Callable[[StoredFacts], tuple[StoredFacts, Draft]]) -> None:
        """Change what is kept of the Permit's study and record it, in one commit.

        Raises:
            Denied: the study is another institution's than the subject's.
            NotFound: the Permit is for no study, or it is gone.
        """
        study = permit.request.study
        if study is not None and study.institution != permit.request.subject.institution:
            raise Denied("institutions are strictly apart")
        self._database.write(lambda connection: classification.change(connection, study, change))

    def open_acts(self, before: datetime) -> Sequence[Draft]:
        """Return the begun drafts, older than ``before``, of acts that never got their outcome (a crash).

        What an archive that is still alive began is under way.

        Raises:
            Tampered: an entry is not what began the act it is kept for.
        """
        self._database.settle()
        with self._database.read() as connection:
            found = connection.execute(_open_acts, {"before": before}).all()
            signed = [parse_entry(row.content).statement.authorship for row in found]
            speaking = presence.alive(connection, {by.writer for by in signed if by is not None})
        drafts = [read_draft(row.content) for row in found]
        if any((one.act, one.outcome) != (row.act, Outcome.BEGUN) for one, row in zip(drafts, found, strict=True)):
            raise Tampered("an open act is tied to another entry")
        return [one for one, by in zip(drafts, signed, strict=True) if by is None or by.writer not in speaking]

    def every_study(self, proof: Grant) -> Iterator[StoredFacts]:  # noqa: ARG002 - the Grant is the proof
        """Yield what is kept of every study of every institution, for verification only."""
        after = -1
        while found := self._page(_every_study, after):
            yield from map(rows.stored_facts, found)
            after = found[-1].id

    def every_instance(self, proof: Grant) -> Iterator[InstanceRow]:  # noqa: ARG002 - the Grant is the proof
        """Yield every row of every institution, for verification only."""
        after = -1
        while found := self._page(_every, after):
            yield from map(rows.instance_row, found)
            after = found[-1].id

    def instances_behind(self, proof: Grant, place: int, most: int) -> Sequence[PlacedRow]:  # noqa: ARG002 - the same
        """Return some rows of every institution behind a place, in order, for verification only."""
        with self._database.read() as connection:
            found = connection.execute(_every.limit(most), {"after": place}).all()
        return [PlacedRow(row.id, rows.instance_row(row)) for row in found]

    def last_place(self) -> int:
        """Return the place of the last row, 0 when there is none."""
        with self._database.read() as connection:
            place: int = connection.execute(_last_place).scalar_one()
            return place

    def naming_objects(self, object_ids: Collection[ObjectId]) -> frozenset[ObjectId]:
        """Return which of some objects a row names."""
        return frozenset(map(ObjectId, self._naming(instances.c.object_id, object_ids)))

    def naming_keys(self, key_ids: Collection[KeyId]) -> frozenset[KeyId]:
        """Return which of some study keys a row names."""
        return frozenset(map(KeyId, self._naming(instances.c.study_key_id, key_ids)))

    def _naming(self, column: Column[UUID], wanted: Collection[UUID]) -> Iterator[UUID]:
        some = list(wanted)
        for start in range(0, len(some), _AT_ONCE):
            asked = select(column).where(column.in_(some[start : start + _AT_ONCE])).distinct()
            with self._database.read() as connection:
                yield from connection.scalars(asked).all()

    def _page(self, wanted: Select[*tuple[Any, ...]], last: int) -> Sequence[rows.AnyRow]:
        """Return the next rows: proving them takes hours, and nobody may hold a snapshot for so long."""
        with self._database.read() as connection:
            return connection.execute(wanted.limit(_AT_ONCE), {"after": last}).all()


def _institution_keys(connection: Connection, institution: Institution) -> InstitutionKeys | None:
    row = connection.execute(_keys, {"an_institution": institution}).first()
    return None if row is None else InstitutionKeys(KeyId(row.index_key_id), KeyId(row.ledger_key_id))


def _add(
    connection: Connection,
    indexed: IndexedInstance,
    begun: Callable[[StudyFacts], Draft] | None,
    prove: Callable[[StudyFacts], bytes],
    epoch: int,
) -> Added:
    added, facts = growth.add(connection, indexed, prove, epoch)
    if begun is not None:
        append_in(connection, begun(facts))
    return added
