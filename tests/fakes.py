"""Engines in memory that keep every promise of their port but durability; each passes its contract suite."""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from pacs_secure.core.access import Grant, Permit, Relation, Scope, StoredFacts, StudyFacts, Tie, Viewer
from pacs_secure.core.audit import Draft, LedgerEntry, Outcome, Statement, may_be_unsigned
from pacs_secure.core.errors import Conflict, Denied, NotFound, OverLimit, Tampered, Unavailable
from pacs_secure.core.identifiers import Institution, KeyId, ObjectId, Uid
from pacs_secure.core.instance import IndexedInstance, InstanceRow, PlacedRow, SealedHit
from pacs_secure.core.notices import KeptNotice, Notice
from pacs_secure.core.query import Narrowing
from pacs_secure.core.seeking import Sought
from pacs_secure.crypto.tlog import NO_ENTRY, WIDTH, Author, compose_entry, parse_checkpoint, read_draft, root, state
from pacs_secure.ports import Added, Alarm, Device, ForgettableKey, InstitutionKeys, LedgerKey
from tests.fake_matching import FakeSeries, FakeStudy, hits_of, in_order, numbered, plain, same, study_fits


class MemoryLedger:
    """A ledger in memory; set ``down`` to put it out of reach."""

    def __init__(self) -> None:
        self.down = False
        self.behind: datetime | None = None
        """Since when something waits for its place, where that is so."""
        self.kept: list[LedgerEntry] = []
        self.open: dict[UUID, LedgerEntry] = {}
        self.studies: list[tuple[UUID | None, str]] = []
        self.notices: dict[int, KeptNotice] = {}
        self.keys: dict[KeyId, LedgerKey] = {}
        self.certificates: dict[int, bytes] = {}
        self.first = 0
        """Index of the first entry that has not expired; those before it stand for their leaf hashes only."""
        self._notes: dict[int, bytes] = {}
        self._lock = threading.RLock()
        self._mint: Callable[[], ForgettableKey] | None = None
        self._author: Author | None = None
        self.trusted = True

    def lags(self, before: datetime) -> bool:
        self._reach()
        return self.behind is not None and self.behind < before

    def author(self, mint: Callable[[], ForgettableKey]) -> None:
        self._mint = mint

    def _said(self, draft: Draft) -> Statement:
        if not self.trusted:
            raise Unavailable("the ledger loses what it says it keeps")
        statement = state(draft)
        if self._mint is None:
            return statement
        if self._author is None:
            try:
                first = self._mint()
            except Unavailable:
                if not may_be_unsigned(draft):
                    raise
                return statement
            self._author = Author(first.key_id, first.key)
        return self._author.sign(statement)

    def said(self) -> tuple[KeyId, int] | None:
        return (self._author.writer, self._author.number) if self._author and self._author.number else None

    def trust(self, *, held: bool) -> None:
        self.trusted = held

    def append(self, draft: Draft, notice: Notice | None = None) -> None:
        if notice is not None and notice.institution != draft.institution:
            raise Denied("institutions are strictly apart")
        with self._lock:
            self._reach()
            previous = self.kept[-1].leaf_hash if self.kept else NO_ENTRY
            entry = self._composed(draft, previous)
            self.kept.append(entry)
            self.studies.append((draft.study_alias, draft.actor))
            if draft.details is not None:
                named = draft.details.key_id
                patient = None if draft.outcome is Outcome.REFUSED else draft.patient_alias
                key = LedgerKey(named, draft.institution, patient, draft.at.year, draft.details.proof)
                self.keys.setdefault(named, key)
            if notice is not None:
                self.notices[entry.index] = KeptNotice(notice, entry.index)
            if draft.outcome is not Outcome.BEGUN:
                self.open.pop(draft.act, None)
            else:
                self.open.setdefault(draft.act, entry)

    def _composed(self, draft: Draft, previous: bytes) -> LedgerEntry:
        mark = self._author.mark if self._author else None
        try:
            return compose_entry(self._said(draft), len(self.kept), previous)
        except OverLimit:
            if self._author and mark:
                self._author.rewind(mark)
            raise

    def follow(self, draft: Draft) -> None:
        self.append(draft)

    def about(self, study_alias: UUID, actor: str = "") -> Iterator[LedgerEntry]:
        self._reach()
        for entry, (alias, who) in zip(list(self.kept), list(self.studies), strict=False):
            if alias == study_alias and actor in {"", who} and entry.index >= self.first:
                yield entry

    def find(self, sought: Sought, after: int | None = None) -> Iterator[LedgerEntry]:
        self._reach()
        if after is not None and not 0 <= after < len(self.kept):
            raise NotFound("no such object")
        drafts = [(read_draft(entry.content), entry) for entry in self.kept[self.first :]]
        order = sorted(drafts, key=lambda one: (one[0].at, one[1].index), reverse=sought.newest_first)
        places = [entry.index for _, entry in order]
        begin = 0 if after is None else places.index(after) + 1
        yield from (entry for draft, entry in order[begin:] if sought.fits(draft))

    def size(self) -> int:
        self._reach()
        return len(self.kept)

    def entries(self, start: int, stop: int) -> Iterator[LedgerEntry]:
        self._reach()
        yield from (entry for entry in self.kept if max(start, self.first) <= entry.index < stop)

    def leaf_hashes(self, start: int, stop: int) -> Iterator[bytes]:
        self._reach()
        yield from (entry.leaf_hash for entry in self.kept if start <= entry.index < stop)

    def checkpoints(self, start: int = 0) -> Iterator[bytes]:
        self._reach()
        yield from (note for size, note in sorted(self._notes.items()) if size >= start)

    def add_checkpoint(self, size: int, note: bytes) -> None:
        self._reach()
        if self._notes.setdefault(size, note) != note:
            raise Conflict("another checkpoint of this size is kept")

    def open_acts(self, before: datetime) -> list[Draft]:
        drafts = [read_draft(entry.content) for entry in sorted(self.open.values(), key=lambda one: one.index)]
        return [draft for draft in drafts if draft.at < before]

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("the ledger is out of reach")


