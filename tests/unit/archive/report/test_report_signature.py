"""A report is bound to the ledger it was made from, and no checkpoint can be taken for one."""

import pytest

from pacs_secure.archive.report.signature import check, key_name, sign
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.crypto.tlog import checkpoint_text, sign_note
from tests.fakes_keys import FakeKeyring

ORIGIN, CONTENT = "tests.example/ledger", b"what the ledger says"


def test_a_signed_report_is_known_by_its_note() -> None:
    keyring = FakeKeyring()
    note = sign(CONTENT, ORIGIN, keyring)

    check(CONTENT, note, ORIGIN, keyring.public_key())
    assert note.startswith(b"tests.example/ledger/report\nsha256 ")


@pytest.mark.parametrize("what", ["content", "origin", "key"])
def test_another_report_ledger_or_key_is_found(what: str) -> None:
    keyring = FakeKeyring()
    note = sign(CONTENT, ORIGIN, keyring)
    content = CONTENT + b"!" if what == "content" else CONTENT
    origin = "other.example/ledger" if what == "origin" else ORIGIN
    key = FakeKeyring().public_key() if what == "key" else keyring.public_key()

    with pytest.raises(Tampered):
        check(content, note, origin, key)


def test_a_checkpoint_under_the_name_of_reports_is_no_report() -> None:
    keyring, name = FakeKeyring(), key_name(ORIGIN)
    text = checkpoint_text(name, 7, bytes(32))
    note = sign_note(text, name, keyring.public_key(), keyring.sign(text))

    with pytest.raises(Tampered):
        check(CONTENT, note, ORIGIN, keyring.public_key())


def test_a_process_without_the_key_signs_nothing() -> None:
    with pytest.raises(Unavailable):
        sign(CONTENT, ORIGIN, None)
