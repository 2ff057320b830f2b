"""What the rule that allowed a read says of how the reader stood to the patient."""

from functools import lru_cache

from pacs_secure.core.vocabulary import Relation

_RELATIONS = 4
"""Place of the relations in a line of the policy: p, role, actions, purposes, relations, despite, effect."""


@lru_cache(maxsize=4096)
def relation_of(rule: str) -> Relation | None:
    """Return the one relation that a rule rests on; None when it names several, or is no line of a policy.

    Of a person behind a device two rules are on record; the first is the person's.
    """
    fields = [field.strip() for field in rule.partition(";")[0].split(",")]
    try:
        return Relation(fields[_RELATIONS])
    except (IndexError, ValueError):
        return None
