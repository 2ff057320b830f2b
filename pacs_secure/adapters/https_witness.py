"""Asks a witness for its cosignature (C2SP tlog-witness), and believes it under its own key only."""

import re
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pacs_secure.adapters.small_http import SmallHttp
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.crypto.tlog import WitnessKey, parse_checkpoint, verify_cosignature, witness_key
from pacs_secure.ports import Cosigned, SeenElsewhere

_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")
_OK, _CONFLICT, _UNPROCESSABLE = 200, 409, 422


class HttpsWitness:
    """`pacs_secure.ports.Witness` over https, or over http on this machine.

    Raises:
        Malformed: the URL or the verifier key is none.
        Unavailable: the authority cannot be read.
    """

    def __init__(self, name: str, url: str, verifier_key: str, ca_file: Path | None = None) -> None:
        self.name = name
        self._key: WitnessKey = witness_key(verifier_key)
        self._http = SmallHttp(url, ca_file)

    def submit(self, old_size: int, proof: Sequence[bytes], note: bytes) -> Cosigned | SeenElsewhere:
        """Submit a checkpoint.

        Raises:
            Tampered: the witness saw another history, or signed something else.
            Unavailable: it is out of reach, or does not watch this ledger.
        """
        lines = [f"old {old_size}", *(b64encode(one).decode() for one in proof), "", ""]
        said = self._http.post("/add-checkpoint", "\n".join(lines).encode() + note, {"Content-Type": "text/plain"})
        if said.status == _OK:
            if cosigned := self._cosigned(said.body, parse_checkpoint(note).text):
                return cosigned
            raise Tampered("a witness did not sign what it was shown under the key that is trusted")
        if said.status == _CONFLICT and (size := _SIZE.fullmatch(said.body)):
            return SeenElsewhere(int(size[1]))
        if said.status == _UNPROCESSABLE:
            raise Tampered("a witness saw another history of the ledger")
        raise Unavailable(f"the witness does not sign: it answered {said.status}")

    def signed(self, note: bytes) -> bool:
        """Say whether a note bears its cosignature; raises `Tampered` when this is no checkpoint."""
        return self._cosigned(note, parse_checkpoint(note).text) is not None

    def _cosigned(self, lines: bytes, text: bytes) -> Cosigned | None:
        """Return the line by the key that we know; there may be others (C2SP tlog-witness)."""
        for line in lines.decode("utf-8", "replace").splitlines():
            with suppress(Tampered):
                return Cosigned(line, verify_cosignature(line, self._key, text))
        return None
