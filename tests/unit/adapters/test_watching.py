"""Files that are replaced are noticed, and what is done again and again survives its own failures."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pacs_secure.adapters.watching import FileWatch, Periodic


def test_a_file_that_is_written_replaced_made_or_removed_is_noticed_once(tmp_path: Path) -> None:
    file = tmp_path / "certificate.pem"
    watch = FileWatch([file, tmp_path])
    changes: list[Callable[[], object]] = [
        lambda: file.write_text("one"),
        lambda: file.write_text("other"),
        lambda: os.utime(file, ns=(1, 1)),
        lambda: (tmp_path / "new.pem").write_text("other"),
        lambda: (tmp_path / "new.pem").replace(file),
        file.unlink,
    ]

    assert not watch.changed()
    for change in changes:
        change()
        assert watch.changed()
        assert not watch.changed()


def test_it_is_done_again_and_again_although_it_fails(caplog: pytest.LogCaptureFixture) -> None:
    done, enough = [], threading.Event()

    def act() -> None:
        done.append(threading.current_thread().name)
        if len(done) > 2:
            enough.set()
        raise ValueError("with a secret in it")

    periodic = Periodic("the watch", 0.01, act)
    periodic.start()
    assert enough.wait(5)
    periodic.stop()
    count = len(done)

    assert set(done) == {"the watch"}
    assert "the watch failed: ValueError" in caplog.text
    assert "secret" not in caplog.text
    assert len(done) == count
