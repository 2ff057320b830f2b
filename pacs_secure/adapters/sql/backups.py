"""The database as a whole: exported as one moment saw it, told by roots, and filled again.

SQLite copies itself page by page (online backup) inside one reading transaction; of PostgreSQL every
table is read in one REPEATABLE READ transaction and written row by row. The roots are made of rows
in both, in the order of their keys, so that they are equal wherever the rows are.
"""

import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Select, Table, func, insert, select, text
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.backup_files import SQLITE_FILE, TableFiles, copy_pages
from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.forgettings import REMOVE_STUDY, end_forgetting_in
from pacs_secure.adapters.sql.ledger_key_tables import ledger_keys
from pacs_secure.adapters.sql.rebuilds import note_restore_in
from pacs_secure.adapters.sql.retention_tables import retained_tiles
from pacs_secure.adapters.sql.row_codec import encode_row
from pacs_secure.adapters.sql.tables import (
    SCHEMA_VERSION,
    instances,
    institutions,
    ledger,
    metadata,
    schema_version,
    series,
)
from pacs_secure.core.backups import Content, LeftOut, NamedObject, Progress, Tally
from pacs_secure.core.errors import Conflict, Tampered, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId, ObjectId
from pacs_secure.crypto.tlog import Frontier, leaf_hash
from pacs_secure.ports import Shelf
from pacs_secure.ports.backups import DatabaseBackups, Forgotten

SQLITE = "sqlite"
_AT_ONCE = 500
_HASH = 32

Keep = Callable[[Table, bytes], object]
Rows = Callable[[Table], Iterator[Mapping[str, object]]]


class SqlBackups:
    """`pacs_secure.ports.backups.DatabaseBackups` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def export(self, folder: Path, name: Callable[[NamedObject], object], progress: Progress) -> Content:
        """Write the database, as one moment saw it, into an empty folder, and say what that moment held.

        ``name`` is told the object of every row, in the order of their ids.
        """
        with self._moment() as connection:
            for named in _named_objects(connection):
                name(named)
            if connection.dialect.name == SQLITE:
                copy_pages(connection, folder / SQLITE_FILE, progress)
                return _content(connection, progress, lambda _table, _row: None)
            with closing(TableFiles(folder)) as files:
                return _content(connection, progress, files.keep)

    def content(self, progress: Progress) -> Content:
        """Say what the database holds now."""
        with self._moment() as connection:
            return _content(connection, progress, lambda _table, _row: None)

    def ledger(self, size: int) -> Tally:
        """Return the root of the ledger's tree over its first entries, as many as there are up to ``size``."""
        with self._moment() as connection:
            return _ledger(connection, size)

    def named_objects(self) -> Iterator[NamedObject]:
        """Yield the object of every row of the index, in the order of their ids."""
        with self._moment() as connection:
            yield from _named_objects(connection)

    def named_keys(self) -> Iterator[tuple[Institution, Shelf, KeyId]]:
        """Yield every key without which something of the index or the ledger would open to nobody."""
        houses, of_patients = institutions.c, ledger_keys.c
        wanted = (
            (Shelf.INDEX, select(houses.name, houses.index_key_id)),
            (Shelf.INSTITUTION, select(houses.name, houses.ledger_key_id)),
            (Shelf.LEDGER, select(of_patients.institution, of_patients.key_id)),
            (Shelf.STUDY, select(instances.c.institution, instances.c.study_key_id).distinct()),
        )
        with self._moment() as connection:
            for shelf, keys in wanted:
                for institution, key_id in connection.execute(keys):
                    yield Institution(institution), shelf, KeyId(key_id)

    def is_empty(self) -> bool:
        """Say whether there is no row yet but those of a fresh installation."""
        with self._moment() as connection:
            return all(connection.execute(select(1).select_from(table).limit(1)).first() is None for table in _filled())

    def rows(self, table: Table) -> Iterator[Mapping[str, object]]:
        """Yield the rows of a table."""
        with self._moment() as connection:
            for row in connection.execute(_ordered(table)):
                yield row._asdict()

    def load(self, folder: Path, forgotten: Forgotten, progress: Progress, at: datetime | None = None) -> LeftOut:
        """Fill the database with what `export` wrote, in one commit, but with no study that a forgotten key is of.

        ``at``: note in that commit that the index is from before then, for whoever sweeps what no row names.

        Raises:
            Conflict: it is not empty.
            Tampered: what was written cannot be read.
        """
        if not self.is_empty():
            raise Conflict("the database is not empty")
        if (folder / SQLITE_FILE).is_file():
            with _opened(None, folder / SQLITE_FILE) as source:
                return self._fill(source.rows, forgotten, progress, at)
        return self._fill(TableFiles(folder).rows, forgotten, progress, at)

    def load_from(
        self, proven: DatabaseBackups, forgotten: Forgotten, progress: Progress, at: datetime | None = None
    ) -> LeftOut:
        """Fill the database as `load` does, with what a scratch database holds."""
        if not isinstance(proven, SqlBackups):
            raise TypeError("only another SQL database can be read row by row")
        if not self.is_empty():
            raise Conflict("the database is not empty")
        return self._fill(proven.rows, forgotten, progress, at)

    def _fill(self, rows_of: Rows, forgotten: Forgotten, progress: Progress, at: datetime | None) -> LeftOut:
        def fill(connection: Connection) -> LeftOut:
            for table in _filled():
                rows = iter(rows_of(table))
                while some := list(islice(rows, _AT_ONCE)):
                    connection.execute(insert(table), some)
                    progress(len(some))
                _count_on(connection, table)
            if at is not None:
                note_restore_in(connection, at)
            return _leave_out(connection, forgotten)

        return self._database.write(fill)

    @contextmanager
    def _moment(self) -> Iterator[Connection]:
        """Lend a connection whose every statement sees the same moment."""
        with self._database.read(long=True) as connection:
            if connection.dialect.name != SQLITE:
                yield connection.execution_options(yield_per=_AT_ONCE)
                return
            connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql("SELECT version FROM schema_version").close()  # from here on nothing moves
            try:
                yield connection.execution_options(yield_per=_AT_ONCE)
            finally:
                connection.exec_driver_sql("ROLLBACK")


