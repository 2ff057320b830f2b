"""Notices by https: signed, to a receiver that is who it says, and never with a name in them."""

import hmac
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import orjson
import pytest

from pacs_secure.adapters.webhook_messenger import SIGNATURE, TIMESTAMP, WebhookMessenger, signature
from pacs_secure.core.errors import Malformed, Unavailable
from pacs_secure.core.notices import KeptNotice, Notice, NoticeKind
from tests.builders import HERE, NOW
from tests.receivers import WebhookReceiver, webhook_receiver

SECRET = "a secret of the tests that is long enough"


def notices(count: int = 1) -> list[KeptNotice]:
    made = [Notice(uuid4(), HERE, NoticeKind.BREAK_GLASS, uuid4(), uuid4(), NOW, b"a box") for _ in range(count)]
    return [KeptNotice(notice, number) for number, notice in enumerate(made)]


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[WebhookReceiver]:
    with webhook_receiver(tmp_path / "receiver") as receiver:
        yield receiver


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.touch(0o600)
    file.write_text(f"{SECRET}\n")
    return file


def test_each_notice_is_named_singly_and_the_whole_is_signed(receiver: WebhookReceiver, secret_file: Path) -> None:
    sent = notices(2)

    WebhookMessenger(receiver.url, secret_file, receiver.authority, lambda: 1_700_000_000.9).send(sent)

    (posted,) = receiver.posted
    assert posted.path == "/hooks/dpo?house=north"
    assert orjson.loads(posted.body) == {
        "version": 1,
        "notices": [
            {
                "id": str(kept.notice.notice_id),
                "kind": "break-glass",
                "institution": HERE,
                "about": str(kept.notice.about),
                "at": "2026-03-01T12:00:00+00:00",
            }
            for kept in sent
        ],
    }
    expected = hmac.new(SECRET.encode(), b"1700000000." + posted.body, "sha256").hexdigest()
    assert (posted.headers[TIMESTAMP], posted.headers[SIGNATURE]) == ("1700000000", f"sha256={expected}")
    assert signature(b"another", "1700000000", posted.body) != posted.headers[SIGNATURE]


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 500])
def test_what_was_not_surely_taken_is_unavailable_and_nothing_is_followed(
    receiver: WebhookReceiver, secret_file: Path, status: int
) -> None:
    receiver.status, receiver.location = status, receiver.url

    with pytest.raises(Unavailable):
        WebhookMessenger(receiver.url, secret_file, receiver.authority).send(notices())

    assert len(receiver.posted) == 1


def test_a_receiver_that_nobody_vouches_for_hears_nothing(receiver: WebhookReceiver, secret_file: Path) -> None:
    with pytest.raises(Unavailable):
        WebhookMessenger(receiver.url, secret_file).send(notices())

    assert receiver.posted == []


def test_a_receiver_that_is_away_is_unavailable(tmp_path: Path, secret_file: Path) -> None:
    with webhook_receiver(tmp_path / "gone") as gone:
        messenger = WebhookMessenger(gone.url, secret_file, gone.authority)

    with pytest.raises(Unavailable):
        messenger.send(notices())


@pytest.mark.parametrize(
    ("content", "mode"), [(None, 0), (SECRET, 0o644), (SECRET, 0o640), ("too short", 0o600), (" " * 64, 0o600)]
)
def test_a_secret_that_is_none_signs_nothing(
    receiver: WebhookReceiver, tmp_path: Path, content: str | None, mode: int
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)

    with pytest.raises(Unavailable):
        WebhookMessenger(receiver.url, file, receiver.authority).send(notices())

    assert receiver.posted == []


@pytest.mark.parametrize("url", ["http://127.0.0.1/hook", "ftp://x", "hook", "https://user:word@host/hook"])
def test_only_https_will_do(url: str, secret_file: Path) -> None:
    with pytest.raises(Malformed):
        WebhookMessenger(url, secret_file)


def test_an_authority_that_cannot_be_read_is_said_at_once(secret_file: Path, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        WebhookMessenger("https://127.0.0.1/", secret_file, tmp_path / "none.pem")
