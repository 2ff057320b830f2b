"""What every index keeps, held against the SQL adapter and the fake alike."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from pacs_secure.adapters.sql import Database, SqlLedger, SqlRecords
from pacs_secure.core.access import Relation, StudyFacts
from pacs_secure.core.audit import Draft, Outcome
from pacs_secure.core.errors import Conflict, Denied
from pacs_secure.core.identifiers import KeyId, uid
from pacs_secure.core.instance import FrameIndex, IndexedInstance
from pacs_secure.core.query import Level, Narrowing
from pacs_secure.ports import Added, InstitutionKeys, Ledger, Records
from tests.builders import (
    ELSEWHERE,
    HERE,
    NOW,
    ROOT,
    device,
    digest,
    draft,
    grant,
    indexed_instance,
    instance_row,
    permit,
    scope,
    subject,
)
from tests.fakes import MemoryLedger, MemoryRecords

STUDY = uid(f"{ROOT}.1")
EVERYTHING = scope()


@dataclass
class Index:
    records: Records
    ledger: Ledger

    def add(self, *many: IndexedInstance) -> list[Added]:
        return [self.records.add(permit(subject(of=one.row.identity.institution)), one, None) for one in many]

    def studies(self, **narrowing: object) -> list[str]:
        return [hit.study_instance_uid for hit in self.search(Level.STUDY, **narrowing)]

    def search(self, level: Level, **narrowing: object) -> list[object]:
        make: Callable[..., Narrowing] = Narrowing
        return list(self.records.search(EVERYTHING, make(level, **narrowing)))