class SqlScratch:
    """`pacs_secure.ports.backups.Scratch`: a SQLite database of this machine's own, whatever engine was exported."""

    def __init__(self, beside: Path | None = None) -> None:
        """Take where there is room for a database; None: where this machine keeps temporary files."""
        self._beside = beside

    @contextmanager
    def restored(self, folder: Path, progress: Progress) -> Iterator[SqlBackups]:
        """Lend a database that was filled with what `SqlBackups.export` wrote into the folder; it ends with its use.

        Raises:
            Tampered: what was written cannot be read.
        """
        if (folder / SQLITE_FILE).is_file():
            with _opened(self._beside, folder / SQLITE_FILE) as copied:
                yield copied
            return
        with _opened(self._beside, None) as empty:
            empty.load(folder, lambda *_: False, progress)
            yield empty


@contextmanager
def _opened(beside: Path | None, of: Path | None) -> Iterator[SqlBackups]:
    with tempfile.TemporaryDirectory(prefix="pacs-secure-", dir=beside) as folder:
        place = Path(folder) / SQLITE_FILE
        try:
            if of is not None:
                shutil.copyfile(of, place)
        except OSError:
            raise Unavailable("there is no room to restore the database into") from None
        try:
            database = Database(place)
        except Unavailable as error:
            raise Tampered(f"the database of the backup cannot be opened: {error}") from None
        try:
            yield SqlBackups(database)
        finally:
            database.close()


def _named_objects(connection: Connection) -> Iterator[NamedObject]:
    wanted = select(instances.c.object_id, instances.c.stored_length).order_by(instances.c.object_id)
    for object_id, length in connection.execute(wanted):
        yield NamedObject(ObjectId(object_id), length)


