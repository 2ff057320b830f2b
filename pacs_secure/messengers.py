"""Makes what carries notices and audit messages out of the house, as the settings say: nothing by default."""

from collections.abc import Callable
from datetime import datetime

from pacs_secure.adapters.mail_messenger import MailMessenger, MailRoute, Security
from pacs_secure.adapters.syslog_repository import SyslogRepository
from pacs_secure.adapters.webhook_messenger import WebhookMessenger
from pacs_secure.archive.feed import LedgerFeed
from pacs_secure.archive.forwarder import Forwarder
from pacs_secure.archive.notifier import Notifier
from pacs_secure.core.access import Door, Role, Subject
from pacs_secure.core.identifiers import institution
from pacs_secure.messages import syslog
from pacs_secure.ports import Bookmarks, Leader, Messenger, Notices
from pacs_secure.settings import Settings


def messengers(settings: Settings) -> list[Messenger]:
    """Return every configured way out.

    Raises:
        Malformed: a way would not be safe.
        Unavailable: an authority cannot be read.
    """
    told, found = settings.notices, list[Messenger]()
    if told.webhook_url is not None and told.webhook_secret_file is not None:
        found.append(WebhookMessenger(told.webhook_url, told.webhook_secret_file, told.webhook_ca_file))
    if told.mail_host is not None:
        route = MailRoute(
            told.mail_host,
            told.mail_port,
            Security(told.mail_security),
            told.mail_from,
            told.mail_to,
            told.mail_user,
            told.mail_password_file,
            told.mail_ca_file,
        )
        found.append(MailMessenger(route))
    return found


def notifiers(settings: Settings, notices: Notices, now: Callable[[], datetime], leader: Leader) -> list[Notifier]:
    """Return a notifier for each way out, not started yet; raises as `messengers` does."""
    of = institution(settings.institution)
    return [Notifier(notices, messenger, of, now, leader.leads) for messenger in messengers(settings)]


def forwarders(
    settings: Settings,
    feed: LedgerFeed,
    bookmarks: Bookmarks,
    now: Callable[[], datetime],
    leader: Leader | None = None,
) -> list[Forwarder]:
    """Return a forwarder for each repository of audit messages, not started yet."""
    told = settings.ledger.syslog
    if told is None:
        return []
    repository = SyslogRepository(told.host, told.port, told.ca_file, told.certificate_file, told.key_file)
    # The archive passes entries on because whoever runs the machine configured it: it acts as that hand.
    archive = Subject("archive", Role.OPERATOR, institution(settings.institution), "", Door.JOB, "")
    return [Forwarder(feed, bookmarks, repository, syslog.frame, archive, now, leader)]
