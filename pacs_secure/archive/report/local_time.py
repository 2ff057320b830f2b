"""Days, hours and weekends as people live them, for moments that the ledger keeps in UTC."""

from datetime import datetime
from typing import NamedTuple

from pacs_secure.core.reports import zone

_SATURDAY = 5
_QUARTER = 15


class LocalTime(NamedTuple):
    """When somebody did something, where they are."""

    day: str
    """ISO 8601 date."""
    hour: int
    weekend: bool


class LocalClock:
    """Reads moments in one time zone, each quarter of an hour only once: no zone changes within one."""

    def __init__(self, time_zone: str) -> None:
        self._zone = zone(time_zone)
        self._known: dict[tuple[int, int, int, int, int], LocalTime] = {}

    def read(self, at: datetime) -> LocalTime:
        """Return the local time of a moment in UTC."""
        quarter = (at.year, at.month, at.day, at.hour, at.minute // _QUARTER)
        known = self._known.get(quarter)
        if known is None:
            local = at.astimezone(self._zone)
            known = LocalTime(local.date().isoformat(), local.hour, local.weekday() >= _SATURDAY)
            self._known[quarter] = known
        return known
