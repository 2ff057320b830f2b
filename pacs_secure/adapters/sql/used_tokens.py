"""Tokens that came once, in SQL: neither a restart nor a second process lets one come again."""

from datetime import datetime

from sqlalchemy import delete, func, insert, select
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.used_token_tables import used_tokens
from pacs_secure.core.errors import Unavailable

MOST = 100_000
"""Tokens remembered at once; more would have to come within the minutes that one is good for."""


class SqlUsedTokens:
    """`pacs_secure.ports.UsedTokens` on a `Database`."""

    def __init__(self, database: Database, most: int = MOST) -> None:
        self._database = database
        self._most = most

    def use(self, digest: bytes, until: datetime, now: datetime) -> bool:
        """Remember a token until it has ended; false when it was used before.

        Raises:
            Unavailable: it cannot be remembered, or too many are.
        """

        def use(connection: Connection) -> bool:
            connection.execute(delete(used_tokens).where(used_tokens.c.until < now))
            if connection.execute(select(used_tokens.c.until).where(used_tokens.c.digest == digest)).first():
                return False
            if connection.execute(select(func.count()).select_from(used_tokens)).scalar_one() >= self._most:
                raise Unavailable("too many tokens were used within minutes")
            connection.execute(insert(used_tokens).values(digest=digest, until=until))
            return True

        return self._database.write(use)
