"""What the ledger will say of an act: who, whose, why and how far, with whatever names a person sealed (LOG-01)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from uuid import UUID

import orjson

from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.ledger_keys import LedgerKeys
from pacs_secure.archive.proofs import of_ledger_key
from pacs_secure.core.access import LABELS, AccessRequest, Action, Decision, Purpose, Safeguard, StudyFacts
from pacs_secure.core.audit import Draft, Outcome, SealedDetails
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import LedgerKey

Facts = Mapping[str, str | int]

LONGEST_PRIVATE = 16 * 1024
"""Bytes of what was asked for that an entry carries; of anything longer only the digest, so that it always fits."""

_OPENS_NOTHING = frozenset({Action.LEDGER_VERIFY, Action.SYSTEM_START, Action.SYSTEM_STOP})
"""What goes on, recorded without its actor, while the vault is away."""


class Drafts:
    """Writes drafts and gives persons their pseudonyms; appends nothing."""

    def __init__(self, seals: InstitutionSeals, keys: LedgerKeys, now: Callable[[], datetime]) -> None:
        self._seals = seals
        self._keys = keys
        self._now = now

    def pseudonym(self, of: Institution, identifier: str) -> str:
        """Return what stands for a person of an institution, in ledger and ties alike."""
        return self._seals.details(of).pseudonym(of, identifier)

    def of(
        self,
        request: AccessRequest,
        decision: Decision,
        act: UUID,
        outcome: Outcome,
        facts: Facts,
        study: StudyFacts | None,
        patient: UUID | None = None,
    ) -> Draft:
        """Write down one step of an act; what happens to a study stands in the ledger of those whose study it is.

        ``patient`` is whom an act concerns that is about no single study.
        """
        subject, at = request.subject, self._now()
        of = study.institution if study else subject.institution
        about = study.patient_alias if study else patient
        actor, details = self._attribution(request, act, outcome, of, about, at)
        told = _told(request, study)
        return Draft(
            at=at,
            act=act,
            action=request.action,
            outcome=outcome,
            institution=of,
            actor=actor,
            role=subject.role,
            department=subject.department,
            door=subject.door,
            address=subject.address,
            purpose=request.purpose,
            rule=decision.rule,
            policy_version=decision.policy_version,
            study_alias=study.alias if study else None,
            patient_alias=about,
            facts={**request.details, **told, **facts},
            details=details,
        )

    def prepare(self, of: Institution, patient: UUID | None) -> None:
        """Have the key of a patient's details at hand, None: of one who is not known yet."""
        self._seals.details(of)
        if patient is None:
            self._keys.expect(of)
        else:
            self._keys.seal(of, patient, self._now().year)

    def _attribution(
        self,
        request: AccessRequest,
        act: UUID,
        outcome: Outcome,
        of: Institution,
        about: UUID | None,
        at: datetime,
    ) -> tuple[str, SealedDetails | None]:
        """Return the actor's pseudonym and the details, sealed for the institution in whose ledger they stand.

        While the vault is away and the keys are not in memory, only what opens nothing may go on: a
        refusal, verifying the ledger, or that the archive starts or stops is then recorded
        without details, and without its actor when nothing says who that is.

        A refusal is sealed under nobody's key: to look for a patient's would tell that there is one.
        So it says who was refused, and of what they asked only where no patient is known.
        """
        subject, actor, said = request.subject, "", request.private
        if outcome is Outcome.REFUSED and about is not None:
            about, said = None, {}
        try:
            actor = self.pseudonym(subject.institution, subject.identifier)
            proving = self._seals.details(of)
            key_id, seal = self._keys.seal(of, about, at.year)
        except Unavailable:
            if outcome is Outcome.REFUSED or request.action in _OPENS_NOTHING:
                return actor, None
            raise
        private = orjson.dumps(said)
        kept = said if len(private) <= LONGEST_PRIVATE else {"sha256": sha256(private).hexdigest()}
        box = seal.seal(act, orjson.dumps({"subject": subject.identifier, **kept}))
        proof = of_ledger_key(proving, LedgerKey(key_id, of, about, at.year))
        return actor, SealedDetails(key_id, box, proof)


def _told(request: AccessRequest, study: StudyFacts | None) -> dict[str, str]:
    """Return what an entry says beyond the act: the device, the labels, and across which border it goes."""
    told = {}
    if request.device is not None:
        told["device"] = request.device.identifier
    if study is not None and request.subject.department not in {"", study.department}:
        told["of_department"] = study.department
    if study is not None and (labels := study.safeguards & LABELS):
        told["protected"] = " ".join(sorted(labels))
    if study is not None and study.institution != request.subject.institution:
        told["from_institution"] = request.subject.institution
    return told


def ground(request: AccessRequest) -> dict[str, str]:
    """Return the ground on which a restricted study is used all the same (GDPR 18(2), DSR-06)."""
    if request.study is None or Safeguard.RESTRICTED not in request.study.safeguards:
        return {}
    by_request = request.purpose is Purpose.PATIENT_REQUEST
    return {"ground": "the patient's own request" if by_request else "an emergency of the patient"}