class MemoryRetention:
    """Takes from a `MemoryLedger` what a certificate allows to go."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self.ledger = ledger

    def certificates(self) -> Sequence[bytes]:
        self.ledger.size()
        return [note for _, note in sorted(self.ledger.certificates.items())]

    def first(self) -> int:
        self.ledger.size()
        return self.ledger.first

    def oldest_open(self) -> int | None:
        self.ledger.size()
        return min((entry.index for entry in self.ledger.open.values()), default=None)

    def certify(self, permit: Permit, start: int, horizon: int, note: bytes, draft: Draft) -> None:
        if self.ledger.certificates.get(horizon) == note:
            return
        if max(self.ledger.certificates, default=0) != start:
            raise Conflict("another certificate was made meanwhile")
        self.ledger.append(draft)
        self.ledger.certificates[horizon] = note

    def expire(self, permit: Permit, stop: int) -> int:
        start = self.first()
        if start + WIDTH > stop:
            return 0
        if max(self.ledger.certificates, default=0) < stop:
            raise Conflict("no certificate reaches so far")
        going = [entry.index for entry in self.ledger.kept if start <= entry.index < start + WIDTH]
        if going != list(range(start, start + WIDTH)):
            raise Tampered("an entry that was to go is missing")
        self.ledger.first += WIDTH
        for number in [number for number in self.ledger.notices if number < self.ledger.first]:
            del self.ledger.notices[number]
        return WIDTH


class MemoryLedgerKeys:
    """The keys that the entries of a `MemoryLedger` name."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self.ledger = ledger

    def of(self, institution: Institution, patient_alias: UUID | None, year: int) -> Sequence[LedgerKey]:
        return [key for key in self._in_order() if _place(key) == (institution, patient_alias, year)]

    def of_patient(
        self, institution: Institution, patient_alias: UUID, through: int | None = None
    ) -> Sequence[LedgerKey]:
        theirs = [key for key in self._in_order() if _place(key)[:2] == (institution, patient_alias)]
        return [key for key in theirs if through is None or key.year <= through]

    def before(self, year: int) -> Iterator[LedgerKey]:
        yield from [key for key in self._in_order() if key.year < year]

    def remove(self, permit: Permit, keys: Sequence[LedgerKey]) -> None:
        self.ledger.size()
        for key in keys:
            self.ledger.keys.pop(key.key_id, None)

    def _in_order(self) -> list[LedgerKey]:
        self.ledger.size()
        return sorted(self.ledger.keys.values(), key=lambda key: (key.year, key.key_id.bytes))


