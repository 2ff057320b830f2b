"""Ending: what the ledger need not keep any longer goes, and a signed certificate stays in its place (LOG-05).

What is left is a tree without some of its leaves' contents: every leaf hash stays, so that each root, each
checkpoint and each proof that somebody keeps still verifies. Whole bundles of 256 entries go, oldest first, up to
the first entry that is young enough or concerns a study on legal hold. The order of steps is what a crash may
leave behind:

1. certify   sign the range and the root at its end; keep and record the certificate, in one commit
2. publish   the certificate, where everybody finds it, before anything is missing there
3. forget    the ledger keys of years that are over, but for patients on hold
4. remove    the published bundles, then the rows, one bundle a commit

Whoever comes next begins with what a certificate allows and an interrupted run has left. A certificate that the log
did not sign allows nothing: whoever administers the database can write a horizon there, and no more.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from pacs_secure.archive.guard import Guard
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.ledger_horizon import Bounds, Progress, Step, survey
from pacs_secure.archive.ledger_keys import LedgerKeys
from pacs_secure.archive.proofs import demand_study
from pacs_secure.archive.spoken_holds import Hold, SpokenHolds
from pacs_secure.archive.vouching import Vouching
from pacs_secure.core.access import AccessRequest, Action, Grant, Permit, Purpose, Subject
from pacs_secure.core.audit import Outcome
from pacs_secure.core.errors import ArchiveError, Conflict, Tampered, Unavailable
from pacs_secure.core.identifiers import KeyId
from pacs_secure.core.retention import Certificate, Expired, Plan, Stopped, months_before
from pacs_secure.crypto.tlog import (
    WIDTH,
    Frontier,
    certificate_text,
    certifier,
    parse_checkpoint,
    read_certificate,
    read_draft,
    sign_note,
    verify_note,
)
from pacs_secure.ports import Ledger, LedgerKey, Publisher, Records, Retention, Signer
from pacs_secure.ports import LedgerKeys as KeyList

MOST_AHEAD = timedelta(days=2)
"""How long ago the newest cosignature may be: every daily run writes entries, which are witnessed within seconds."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of what the ledger no longer holds."""

    months: int
    """For how many an entry is kept."""
    horizon: int
    """Entries below have expired."""
    certificates: Sequence[tuple[Certificate, bytes]]
    """Each as read, and the note itself; oldest first."""


@dataclass(frozen=True, slots=True)
class _Survey:
    plan: Plan
    steps: Sequence[Step]
    held: frozenset[Hold]
    spoken: SpokenHolds | None
    """None: nothing is old enough, nothing was read."""

    @property
    def on_hold(self) -> frozenset[UUID]:
        """Return the patients whose studies are held."""
        return frozenset(patient for _, patient in self.held)


