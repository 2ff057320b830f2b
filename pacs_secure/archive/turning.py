"""Looks for what would turn a decision: each single change, and when none does, the lightest pairs.

Every change is tried by asking for the decision as it would then be, so that an explanation can
promise nothing that the Guard would not keep.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import reduce
from itertools import combinations

from pacs_secure.core.access import (
    DEVICES,
    TIES_A_PATIENT,
    TIES_A_STUDY,
    AccessRequest,
    Action,
    Decision,
    Purpose,
    Relation,
    Role,
    Safeguard,
    relations_of,
)
from pacs_secure.core.explanation import Change, ChangeKind

Judge = Callable[[AccessRequest], Decision]

_LIGHTEST_FIRST = tuple(ChangeKind)
_NOBODY = {Role.STRANGER}


def turned_by(judge: Judge, request: AccessRequest, at: datetime) -> tuple[tuple[Change, ...], ...]:
    """Return every single change that turns a decision; when none does alone, the pairs that are changed most lightly.

    ``at`` is the moment that a fresh login would be of.
    """
    allowed = judge(request).allowed
    changes = sorted(_possible(request), key=lambda change: (_weight([change]), change))

    def turns(tried: Sequence[Change]) -> bool:
        return judge(reduce(lambda asked, change: _applied(asked, change, at), tried, request)).allowed is not allowed

    singles = tuple((change,) for change in changes if turns([change]))
    if singles:
        return singles
    pairs = [pair for pair in combinations(changes, 2) if pair[0].kind is not pair[1].kind and turns(pair)]
    lightest = min(map(_weight, pairs), default=0)
    return tuple(pair for pair in pairs if _weight(pair) == lightest)


def _weight(changes: Sequence[Change]) -> int:
    return sum(_LIGHTEST_FIRST.index(change.kind) for change in changes)


def _possible(request: AccessRequest) -> Iterator[Change]:
    """Yield whatever could be otherwise: each of it is there and would go, or is not and would come."""
    subject, study = request.subject, request.study
    assurance = subject.assurance
    yield Change(ChangeKind.SECOND_FACTOR, "", given=not assurance.second_factor)
    if request.action is Action.BREAK_GLASS_OPEN:
        yield Change(ChangeKind.FRESH_LOGIN, "", given=assurance.logged_in_at is None)
    yield from (Change(ChangeKind.PURPOSE, purpose) for purpose in Purpose if purpose is not request.purpose)
    yield from (Change(ChangeKind.ROLE, role) for role in _alike(subject.role) - {subject.role})
    if study is None:
        return
    held = relations_of(subject, study, tied=True)
    yield from (
        Change(ChangeKind.RELATION, relation, given=relation not in held)
        for relation in _tying(request) | (held - {Relation.NONE})
    )
    yield from (Change(ChangeKind.SAFEGUARD, one, given=one not in study.safeguards) for one in Safeguard)
    yield Change(ChangeKind.HOLD, "", given=not study.held)


def _tying(request: AccessRequest) -> frozenset[Relation]:
    """Return the relations that somebody could come by: devices have no ties, into another house one is invited."""
    if request.subject.role in DEVICES:
        return frozenset({Relation.DEPARTMENT})
    if request.study is not None and request.study.institution != request.subject.institution:
        return frozenset({Relation.INVITED})
    return TIES_A_PATIENT | TIES_A_STUDY | {Relation.DEPARTMENT}


def _alike(role: Role) -> frozenset[Role]:
    """Return the roles that somebody could have instead: a device stays a device, a person a person."""
    return DEVICES if role in DEVICES else frozenset(Role) - DEVICES - _NOBODY


def _applied(request: AccessRequest, change: Change, at: datetime) -> AccessRequest:
    subject = request.subject
    match change.kind:
        case ChangeKind.SECOND_FACTOR:
            proven = replace(subject.assurance, second_factor=change.given)
            return replace(request, subject=replace(subject, assurance=proven))
        case ChangeKind.FRESH_LOGIN:
            proven = replace(subject.assurance, logged_in_at=at if change.given else None)
            return replace(request, subject=replace(subject, assurance=proven))
        case ChangeKind.PURPOSE:
            return replace(request, purpose=Purpose(change.value))
        case ChangeKind.ROLE:
            return replace(request, subject=replace(subject, role=Role(change.value)))
        case _:
            return _with_facts(request, change)


def _with_facts(request: AccessRequest, change: Change) -> AccessRequest:
    study = request.study
    if study is None:  # pragma: no cover - no fact is changed of no study
        return request
    if change.kind is ChangeKind.HOLD:
        return replace(request, study=replace(study, held=change.given))
    if change.kind is ChangeKind.SAFEGUARD:
        return replace(request, study=replace(study, safeguards=study.safeguards ^ {Safeguard(change.value)}))
    if change.value == Relation.DEPARTMENT:
        near = study.department if change.given else ""
        return replace(request, subject=replace(request.subject, department=near))
    return replace(request, study=replace(study, relations=study.relations ^ {Relation(change.value)}))
