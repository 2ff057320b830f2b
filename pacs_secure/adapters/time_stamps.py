"""Gets time stamps from an authority (RFC 3161) and believes them under the certificates that were named only."""

from hashlib import sha256
from pathlib import Path

from cryptography import x509
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, VerifierBuilder, decode_timestamp_response
from rfc3161_client.errors import VerificationError

from pacs_secure.adapters.small_http import SmallHttp
from pacs_secure.core.errors import Tampered, Unavailable

_OK = 200
_ASKED, _ANSWERED = "application/timestamp-query", "application/timestamp-reply"


class TimeStampAuthority:
    """`pacs_secure.ports.TimeStamps` over https, or over http on this machine (RFC 3161 3.4).

    Raises:
        Malformed: the URL is neither.
        Unavailable: a certificate cannot be read.
    """

    def __init__(self, url: str, ca_file: Path, tls_ca_file: Path | None = None) -> None:
        self._http = SmallHttp(url, tls_ca_file)
        try:
            self._trusted = x509.load_pem_x509_certificates(ca_file.read_bytes())
        except (OSError, ValueError):
            raise Unavailable("the certificates of the time-stamping authority cannot be read") from None

    def stamp(self, content: bytes) -> bytes:
        """Return the authority's response over SHA-256 of the content, in DER as it came.

        Raises:
            Tampered: it is not over this, not asked for by us, or not by the authority that is trusted.
            Unavailable: the authority is out of reach or refuses.
        """
        request = TimestampRequestBuilder(content, HashAlgorithm.SHA256, nonce=True, cert_req=True).build()
        said = self._http.post("", request.as_bytes(), {"Content-Type": _ASKED, "Accept": _ANSWERED})
        if said.status != _OK or said.kind != _ANSWERED:
            raise Unavailable("the time-stamping authority gives no time stamp")
        builder = VerifierBuilder(roots=list(self._trusted), nonce=request.nonce)
        try:
            builder.build().verify(decode_timestamp_response(said.body), sha256(content).digest())
        except (VerificationError, ValueError):
            raise Tampered("a time stamp does not prove what was asked for") from None
        return said.body
