"""Sharing: one person is invited to one study, for a purpose, until a date; whoever invited sees what came of it.

A share and the tie that makes it hold are written in one commit with the entry that records them,
and end in one. With a one-time code there is no tie before the invited person has given it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

from pacs_secure.archive.invitations import MOST_LISTED, Invitations, identifier_of, named
from pacs_secure.archive.locating import located
from pacs_secure.archive.proofs import demand_share, of_share
from pacs_secure.archive.readings import Reading, readings
from pacs_secure.core.access import AccessRequest, Action, Permit, Purpose, Role, StudyFacts, Subject, Tie
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import Conflict, Denied
from pacs_secure.core.identifiers import Institution, Uid, uid
from pacs_secure.core.reasons import reason
from pacs_secure.core.sharing import Person, Share, Standing
from pacs_secure.crypto.one_time_code import keep, new_code, proves
from pacs_secure.ports import Ledger, Shares


@dataclass(frozen=True, slots=True)
class Invitation:
    """What somebody wants to share, and with whom."""

    study_instance_uid: str
    invitee: Person
    purpose: Purpose
    until: datetime
    """UTC."""
    reason: str
    second_factor: bool = False
    """Whether a one-time code, told on another way, must be given first."""


@dataclass(frozen=True, slots=True)
class OpenedShare:
    """A share with the names in it, for those whom it concerns."""

    share: Share
    standing: Standing
    inviter: Person
    invitee: Person
    reason: str
    study_instance_uid: Uid | None
    """None for an invited person to whom the share opens nothing now."""


@dataclass(frozen=True, slots=True)
class Created:
    """A new share, and its code: this is the only time that the code is shown."""

    opened: OpenedShare
    code: str | None


@dataclass(frozen=True, slots=True)
class Sharing:
    """The verb: invite a person to a study, and take it back."""

    invitations: Invitations
    shares: Shares
    ledger: Ledger

    def create(self, subject: Subject, purpose: Purpose | None, asked: Invitation) -> Created:
        """Invite one person to one study that the subject may pass on.

        Raises:
            Malformed: person, institution, reason, end or UID are none.
            NotFound: there is no such study, or the subject may not know of it.
            Denied: the subject may see the study but not pass it on.
        """
        rules, origin = self.invitations, uuid4()
        private = {**named(asked.invitee), "reason": asked.reason}
        details = {"share": str(origin), "until": asked.until.isoformat()}
        request = AccessRequest(subject, Action.SHARE_CREATE, purpose, details=details, private=private)
        with rules.refusing(request):
            asked = replace(asked, reason=reason(asked.reason))
            rules.demand_end(asked.until)
            invitee = rules.invited(subject, asked.invitee)
        request, study = located(rules.facts, request, asked.study_instance_uid)
        permit = rules.guard.decide(request)
        code = new_code() if asked.second_factor else None
        share = self._new(origin, subject, invitee, study, asked, keep(code) if code else b"")
        ties = () if code else (self._tie(share, study, asked.invitee),)
        facts = {"invitee": invitee, "second_factor": "yes" if code else "no"}
        self.shares.add(permit, share, ties, rules.guard.draft(permit, Outcome.COMPLETED, facts))
        return Created(self._opened(share), code)

    def redeem(self, subject: Subject, purpose: Purpose | None, share_id: str, code: str) -> OpenedShare:
        """Give the one-time code of a share that one was invited by; from then on it holds.

        An attempt is counted before the code is looked at, so that many at once are no more than one after
        the other. Only the invited person has attempts, so nobody can use them up for another.

        Raises:
            NotFound: there is no such share for this person.
            Conflict: it waits for no code: it has none, was redeemed, or has ended.
            Denied: the code is wrong; after five the share has ended.
        """
        rules = self.invitations
        request, permit, share = self._found(subject, Action.SHARE_REDEEM, purpose, share_id)
        actor = rules.actor(subject)
        if share is None or share.invitee != actor:
            raise rules.guard.not_found(request)
        opened, study = self._opened(share), self._study(share)
        with rules.refusing(request):
            if share.standing(rules.now()) is not Standing.WAITING:
                raise Conflict("the share waits for no code")
            tried = replace(share, attempts=share.attempts + 1)
            facts = {"attempts": tried.attempts}
            self.shares.change(permit, share, tried, (), rules.guard.draft(permit, Outcome.BEGUN, facts, study))
        try:
            redeemed = _proven(tried, code, rules.now())
            completed = rules.guard.draft(permit, Outcome.COMPLETED, facts, study)
            self.shares.change(permit, tried, redeemed, (self._tie(redeemed, study, opened.invitee),), completed)
        except (Denied, Conflict) as error:
            rules.guard.finish(permit, Outcome.REFUSED, {**facts, "error": type(error).__name__}, study)
            raise
        return self._opened(redeemed, seen_by=actor)

    def revoke(self, subject: Subject, purpose: Purpose | None, share_id: str) -> None:
        """Take a share back, in effect at once: whoever made it may, and the data-protection officer.

        Raises:
            NotFound: there is no such share, as far as it concerns the subject.
            Denied: the subject is who was invited.
            Conflict: it is revoked already, or its time is over.
        """
        rules = self.invitations
        request, permit, share = self._answerable(subject, Action.SHARE_REVOKE, purpose, share_id)
        study, now = self._study(share), rules.now()
        with rules.refusing(request):
            if share.standing(now) in {Standing.EXPIRED, Standing.REVOKED}:
                raise Conflict("the share has ended already")
            self.shares.revoke(permit, share, now, rules.guard.draft(permit, Outcome.COMPLETED, {}, study))

    def listed(self, subject: Subject, purpose: Purpose | None) -> Sequence[OpenedShare]:
        """Return the shares that one made or was given; as data-protection officer, all of one's institution."""
        rules = self.invitations
        grant = rules.guard.admit(AccessRequest(subject, Action.SHARE_LIST, purpose))
        actor = rules.actor(subject)
        if subject.role is Role.DPO:
            found = self.shares.of(subject.institution, MOST_LISTED)
        else:
            found = self.shares.among(actor, MOST_LISTED)
        return rules.told(grant, lambda: [self._opened(share, seen_by=actor) for share in found])

    def get(self, subject: Subject, purpose: Purpose | None, share_id: str) -> OpenedShare:
        """Return one share.

        Raises:
            NotFound: there is none of that name, as far as it concerns the subject.
        """
        rules = self.invitations
        request, permit, share = self._found(subject, Action.SHARE_LIST, purpose, share_id)
        actor = rules.actor(subject)
        if share is None or not (share.invitee == actor or self._answers(subject, share)):
            raise rules.guard.not_found(request)
        (told,) = rules.told(rules.guard.grant(permit, 0), lambda: [self._opened(share, seen_by=actor)])
        return told

    def reads(self, subject: Subject, purpose: Purpose | None, share_id: str) -> Sequence[Reading]:
        """Return every read of the study by the invited person within the time of the share, oldest first.

        Raises:
            NotFound: there is no such share, as far as it concerns the subject.
            Denied: the subject is who was invited.
        """
        rules = self.invitations
        _, permit, share = self._answerable(subject, Action.SHARE_LIST, purpose, share_id)
        grant = rules.guard.grant(permit, 0)

        def found() -> Sequence[Reading]:
            proven = self._demand(share)
            return readings(self.ledger.about(proven.study_alias, proven.invitee), proven.covers)

        return rules.told(grant, found)

    def _found(
        self, subject: Subject, action: Action, purpose: Purpose | None, share_id: str
    ) -> tuple[AccessRequest, Permit, Share | None]:
        """Decide an act on a share, and only then look for it."""
        name = identifier_of(share_id)
        request = AccessRequest(subject, action, purpose, details={"share": str(name or "")})
        permit = self.invitations.guard.decide(request)
        return request, permit, self.shares.by_id(name) if name else None

    def _answerable(
        self, subject: Subject, action: Action, purpose: Purpose | None, share_id: str
    ) -> tuple[AccessRequest, Permit, Share]:
        """Find a share for those who answer for it; it is missing for everybody but them and who was invited."""
        rules = self.invitations
        request, permit, share = self._found(subject, action, purpose, share_id)
        if share is not None and self._answers(subject, share):
            return request, permit, share
        if share is None or share.invitee != rules.actor(subject):
            raise rules.guard.not_found(request)
        with rules.refusing(request):
            raise Denied("this is for whoever made the share, and for the data-protection officer")

    def _answers(self, subject: Subject, share: Share) -> bool:
        """Say whether a subject made the share, or oversees those whose study it is."""
        oversees = subject.role is Role.DPO and subject.institution == share.institution
        return oversees or share.inviter == self.invitations.actor(subject)

    def _new(
        self, share_id: UUID, subject: Subject, invitee: str, study: StudyFacts, asked: Invitation, code: bytes
    ) -> Share:
        """Write a new share, with the proof that the archive wrote it."""
        rules = self.invitations
        share = Share(
            share_id,
            study.institution,
            study.alias,
            study.patient_alias,
            rules.actor(subject),
            invitee,
            asked.purpose,
            rules.now(),
            asked.until,
            code,
            self._box(share_id, study, Person(subject.institution, subject.identifier), asked),
        )
        return replace(share, proof=of_share(rules.seals.index(share.institution), share))

    def _tie(self, share: Share, study: StudyFacts, invitee: Person) -> Tie:
        return self.invitations.tie(study, share.invitee, invitee, share.purpose, share.ends_at, share.share_id)

    def _box(self, share_id: UUID, study: StudyFacts, inviter: Person, asked: Invitation) -> bytes:
        words = {
            "study": study.study_instance_uid,
            "inviter": inviter.identifier,
            "inviter_institution": inviter.institution,
            "invitee": asked.invitee.identifier,
            "invitee_institution": asked.invitee.institution,
            "reason": asked.reason,
        }
        return self.invitations.seal("share", study.institution, study.alias, share_id, words)

    def _opened(self, share: Share, seen_by: str = "") -> OpenedShare:
        words = self._words(share)
        standing = share.standing(self.invitations.now())
        closed = seen_by == share.invitee and standing is not Standing.ACTIVE
        return OpenedShare(
            share,
            standing,
            Person(Institution(words["inviter_institution"]), words["inviter"]),
            Person(Institution(words["invitee_institution"]), words["invitee"]),
            words["reason"],
            None if closed else uid(words["study"]),
        )

    def _study(self, share: Share) -> StudyFacts:
        """Name the study for the ledger: what happens to a share stands in the record of its study."""
        study = uid(self._words(share)["study"])
        return StudyFacts(share.institution, study, share.study_alias, share.patient_alias, department="")

    def _demand(self, share: Share) -> Share:
        """Return a share that the archive wrote; whoever owns the database could have put anybody into a row."""
        return demand_share(self.invitations.seals.index(share.institution), share)

    def _words(self, share: Share) -> dict[str, str]:
        share = self._demand(share)
        return self.invitations.open("share", share.institution, share.study_alias, share.share_id, share.box)


def _proven(share: Share, code: str, at: datetime) -> Share:
    if not proves(code, share.code):
        raise Denied("this is not the code")
    return replace(share, redeemed_at=at)
