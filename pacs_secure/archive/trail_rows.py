"""An extract in words: what each line of it says, whatever it is written on."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any

from pacs_secure.archive.trail_words import Words
from pacs_secure.core.access import Role
from pacs_secure.core.audit import Outcome
from pacs_secure.core.trails import Access, Examination, Trail

_DAY = "%Y%m%d"


def head(trail: Trail, words: Words, zone: tzinfo) -> list[tuple[str, str]]:
    """Return whose extract it is, of where, and of when."""
    phrases = words.phrases
    rows = [
        (phrases["institution"], str(trail.institution)),
        (phrases["patient_id"], trail.patient_id),
        (phrases["produced"], moment(trail.at, words, zone)),
        (phrases["times"], str(zone)),
    ]
    return [row for row in rows if row[1]]


def counts(trail: Trail, words: Words) -> list[tuple[int, str]]:
    """Return how often each kind of act happened, the most frequent first; what was refused did not happen."""
    happened = Counter(one.category for one in trail.accesses if one.outcome is not Outcome.REFUSED)
    refused = sum(one.outcome is Outcome.REFUSED for one in trail.accesses)
    found = [(count, words.categories[category]) for category, count in happened.most_common()]
    return found + ([(refused, words.phrases["refused_attempts"])] if refused else [])


def recipients(trail: Trail, words: Words) -> list[str]:
    """Return who outside of the institution was given something, each once."""
    given = [one for one in trail.accesses if one.recipient is not None and one.outcome is not Outcome.REFUSED]
    return list(dict.fromkeys(_recipient(one, words) for one in given))


def examinations(trail: Trail, words: Words) -> list[tuple[str, str, str]]:
    """Return the examinations: number, day and kind of pictures."""
    return [
        (str(number), day(one.date, words) or words.phrases["unknown"], kind(one, words))
        for number, one in enumerate(trail.examinations, 1)
    ]


def notes(trail: Trail, words: Words) -> list[str]:
    """Return what has to be known to understand the extract."""
    about_names = "named" if trail.named else "by_role"
    return [words.phrases[name] for name in (about_names, "refusals", "searches", "after", "ledger", "rights")]


def row(access: Access, words: Words, zone: tzinfo) -> tuple[str, str, str, str, str, str]:
    """Return one access: when, what, of which examination, what for, who, and how it came out."""
    what = words.actions.get(access.action, words.categories[access.category])
    if access.pictures and access.outcome is not Outcome.REFUSED:
        many = words.phrases["pictures"].format(access.pictures)
        what += "\n" + (words.phrases["picture"] if access.pictures == 1 else many)
    return (
        moment(access.at, words, zone),
        what,
        words.phrases["none"] if access.examination is None else f"{words.phrases['number']} {access.examination}",
        words.phrases["unknown"] if access.purpose is None else words.purposes[access.purpose],
        who(access, words),
        words.outcomes[access.outcome],
    )


def who(access: Access, words: Words) -> str:
    """Return who it was, in lines: role or recipient, department, device, and a name where it may be told."""
    phrases = words.phrases
    outside = access.recipient is not None and (access.role is Role.GUEST or not access.department)
    lines = [_recipient(access, words) if outside else words.roles[access.role]]
    if access.person:
        lines.insert(0, access.person)
    if access.department and not outside:
        lines.append(phrases["department"].format(words.departments.get(access.department, access.department)))
    if access.device:
        lines.append(phrases["device"].format(access.device))
    if access.recipient is not None and not outside:
        lines.append(phrases["given_to"].format(access.recipient.name))
    return "\n".join(lines)


def told(trail: Trail, words: Words, zone: tzinfo) -> dict[str, Any]:
    """Return the extract as facts, with the words beside them; times are UTC."""
    return {
        "language": words.language.value,
        "institution": trail.institution,
        "patient_id": trail.patient_id,
        "produced_at": trail.at.isoformat(),
        "employees": "named" if trail.named else "by role",
        "examinations": [
            {"number": number, "date": one.date or None, "kind": kind(one, words)}
            for number, one in enumerate(trail.examinations, 1)
        ],
        "accesses": [_told(access, words, zone) for access in trail.accesses],
        "recipients": recipients(trail, words),
        "notes": notes(trail, words),
        "checkpoint": trail.checkpoint.decode() or None,
        "proofs": [
            {"index": one.index, "leaf_sha256": one.leaf_sha256.hex(), "path": [node.hex() for node in one.path]}
            for one in trail.proofs
        ],
    }


def _told(access: Access, words: Words, zone: tzinfo) -> dict[str, Any]:
    when, what, _, why, by, how = row(access, words, zone)
    return {
        "at": access.at.isoformat(),
        "category": access.category.value,
        "purpose": access.purpose and access.purpose.value,
        "outcome": access.outcome.value,
        "role": access.role.value,
        "department": access.department or None,
        "person": access.person or None,
        "recipient": access.recipient.name if access.recipient is not None else None,
        "device": access.device or None,
        "examination": access.examination,
        "pictures": access.pictures,
        "entries": list(access.entries),
        "said": {"when": when, "what": what, "why": why, "who": by, "how": how},
    }


def moment(at: datetime, words: Words, zone: tzinfo) -> str:
    """Return a day and a minute as a person reads them."""
    return at.astimezone(zone).strftime(f"{words.date}, %H:%M")


def day(text: str, words: Words) -> str:
    """Return a DICOM date as a person reads it, "" for what is none (PS3.5 6.2, DA)."""
    try:
        return datetime.strptime(text, _DAY).strftime(words.date)  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return ""


def kind(examination: Examination, words: Words) -> str:
    """Return of which kind the pictures of an examination are."""
    found = dict.fromkeys(words.modalities.get(one, one) for one in examination.modalities)
    return ", ".join(found) or words.phrases["unknown"]


def lines(cell: str) -> Sequence[str]:
    """Return what stands in a cell, line by line."""
    return cell.split("\n")


def _recipient(access: Access, words: Words) -> str:
    phrases, recipient = words.phrases, access.recipient
    if recipient is None or not recipient.name:
        return phrases["outside_unnamed"]
    return phrases["of_institution" if recipient.is_institution else "outside"].format(recipient.name)
