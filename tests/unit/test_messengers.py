"""What carries notices is what the settings say."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pacs_secure.archive.forwarder import Forwarder
from pacs_secure.core.errors import Unavailable
from pacs_secure.messengers import forwarders, messengers, notifiers
from pacs_secure.settings import load
from tests.certificates import Authority
from tests.fakes import Alone
from tests.settings_file import WHOLE, written
from tests.world import World

WEBHOOK = """
webhook_url = "https://127.0.0.1/hook"
webhook_secret_file = "secret"
"""
MAIL = """
mail_host = "127.0.0.1"
mail_from = "archive@north.example"
mail_to = ["dpo@north.example"]
"""


def channels(folder: Path, text: str) -> list[str]:
    return [messenger.channel for messenger in messengers(load(written(folder, f"{WHOLE}\n[notices]\n{text}")))]


def test_without_a_word_there_is_no_way_out(tmp_path: Path) -> None:
    assert messengers(load(written(tmp_path, WHOLE))) == []


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        (WEBHOOK, ["webhook"]),
        (MAIL, ["mail"]),
        (MAIL + 'mail_security = "none"', ["mail"]),
        (WEBHOOK + MAIL, ["webhook", "mail"]),
    ],
)
def test_every_way_that_is_named_is_gone(tmp_path: Path, text: str, ways: list[str]) -> None:
    assert channels(tmp_path, text) == ways


@pytest.mark.parametrize(
    "text",
    [
        'webhook_url = "https://127.0.0.1/hook"',
        'webhook_secret_file = "secret"',
        WEBHOOK.replace("https", "http"),
        'mail_host = "127.0.0.1"',
        MAIL.replace("archive@north.example", "no address"),
        MAIL.replace("dpo@north.example", "dpo@north.example, thief@example"),
        MAIL.replace("127.0.0.1", "mail.example") + 'mail_security = "none"',
        MAIL + 'mail_security = "perhaps"',
        MAIL + 'mail_password = "in the file"',
    ],
)
def test_half_a_way_or_an_unsafe_one_is_refused_at_the_start(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="notices"):
        channels(tmp_path, text)


def test_an_authority_that_is_not_there_is_found_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        channels(tmp_path, WEBHOOK + f'webhook_ca_file = "{tmp_path}/none.pem"')
    authority = Authority(tmp_path)
    assert channels(tmp_path, WEBHOOK + f'webhook_ca_file = "{authority.file}"') == ["webhook"]


def test_each_way_has_a_notifier(tmp_path: Path, world: World) -> None:
    settings = load(written(tmp_path, f"{WHOLE}\n[notices]\n{WEBHOOK}{MAIL}"))

    made = notifiers(settings, world.house.engines.notices, lambda: datetime.now(UTC), Alone())

    assert [notifier.deliver() for notifier in made] == [0, 0]


SYSLOG = """
[ledger.syslog]
host = "127.0.0.1"
ca_file = "ca.pem"
"""


def test_entries_are_passed_on_to_whom_the_settings_name_and_nobody_else(tmp_path: Path, world: World) -> None:
    def carriers(text: str) -> list[Forwarder]:
        settings = load(written(tmp_path, WHOLE + text))
        marks = world.house.engines.bookmarks
        return forwarders(settings, world.archive.feed, marks, lambda: datetime.now(UTC), Alone())

    assert carriers("") == []
    (carrier,) = carriers(SYSLOG)
    assert carrier.standing().place == 0


@pytest.mark.parametrize(
    "text",
    [
        SYSLOG + 'certificate_file = "client.pem"',
        SYSLOG + 'key_file = "client.key"',
        SYSLOG.replace('ca_file = "ca.pem"', ""),
        SYSLOG.replace("127.0.0.1", ""),
        SYSLOG + "port = 0",
    ],
)
def test_a_repository_that_is_half_described_is_no_configuration(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="syslog"):
        load(written(tmp_path, WHOLE + text))
