"""Carries audit messages to a repository: syslog over TLS (RFC 5425, IHE ITI-20), one connection a batch.

Syslog has no acknowledgement. What stands for one: after the last message this side says that it will send
no more and waits for the other side to close. A receiver that ends with bytes unread resets the connection
instead. One that was killed with everything read and nothing written closes in peace all the same, so it is
greeted once more: only who still lives has taken the batch. Otherwise all of it comes again.
"""

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pacs_secure.core.errors import Unavailable

SECONDS_OF_SILENCE = 10.0


@dataclass(frozen=True, slots=True)
class SyslogRepository:
    """`pacs_secure.ports.Repository` by syslog over TLS 1.2 or newer, trusting one authority."""

    host: str
    port: int
    ca_file: Path
    certificate_file: Path | None = None
    key_file: Path | None = None
    """None of both: this side shows no certificate."""

    @property
    def channel(self) -> str:
        """Name the receiver; another one begins with the first entry."""
        return f"syslog:{self.host}:{self.port}"

    def send(self, messages: Sequence[bytes]) -> None:
        """Deliver frames in order; raise `Unavailable` unless the receiver took all and closed in peace."""
        context = self._context()
        try:
            self._exchange(context, messages)
            self._exchange(context, ())
        except (OSError, ValueError):
            raise Unavailable("the audit repository is out of reach, or did not take the messages") from None

    def _exchange(self, context: ssl.SSLContext, messages: Sequence[bytes]) -> None:
        with (
            socket.create_connection((self.host, self.port), SECONDS_OF_SILENCE) as connection,
            context.wrap_socket(connection, server_hostname=self.host) as tls,
        ):
            for message in messages:
                tls.sendall(message)
            _part(tls)

    def _context(self) -> ssl.SSLContext:
        """Read the certificates anew each time, so that they can be replaced."""
        try:
            context = ssl.create_default_context(cafile=str(self.ca_file))
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if self.certificate_file is not None:
                context.load_cert_chain(self.certificate_file, self.key_file)
        except (OSError, ValueError):
            raise Unavailable("the certificates for the audit repository cannot be read") from None
        return context


def _part(tls: ssl.SSLSocket) -> None:
    """Say the last word and wait for the other side's."""
    try:
        tls.unwrap()
    except ssl.SSLEOFError:
        # rsyslog closes without a close_notify of its own. It has read everything, or the kernel would have reset.
        return
