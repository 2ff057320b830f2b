"""Taking in: one SOP Instance after another, each sealed, indexed and recorded before Success.

The order of steps is the product (DESIGN 4, crypto-and-ledger 8):

1. receive   bytes as sent, never decoded and encoded again
2. scan      the header, within limits, before any library parses it
3. decide    by the Guard, once an act and study
4. seal      under a fresh DEK, itself under the study key
5. put       the ciphertext under a fresh object id, durable
6. index     and
7. record    in one commit
8. answer    Success

A crash after 5 leaves ciphertext that no row names: nobody was told Success, and `verify` sweeps
it. There is never an index row without its object.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Self

from pacs_secure.archive.facts import Facts
from pacs_secure.archive.guard import Guard
from pacs_secure.archive.indexing import index
from pacs_secure.archive.institutions import IndexSeals
from pacs_secure.archive.left_over import was_just_put
from pacs_secure.archive.proofs import of_study
from pacs_secure.archive.seals import Sealer
from pacs_secure.core.access import AccessRequest, Action, Permit, Purpose, StudyFacts, Subject
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.errors import ArchiveError, Conflict, Denied, Hidden, Malformed, Unavailable
from pacs_secure.core.identifiers import Uid, uid
from pacs_secure.core.instance import Identity, IndexedInstance, InstanceRow
from pacs_secure.dicom.header import Header, Limits, scan
from pacs_secure.dicom.metadata import describe
from pacs_secure.dicom.part10 import compose_prefix
from pacs_secure.ports import Added, Blobs, Patients, Records


@dataclass(frozen=True, slots=True)
class Received:
    """One SOP Instance as it arrived."""

    data_set: bytes | bytearray | memoryview = field(repr=False)
    """The Data Set exactly as sent."""
    transfer_syntax_uid: str
    file_meta: bytes | None = field(default=None, repr=False)
    """File Meta elements as received, or None (C-STORE brings none)."""
    sop_class_uid: str | None = None
    """What the protocol announced; checked against the Data Set when given, as the next."""
    study_instance_uid: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of an instance that was accepted."""

    identity: Identity
    added: Added


@dataclass(slots=True)
class _Transfer:
    """What one act has brought of one study so far."""

    permit: Permit
    epoch: int
    """Of the study, that its instances are sealed for."""
    facts: StudyFacts | None = None
    """The study as the index knows it, once the act's beginning is recorded."""
    new: int = 0
    duplicates: int = 0
    octets: int = 0
    digests: list[bytes] = field(default_factory=list)

    def account(self) -> dict[str, str | int]:
        """Say what was transferred: counts, and one digest over the sorted Data Set fingerprints."""
        return {
            "new": self.new,
            "duplicates": self.duplicates,
            "bytes": self.octets,
            "fingerprint": hashlib.sha256(b"".join(sorted(self.digests))).hexdigest(),
        }


