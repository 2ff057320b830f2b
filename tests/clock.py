"""A clock that tests may put forward; whoever asks for it asks before the archive is built."""

from datetime import UTC, datetime, timedelta

import pytest


class Clock:
    """The time of day, and so much more."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def forward(self, **by: float) -> None:
        self.ahead += timedelta(**by)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give the archives that are built from now on a clock that can be put forward."""
    clock = Clock()
    monkeypatch.setattr("pacs_secure.fittings.now", clock)
    return clock
