"""Questions about employees in SQL; every change shares its commit with its ledger entry."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger import append_in
from pacs_secure.adapters.sql.question_tables import employee_questions
from pacs_secure.adapters.sql.rows import AnyRow
from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Conflict, Denied, NotFound
from pacs_secure.core.identifiers import Institution
from pacs_secure.core.questions import EmployeeQuestion, Ruling

_of = employee_questions.c.institution == bindparam("an_institution")
_this = employee_questions.c.question_id == bindparam("a_question")
_add = insert(employee_questions)
_get = select(employee_questions).where(_of, _this)
_listed = select(employee_questions).where(_of).order_by(employee_questions.c.number.desc())
_rule = update(employee_questions).where(_of, _this, employee_questions.c.ruled_at.is_(None))


class SqlEmployeeQuestions:
    """`pacs_secure.ports.EmployeeQuestions` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(self, permit: Permit, question: EmployeeQuestion, draft: Draft) -> None:
        """Keep a question and record it, in one commit; raise `Denied` when the Permit is another institution's."""
        if permit.request.subject.institution != question.institution:
            raise Denied("institutions are strictly apart")

        def keep(connection: Connection) -> None:
            connection.execute(_add, _values(question))
            append_in(connection, draft)

        self._database.write(keep)

    def rule(self, permit: Permit, question_id: UUID, ruling: Ruling, draft: Draft) -> None:
        """Keep the one ruling on a question and record it, in one commit.

        Raises:
            Conflict: somebody has ruled on it before.
            NotFound: the Permit's institution has no such question.
        """
        named = {"an_institution": permit.request.subject.institution, "a_question": question_id}

        def keep(connection: Connection) -> None:
            if connection.execute(_rule.values(_ruling_values(ruling)), named).rowcount == 0:
                if connection.execute(_get, named).first() is None:
                    raise NotFound("no such object")
                raise Conflict("somebody has ruled on this before")
            append_in(connection, draft)

        self._database.write(keep)

    def get(self, institution: Institution, question_id: UUID) -> EmployeeQuestion | None:
        """Return a question of an institution, or None."""
        with self._database.read() as connection:
            row = connection.execute(_get, {"an_institution": institution, "a_question": question_id}).first()
            return None if row is None else _question(row)

    def listed(self, institution: Institution, limit: int) -> Sequence[EmployeeQuestion]:
        """Return the questions of an institution, the newest first."""
        with self._database.read() as connection:
            rows = connection.execute(_listed.limit(limit), {"an_institution": institution})
            return [_question(row) for row in rows]


def _values(question: EmployeeQuestion) -> dict[str, object]:
    return {
        "question_id": question.question_id,
        "institution": question.institution,
        "actor": question.actor,
        "since": question.since,
        "until": question.until,
        "asked_at": question.at,
        "proof": question.proof,
        "box": question.box,
    }


def _ruling_values(ruling: Ruling) -> dict[str, object]:
    return {
        "approved": ruling.approved,
        "ruled_by": ruling.actor,
        "ruled_at": ruling.at,
        "ruling_box": ruling.box,
        "ruling_proof": ruling.proof,
    }


def _question(row: AnyRow) -> EmployeeQuestion:
    ruling = None
    if row.ruled_at is not None:
        ruling = Ruling(row.approved, row.ruled_by, row.ruled_at, row.ruling_box, row.ruling_proof)
    return EmployeeQuestion(
        question_id=row.question_id,
        institution=Institution(row.institution),
        actor=row.actor,
        since=row.since,
        until=row.until,
        at=row.asked_at,
        box=row.box,
        proof=row.proof,
        ruling=ruling,
    )
