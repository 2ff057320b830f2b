"""Lists that lie in a file are read as they are now."""

from pathlib import Path

import pytest

from pacs_secure.adapters.list_files import ListFile
from pacs_secure.core.errors import Unavailable


def test_the_file_is_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "vendor.crl"
    lists = ListFile(file)
    for content in (b"one", b"other"):
        file.write_bytes(content)
        assert lists.fetch() == content
    lists.renew()
    assert lists.fetch() == b"other"


def test_a_file_that_is_not_there_is_out_of_reach(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        ListFile(tmp_path / "none").fetch()