def _place(key: LedgerKey) -> tuple[Institution, UUID | None, int]:
    return key.institution, key.patient_alias, key.year


class MemoryTies:
    """Ties in memory beside a `MemoryLedger`."""

    def __init__(self, ledger: MemoryLedger | None = None) -> None:
        self.ledger = ledger or MemoryLedger()
        self.kept: list[Tie] = []
        self.released: dict[UUID, datetime] = {}

    def tie(self, permit: Permit, ties: Sequence[Tie], draft: Draft) -> None:
        if any(tie.institution != draft.institution for tie in ties):
            raise Denied("institutions are strictly apart")
        self.ledger.append(draft)
        self.kept += ties

    def release(self, permit: Permit, origin: UUID, at: datetime, draft: Draft) -> int:
        self.ledger.append(draft)
        ending = {tie.tie_id for tie in self.kept if tie.origin == origin and self._holds_after(tie, at)}
        self.released |= dict.fromkeys(ending, at)
        return len(ending)

    def every(self, proof: Grant) -> Iterator[Tie]:
        yield from sorted(self.kept, key=lambda tie: tie.tie_id.bytes)

    def of_person(self, actor: str, at: datetime) -> Sequence[Tie]:
        return self._holding(at, lambda tie: tie.actor == actor)

    def of(self, institution: Institution, alias: UUID, at: datetime) -> Sequence[Tie]:
        return self._holding(at, lambda tie: (tie.institution, tie.alias) == (institution, alias))

    def from_origin(self, institution: Institution, origin: UUID, at: datetime) -> Sequence[Tie]:
        return self._holding(at, lambda tie: (tie.institution, tie.origin) == (institution, origin))

    def _holding(self, at: datetime, wanted: Callable[[Tie], bool]) -> Sequence[Tie]:
        found = [tie for tie in self.kept if wanted(tie) and tie.begins_at <= at and self._holds_after(tie, at)]
        return sorted(found, key=lambda tie: (tie.begins_at, tie.tie_id.bytes))

    def _holds_after(self, tie: Tie, at: datetime) -> bool:
        return at < min(tie.ends_at, self.released.get(tie.tie_id, tie.ends_at))


def _invites(study: FakeStudy, viewer: Viewer) -> bool:
    return any(tie.relation is Relation.INVITED and tie.leads_to(study.facts) for tie in viewer.ties)


