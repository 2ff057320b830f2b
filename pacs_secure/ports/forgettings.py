"""How far the forgetting of each study has come."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from pacs_secure.core.access import Permit, StoredFacts
from pacs_secure.core.audit import Draft
from pacs_secure.core.forgetting import Forgetting
from pacs_secure.core.identifiers import KeyId, ObjectId
from pacs_secure.core.instance import InstanceRow


@dataclass(frozen=True, slots=True)
class Doomed:
    """What the index has of a study at the moment of its fence."""

    stored: StoredFacts
    key_ids: frozenset[KeyId]
    object_ids: tuple[ObjectId, ...]
    rows: Callable[[Collection[ObjectId]], Sequence[InstanceRow]]
    """Returns the rows of the study that name some of its objects, at the same moment; of few, for a commit waits."""


class Forgettings(Protocol):
    """Rows of what is being forgotten; those that are done stay, for the epochs of their studies."""

    def request(self, permit: Permit, forgetting: Forgetting, draft: Draft) -> Forgetting:
        """Begin and record it in one commit, unless that was done already; return what stands then."""

    def fence(
        self, permit: Permit, forgetting_id: UUID, change: Callable[[Forgetting, Doomed], tuple[Forgetting, Draft]]
    ) -> Forgetting:
        """Take the study out of the index, raise its epoch and record it, in one commit; return what stands then.

        ``change`` is called inside the transaction with the study as it stands, and returns the forgetting as it is
        to be, proven anew, with the entry that says so. Where the fence stands already nothing is done.

        Raises:
            NotFound: there is no such forgetting.
            Tampered: the study is not in the index.
        """

    def advance(self, permit: Permit, after: Forgetting, draft: Draft) -> None:
        """Keep the next stage and record it, in one commit.

        Raises:
            Conflict: it does not stand at the stage before: somebody else was faster.
        """

    def under_way(self) -> Sequence[Forgetting]:
        """Return every forgetting that is not done, oldest first; whoever acts by one holds it against its proof."""

    def malformed(self) -> int:
        """Count the rows that are no forgetting at all: `under_way` and `buried` pass them over."""

    def of_study(self, study_alias: UUID) -> Forgetting | None:
        """Return the forgetting of a study, by its random name; raise `Tampered` when the row is none."""

    def buried(self) -> Iterator[Forgetting]:
        """Yield every forgetting whose keys are gone, in no order; whoever acts by one holds it against its proof."""
