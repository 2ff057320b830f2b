"""A witness in this process, without sockets; it passes the contract of one that is asked over them."""

import threading
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pacs_secure import witness as alone
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.crypto.tlog import parse_checkpoint, verify_cosignature, witness_key
from pacs_secure.ports import Cosigned, SeenElsewhere


class MemoryWitness:
    """The real witness, asked directly; set ``down`` to put it out of reach, clear ``quick`` to make it wait."""

    def __init__(self, directory: Path, log: str, name: str = "w1") -> None:
        self.name = name
        self.down = False
        self.asked = 0
        self.quick = threading.Event()
        self.quick.set()
        alone.init(directory, f"{name}.example", [log])
        self.alone = alone.load(directory)

    @property
    def verifier_key(self) -> str:
        return str(self.alone.verifier)

    def submit(self, old_size: int, proof: Sequence[bytes], note: bytes) -> Cosigned | SeenElsewhere:
        self.asked += 1
        self.quick.wait(10)
        if self.down:
            raise Unavailable("the witness is out of reach")
        lines = [f"old {old_size}", *(b64encode(one).decode() for one in proof), "", ""]
        try:
            line = self.alone.add("\n".join(lines).encode() + note).rstrip("\n")
        except alone.Refused as refused:
            if refused.status == 409:
                return SeenElsewhere(int(refused.text))
            if refused.status == 422:
                raise Tampered("a witness saw another history of the ledger") from None
            raise Unavailable(f"the witness answered {refused.status}") from None
        text = parse_checkpoint(note).text
        return Cosigned(line, verify_cosignature(line, witness_key(self.verifier_key), text))

    def signed(self, note: bytes) -> bool:
        text = parse_checkpoint(note).text
        for line in note.decode().splitlines():
            with suppress(Tampered):
                verify_cosignature(line, witness_key(self.verifier_key), text)
                return True
        return False