@dataclass(frozen=True, slots=True)
class LedgerRetention:
    """The verb: remove what is older than it need be."""

    guard: Guard
    records: Records
    ledger: Ledger
    publisher: Publisher
    retention: Retention
    listed: KeyList
    keys: LedgerKeys
    seals: InstitutionSeals
    signer: Signer | None
    """None: this process certifies nothing."""
    origin: str
    public_key: Callable[[], bytes]
    now: Callable[[], datetime]
    months: int
    """How long an entry is kept (12 to 120)."""
    writer_key: Callable[[KeyId], bytes | None]
    """Returns a writer's first key, None when the shelf has none."""
    vouching: Vouching

    @property
    def able(self) -> bool:
        """Whether this process was given what it takes: the log's key, and the right to erase."""
        return self.signer is not None and self.keys.may_forget

    def plan(
        self, subject: Subject, purpose: Purpose | None, *, details: dict[str, str], progress: Progress = lambda _: None
    ) -> Plan:
        """Say what would go now, and change nothing.

        Raises:
            Denied: the caller may not remove anything either.
            Tampered: the ledger is not what was recorded and published.
        """
        told = {**details, "retention": "planned"}
        grant = self.guard.admit(AccessRequest(subject, Action.LEDGER_EXPIRE, purpose, details=told))
        try:
            plan = self._survey(grant, progress).plan
        except ArchiveError as error:
            self.guard.finish_later(grant, Outcome.FAILED, {"error": type(error).__name__})
            raise
        self.guard.finish_later(grant, Outcome.COMPLETED, {"entries": plan.count, "keys": plan.keys})
        return plan

    def expire(
        self, subject: Subject, purpose: Purpose | None, *, details: dict[str, str], progress: Progress = lambda _: None
    ) -> Expired:
        """Remove what may go, and leave its certificate; may be called again at any time, also after a crash.

        Raises:
            Denied: the caller may not.
            Tampered: the ledger is not what was recorded and published, or a certificate is forged; nothing goes.
            Conflict: a legal hold was set meanwhile: try again.
            Unavailable: this process was not given the right, something is out of reach, or the clock is far ahead of
                the witnesses: the rest goes next time.
        """
        permit = self.guard.decide(AccessRequest(subject, Action.LEDGER_EXPIRE, purpose, details=details))
        grant = self.guard.grant(permit, 0)
        try:
            expired = self._expire(permit, grant, progress)
        except ArchiveError as error:
            self.guard.finish_later(grant, Outcome.FAILED, {"error": type(error).__name__})
            raise
        self.guard.finish(permit, Outcome.COMPLETED, expired.told())
        return expired

    def show(self, subject: Subject, purpose: Purpose | None, *, details: dict[str, str]) -> Kept:
        """Return the certificates of what has expired; the reading is recorded first.

        Raises:
            Denied: the caller may not read the ledger.
            Tampered: a certificate is forged.
        """
        grant = self.guard.admit(
            AccessRequest(subject, Action.LEDGER_READ, purpose, details={**details, "retention": "shown"})
        )
        try:
            read = [(self._read(note), note) for note in self.retention.certificates()]
        except ArchiveError as error:
            self.guard.finish_later(grant, Outcome.FAILED, {"error": type(error).__name__})
            raise
        self.guard.finish_later(grant, Outcome.COMPLETED, {"certificates": len(read)})
        return Kept(self.months, max((one.horizon for one, _ in read), default=0), read)

    def _expire(self, permit: Permit, grant: Grant, progress: Progress) -> Expired:
        if self.signer is None or not self.keys.may_forget:
            raise Unavailable("this process was not given the right to remove anything from the ledger")
        removed = self._remove(permit, self._publish(), progress)
        surveyed = self._survey(grant, lambda _: None)
        if surveyed.spoken is not None:
            self._demand_true_time()
        # 1 certify
        self._certify(permit, self.signer, grant, surveyed)
        # 2 publish
        horizon = self._publish()
        # 3 forget
        self._demand_no_new_hold(grant, surveyed)
        erased = self.keys.erase(permit, self._over(surveyed.plan.cutoff, surveyed.on_hold))
        # 4 remove
        removed += self._remove(permit, horizon, progress)
        return Expired(surveyed.plan, removed, erased, len(surveyed.steps))

    def _demand_true_time(self) -> None:
        """Let nothing go by a clock that is far ahead of the witnesses, where there are any."""
        if not self.vouching.keys:
            return
        vouched = self.vouching.newest()
        if vouched is None or self.now() - vouched.at > MOST_AHEAD:
            raise Unavailable("no witness vouches for the time by which entries would be old enough")

    def _survey(self, grant: Grant, progress: Progress) -> _Survey:
        cutoff = months_before(self.now(), self.months)
        start = self.retention.first()
        if not self._anything(cutoff, start):
            return _Survey(Plan(cutoff, start, start, None, 0, Stopped.YOUNG), (), frozenset(), None)
        spoken = SpokenHolds(self.writer_key, start)
        held = self._held(grant, spoken)
        studies, patients = frozenset(study for study, _ in held), frozenset(patient for _, patient in held)
        stop, why = self.publisher.published(), Stopped.UNPUBLISHED
        under_way = self.retention.oldest_open()
        if under_way is not None and under_way < stop:
            stop, why = under_way, Stopped.OPEN
        entries = self.ledger.entries(start, self.ledger.size())
        steps, stopped = survey(entries, start, Bounds(cutoff, studies, patients, stop, why), progress)
        keys = sum(1 for _ in self._over(cutoff, patients))
        last = steps[-1] if steps else None
        horizon, until = (last.horizon, last.until) if last else (start, None)
        return _Survey(Plan(cutoff, start, horizon, until, keys, stopped), steps, held, spoken)

    def _anything(self, cutoff: datetime, start: int) -> bool:
        """Whether anything is old enough, so that the quiet days cost nothing."""
        oldest = next(iter(self.ledger.entries(start, start + 1)), None)
        old = oldest is not None and read_draft(oldest.content).at < cutoff
        return old or next(iter(self.listed.before(cutoff.year)), None) is not None

    def _held(self, grant: Grant, spoken: SpokenHolds) -> frozenset[Hold]:
        """Return each legal hold, of the index or the ledger; a study whose facts are not proven stops everything."""
        every = self.records.every_study(grant)
        proven = (demand_study(self.seals.index(stored.facts.institution), stored) for stored in every)
        held = frozenset(Hold(facts.alias, facts.patient_alias) for facts in proven if facts.held)
        # The row of a study may be gone, or an old one may have been put back.
        spoken.follow(self.ledger.entries(spoken.place, self.ledger.size()))
        return held | spoken.held()

    def _demand_no_new_hold(self, grant: Grant, surveyed: _Survey) -> None:
        """Look again right before something becomes irrevocable: a survey may take hours."""
        if surveyed.spoken is not None and self._held(grant, surveyed.spoken) - surveyed.held:
            raise Conflict("a legal hold was set meanwhile: what it keeps is looked for anew")

    def _over(self, cutoff: datetime, on_hold: frozenset[UUID]) -> Iterable[LedgerKey]:
        """Yield the keys of years that lie wholly before the cutoff, but for those of patients on hold."""
        every = map(self.keys.demand, self.listed.before(cutoff.year))
        return (key for key in every if key.patient_alias not in on_hold)

    def _certify(self, permit: Permit, signer: Signer, grant: Grant, surveyed: _Survey) -> None:
        roots = self._roots([step.horizon for step in surveyed.steps])
        number = max((self._read(note).number for note in self.publisher.retained()), default=0)
        subject, keys = permit.request.subject, surveyed.plan.keys
        actor = self.guard.pseudonym(subject.institution, subject.identifier)
        for step in surveyed.steps:
            number += 1
            certificate = Certificate(
                number=number,
                start=step.start,
                horizon=step.horizon,
                root=roots[step.horizon],
                cutoff=surveyed.plan.cutoff,
                keys=keys,
                actor=actor,
                role=subject.role,
                at=self.now(),
                writers=step.writers,
            )
            text = certificate_text(self.origin, certificate)
            note = sign_note(text, certifier(self.origin), signer.public_key(), signer.sign(text))
            self._read(note)  # what nobody could verify later is not made
            facts: dict[str, str | int] = {
                "certificate": sha256(note).hexdigest(),
                "entries": f"{step.start} {step.horizon}",
                "keys": keys,
            }
            begun = self.guard.draft(grant, Outcome.BEGUN, facts)
            self._demand_no_new_hold(grant, surveyed)
            self.retention.certify(permit, step.start, step.horizon, note, begun)
            keys = 0

    def _roots(self, horizons: Sequence[int]) -> dict[int, bytes]:
        """Return the root at each horizon, of a tree that is held whole against the newest published checkpoint."""
        if not horizons:
            return {}
        note = self.publisher.checkpoint() or b""
        verify_note(note, self.origin, self.public_key())
        head, frontier = parse_checkpoint(note), Frontier()
        roots: dict[int, bytes] = {}
        wanted = frozenset(horizons)
        for leaf in self.ledger.leaf_hashes(0, head.size):
            frontier.append(leaf)
            if frontier.size % WIDTH == 0 and frontier.size in wanted:
                roots[frontier.size] = frontier.root()
        if (frontier.size, frontier.root()) != (head.size, head.root):
            raise Tampered("the ledger is not what was published")
        return roots

    def _publish(self) -> int:
        """Publish every certificate that is kept, each verified first; return the newest horizon."""
        horizon = 0
        for note in self.retention.certificates():
            certificate = self._read(note)
            self.publisher.retain(certificate.horizon, note)
            horizon = max(horizon, certificate.horizon)
        return horizon

    def _remove(self, permit: Permit, horizon: int, progress: Progress) -> int:
        """Remove what a published certificate allows to go; return how many rows went."""
        removed = 0
        if horizon:
            self.publisher.expire(horizon)
        while gone := self.retention.expire(permit, horizon):
            removed += gone
            progress(gone)
        return removed

    def _read(self, note: bytes) -> Certificate:
        return read_certificate(note, self.origin, self.public_key())
