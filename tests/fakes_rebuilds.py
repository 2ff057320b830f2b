"""A rebuild's way into an index and a ledger in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from pacs_secure.core.audit import LedgerEntry, Outcome
from pacs_secure.core.errors import Conflict
from pacs_secure.core.rebuilding import RebuildState
from pacs_secure.crypto.tlog import read_draft
from pacs_secure.ports import LedgerKey
from tests.fakes import MemoryRecords


class MemoryRebuilds:
    """Rebuilds of a `MemoryRecords` and its ledger."""

    def __init__(self, records: MemoryRecords) -> None:
        self.records = records
        self.state: RebuildState | None = None

    def newest(self) -> RebuildState | None:
        return self.state

    def begin(self, at: datetime) -> RebuildState:
        if self.state is None or self.state.finished_at is not None:
            if self.records.last_place() or self.records.ledger.kept:
                raise Conflict("the index is not empty: a rebuild begins with an empty database")
            self.state = RebuildState(at)
        return self.state

    def finish(self, at: datetime) -> None:
        if self.state is not None and self.state.finished_at is None:
            self.state = replace(self.state, finished_at=at)

    def take_back(self, entries: Sequence[LedgerEntry]) -> None:
        self._demand_under_way()
        ledger = self.records.ledger
        for entry in entries:
            last = ledger.kept[-1] if ledger.kept else None
            if last is not None and (entry.index, entry.prev_hash) != (last.index + 1, last.leaf_hash):
                raise Conflict("the entries do not follow the last one")
            draft = read_draft(entry.content)
            ledger.kept.append(entry)
            ledger.studies.append((draft.study_alias, draft.actor))
            if draft.details is not None:
                patient = None if draft.outcome is Outcome.REFUSED else draft.patient_alias
                key_id, proof = draft.details.key_id, draft.details.proof
                ledger.keys.setdefault(key_id, LedgerKey(key_id, draft.institution, patient, draft.at.year, proof))
            if draft.outcome is Outcome.BEGUN:
                ledger.open.setdefault(draft.act, entry)
            else:
                ledger.open.pop(draft.act, None)

    def take_back_expired(self, certificates: Mapping[int, tuple[int, bytes]], tiles: Mapping[int, bytes]) -> None:
        self._demand_under_way()
        ledger = self.records.ledger
        if certificates and not ledger.kept:
            ledger.first = max(certificates)
            leaves = b"".join(hashes for _, hashes in sorted(tiles.items()))
            ledger.kept += [
                LedgerEntry(place, b"", leaves[place * 32 : place * 32 + 32], b"") for place in range(ledger.first)
            ]
            ledger.studies += [(None, "")] * ledger.first
            ledger.certificates |= {horizon: note for horizon, (_, note) in certificates.items()}

    def _demand_under_way(self) -> None:
        if self.state is None or self.state.finished_at is not None:
            raise Conflict("no rebuild is under way")
