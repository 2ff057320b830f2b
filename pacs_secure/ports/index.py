"""The index, the ledger, and where the ledger is published."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from pacs_secure.core.access import Grant, Permit, Scope, StoredFacts, StudyFacts, Tie, Viewer
from pacs_secure.core.audit import Draft, LedgerEntry
from pacs_secure.core.identifiers import Institution, KeyId, ObjectId, Uid
from pacs_secure.core.instance import IndexedInstance, InstanceRow, PlacedRow, SealedHit
from pacs_secure.core.notices import Notice
from pacs_secure.core.query import Narrowing
from pacs_secure.core.seeking import Sought
from pacs_secure.ports.keys import ForgettableKey


class Added(StrEnum):
    """What the index did with an instance."""

    NEW = "new"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class InstitutionKeys:
    """Which shelf keys an institution's index and ledger details are sealed under."""

    index: KeyId
    ledger: KeyId


class Records(Protocol):
    """The index. It holds no key and sees no name: boxes, tokens and technical columns only."""

    def institution_keys(self, institution: Institution, proposed: InstitutionKeys | None) -> InstitutionKeys | None:
        """Return the institution's keys; when it has none, adopt the proposed ones (first writer wins)."""

    def studies(self, viewer: Viewer, study_instance_uid: Uid) -> Sequence[StoredFacts]:
        """Return what is kept for decisions of every study of this UID that the viewer may come by.

        That of their own institution comes first, then those to which an invitation leads, by
        institution: a patient may have carried one study into several houses.
        """

    def add(
        self,
        permit: Permit,
        indexed: IndexedInstance,
        begun: Callable[[StudyFacts], Draft] | None,
        prove: Callable[[StudyFacts], bytes] = lambda _: b"",
        epoch: int = 0,
    ) -> Added:
        """Add one instance and, when given, the ledger entry that begins its act, in one commit.

        ``prove`` is called inside the transaction for a study that the instance begins.
        ``begun`` is called inside the transaction with the study as it then stands. A row with the
        same SOP Instance UID and Data Set digest is a DUPLICATE: nothing is added but ``begun``
        is still recorded. A date, time or modality that is none is kept in its box only, as received.
        ``epoch`` is that of the study which the instance was sealed for.

        Raises:
            Conflict: the SOP Instance UID is taken by other bytes, or lies in another study; or the study is of
                another epoch by now, and the instance must be sealed again.
            Denied: the Permit is another institution's.
        """

    def epoch(self, institution: Institution, study_instance_uid: Uid) -> int:
        """Return how often a study of this UID was forgotten; 0 for one that nobody knows."""

    def instances(
        self,
        institution: Institution,
        study_instance_uid: Uid,
        series_instance_uid: Uid | None = None,
        sop_instance_uid: Uid | None = None,
    ) -> Sequence[InstanceRow]:
        """Return the rows of a study, series or instance in series and instance number order."""

    def search(self, scope: Scope, narrowing: Narrowing) -> Iterator[SealedHit]:
        """Yield candidates within the scope, newest study first; counts are within the scope too.

        What the scope holds by is proven by whoever opens the hits.
        """

    def classify(self, permit: Permit, change: Callable[[StoredFacts], tuple[StoredFacts, Draft]]) -> None:
        """Change what is kept of the Permit's study and record it, in one commit.

        ``change`` is called inside the transaction with the facts as they stand, and returns them as
        they are to be, proven anew, with the entry that says so.

        Raises:
            Denied: the study is another institution's than the subject's.
            NotFound: the Permit is for no study, or it is gone.
        """

    def open_acts(self, before: datetime) -> Sequence[Draft]:
        """Return the begun drafts, older than ``before``, of acts that never got their outcome (a crash).

        Raises:
            Tampered: an entry is not what began its act.
        """

    def every_study(self, proof: Grant) -> Iterator[StoredFacts]:
        """Yield what is kept of every study of every institution, for verification only."""

    def every_instance(self, proof: Grant) -> Iterator[InstanceRow]:
        """Yield every row of every institution, for verification only."""

    def instances_behind(self, proof: Grant, place: int, most: int) -> Sequence[PlacedRow]:
        """Return some rows of every institution behind a place, in order, for verification only; 0 is the beginning."""

    def last_place(self) -> int:
        """Return the place of the last row, 0 when there is none."""

    def naming_objects(self, object_ids: Collection[ObjectId]) -> frozenset[ObjectId]:
        """Return which of some objects a row names."""

    def naming_keys(self, key_ids: Collection[KeyId]) -> frozenset[KeyId]:
        """Return which of some study keys a row names."""


class Ties(Protocol):
    """What binds persons to patients and studies, for `Records` to decide and search by."""

    def tie(self, permit: Permit, ties: Sequence[Tie], draft: Draft) -> None:
        """Add ties of one act and record it, in one commit.

        Raises:
            Denied: one of them is of another institution than the permitted act.
        """

    def release(self, permit: Permit, origin: UUID, at: datetime, draft: Draft) -> int:
        """End every tie of one origin that still holds at that moment, and record it; return how many."""

    def of_person(self, actor: str, at: datetime) -> Sequence[Tie]:
        """Return the ties of a person that hold at that moment, whatever their purpose, in any institution."""

    def every(self, proof: Grant) -> Iterator[Tie]:
        """Yield every tie of every institution, ended ones too, for verification only."""

    def of(self, institution: Institution, alias: UUID, at: datetime) -> Sequence[Tie]:
        """Return the ties to a patient or study that hold at that moment, oldest first."""

    def from_origin(self, institution: Institution, origin: UUID, at: datetime) -> Sequence[Tie]:
        """Return the ties of one origin that hold at that moment, oldest first."""


