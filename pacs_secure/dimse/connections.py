"""How many connections may be open: in total, and from one address before it has said who it is."""

import threading
from collections import Counter


class Connections:
    """Counts connections; one that is not admitted is closed at once."""

    def __init__(self, total: int, unproven_per_address: int) -> None:
        self._total = total
        self._per_address = unproven_per_address
        self._lock = threading.Lock()
        self._open = 0
        self._unproven: Counter[str] = Counter()

    def admit(self, address: str) -> "Place | None":
        """Return a place for one more connection from an address, or None when there is none."""
        with self._lock:
            if self._open >= self._total or self._unproven[address] >= self._per_address:
                return None
            self._open += 1
            self._unproven[address] += 1
            return Place(self, address)

    def __len__(self) -> int:
        return self._open

    def prove(self, address: str) -> None:
        """Count one connection less that has not said who it is."""
        with self._lock:
            self._unproven[address] -= 1
            if not self._unproven[address]:
                del self._unproven[address]

    def leave(self) -> None:
        """Count one connection less."""
        with self._lock:
            self._open -= 1


class Place:
    """The place of one connection; given back once, from whatever thread."""

    def __init__(self, connections: Connections, address: str) -> None:
        self._connections = connections
        self.address = address
        self._lock = threading.Lock()
        self._proven = False
        self._left = False

    def prove(self) -> None:
        """Say that the caller is known."""
        with self._lock:
            if not self._proven:
                self._proven = True
                self._connections.prove(self.address)

    def leave(self) -> None:
        """Give the place back."""
        self.prove()
        with self._lock:
            if not self._left:
                self._left = True
                self._connections.leave()
