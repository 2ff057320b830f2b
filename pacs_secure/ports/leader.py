"""Which of several processes does what one at a time may do."""

from collections.abc import Callable, Mapping
from typing import Protocol

Alarm = Callable[[str, Mapping[str, str | int]], object]
"""Takes what kind of thing was found, and facts that name nobody."""


class Leader(Protocol):
    """Leads while no other process does; one that ends or is lost is followed within a second."""

    def start(self, alarm: Alarm) -> None:
        """Lead from now on, or stand by until the place is free."""

    def leads(self) -> bool:
        """Say whether this process leads."""

    def stop(self) -> None:
        """Give the place up."""
