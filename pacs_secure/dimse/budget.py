"""How much memory all half-received Data Sets may take together."""

import threading


class Budget:
    """Bytes that can be taken and given back, from whatever thread."""

    def __init__(self, total: int) -> None:
        self._left = total
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        """Bytes nobody has taken."""
        return self._left

    def take(self, octets: int) -> bool:
        """Take that many bytes, or none of them and say False."""
        with self._lock:
            if octets > self._left:
                return False
            self._left -= octets
            return True

    def give(self, octets: int) -> None:
        """Give bytes back."""
        with self._lock:
            self._left += octets
