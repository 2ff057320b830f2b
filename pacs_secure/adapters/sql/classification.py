"""The facts of a study in SQL: read and changed inside one commit, so that no change is made of what was."""

from collections.abc import Callable

from sqlalchemy import bindparam, select, update
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql import rows
from pacs_secure.adapters.sql.growth import FACTS, THIS_STUDY
from pacs_secure.adapters.sql.ledger import append_in
from pacs_secure.adapters.sql.tables import patients, studies
from pacs_secure.core.access import StoredFacts, StudyFacts
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import NotFound

_facts = select(studies.c.id, *FACTS).join_from(studies, patients).where(THIS_STUDY).with_for_update(of=studies)
_CHANGING = ("department", "safeguards", "held", "treatment_ended_on", "proof")
_change = (
    update(studies)
    .where(studies.c.id == bindparam("this_study"))
    .values({name: bindparam(f"new_{name}") for name in _CHANGING})
)


def change(
    connection: Connection, study: StudyFacts | None, wanted: Callable[[StoredFacts], tuple[StoredFacts, Draft]]
) -> None:
    """Change what is kept of a study as it stands and record it, inside a write that is under way.

    Raises:
        NotFound: there is no such study.
    """
    row = None
    if study is not None:
        named = {"an_institution": study.institution, "a_study": study.study_instance_uid}
        row = connection.execute(_facts, named).first()
    if row is None:
        raise NotFound("no such object")
    after, draft = wanted(rows.stored_facts(row))
    connection.execute(
        _change,
        {
            "this_study": row.id,
            "new_department": after.facts.department,
            "new_safeguards": rows.pack_safeguards(after.facts.safeguards),
            "new_held": int(after.facts.held),
            "new_treatment_ended_on": after.facts.treatment_ended_on,
            "new_proof": after.proof,
        },
    )
    append_in(connection, draft)
