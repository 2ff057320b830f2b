"""How many connections may be open: in total, associated, and from one address before it has said who it is."""

import threading
from collections import Counter


class Connections:
    """Counts connections; one that is not admitted is closed at once."""

    def __init__(self, total: int, associations: int, unproven_per_address: int) -> None:
        self._total = total
        self._associations = associations
        self._per_address = unproven_per_address
        self._changed = threading.Condition()
        self._open = 0
        self._proven = 0
        self._unproven: Counter[str] = Counter()

    def admit(self, address: str) -> "Place | None":
        """Return a place for one more connection from an address, or None when there is none."""
        with self._changed:
            if self._open >= self._total or self._unproven[address] >= self._per_address:
                return None
            self._open += 1
            self._unproven[address] += 1
            return Place(self, address)

    def __len__(self) -> int:
        return self._open

    def emptied(self, patience: float) -> bool:
        """Wait until nobody is left, so many seconds at most; say whether it is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._open, patience)

    def prove(self, address: str) -> bool:
        """Count one connection as an association; say False when there are enough."""
        with self._changed:
            if self._proven >= self._associations:
                return False
            self._proven += 1
            self._meet(address)
            return True

    def leave(self, address: str, *, proven: bool) -> None:
        """Count one connection less."""
        with self._changed:
            self._open -= 1
            if proven:
                self._proven -= 1
            else:
                self._meet(address)
            self._changed.notify_all()

    def _meet(self, address: str) -> None:
        self._unproven[address] -= 1
        if not self._unproven[address]:
            del self._unproven[address]


class Place:
    """The place of one connection; given back once, from whatever thread."""

    def __init__(self, connections: Connections, address: str) -> None:
        self._connections = connections
        self.address = address
        self._lock = threading.Lock()
        self._proven = False
        self._left = False

    def prove(self) -> bool:
        """Say that the caller is known; False when no more associations are taken."""
        with self._lock:
            if not self._proven:
                self._proven = self._connections.prove(self.address)
            return self._proven

    def leave(self) -> None:
        """Give the place back."""
        with self._lock:
            if not self._left:
                self._left = True
                self._connections.leave(self.address, proven=self._proven)
