"""How far the scrub has come, in SQL."""

from dataclasses import asdict

from sqlalchemy import Select, bindparam, insert, select, update
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.scrub_tables import scrub_rounds
from pacs_secure.core.scrubs import ScrubRound

_newest = select(scrub_rounds).order_by(scrub_rounds.c.number.desc()).limit(1)
_finished = _newest.where(scrub_rounds.c.finished_at.is_not(None))
_kept = select(scrub_rounds.c.place).where(scrub_rounds.c.number == bindparam("of_number"))


class SqlScrubs:
    """`pacs_secure.ports.Scrubs` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self) -> ScrubRound | None:
        """Return the newest round, None before the first."""
        return self._one(_newest)

    def finished(self) -> ScrubRound | None:
        """Return the newest round that came to its end, None before that."""
        return self._one(_finished)

    def keep(self, round_: ScrubRound) -> None:
        """Remember how far a round has come; durable on return, and never back."""

        def keep(connection: Connection) -> None:
            place = connection.execute(_kept, {"of_number": round_.number}).scalar()
            if place is None:
                connection.execute(insert(scrub_rounds), asdict(round_))
            elif place <= round_.place:
                connection.execute(update(scrub_rounds).where(scrub_rounds.c.number == round_.number), asdict(round_))

        self._database.write(keep)

    def _one(self, wanted: Select[*tuple[object, ...]]) -> ScrubRound | None:
        with self._database.read() as connection:
            row = connection.execute(wanted).mappings().first()
        return None if row is None else ScrubRound(**row)