class Ledger(Protocol):
    """The append-only record of every act."""

    def author(self, mint: Callable[[], ForgettableKey]) -> None:
        """Sign every entry from now on, as a new writer whose first key is made so when it is first needed.

        While no key is to be had, an entry that names an actor is refused with `Unavailable`.
        """

    def said(self) -> tuple[KeyId, int] | None:
        """Return as which writer this process writes, and how many of its entries are kept; None before the first."""

    def trust(self, *, held: bool) -> None:
        """Append only while what was kept is there: until it is, every append raises `Unavailable`."""

    def append(self, draft: Draft, notice: Notice | None = None) -> None:
        """Give the draft its place, and the notice of it with it when there is one; durable on return.

        Concurrent callers share a commit.

        Raises:
            Denied: the notice is for another institution than the entry.
        """

    def follow(self, draft: Draft) -> None:
        """Append with the next commit, without waiting: only for outcomes of acts already recorded."""

    def about(self, study_alias: UUID, actor: str = "") -> Iterator[LedgerEntry]:
        """Yield the entries about a study, those of one actor when named, oldest first."""

    def find(self, sought: Sought, after: int | None = None) -> Iterator[LedgerEntry]:
        """Yield candidates in the order of their time, behind the entry ``after`` when given.

        None that is wanted is missing; whoever reads them holds each against `Sought.fits`.

        Raises:
            NotFound: there is no entry ``after``.
        """

    def size(self) -> int:
        """Return the number of entries."""

    def lags(self, before: datetime) -> bool:
        """Say whether something that was said before a time still waits for its place."""

    def entries(self, start: int, stop: int) -> Iterator[LedgerEntry]:
        """Yield entries ``start <= index < stop`` as stored, in order; those that expired are left out."""

    def leaf_hashes(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the leaf hashes ``start <= index < stop`` up to the first that is missing, of expired entries too."""

    def checkpoints(self, start: int = 0) -> Iterator[bytes]:
        """Yield every signed checkpoint note of at least a size as stored, oldest first."""

    def add_checkpoint(self, size: int, note: bytes) -> None:
        """Keep a signed checkpoint, the same one twice only once.

        Raises:
            Conflict: another note of this size is kept.
        """


class Publisher(Protocol):
    """Append-only place outside the database where checkpoints, tiles and entry bundles go."""

    def publish(self, entries: Sequence[LedgerEntry], size: int, note: bytes) -> None:
        """Write the new entries' bundles and tiles in tlog-tiles layout, then the checkpoint.

        ``entries`` reach from what is published (or before) to ``size``.

        Raises:
            Conflict: the entries leave a gap, or a larger tree is published already.
            Tampered: what is there differs from what the log now says.
        """

    def published(self) -> int:
        """Return the tree size of the newest published checkpoint."""

    def checkpoint(self) -> bytes | None:
        """Return the newest published note, or None."""

    def leaf_hashes(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the published leaf hashes."""

    def add_witnessed(self, size: int, note: bytes) -> None:
        """Keep a checkpoint with the cosignatures of its witnesses; the first one of a size stays for ever.

        Raises:
            Tampered: another tree head of this size was witnessed before.
        """

    def witnessed(self) -> bytes | None:
        """Return the newest witnessed note, or None."""

    def witnessed_from(self, size: int) -> bytes | None:
        """Return the first witnessed note that covers so many entries, as it first was, or None."""

    def add_time_stamp(self, size: int, token: bytes) -> None:
        """Keep a time stamp over the checkpoint of a size (RFC 3161); the first one stays for ever."""

    def time_stamp(self, size: int) -> bytes | None:
        """Return the time stamp over the checkpoint of a size, or None."""

    def tile(self, level: int, number: int, width: int) -> Sequence[bytes]:
        """Return the first ``width`` hashes of a published tile; the full one stands for a partial one.

        Raises:
            Tampered: it is missing or holds fewer.
        """

    def content(self, index: int, size: int) -> bytes:
        """Return the bytes of one published entry, of a tree of ``size`` that was published.

        Raises:
            NotFound: it expired, and a certificate says so.
            Tampered: its bundle is missing or holds too few entries.
        """

    def retain(self, horizon: int, note: bytes) -> None:
        """Publish the certificate that the entries below a horizon may go; the same one twice only once.

        Raises:
            Tampered: another certificate of this horizon is published.
        """

    def retained(self) -> Iterator[bytes]:
        """Yield every published certificate, oldest first; whoever acts by one verifies it first."""

    def expire(self, horizon: int) -> int:
        """Remove the entries below a certified horizon, whole bundles of them; return how many bundles went.

        Tiles stay, so that every root and every proof still verifies.

        Raises:
            Conflict: no certificate of this horizon is published.
        """
