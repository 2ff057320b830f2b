"""The list of ledger keys in SQL; each entry's own commit adds to it."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from sqlalchemy import bindparam, delete, or_, select

# Said in PostgreSQL's dialect, which SQLite's compiler reads as well: two writers may note one key at once.
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger_key_tables import ledger_keys
from pacs_secure.adapters.sql.rows import AnyRow
from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.errors import Malformed, Tampered
from pacs_secure.core.identifiers import Institution, KeyId, institution
from pacs_secure.ports import LedgerKey

_NOBODY = UUID(int=0)
_AT_ONCE = 500

_note = insert(ledger_keys).on_conflict_do_nothing(index_elements=["key_id"])
_place = (
    ledger_keys.c.institution == bindparam("an_institution"),
    ledger_keys.c.patient_alias == bindparam("an_alias"),
)
_of = select(ledger_keys).where(*_place, ledger_keys.c.year == bindparam("a_year")).order_by(ledger_keys.c.key_id)
_of_patient = select(ledger_keys).where(*_place).order_by(ledger_keys.c.year, ledger_keys.c.key_id)
_through = _of_patient.where(ledger_keys.c.year <= bindparam("a_year"))
_before = (
    select(ledger_keys)
    .where(
        ledger_keys.c.year < bindparam("a_year"),
        or_(
            ledger_keys.c.year > bindparam("last_year"),
            (ledger_keys.c.year == bindparam("last_year")) & (ledger_keys.c.key_id > bindparam("last_key")),
        ),
    )
    .order_by(ledger_keys.c.year, ledger_keys.c.key_id)
    .limit(_AT_ONCE)
)
_remove = delete(ledger_keys).where(ledger_keys.c.key_id == bindparam("a_key"))


def note_key_in(connection: Connection, draft: Draft) -> None:
    """Note the key that an entry names, in the commit of the entry, unless it is noted.

    A refusal is sealed under nobody's key, whomever it is about (`archive.drafts`).
    """
    if draft.details is not None:
        patient = None if draft.outcome is Outcome.REFUSED else draft.patient_alias
        connection.execute(
            _note,
            {
                "key_id": draft.details.key_id,
                "institution": draft.institution,
                "patient_alias": patient or _NOBODY,
                "year": draft.at.year,
                "proof": draft.details.proof,
            },
        )


class SqlLedgerKeys:
    """`pacs_secure.ports.LedgerKeys` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, institution: Institution, patient_alias: UUID | None, year: int) -> Sequence[LedgerKey]:
        """Return the keys of one place, in an order that is the same for everyone; there may be several."""
        asked = {"an_institution": institution, "an_alias": patient_alias or _NOBODY, "a_year": year}
        with self._database.read() as connection:
            return [_key(row) for row in connection.execute(_of, asked)]

    def of_patient(
        self, institution: Institution, patient_alias: UUID, through: int | None = None
    ) -> Sequence[LedgerKey]:
        """Return every key of a patient, of all years or of those up to and with one."""
        asked: dict[str, object] = {"an_institution": institution, "an_alias": patient_alias}
        if through is not None:
            asked["a_year"] = through
        with self._database.read() as connection:
            found = connection.execute(_of_patient if through is None else _through, asked)
            return [_key(row) for row in found]

    def before(self, year: int) -> Iterator[LedgerKey]:
        """Yield every key of every institution of earlier years, oldest year first."""
        last: dict[str, object] = {"last_year": 0, "last_key": _NOBODY}
        while rows := self._page({"a_year": year, **last}):
            yield from map(_key, rows)
            last = {"last_year": rows[-1].year, "last_key": rows[-1].key_id}

    def remove(self, permit: Permit, keys: Sequence[LedgerKey]) -> None:  # noqa: ARG002 - the Permit is the proof
        """Take keys off the list that have gone from the shelf; those that are not on it are nobody's loss."""
        named = [{"a_key": key.key_id} for key in keys]
        if named:
            self._database.write(lambda connection: connection.execute(_remove, named))

    def _page(self, asked: dict[str, object]) -> Sequence[AnyRow]:
        with self._database.read() as connection:
            return connection.execute(_before, asked).all()


def _key(row: AnyRow) -> LedgerKey:
    alias = None if row.patient_alias == _NOBODY else row.patient_alias
    try:
        of = institution(row.institution)  # it becomes part of a path in the vault
    except (Malformed, TypeError):
        raise Tampered("the list of ledger keys is not what was written") from None
    return LedgerKey(KeyId(row.key_id), of, alias, row.year, row.proof)
