"""Notices by mail: over TLS or not at all, and never with a name in them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pacs_secure.adapters.mail_messenger import MailMessenger, MailRoute, Security
from pacs_secure.core.errors import Malformed, Unavailable
from tests.receivers import MailReceiver, mail_receiver
from tests.unit.adapters.test_webhook_messenger import notices


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[MailReceiver]:
    with mail_receiver(tmp_path / "receiver") as receiver:
        yield receiver


def route(receiver: MailReceiver, **facts: Any) -> MailRoute:
    told = MailRoute(
        "127.0.0.1",
        receiver.port,
        Security.STARTTLS,
        "archive@north.example",
        ("dpo@north.example", "deputy@north.example"),
        ca_file=receiver.authority,
    )
    return replace(told, **facts)


def test_one_message_names_each_notice_singly_and_nobody_else(receiver: MailReceiver) -> None:
    sent = notices(2)

    MailMessenger(route(receiver)).send(sent)

    (message,) = receiver.messages
    text = message.as_string()
    assert message["Subject"] == "pacs_secure: 2 to look at (break-glass)"
    assert (message["From"], message["Auto-Submitted"]) == ("archive@north.example", "auto-generated")
    assert all(str(kept.notice.notice_id) in text and str(kept.notice.about) in text for kept in sent)
    assert len(receiver.recipients) == 2
    assert {line.partition(" ")[0].upper() for line in receiver.said_in_clear} == {"EHLO", "STARTTLS"}


def test_tls_from_the_first_byte_on(tmp_path: Path) -> None:
    with mail_receiver(tmp_path / "implicit", implicit_tls=True) as receiver:
        MailMessenger(route(receiver, security=Security.TLS)).send(notices())

        assert len(receiver.messages) == 1
        assert receiver.said_in_clear == []


def test_a_name_and_a_password_are_told_under_tls_only(receiver: MailReceiver, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("a password of the tests\n")

    MailMessenger(route(receiver, user="archive", password_file=file)).send(notices())
    MailMessenger(route(receiver, user="archive")).send(notices())

    assert len(receiver.logins) == 2
    assert not [line for line in receiver.said_in_clear if "AUTH" in line]


def test_a_server_that_offers_no_tls_gets_nothing(receiver: MailReceiver) -> None:
    receiver.offers_tls = False

    with pytest.raises(Unavailable):
        MailMessenger(route(receiver)).send(notices())

    assert (receiver.messages, receiver.recipients) == ([], [])


def test_a_server_that_nobody_vouches_for_gets_nothing(receiver: MailReceiver) -> None:
    with pytest.raises(Unavailable):
        MailMessenger(route(receiver, ca_file=None)).send(notices())

    assert (receiver.messages, receiver.recipients) == ([], [])


def test_on_loopback_and_nowhere_else_mail_may_go_in_clear(receiver: MailReceiver) -> None:
    receiver.offers_tls = False
    MailMessenger(route(receiver, security=Security.NONE)).send(notices())

    assert len(receiver.messages) == 1
    with pytest.raises(Malformed):
        MailMessenger(route(receiver, security=Security.NONE, host="mail.example"))


@pytest.mark.parametrize("accepted", ["dpo", "nobody"])
def test_what_was_not_taken_for_everybody_is_unavailable(receiver: MailReceiver, accepted: str) -> None:
    receiver.accepts = lambda line: accepted in line

    with pytest.raises(Unavailable):
        MailMessenger(route(receiver)).send(notices())


def test_a_message_that_the_server_does_not_keep_is_unavailable(receiver: MailReceiver) -> None:
    receiver.takes = False

    with pytest.raises(Unavailable):
        MailMessenger(route(receiver)).send(notices())


def test_a_header_cannot_be_smuggled_in(receiver: MailReceiver) -> None:
    with pytest.raises(Unavailable):
        MailMessenger(route(receiver, recipients=("dpo@north.example\r\nBcc: thief@example",))).send(notices())

    assert receiver.messages == []


def test_a_server_that_is_away_is_unavailable(tmp_path: Path) -> None:
    with mail_receiver(tmp_path / "gone") as gone:
        messenger = MailMessenger(route(gone))

    with pytest.raises(Unavailable):
        messenger.send(notices())


def test_an_authority_that_cannot_be_read_is_said_at_once(receiver: MailReceiver, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        MailMessenger(route(receiver, ca_file=tmp_path / "none.pem"))
