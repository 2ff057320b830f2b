"""What was said when a glass was broken, and when that was judged: sealed for the institution, opened for few."""

from dataclasses import dataclass, field
from uuid import UUID

import orjson

from pacs_secure.archive.indexing import PATIENT_ID, patient_token
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.core.emergencies import Emergency
from pacs_secure.core.errors import Conflict, Malformed
from pacs_secure.core.identifiers import Institution, uid
from pacs_secure.ports import Patients

LONGEST_REMARK = 500
_LEVEL, _TIE, _REVIEW = "emergency", "emergency tie", "emergency review"


@dataclass(frozen=True, slots=True)
class Whom:
    """For whom the glass is broken: a Patient ID (of one issuer, when two give the same), or a study."""

    patient_id: str = field(default="", repr=False)
    issuer_of_patient_id: str | None = field(default=None, repr=False)
    """None: whoever issued it; "" is no issuer at all (PS3.3 C.7.1.1)."""
    study_instance_uid: str = field(default="", repr=False)

    def told(self) -> dict[str, str]:
        """Return it as facts that may name a person."""
        named = {"patient_id": self.patient_id, "study": self.study_instance_uid}
        if self.issuer_of_patient_id is not None:
            named["issuer_of_patient_id"] = self.issuer_of_patient_id
        return {name: value for name, value in named.items() if value or name.startswith("issuer")}


@dataclass(frozen=True, slots=True)
class Said:
    """Who broke the glass, for whom and why."""

    person: str
    role: str
    department: str
    reason: str = field(repr=False)
    patient_id: str = field(default="", repr=False)
    issuer_of_patient_id: str = field(default="", repr=False)
    study: str = ""


@dataclass(frozen=True, slots=True)
class Declared:
    """An emergency with what its boxes hold."""

    emergency: Emergency
    said: Said
    remark: str = field(default="", repr=False)
    """Of whoever reviewed it."""
    reviewer: str = ""


def locate(patients: Patients, seals: InstitutionSeals, of: Institution, whom: Whom) -> UUID | None:
    """Return the one patient of an institution who is meant, or None.

    Raises:
        Conflict: several patients have this Patient ID and no issuer is named.
        Malformed: neither a Patient ID nor a study is named, or both.
    """
    if bool(whom.patient_id) == bool(whom.study_instance_uid):
        raise Malformed("name the patient by a Patient ID or by one study")
    if whom.study_instance_uid:
        return patients.of_study(of, uid(whom.study_instance_uid))
    found = patients_of(patients, seals, of, whom)
    if len(found) > 1:
        raise Conflict("several patients have this Patient ID: name its issuer, or one of the patient's studies")
    return next(iter(found), None)


def patients_of(patients: Patients, seals: InstitutionSeals, of: Institution, whom: Whom) -> frozenset[UUID]:
    """Return every patient of an institution who has a Patient ID, of whatever issuer when none is named."""
    seal = seals.index(of)
    if whom.issuer_of_patient_id is None:
        return patients.of_patient_id(of, seal.token(PATIENT_ID, whom.patient_id))
    found = patients.of_token(of, patient_token(seal, whom.issuer_of_patient_id, whom.patient_id))
    return frozenset() if found is None else frozenset({found})


def seal_emergency(seals: InstitutionSeals, of: Institution, emergency_id: UUID, said: Said) -> bytes:
    """Seal what was said, bound to its emergency."""
    words = {name: getattr(said, name) for name in Said.__slots__}
    return seals.index(of).seal(_LEVEL, str(emergency_id), str(emergency_id), orjson.dumps(words))


def seal_tie(seals: InstitutionSeals, of: Institution, emergency_id: UUID, tie_id: UUID, person: str) -> bytes:
    """Seal whose tie it is, bound to its emergency."""
    return seals.index(of).seal(_TIE, str(emergency_id), str(tie_id), orjson.dumps({"person": person}))


def seal_review(seals: InstitutionSeals, of: Institution, emergency_id: UUID, reviewer: str, remark: str) -> bytes:
    """Seal who judged and what they remarked, bound to its emergency."""
    words = orjson.dumps({"reviewer": reviewer, "remark": remark})
    return seals.index(of).seal(_REVIEW, str(emergency_id), str(emergency_id), words)


def declared(seals: InstitutionSeals, emergency: Emergency) -> Declared:
    """Open the boxes of an emergency; raise `Tampered` when one was moved or changed."""
    seal, name = seals.index(emergency.institution), str(emergency.emergency_id)
    said = Said(**orjson.loads(seal.open(_LEVEL, name, name, emergency.box)))
    if emergency.review is None:
        return Declared(emergency, said)
    words = orjson.loads(seal.open(_REVIEW, name, name, emergency.review.box))
    return Declared(emergency, said, words["remark"], words["reviewer"])


def remark(text: str) -> str:
    """Accept a remark, without the blanks around it; raise `Malformed` for one that is too long or no text."""
    stripped = text.strip()
    if len(stripped) > LONGEST_REMARK or not all(one.isprintable() or one == "\n" for one in stripped):
        raise Malformed(f"a remark has at most {LONGEST_REMARK} characters")
    return stripped