class MemoryRecords:
    """An index in memory beside a `MemoryLedger`."""

    def __init__(self, ledger: MemoryLedger | None = None, ties: MemoryTies | None = None) -> None:
        self.ledger = ledger or MemoryLedger()
        self.ties = ties or MemoryTies(self.ledger)
        self.down = False
        self._keys: dict[Institution, InstitutionKeys] = {}
        self._patients: dict[tuple[Institution, bytes], UUID] = {}
        self._studies: dict[tuple[Institution, Uid], FakeStudy] = {}
        self._instances: dict[tuple[Institution, Uid], IndexedInstance] = {}
        self.epochs: dict[tuple[Institution, Uid], int] = {}
        """Of studies that were forgotten."""
        self._lock = threading.RLock()

    def institution_keys(self, institution: Institution, proposed: InstitutionKeys | None) -> InstitutionKeys | None:
        with self._lock:
            self._reach()
            if proposed is not None:
                self._keys.setdefault(institution, proposed)
            return self._keys.get(institution)

    def studies(self, viewer: Viewer, study_instance_uid: Uid) -> Sequence[StoredFacts]:
        self._reach()
        there = [study for (_, named), study in sorted(self._studies.items()) if named == study_instance_uid]
        own = [study.stored for study in there if study.facts.institution == viewer.institution]
        return own + [study.stored for study in there if study.stored not in own and _invites(study, viewer)]

    def add(
        self,
        permit: Permit,
        indexed: IndexedInstance,
        begun: Callable[[StudyFacts], Draft] | None,
        prove: Callable[[StudyFacts], bytes] = lambda _: b"",
        epoch: int = 0,
    ) -> Added:
        indexed, identity = plain(indexed), indexed.row.identity
        if permit.request.subject.institution != identity.institution:
            raise Denied("institutions are strictly apart")
        with self._lock:
            self._reach()
            if epoch != self.epoch(identity.institution, identity.study_instance_uid):
                raise Conflict("the study was forgotten meanwhile")
            kept = self._instances.get((identity.institution, identity.sop_instance_uid))
            if kept is not None and not same(kept.row, indexed.row):
                raise Conflict("the SOP Instance UID is taken by another instance")
            facts = self._facts(indexed, epoch)
            if begun is not None:
                self.ledger.append(begun(facts))
            if kept is not None:
                return Added.DUPLICATE
            self._insert(indexed, facts, prove)
            return Added.NEW

    def epoch(self, institution: Institution, study_instance_uid: Uid) -> int:
        with self._lock:
            self._reach()
            study = self._studies.get((institution, study_instance_uid))
            return study.facts.epoch if study else self.epochs.get((institution, study_instance_uid), 0)

    def stored(self, institution: Institution, study_instance_uid: Uid) -> StoredFacts | None:
        study = self._studies.get((institution, study_instance_uid))
        return study.stored if study else None

    def remove(self, institution: Institution, study_instance_uid: Uid, epoch: int) -> None:
        """Take a study out, as a fence does."""
        with self._lock:
            del self._studies[institution, study_instance_uid]
            for place, one in list(self._instances.items()):
                if one.row.identity.study_instance_uid == study_instance_uid and place[0] == institution:
                    del self._instances[place]
            self.epochs[institution, study_instance_uid] = epoch

    def instances(
        self,
        institution: Institution,
        study_instance_uid: Uid,
        series_instance_uid: Uid | None = None,
        sop_instance_uid: Uid | None = None,
    ) -> Sequence[InstanceRow]:
        self._reach()
        study = self._studies.get((institution, study_instance_uid))
        return [
            indexed.row
            for series in (in_order(study) if study else [])
            for indexed in series.instances
            if series_instance_uid in {None, indexed.row.identity.series_instance_uid}
            and sop_instance_uid in {None, indexed.row.identity.sop_instance_uid}
        ]

    def search(self, scope: Scope, narrowing: Narrowing) -> Iterator[SealedHit]:
        self._reach()
        newest = sorted(
            self._studies.values(),
            key=lambda study: (study.first.study.study_date, study.first.study.study_time, study.number),
            reverse=True,
        )
        hits = [
            hit
            for study in newest
            if scope.holds(study.facts) and study_fits(study, narrowing)
            for hit in hits_of(study, narrowing)
        ]
        end = None if narrowing.limit is None else narrowing.offset + narrowing.limit
        yield from hits[0 if narrowing.limit is None else narrowing.offset : end]

    def classify(self, permit: Permit, change: Callable[[StoredFacts], tuple[StoredFacts, Draft]]) -> None:
        study = permit.request.study
        if study is not None and study.institution != permit.request.subject.institution:
            raise Denied("institutions are strictly apart")
        with self._lock:
            self._reach()
            kept = None if study is None else self._studies.get((study.institution, study.study_instance_uid))
            if kept is None:
                raise NotFound("no such object")
            after, draft = change(kept.stored)
            self.ledger.append(draft)
            kept.stored = after

    def open_acts(self, before: datetime) -> Sequence[Draft]:
        self._reach()
        return self.ledger.open_acts(before)

    def every_study(self, proof: Grant) -> Iterator[StoredFacts]:
        self._reach()
        yield from (study.stored for study in list(self._studies.values()))

    def every_instance(self, proof: Grant) -> Iterator[InstanceRow]:
        self._reach()
        yield from (indexed.row for indexed in list(self._instances.values()))

    def instances_behind(self, proof: Grant, place: int, most: int) -> Sequence[PlacedRow]:
        self._reach()
        placed = [PlacedRow(number, one.row) for number, one in enumerate(list(self._instances.values()), 1)]
        return placed[place : place + most]

    def last_place(self) -> int:
        self._reach()
        return len(self._instances)

    def naming_objects(self, object_ids: Collection[ObjectId]) -> frozenset[ObjectId]:
        self._reach()
        return frozenset(object_ids) & {one.row.sealed.object_id for one in list(self._instances.values())}

    def naming_keys(self, key_ids: Collection[KeyId]) -> frozenset[KeyId]:
        self._reach()
        return frozenset(key_ids) & {one.row.sealed.study_key_id for one in list(self._instances.values())}

    def _facts(self, indexed: IndexedInstance, epoch: int) -> StudyFacts:
        identity = indexed.row.identity
        study = self._studies.get((identity.institution, identity.study_instance_uid))
        if study is not None:
            return study.facts
        patient = self._patients.get((identity.institution, indexed.study.patient_token)) or uuid4()
        named = (identity.institution, identity.study_instance_uid, uuid4(), patient, indexed.department)
        return StudyFacts(*named, epoch=epoch, safeguards=indexed.safeguards)

    def _insert(self, indexed: IndexedInstance, facts: StudyFacts, prove: Callable[[StudyFacts], bytes]) -> None:
        identity = indexed.row.identity
        self._patients[identity.institution, indexed.study.patient_token] = facts.patient_alias
        key = (identity.institution, identity.study_instance_uid)
        if key not in self._studies:
            self._studies[key] = FakeStudy(indexed, StoredFacts(facts, prove(facts)), len(self._studies))
        study = self._studies[key]
        series = study.series.setdefault(identity.series_instance_uid, FakeSeries(indexed))
        series.instances.append(indexed)
        series.instances.sort(key=lambda one: numbered(one.instance.instance_number, one.row.identity.sop_instance_uid))
        self._instances[identity.institution, identity.sop_instance_uid] = indexed

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("the index is out of reach")


