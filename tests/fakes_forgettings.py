"""Forgettings in memory beside an index in memory."""

from collections.abc import Callable, Collection, Iterator, Sequence
from uuid import UUID

from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Conflict, NotFound, Tampered
from pacs_secure.core.forgetting import Forgetting, Stage
from pacs_secure.core.identifiers import ObjectId
from pacs_secure.core.instance import InstanceRow
from pacs_secure.ports import Doomed
from tests.fakes import MemoryRecords


class MemoryForgettings:
    """Keeps them by id; what its index lacks it lacks too."""

    def __init__(self, records: MemoryRecords) -> None:
        self.kept: dict[UUID, Forgetting] = {}
        self._records = records

    def request(self, permit: Permit, forgetting: Forgetting, draft: Draft) -> Forgetting:
        there = next((one for one in self.kept.values() if one.study_alias == forgetting.study_alias), None)
        if there is not None:
            return there
        self._records.ledger.append(draft)
        self.kept[forgetting.forgetting_id] = forgetting
        return forgetting

    def fence(
        self, permit: Permit, forgetting_id: UUID, change: Callable[[Forgetting, Doomed], tuple[Forgetting, Draft]]
    ) -> Forgetting:
        with self._records._lock:
            return self._fence(forgetting_id, change)

    def _fence(
        self, forgetting_id: UUID, change: Callable[[Forgetting, Doomed], tuple[Forgetting, Draft]]
    ) -> Forgetting:
        before = self.kept.get(forgetting_id)
        if before is None:
            raise NotFound("no such object")
        if before.stage is not Stage.REQUESTED:
            return before
        stored = self._records.stored(before.institution, before.study_instance_uid)
        if stored is None or stored.facts.alias != before.study_alias:
            raise Tampered("the study that is to be forgotten is not in the index")
        rows = self._records.instances(before.institution, before.study_instance_uid)
        key_ids = frozenset(row.sealed.study_key_id for row in rows)
        object_ids = tuple(row.sealed.object_id for row in rows)

        def some(wanted: Collection[ObjectId]) -> Sequence[InstanceRow]:
            return [row for row in rows if row.sealed.object_id in wanted]

        after, draft = change(before, Doomed(stored, key_ids, object_ids, some))
        self._records.ledger.append(draft)
        self._records.remove(before.institution, before.study_instance_uid, after.epoch)
        self.kept[forgetting_id] = after
        return after

    def advance(self, permit: Permit, after: Forgetting, draft: Draft) -> None:
        before = self.kept.get(after.forgetting_id)
        if before is None or before.stage is not after.stage.before:
            raise Conflict("it does not stand at the stage before")
        self._records.ledger.append(draft)
        self.kept[after.forgetting_id] = after

    def malformed(self) -> int:
        return 0

    def of_study(self, study_alias: UUID) -> Forgetting | None:
        return next((one for one in self.kept.values() if one.study_alias == study_alias), None)

    def buried(self) -> Iterator[Forgetting]:
        yield from [one for one in self.kept.values() if one.stage in {Stage.FORGOTTEN, Stage.SWEPT}]

    def under_way(self) -> Sequence[Forgetting]:
        waiting = [one for one in self.kept.values() if one.stage is not Stage.SWEPT]
        return sorted(waiting, key=lambda one: one.requested_at)
