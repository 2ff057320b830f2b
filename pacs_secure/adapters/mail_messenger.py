"""Carries notices by e-mail: over TLS, or on loopback; what is written names no person."""

import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import localtime, make_msgid
from enum import StrEnum
from pathlib import Path

from pacs_secure.core.errors import Malformed, Unavailable
from pacs_secure.core.notices import KeptNotice

SECONDS_OF_SILENCE = 10.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Security(StrEnum):
    """How a mail server is spoken to."""

    NONE = "none"
    """In clear: on loopback only."""
    STARTTLS = "starttls"
    """Upgraded before anything else is said, or not at all (RFC 3207)."""
    TLS = "tls"
    """From the first byte on (RFC 8314)."""


@dataclass(frozen=True, slots=True)
class MailRoute:
    """Which server takes the mail, and from whom to whom."""

    host: str
    port: int
    security: Security
    sender: str
    recipients: tuple[str, ...]
    user: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    """The only authority trusted; None: those that the system trusts."""


class MailMessenger:
    """`pacs_secure.ports.Messenger` by SMTP.

    Raises:
        Malformed: the mail would go in clear beyond loopback.
        Unavailable: the authority cannot be read.
    """

    channel = "mail"

    def __init__(self, route: MailRoute) -> None:
        if route.security is Security.NONE and route.host not in _LOOPBACK:
            raise Malformed("mail goes in clear on loopback only")
        self._route = route
        try:
            self._tls = ssl.create_default_context(cafile=None if route.ca_file is None else str(route.ca_file))
        except OSError:
            raise Unavailable("the authority of the mail server cannot be read") from None
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2

    def send(self, notices: Sequence[KeptNotice]) -> None:
        """Deliver notices in one message; raise `Unavailable` unless the server took it for every recipient."""
        try:
            with self._connected() as server:
                if self._route.user:
                    server.login(self._route.user, self._password())
                refused = server.send_message(self._message(notices))
        except (OSError, smtplib.SMTPException, ValueError):
            # What failed may carry a password or an address in its arguments, so nothing of it goes on.
            raise Unavailable("the mail server is out of reach, or did not take the notices") from None
        if refused:
            raise Unavailable("the mail server did not take the notices for everybody")

    def _connected(self) -> smtplib.SMTP:
        route, name = self._route, socket.gethostname()
        if route.security is Security.TLS:
            return smtplib.SMTP_SSL(route.host, route.port, name, timeout=SECONDS_OF_SILENCE, context=self._tls)
        server = smtplib.SMTP(route.host, route.port, name, timeout=SECONDS_OF_SILENCE)
        if route.security is Security.STARTTLS:
            try:
                server.starttls(context=self._tls)
            except BaseException:
                server.close()
                raise
        return server

    def _password(self) -> str:
        file = self._route.password_file
        return "" if file is None else file.read_text(encoding="utf-8").strip()

    def _message(self, notices: Sequence[KeptNotice]) -> EmailMessage:
        kinds = ", ".join(sorted({kept.notice.kind.value for kept in notices}))
        lines = [" ".join(f"{name}={value}" for name, value in kept.outline().items()) for kept in notices]
        message = EmailMessage()
        message["Subject"] = f"pacs_secure: {len(notices)} to look at ({kinds})"
        message["From"], message["To"] = self._route.sender, ", ".join(self._route.recipients)
        message["Date"] = localtime()
        message["Message-ID"] = make_msgid(domain=self._route.sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday answers it
        said = "Who and why is said to the data-protection officer at /api/v1/notices.\n\n"
        message.set_content(said + "\n".join(lines) + "\n")
        return message