def _filled() -> list[Table]:
    """Return every table that a set fills, those that others refer to first."""
    return [table for table in metadata.sorted_tables if table is not schema_version]


def _ordered(table: Table) -> Select[*tuple[Any, ...]]:
    return select(table).order_by(*table.primary_key.columns)


def _content(connection: Connection, progress: Progress, keep: Keep) -> Content:
    tables = {table.name: _tally(connection, table, progress, keep) for table in _filled()}
    return Content(connection.dialect.name, SCHEMA_VERSION, tables, _ledger(connection))


def _tally(connection: Connection, table: Table, progress: Progress, keep: Keep) -> Tally:
    frontier = Frontier()
    for some in connection.execute(_ordered(table)).partitions(_AT_ONCE):
        for row in some:
            written = encode_row(row)
            keep(table, written)
            frontier.append(leaf_hash(written))
        progress(len(some))
    return Tally(frontier.size, frontier.root().hex())


def _ledger(connection: Connection, size: int | None = None) -> Tally:
    """Return the root over the hashes that stand for what has expired, then over what is kept."""
    frontier = Frontier()
    with closing(_leaves(connection)) as leaves:
        for hashed in islice(leaves, size):
            frontier.append(hashed)
    return Tally(frontier.size, frontier.root().hex())


def _leaves(connection: Connection) -> Generator[bytes, None, None]:
    expired = 0
    with connection.execute(select(retained_tiles.c.hashes).order_by(retained_tiles.c.number)) as tiles:
        for (hashes,) in tiles:
            yield from (hashes[place : place + _HASH] for place in range(0, len(hashes), _HASH))
            expired += len(hashes) // _HASH
    kept = select(ledger.c.leaf_hash).where(ledger.c.entry_index >= expired).order_by(ledger.c.entry_index)
    with connection.execute(kept) as rows:
        for (hashed,) in rows:
            yield hashed


def _leave_out(connection: Connection, forgotten: Forgotten) -> LeftOut:
    """Take every study out again that a forgotten key is of."""
    keys = connection.execute(select(instances.c.institution, instances.c.study_key_id).distinct()).all()
    of_key = select(series.c.study_id).join(instances, instances.c.series_id == series.c.id).distinct()
    gone: set[int] = set()
    for of, key_id in keys:
        if forgotten(Institution(of), Shelf.STUDY, KeyId(key_id)):
            theirs = of_key.where(instances.c.institution == of, instances.c.study_key_id == key_id)
            gone.update(connection.scalars(theirs))
    of_study = select(instances.c.object_id).join(series, instances.c.series_id == series.c.id)
    objects: list[ObjectId] = []
    for study_id in sorted(gone):
        objects += map(ObjectId, connection.scalars(of_study.where(series.c.study_id == study_id)))
        end_forgetting_in(connection, study_id)
        for statement in REMOVE_STUDY:
            connection.execute(statement, {"a_study_id": study_id})
    return LeftOut(len(gone), tuple(objects))


def _count_on(connection: Connection, table: Table) -> None:
    """Let PostgreSQL number the next row behind those that were brought; SQLite does so by itself.

    Number by number: the archive's own role may take the next one, and no role of it may set a sequence back.
    """
    numbered = table.autoincrement_column
    if connection.dialect.name == SQLITE or numbered is None:
        return
    highest = connection.execute(select(func.max(numbered))).scalar()
    sequence = connection.execute(
        text("SELECT pg_get_serial_sequence(:name, :column)"), {"name": table.name, "column": numbered.name}
    ).scalar()
    if highest is None or sequence is None:
        return
    taking = text("SELECT nextval(CAST(:sequence AS regclass))")
    missing = highest - connection.execute(taking, {"sequence": sequence}).scalar_one()
    on = text("SELECT count(nextval(CAST(:sequence AS regclass))) FROM generate_series(1, CAST(:missing AS bigint))")
    connection.execute(on, {"sequence": sequence, "missing": missing})
