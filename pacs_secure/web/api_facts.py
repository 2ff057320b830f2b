"""The facts that decisions about a study rest on, over HTTP: shown, and changed with a reason."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, Field, WithJsonSchema

from pacs_secure.archive import Archive
from pacs_secure.core import reasons
from pacs_secure.core.access import LABELS, Action, Safeguard
from pacs_secure.core.classification import LONGEST_DEPARTMENT, Classification, Reclassification
from pacs_secure.web.api import Api, Asked, Body
from pacs_secure.web.identity import Identification

Reason = Annotated[str, Field(min_length=reasons.SHORTEST, max_length=reasons.LONGEST)]


def _label(safeguard: Safeguard) -> Safeguard:
    if safeguard not in LABELS:
        raise ValueError("no label")
    return safeguard


Label = Annotated[
    Safeguard, AfterValidator(_label), WithJsonSchema({"type": "string", "enum": sorted(map(str, LABELS))})
]
Labels = Annotated[tuple[Label, ...], Field(max_length=len(LABELS))]


class Facts(Body):
    """What decisions about a study rest on, beyond who asks."""

    study: str
    department: str
    labels: list[Label]
    restricted: bool
    held: bool
    treatment_ended_on: date | None


class FactsChange(Body):
    """What is to change, and why; whatever is not named stays as it is."""

    reason: Reason
    department: Annotated[str | None, Field(min_length=1, max_length=LONGEST_DEPARTMENT)] = None
    add_labels: Labels = ()
    remove_labels: Labels = ()
    restricted: bool | None = None
    held: bool | None = None
    treatment_ended_on: date | None = None
    treatment_goes_on: bool = False


def routes(archive: Archive, identification: Identification) -> APIRouter:
    """Return the endpoints."""
    api = Api(archive, identification, "Facts")

    def show_facts(asked: Asked[None, None]) -> Facts:
        """Show the facts of a study."""
        caller, study = asked.caller, asked.path["study"]
        return _told(study, archive.classify.show(caller.subject, caller.purpose, study))

    def change_facts(asked: Asked[FactsChange, None]) -> Facts:
        """Change facts of a study, with a reason."""
        caller, study, body = asked.caller, asked.path["study"], asked.body
        change = Reclassification(
            department=body.department,
            add_labels=frozenset(body.add_labels),
            remove_labels=frozenset(body.remove_labels),
            restricted=body.restricted,
            held=body.held,
            treatment_ended_on=body.treatment_ended_on,
            treatment_goes_on=body.treatment_goes_on,
        )
        return _told(study, archive.classify.change(caller.subject, caller.purpose, study, change, body.reason))

    path, action = "/studies/{study}/facts", Action.STUDY_CLASSIFY
    api.add("GET", path, show_facts, action=action, answer=Facts)
    api.add("PATCH", path, change_facts, action=action, body=FactsChange, answer=Facts)
    return api.router


def _told(study: str, facts: Classification) -> Facts:
    return Facts(
        study=study,
        department=facts.department,
        labels=sorted(facts.labels),
        restricted=facts.restricted,
        held=facts.held,
        treatment_ended_on=facts.treatment_ended_on,
    )
