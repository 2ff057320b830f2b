"""Rounds of the scrub in memory, with every promise of the port but durability."""

from pacs_secure.core.scrubs import ScrubRound


class MemoryScrubs:
    """Rounds by their number."""

    def __init__(self) -> None:
        self.kept: dict[int, ScrubRound] = {}

    def newest(self) -> ScrubRound | None:
        return self.kept[max(self.kept)] if self.kept else None

    def finished(self) -> ScrubRound | None:
        ended = [one for _, one in sorted(self.kept.items()) if one.finished_at is not None]
        return ended[-1] if ended else None

    def keep(self, round_: ScrubRound) -> None:
        known = self.kept.get(round_.number)
        if known is None or known.place <= round_.place:
            self.kept[round_.number] = round_
