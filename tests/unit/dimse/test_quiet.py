"""The library prints, logs and spools nothing of what it receives."""

import logging
import tempfile
from pathlib import Path

import pytest
from pynetdicom import _config

from pacs_secure.dimse.quiet import hush
from tests.data_sets import explicit
from tests.dicom_door import Door, ct, message, store_command

CANARY = "Canarius^Avis"


def test_everything_that_prints_or_spools_is_off() -> None:
    hush()

    assert _config.LOG_HANDLER_LEVEL == "none"
    assert not _config.LOG_REQUEST_IDENTIFIERS
    assert not _config.LOG_RESPONSE_IDENTIFIERS
    assert not _config.STORE_RECV_CHUNKED_DATASET
    assert not logging.getLogger("pynetdicom.dul").isEnabledFor(logging.CRITICAL)


NAME = explicit(0x00100010, "PN", CANARY.encode() + b" ")
STUDY = explicit(0x0020000D, "UI", b"1.2.3\0")


@pytest.mark.parametrize(
    ("data_set", "status"),
    [
        (ct().replace(STUDY, NAME + STUDY), 0),
        (ct().replace(STUDY, NAME + STUDY)[:-3], 0xC000),
        (ct().replace(STUDY, NAME), 0xC000),
    ],
    ids=["sound", "cut short", "without a study"],
)
def test_a_name_that_comes_in_is_in_no_log_and_no_file(
    door: Door,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    data_set: bytes,
    status: int,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    caplog.set_level(logging.DEBUG)
    assert CANARY.encode() in data_set

    with door.associated() as peer:
        peer.say(message(store_command(), data_set))
        assert peer.status() == status
    assert door.idle()

    assert CANARY not in caplog.text
    assert CANARY not in str(door.world.entries())
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]
