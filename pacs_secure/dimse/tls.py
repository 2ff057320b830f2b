"""The secure transport of the DICOM door: BCP 195 with a certificate on both ends (PS3.15 B.12)."""

import ssl
import tempfile

CIPHERS = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
    ":ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
)
"""What TLS 1.2 may use: forward secrecy and authenticated encryption only. TLS 1.3 offers nothing else."""


def server_context(
    cert_file: str, key_file: str, ca_file: str, revocation_lists: bytes | None = None
) -> ssl.SSLContext:
    """Build the context of the listening end; whoever connects must show a certificate of ``ca_file``.

    With ``revocation_lists`` (PEM) it must also be named in none of them, and without a list of its
    authority that is still good nobody gets in; None looks at no list.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, cert_file, key_file, ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    if revocation_lists is not None:
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        add_lists(context, revocation_lists)
    # A resumed session would outlive the certificate that opened it.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET | ssl.OP_CIPHER_SERVER_PREFERENCE
    return context


def client_context(cert_file: str, key_file: str, ca_file: str) -> ssl.SSLContext:
    """Build the context of the calling end; the host name or address must be in the archive's certificate."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, cert_file, key_file, ca_file)


def add_lists(context: ssl.SSLContext, revocation_lists: bytes) -> None:
    """Load revocation lists (PEM), from a file as the library wants them; of one authority's the newest counts."""
    if revocation_lists:
        with tempfile.NamedTemporaryFile(suffix=".crl") as file:
            file.write(revocation_lists)
            file.flush()
            context.load_verify_locations(cafile=file.name)


def _context(protocol: int, cert_file: str, key_file: str, ca_file: str) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(cert_file, key_file)
    context.load_verify_locations(cafile=ca_file)
    return context
