"""How a notice is written and read: ids in clear for whoever carries it, names and reasons in its box alone."""

from collections.abc import Mapping
from uuid import UUID

import orjson

from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.core.access import LABELS, AccessRequest, Action
from pacs_secure.core.audit import Draft
from pacs_secure.core.notices import Notice, NoticeKind

_LEVEL = "notice"


def is_reported_singly(request: AccessRequest) -> bool:
    """Say whether a read is of a study that bears a label (ACC-08)."""
    labelled = request.study is not None and bool(request.study.safeguards & LABELS)
    return labelled and request.action is Action.STUDY_READ


def protected_access(seals: InstitutionSeals, request: AccessRequest, begun: Draft, notice_id: UUID) -> Notice:
    """Write the notice of one read of a labelled study; raises `Unavailable` without the index key."""
    labels = request.study.safeguards & LABELS if request.study is not None else frozenset()
    told = {
        "person": request.subject.identifier,
        "from": request.subject.institution,
        "role": begun.role.value,
        "department": begun.department,
        "purpose": begun.purpose or "",
        "labels": " ".join(sorted(labels)),
        "study": str(begun.study_alias or ""),
    }
    return compose(seals, NoticeKind.PROTECTED_ACCESS, begun, notice_id, begun.act, told)


def alarmed(seals: InstitutionSeals, draft: Draft, notice_id: UUID) -> Notice:
    """Write the notice of an alarm; raises `Unavailable` without the index key."""
    told = {name: str(fact) for name, fact in draft.facts.items()}
    return compose(seals, NoticeKind.ALARM, draft, notice_id, draft.act, told)


def compose(
    seals: InstitutionSeals, kind: NoticeKind, draft: Draft, notice_id: UUID, about: UUID, told: Mapping[str, str]
) -> Notice:
    """Write a notice of the act that a draft records, for the institution in whose ledger it stands."""
    seal = seals.index(draft.institution)
    box = seal.seal(_LEVEL, str(about), str(notice_id), orjson.dumps(told))
    return Notice(notice_id, draft.institution, kind, about, draft.act, draft.at, box)


def told_by(seals: InstitutionSeals, notice: Notice) -> dict[str, str]:
    """Open what a notice says of persons; raise `Tampered` when it was changed."""
    seal = seals.index(notice.institution)
    told: dict[str, str] = orjson.loads(seal.open(_LEVEL, str(notice.about), str(notice.notice_id), notice.box))
    return told