class MemoryDevices:
    """Enrolled nodes in memory beside a `MemoryLedger`."""

    def __init__(self, ledger: MemoryLedger | None = None) -> None:
        self.ledger = ledger or MemoryLedger()
        self.kept: dict[str, Device] = {}
        self._lock = threading.Lock()

    def by_certificate(self, spki_sha256: bytes) -> Device | None:
        return next((device for device in self.all() if device.spki_sha256 == spki_sha256), None)

    def by_ae_title(self, ae_title: str) -> Device | None:
        return self.kept.get(ae_title)

    def enrol(self, permit: Permit, device: Device, draft: Draft) -> None:
        with self._lock:
            self._demand_free(permit, device)
            self.ledger.append(draft)
            self.kept[device.ae_title] = device

    def change(self, permit: Permit, before: Device, after: Device, draft: Draft) -> None:
        with self._lock:
            self._demand_free(permit, after)
            if after.ae_title != before.ae_title or self.kept.get(before.ae_title) != before:
                raise Conflict("the device has been changed meanwhile")
            self.ledger.append(draft)
            self.kept[after.ae_title] = after

    def _demand_free(self, permit: Permit, device: Device) -> None:
        if permit.request.subject.institution != device.institution:
            raise Denied("institutions are strictly apart")
        for kept in self.all():
            touched = device.ae_title == kept.ae_title or device.spki_sha256 == kept.spki_sha256
            if touched and (device.ae_title, device.institution) != (kept.ae_title, kept.institution):
                raise Conflict("the AE title or the certificate belongs to another device")

    def all(self) -> Sequence[Device]:
        return [device for _, device in sorted(self.kept.items())]


class MemoryUsedTokens:
    """Tokens that came once, in memory; set ``down`` to put it out of reach."""

    def __init__(self, most: int = 100_000) -> None:
        self.down = False
        self._most = most
        self._until: dict[bytes, datetime] = {}
        self._lock = threading.Lock()

    def use(self, digest: bytes, until: datetime, now: datetime) -> bool:
        with self._lock:
            self._until = {one: end for one, end in self._until.items() if end >= now}
            if digest in self._until:
                return False
            if self.down or len(self._until) >= self._most:
                raise Unavailable("the memory of used tokens is out of reach")
            self._until[digest] = until
            return True


