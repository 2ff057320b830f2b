"""Reads in an issuer's words who somebody is: dotted paths to claims, and a table from its roles to ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pacs_secure.core.access import Assurance, Door, Purpose, Role, Subject
from pacs_secure.core.errors import Unauthenticated
from pacs_secure.core.identifiers import Institution, institution
from pacs_secure.ports import Identified

LONGEST_NAME = 256
"""Characters of a subject or department."""
MOST_ROLES = 256
"""Groups that one token may name."""

Claims = Mapping[str, object]

_NOT_FROM_TOKENS = frozenset({Role.STRANGER})
_RESERVED = ("device:", "os:")
"""Beginnings under which the archive names devices and users of its own machine."""


def every_role() -> dict[str, Role]:
    """Return the table of an issuer that already speaks of roles as the archive does."""
    return {role.value: role for role in Role if role not in _NOT_FROM_TOKENS}


@dataclass(frozen=True, slots=True)
class ClaimsMap:
    """Where an issuer says what, and what its words mean; "" as a path: it does not say."""

    subject: str = "sub"
    subject_prefix: str = ""
    """Set before every name: `sub` is unique within one issuer only (OpenID Connect Core 5.7)."""
    role: str = "role"
    roles: Mapping[str, Role] = field(default_factory=every_role)
    department: str = "department"
    institution: str = "institution"
    home: Institution | None = None
    """The institution of everybody, for an issuer that does not say."""
    purpose: str = "purpose"
    acr: frozenset[str] = frozenset()
    """Values of `acr` that say that there was a second factor."""
    amr: frozenset[str] = frozenset()
    """Values of `amr` of which one is enough to say so (RFC 8176)."""


def identified(
    claims: Claims, meaning: ClaimsMap, institutions: frozenset[Institution], login: str, address: str
) -> Identified:
    """Return who verified claims speak of; raises `Unauthenticated` when they do not say, or say two things."""
    home = meaning.home or institution(text(claims, meaning.institution))
    if home not in institutions:
        raise Unauthenticated("not this issuer's institution")
    subject = Subject(
        _name(claims, meaning),
        _role(claims, meaning),
        home,
        text(claims, meaning.department, least=0),
        Door.WEB,
        address,
        Assurance(_second_factor(claims, meaning), _logged_in_at(claims), login),
    )
    purpose = find(claims, meaning.purpose)
    return Identified(subject, None if purpose is None else Purpose(text(claims, meaning.purpose)))


def find(claims: Claims, path: str) -> object:
    """Return what lies at a dotted path, or None.

    A claim whose own name holds dots (a namespace that is a URL) is found by that name.
    """
    if path in claims:
        return claims[path]
    value: object = claims
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def text(claims: Claims, path: str, least: int = 1) -> str:
    """Return the text at a path: one printable line, at most `LONGEST_NAME` long."""
    value = find(claims, path)
    if value is None and least == 0:
        return ""
    if not isinstance(value, str) or not least <= len(value) <= LONGEST_NAME or not value.isprintable():
        raise Unauthenticated("a claim is missing or no text")
    return value


def number(claims: Claims, name: str) -> float | None:
    """Return the number of a claim, or None when it is not there."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unauthenticated("a time is no number")
    return value


def _name(claims: Claims, meaning: ClaimsMap) -> str:
    name = meaning.subject_prefix + text(claims, meaning.subject)
    if name.startswith(_RESERVED) or len(name) > LONGEST_NAME:
        raise Unauthenticated("a name that no person has")
    return name


def _role(claims: Claims, meaning: ClaimsMap) -> Role:
    """Return the one role that the claims give; of two nobody can say which one acts (ACC-05)."""
    named = _words(find(claims, meaning.role))
    found = {meaning.roles[name] for name in named if name in meaning.roles} - _NOT_FROM_TOKENS
    if len(found) != 1:
        raise Unauthenticated("no role, or more than one")
    return found.pop()


def _words(value: object) -> Sequence[str]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or len(listed) > MOST_ROLES:
        raise Unauthenticated("a claim is no text and no list of texts")
    words = [one for one in listed if isinstance(one, str)]
    if len(words) != len(listed):
        raise Unauthenticated("a list holds something that is no text")
    return words


def _second_factor(claims: Claims, meaning: ClaimsMap) -> bool:
    acr, amr = claims.get("acr"), claims.get("amr")
    methods = _words(amr) if amr is not None else []
    return (isinstance(acr, str) and acr in meaning.acr) or not meaning.amr.isdisjoint(methods)


def _logged_in_at(claims: Claims) -> datetime:
    at = number(claims, "auth_time")
    if at is None:
        at = number(claims, "iat")
    if at is None:
        raise Unauthenticated("a time is missing")
    return datetime.fromtimestamp(at, UTC)
