"""The words in which a patient is told who came to their pictures, in one language or another."""

from collections.abc import Mapping
from dataclasses import dataclass

from pacs_secure.core.access import Action, Purpose, Role
from pacs_secure.core.audit import Outcome
from pacs_secure.core.reports import Language
from pacs_secure.core.trails import Category


@dataclass(frozen=True, slots=True)
class Words:
    """Everything that an extract says in one language."""

    language: Language
    phrases: Mapping[str, str]
    categories: Mapping[Category, str]
    actions: Mapping[Action, str]
    """More exact than the category, where there is more to say."""
    purposes: Mapping[Purpose, str]
    outcomes: Mapping[Outcome, str]
    roles: Mapping[Role, str]
    departments: Mapping[str, str]
    """Departments by their usual names; others stand as they are."""
    modalities: Mapping[str, str]
    date: str
    """How a day is written (strftime)."""