class MemoryPublisher:
    """A publishing place in memory; set ``down`` to put it out of reach."""

    def __init__(self) -> None:
        self.down = False
        self.entries: list[bytes] = []
        self.leaves: list[bytes] = []
        self.note: bytes | None = None
        self.certificates: dict[int, bytes] = {}
        self.gone = 0
        """Entries below have expired."""
        self.cosigned: dict[int, bytes] = {}
        self.newest_witnessed: bytes | None = None
        self.stamps: dict[int, bytes] = {}

    def add_witnessed(self, size: int, note: bytes) -> None:
        newest = self.witnessed()
        first = self.cosigned.setdefault(size, note)
        if parse_checkpoint(first).text != parse_checkpoint(note).text:
            raise Tampered("another tree head of this size was witnessed before")
        if newest is None or parse_checkpoint(newest).size <= size:
            self.newest_witnessed = note

    def witnessed(self) -> bytes | None:
        self.checkpoint()
        return self.newest_witnessed

    def witnessed_from(self, size: int) -> bytes | None:
        self.checkpoint()
        return min(((kept, note) for kept, note in self.cosigned.items() if kept >= size), default=(0, None))[1]

    def add_time_stamp(self, size: int, token: bytes) -> None:
        self.checkpoint()
        self.stamps.setdefault(size, token)

    def time_stamp(self, size: int) -> bytes | None:
        self.checkpoint()
        return self.stamps.get(size)

    def publish(self, entries: Sequence[LedgerEntry], size: int, note: bytes) -> None:
        before = self.published()
        if size < before:
            raise Conflict("a larger tree is published already")
        new = [entry for entry in entries if entry.index >= before]
        if [entry.index for entry in new] != list(range(before, size)):
            raise Conflict("the entries do not continue what is published")
        if size == before and self.note not in {None, note}:
            raise Tampered("what was published is not what the ledger says")
        self.entries += [entry.content for entry in new]
        self.leaves += [entry.leaf_hash for entry in new]
        self.note = note

    def retain(self, horizon: int, note: bytes) -> None:
        self.checkpoint()
        if self.certificates.setdefault(horizon, note) != note:
            raise Tampered("what was published is not what the ledger says")

    def retained(self) -> Iterator[bytes]:
        self.checkpoint()
        yield from (note for _, note in sorted(self.certificates.items()))

    def expire(self, horizon: int) -> int:
        self.checkpoint()
        if horizon not in self.certificates:
            raise Conflict("no certificate of this horizon is published")
        before, self.gone = self.gone, max(self.gone, horizon // WIDTH * WIDTH)
        return (self.gone - before) // WIDTH

    def published(self) -> int:
        note = self.checkpoint()
        return 0 if note is None else parse_checkpoint(note).size

    def checkpoint(self) -> bytes | None:
        if self.down:
            raise Unavailable("the publishing place is out of reach")
        return self.note

    def leaf_hashes(self, start: int, stop: int) -> Iterator[bytes]:
        yield from self.leaves[start : min(stop, self.published())]

    def tile(self, level: int, number: int, width: int) -> Sequence[bytes]:
        under = WIDTH**level
        found = self.leaves[number * WIDTH * under :][: width * under]
        if len(found) != width * under:
            raise Tampered("a published tile is missing or has another length")
        return [root(found[start : start + under]) for start in range(0, len(found), under)]

    def content(self, index: int, size: int) -> bytes:
        if index < self.gone:
            raise NotFound("the entry is no longer kept")
        if not index < size <= len(self.entries):
            raise Tampered("a published bundle is missing or holds too few entries")
        return self.entries[index]


class Alone:
    """`pacs_secure.ports.Leader` where nobody else could lead."""

    def __init__(self) -> None:
        self.leading = False

    def start(self, alarm: Alarm) -> None:
        self.leading = True

    def leads(self) -> bool:
        return self.leading

    def stop(self) -> None:
        self.leading = False
