"""An authority of devices in memory: it issues real certificates and signs real revocation lists."""

import atexit
import shutil
from pathlib import Path
from tempfile import mkdtemp

from pacs_secure.core.devices import device_uri
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import Institution
from pacs_secure.crypto.certificates import read_certificate
from pacs_secure.ports import IssuedCertificate
from tests.certificates import Authority, Pair


class MemoryAuthority:
    """Keeps every promise of `CertificateAuthority` and `RevocationLists`; set ``down`` to put it out of reach."""

    def __init__(self, authority: Authority | None = None) -> None:
        self._authority = authority
        self.down = False
        self.issued: dict[str, Pair] = {}
        self.revoked: list[str] = []
        self._number = 0

    @property
    def authority(self) -> Authority:
        """The authority itself, made when it is first needed."""
        if self._authority is None:
            folder = Path(mkdtemp())
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            self._authority = Authority(folder)
        return self._authority

    def issue(self, of: Institution, ae_title: str, *, destination: bool) -> IssuedCertificate:
        self._reach()
        pair = self.authority.issue(f"issued-{len(self.issued)}", uri=device_uri(of, ae_title))
        self.issued[read_certificate(pair.der).serial] = pair
        return IssuedCertificate(pair.certificate.read_text(), pair.key.read_text(), self.authority.file.read_text())

    def revoke(self, serial: str) -> bool:
        self._reach()
        if serial not in self.issued:
            return False
        self.revoked += [] if serial in self.revoked else [serial]
        return True

    def fetch(self) -> bytes:
        self._reach()
        self._number += 1
        return self.authority.revocation_list(*(self.issued[one] for one in self.revoked), number=self._number)

    def renew(self) -> None:
        self._reach()

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("the authority is out of reach")
