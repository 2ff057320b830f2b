"""Finding the study that an act is about, for verbs that change or explain what decisions rest on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from pacs_secure.archive.facts import Facts
from pacs_secure.archive.guard import Guard
from pacs_secure.core.access import AccessRequest, StudyFacts
from pacs_secure.core.errors import Malformed
from pacs_secure.core.identifiers import uid


def located(facts: Facts, request: AccessRequest, study_instance_uid: str) -> tuple[AccessRequest, StudyFacts]:
    """Return the request with the study it is about, and that study; nothing is decided yet.

    Raises:
        Malformed: the UID is none; on record.
        NotFound: there is no such study; on record.
    """
    with refusing_malformed(facts.guard, request):
        named = uid(study_instance_uid)
    request = replace(request, private={**request.private, "study": named})
    study = facts.of(request.subject, request.purpose, named)
    if study is None:
        raise facts.guard.not_found(request)
    return replace(request, study=study), study


@contextmanager
def refusing_malformed(guard: Guard, request: AccessRequest) -> Iterator[None]:
    """Record that a request could not be understood, before its caller hears of it."""
    try:
        yield
    except Malformed:
        guard.refuse(request, {"error": Malformed.__name__})
        raise
