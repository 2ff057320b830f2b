"""Revocation lists of other authorities, laid down as files by whatever fetches them."""

from pathlib import Path

from pacs_secure.core.errors import Unavailable


class ListFile:
    """`pacs_secure.ports.RevocationLists` in a PEM file that somebody else keeps current."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def fetch(self) -> bytes:
        """Return what the file holds; raises `Unavailable` when it cannot be read."""
        try:
            return self._file.read_bytes()
        except OSError:
            raise Unavailable("a file of revocation lists cannot be read") from None

    def renew(self) -> None:
        """Do nothing: a newer list comes when somebody lays it down."""
