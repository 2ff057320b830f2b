"""A witness in memory: a key that a house has configured, or has not."""

from base64 import b64encode
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pacs_secure.crypto.tlog import WitnessKey


class Cosigner:
    """Signs whatever it is shown, at the time it is told (cosignature/v1)."""

    def __init__(self, name: str) -> None:
        self._private = Ed25519PrivateKey.generate()
        self.key = WitnessKey(name, self._private.public_key().public_bytes_raw())

    def sign(self, note: bytes, at: datetime | None = None) -> bytes:
        seconds = 7 if at is None else int(at.timestamp())
        text = note[: note.index(b"\n\n") + 1]
        signature = self._private.sign(f"cosignature/v1\ntime {seconds}\n".encode() + text)
        blob = b64encode(self.key.key_id + seconds.to_bytes(8, "big") + signature).decode()
        return f"\u2014 {self.key.name} {blob}\n".encode()
