"""Proofs that the archive itself wrote who asked about an employee and who approved: a row alone answers nothing."""

from hashlib import sha256
from hmac import compare_digest

from pacs_secure.core.errors import Tampered
from pacs_secure.core.questions import EmployeeQuestion, Ruling
from pacs_secure.crypto.index_seal import IndexSeal


def of_question(seal: IndexSeal, question: EmployeeQuestion) -> bytes:
    """Return the proof of a question, of what is sealed in it by its digest."""
    return seal.prove(
        "employee question",
        question.question_id.bytes,
        question.institution.encode(),
        question.actor.encode(),
        question.since.isoformat().encode(),
        question.until.isoformat().encode(),
        question.at.isoformat().encode(),
        sha256(question.box).digest(),
    )


def of_ruling(seal: IndexSeal, question: EmployeeQuestion, ruling: Ruling) -> bytes:
    """Return the proof of a ruling on one question and no other."""
    return seal.prove(
        "employee question ruling",
        of_question(seal, question),
        b"approved" if ruling.approved else b"refused",
        ruling.actor.encode(),
        ruling.at.isoformat().encode(),
        sha256(ruling.box).digest(),
    )


def demand_question(seal: IndexSeal, question: EmployeeQuestion) -> EmployeeQuestion:
    """Return a question, and its ruling when it has one; raise `Tampered` when the archive did not write them so."""
    ruling = question.ruling
    sound = compare_digest(of_question(seal, question), question.proof or b"")
    if ruling is not None:
        sound = sound and compare_digest(of_ruling(seal, question, ruling), ruling.proof or b"")
        sound = sound and ruling.actor != question.actor
    if not sound:
        raise Tampered("a stored question is not what was asked or approved")
    return question
