"""Makes what carries notices out of the house, as the settings say; none at all when they say nothing."""

from collections.abc import Callable
from datetime import datetime

from pacs_secure.adapters.mail_messenger import MailMessenger, MailRoute, Security
from pacs_secure.adapters.webhook_messenger import WebhookMessenger
from pacs_secure.archive.notifier import Notifier
from pacs_secure.core.identifiers import institution
from pacs_secure.ports import Messenger, Notices
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


def notifiers(settings: Settings, notices: Notices, now: Callable[[], datetime]) -> list[Notifier]:
    """Return a notifier for each way out, not started yet; raises as `messengers` does."""
    of = institution(settings.institution)
    return [Notifier(notices, messenger, of, now) for messenger in messengers(settings)]
