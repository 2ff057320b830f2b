"""How a schema of an older version becomes that of this build: one revision after the other, in one transaction.

Revisions are frozen: each says what it does in types of its own, so that it does the same in ten years. What an empty
database gets is made at once from the tables (`EngineDialect.create_schema`); a test holds the two equal.
"""

from collections.abc import Callable

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.migrations import v0003, v0004

REVISIONS = (v0003, v0004)
"""Oldest first; the number of each is the version of the schema behind it."""
OLDEST = REVISIONS[0].REVISION
"""What can be brought up; older builds had no way to go on from."""
BEFORE_ALL = OLDEST - 1
"""An empty database."""


def upgrade(connection: Connection, version: int, to: int | None = None) -> None:
    """Bring a schema of one version up to another, by default the newest, within the transaction that is under way."""
    wanted = REVISIONS[-1].REVISION if to is None else to
    _apply(connection, [one.upgrade for one in REVISIONS if version < one.REVISION <= wanted])


def downgrade(connection: Connection, version: int, to: int) -> None:
    """Bring a schema of one version back down to another; what only the newer one could hold is gone."""
    _apply(connection, [one.downgrade for one in reversed(REVISIONS) if to < one.REVISION <= version])


def _apply(connection: Connection, steps: list[Callable[[], None]]) -> None:
    with Operations.context(MigrationContext.configure(connection)):
        for step in steps:
            step()