class Reception:
    """One act of taking in (an association, a request).

    It begins with its first instance of a study and ends with the account of what was transferred.
    """

    def __init__(
        self,
        ingest: "Ingest",
        subject: Subject,
        purpose: Purpose | None,
        details: dict[str, str],
        device: Subject | None,
    ) -> None:
        self._device = device
        self._ingest = ingest
        self._subject = subject
        self._purpose = purpose
        self._details = details
        self._transfers: dict[Uid, _Transfer] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(Outcome.COMPLETED if kind is None else Outcome.ABORTED)

    def store(self, received: Received) -> Stored:
        """Take in one instance; it is durable when this returns.

        Raises:
            Malformed: it is not a Data Set whose identity the archive can vouch for.
            OverLimit: it exceeds what the header scanner takes.
            Denied: the subject may not store.
            Conflict: its SOP Instance UID is taken by other bytes.
            Unavailable: keys, store or index are out of reach; nothing was accepted.
        """
        try:
            return self._store(received)
        except (Denied, Hidden):
            raise  # the Guard has recorded it
        except ArchiveError as error:
            self._record_failure(error)
            raise

    def close(self, outcome: Outcome) -> None:
        """Record what was transferred of each study; a second call does nothing."""
        transfers, self._transfers = self._transfers, {}
        for transfer in transfers.values():
            if transfer.facts is not None:
                self._ingest.guard.finish(transfer.permit, outcome, transfer.account(), transfer.facts)

    def _store(self, received: Received) -> Stored:
        # 1 receive: the bytes are in hand, as sent.
        # 2 scan
        header = scan(received.data_set, received.transfer_syntax_uid, self._ingest.limits)
        identity = _identify(header, received, self._subject)
        while True:
            # 3 decide
            transfer = self._transfer(identity)
            # 4 seal, 5 put
            indexed = self._ingest.seal(received, header, identity, transfer.permit, transfer.epoch)
            # 6 index, 7 record
            try:
                added = self._commit(transfer, indexed)
            except Conflict:
                if not self._is_another_study(transfer, identity):
                    raise
            else:
                break
        # 8 answer
        transfer.new += added is Added.NEW
        transfer.duplicates += added is Added.DUPLICATE
        transfer.octets += len(received.data_set)
        transfer.digests.append(indexed.row.data_set_fingerprint)
        return Stored(identity, added)

    def _is_another_study(self, transfer: _Transfer, identity: Identity) -> bool:
        """Say whether the study was forgotten since the decision: what comes now begins another, under new keys."""
        study = identity.study_instance_uid
        if self._ingest.records.epoch(identity.institution, study) == transfer.epoch:
            return False
        del self._transfers[study]
        if transfer.facts is not None:
            self._ingest.guard.finish(transfer.permit, Outcome.COMPLETED, transfer.account(), transfer.facts)
        return True

    def _transfer(self, identity: Identity) -> _Transfer:
        """Decide once an act and study; the decision holds for the instances that follow."""
        transfer = self._transfers.get(identity.study_instance_uid)
        if transfer is None:
            # Asked for before the facts: whoever fences it in between is noticed when the instance is added.
            epoch = self._ingest.records.epoch(identity.institution, identity.study_instance_uid)
            study = self._ingest.facts.of(self._subject, self._purpose, identity.study_instance_uid)
            if study is not None and study.institution != identity.institution:
                study = None  # another institution's study of this UID is not the one that is stored into
            request = AccessRequest(
                self._subject, Action.STUDY_CREATE, self._purpose, study, details=self._details, device=self._device
            )
            transfer = _Transfer(self._ingest.guard.decide(request), epoch)
            self._transfers[identity.study_instance_uid] = transfer
        return transfer

    def _commit(self, transfer: _Transfer, indexed: IndexedInstance) -> Added:
        known: list[StudyFacts] = []

        def begin(facts: StudyFacts) -> Draft:
            known.append(facts)
            return self._ingest.guard.draft(transfer.permit, Outcome.BEGUN, {}, facts)

        def prove(facts: StudyFacts) -> bytes:
            return of_study(self._ingest.seals.index(facts.institution), facts)

        if transfer.facts is None and transfer.permit.request.study is None:
            of, token = indexed.row.identity.institution, indexed.study.patient_token
            self._ingest.guard.prepare(of, self._ingest.patients.of_token(of, token))
        if not was_just_put(indexed.row.sealed.object_id, self._ingest.now()):
            self._ingest.blobs.remove(indexed.row.sealed.object_id)
            raise Unavailable("it took too long to put the object: send it again")
        try:
            begun = None if transfer.facts else begin
            added = self._ingest.records.add(transfer.permit, indexed, begun, prove, transfer.epoch)
        except Conflict:
            self._ingest.blobs.remove(indexed.row.sealed.object_id)
            raise
        if added is Added.DUPLICATE:
            self._ingest.blobs.remove(indexed.row.sealed.object_id)
        if known:
            transfer.facts = known[-1]
        return added

    def _record_failure(self, error: ArchiveError) -> None:
        request = AccessRequest(
            self._subject, Action.STUDY_CREATE, self._purpose, details=self._details, device=self._device
        )
        try:
            self._ingest.guard.refuse(request, {"error": type(error).__name__})
        except Unavailable:
            # The ledger is out of reach too: the sender still hears the refusal and keeps its instance.
            raise error from None


@dataclass(frozen=True, slots=True)
class Ingest:
    """The verb: take in what a modality or a STOW-RS client sends."""

    guard: Guard
    facts: Facts
    records: Records
    patients: Patients
    blobs: Blobs
    sealer: Sealer
    seals: IndexSeals
    now: Callable[[], datetime]
    limits: Limits

    def begin(
        self, subject: Subject, purpose: Purpose | None, details: dict[str, str], device: Subject | None = None
    ) -> Reception:
        """Open an act of taking in; leave its context to record what was transferred.

        ``device`` is the enrolled device that a person sends through, when they do.
        """
        return Reception(self, subject, purpose, details, device)

    def seal(
        self, received: Received, header: Header, identity: Identity, permit: Permit, epoch: int
    ) -> IndexedInstance:
        """Seal one scanned instance for an epoch of its study, put its ciphertext durably, and make its index row."""
        seal = self.seals.index(identity.institution)
        syntax = uid(received.transfer_syntax_uid)
        description = describe(received.data_set, syntax, header, self.limits)
        prefix = compose_prefix(identity, syntax, received.file_meta)
        digest = hashlib.sha256(received.data_set).digest()
        parts = (prefix, received.data_set)
        instance = self.sealer.seal(identity, syntax, digest, parts, description.metadata_json, epoch)
        row = InstanceRow(
            identity=identity,
            transfer_syntax_uid=syntax,
            sealed=instance.sealed,
            data_set_offset=len(prefix),
            data_set_fingerprint=seal.fingerprint(digest),
            frames=header.frames.shifted(len(prefix)),
            number_of_frames=header.number_of_frames,
            rows=header.rows,
            columns=header.columns,
            metadata_box=instance.metadata_box,
            received_at=self.now(),
            act=permit.act,
        )
        return index(seal, row, description, permit.request.subject.department)


def _identify(header: Header, received: Received, subject: Subject) -> Identity:
    """Take the identity from the Data Set and hold it against what the protocol announced."""
    announced = (
        (received.sop_class_uid, header.sop_class_uid),
        (received.study_instance_uid, header.study_instance_uid),
    )
    if any(claim is not None and uid(claim) != actual for claim, actual in announced):
        raise Malformed("the Data Set is not the instance that was announced")
    return Identity(
        subject.institution,
        header.study_instance_uid,
        header.series_instance_uid,
        header.sop_instance_uid,
        header.sop_class_uid,
    )
