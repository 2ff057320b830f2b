"""How often a study of a UID was forgotten: what was sealed before a fence cannot be added behind it."""

from sqlalchemy import bindparam, func, select
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.forgetting_tables import forgettings
from pacs_secure.adapters.sql.tables import studies
from pacs_secure.core.identifiers import Institution, Uid

_forgotten = select(func.coalesce(func.max(forgettings.c.epoch), 0)).where(
    forgettings.c.institution == bindparam("an_institution"), forgettings.c.study_instance_uid == bindparam("a_study")
)
_current = select(studies.c.epoch).where(
    studies.c.institution == bindparam("an_institution"), studies.c.study_instance_uid == bindparam("a_study")
)


def epoch_of(connection: Connection, institution: Institution, study_instance_uid: Uid) -> int:
    """Return the epoch of a study that is not in the index: 0 unless one was forgotten."""
    named = {"an_institution": institution, "a_study": study_instance_uid}
    return int(connection.execute(_forgotten, named).scalar_one())


def current_epoch(connection: Connection, institution: Institution, study_instance_uid: Uid) -> int:
    """Return the epoch of a study, whether or not it is in the index."""
    named = {"an_institution": institution, "a_study": study_instance_uid}
    found: int | None = connection.execute(_current, named).scalar()
    return epoch_of(connection, institution, study_instance_uid) if found is None else found
