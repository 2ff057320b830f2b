"""A directory that checkpoints, tiles and entry bundles are published to (C2SP tlog-tiles).

    checkpoint               the newest note
    checkpoints/<size>       every note, its size in 20 digits
    witnessed-checkpoint     the newest note that a quorum of witnesses has co-signed
    witnessed/<size>         every such note, as it first was
    timestamps/<size>.tsr    an RFC 3161 response over SHA-256 of checkpoints/<size>
    tile/entries/<N>[.p/<W>] 256 entries a bundle
    tile/<L>/<N>[.p/<W>]     256 hashes a tile
    retention/<horizon>      a certificate: below it entries may be missing, tiles never

Whatever a checkpoint commits to is durable before the checkpoint stands. A crash in between
leaves data that no checkpoint names; publishing again from `TileDirectory.published` completes
it. What is there already is compared and never written anew.
"""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pacs_secure.adapters.durable_files import make_directory, replace_file, sync_directory
from pacs_secure.core.audit import LedgerEntry
from pacs_secure.core.errors import Conflict, NotFound, Tampered, Unavailable
from pacs_secure.crypto.tlog import (
    WIDTH,
    decode_bundle,
    encode_bundle,
    entries_path,
    parse_checkpoint,
    root,
    tile_path,
)

_HASH = 32
_PREFIX = 2
"""Bytes before each entry of a bundle, its length."""


class TileDirectory:
    """`pacs_secure.ports.Publisher` on a local or mounted file system."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def publish(self, entries: Sequence[LedgerEntry], size: int, note: bytes) -> None:
        """Write the new entries' bundles and tiles, durably, then the checkpoint.

        ``entries`` reach from what is published (or before) to ``size``.

        Raises:
            Conflict: the entries leave a gap, or a larger tree is published already.
            Tampered: what is there differs from what the log now says.
            Unavailable: the directory cannot be written.
        """
        with self._locked():
            before = self.published()
            if size < before:
                raise Conflict("a larger tree is published already")
            new = [entry for entry in entries if entry.index >= before]
            if [entry.index for entry in new] != list(range(before, size)):
                raise Conflict("the entries do not continue what is published")
            if new:
                self._extend_bundles(before, new)
                self._extend_tiles(before, size, [entry.leaf_hash for entry in new])
            self._write(f"checkpoints/{size:020}", note)
            # Before the checkpoint: whoever is killed in between does this again, and nothing is left over.
            self._remove_superseded(before, size)
            self._replace("checkpoint", note)

    def published(self) -> int:
        """Return the tree size of the newest published checkpoint; 0 before the first."""
        note = self.checkpoint()
        return 0 if note is None else parse_checkpoint(note).size

    def checkpoint(self) -> bytes | None:
        """Return the newest published note, or None."""
        return self._read("checkpoint")

    def add_witnessed(self, size: int, note: bytes) -> None:
        """Keep a co-signed checkpoint; the first one of a size stays for ever.

        Raises:
            Tampered: another tree head of this size was witnessed before.
            Unavailable: the directory cannot be written.
        """
        with self._locked():
            path = f"witnessed/{size:020}"
            first, newest = self._read(path), self.witnessed()
            if first is None:
                self._write(path, note)
            elif parse_checkpoint(first).text != parse_checkpoint(note).text:
                raise Tampered("another tree head of this size was witnessed before")
            if newest is None or parse_checkpoint(newest).size <= size:
                self._replace("witnessed-checkpoint", note)

    def witnessed(self) -> bytes | None:
        """Return the newest witnessed note, or None."""
        return self._read("witnessed-checkpoint")

    def witnessed_from(self, size: int) -> bytes | None:
        """Return the first witnessed note that covers so many entries, as it first was, or None."""
        try:
            names = (path.name for path in (self._directory / "witnessed").iterdir() if path.name >= f"{size:020}")
            first = min((name for name in names if name.isdecimal()), default=None)
        except FileNotFoundError:
            return None
        except OSError:
            raise Unavailable("the published ledger cannot be read") from None
        return None if first is None else self._read(f"witnessed/{first}")

    def add_time_stamp(self, size: int, token: bytes) -> None:
        """Keep a time stamp; the first one of a size stays for ever. Raises `Unavailable` when that cannot be done."""
        with self._locked():
            if self.time_stamp(size) is None:
                self._write(f"timestamps/{size:020}.tsr", token)

    def time_stamp(self, size: int) -> bytes | None:
        """Return the time stamp over the checkpoint of a size, or None."""
        return self._read(f"timestamps/{size:020}.tsr")

    def leaf_hashes(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the published leaf hashes ``start <= index < stop``.

        Raises:
            Tampered: a published tile is missing or has another length.
        """
        size = self.published()
        at, stop = start, min(stop, size)
        while at < stop:
            number = at // WIDTH
            hashes = self.tile(0, number, min(WIDTH, size - number * WIDTH))
            end = min(stop, (number + 1) * WIDTH)
            yield from hashes[at - number * WIDTH : end - number * WIDTH]
            at = end

    def tile(self, level: int, number: int, width: int) -> list[bytes]:
        """Return the first ``width`` hashes of a published tile; the full one stands for a partial one.

        Raises:
            Tampered: it is missing or has another length.
        """
        content = self._read(tile_path(level, number, width))
        if content is None:
            content = (self._read(tile_path(level, number, WIDTH)) or b"")[: width * _HASH]
        if len(content) != width * _HASH:
            raise Tampered("a published tile is missing or has another length")
        return [content[place : place + _HASH] for place in range(0, len(content), _HASH)]

    def content(self, index: int, size: int) -> bytes:
        """Return the bytes of one published entry, of a tree of ``size`` that was published.

        Raises:
            NotFound: it expired, and a certificate says so.
            Tampered: its bundle is missing or holds too few entries.
        """
        number, place = divmod(index, WIDTH)
        try:
            bundle = self._bundle(number, min(WIDTH, size - number * WIDTH))
        except Tampered:
            if index < max(map(int, self._horizons()), default=0):
                raise NotFound("the entry is no longer kept") from None
            raise
        return decode_bundle(bundle)[place]

    def retain(self, horizon: int, note: bytes) -> None:
        """Publish the certificate that the entries below a horizon may go; the same one twice only once.

        Raises:
            Tampered: another certificate of this horizon is published.
        """
        with self._locked():
            self._write(f"retention/{horizon:020}", note)

    def retained(self) -> Iterator[bytes]:
        """Yield every published certificate, oldest first; whoever acts by one verifies it first."""
        for name in self._horizons():
            yield self._read(f"retention/{name}") or b""

    def expire(self, horizon: int) -> int:
        """Remove the bundles below a certified horizon; return how many went.

        Raises:
            Conflict: no certificate of this horizon is published.
        """
        removed = 0
        with self._locked():
            if f"{horizon:020}" not in self._horizons():
                raise Conflict("no certificate of this horizon is published")
            for number in range(horizon // WIDTH):
                self._remove_partials(entries_path(number, 1))
                path = self._directory / entries_path(number)
                if path.exists():
                    path.unlink()
                    removed += 1
            sync_directory(self._directory / "tile" / "entries")
        return removed

    def _horizons(self) -> list[str]:
        with _reachable():
            return sorted(path.name for path in (self._directory / "retention").glob("[0-9]*"))

    def _extend_bundles(self, before: int, new: Sequence[LedgerEntry]) -> None:
        size = before + len(new)
        for number in range(before // WIDTH, -(-size // WIDTH)):
            first, width = number * WIDTH, min(WIDTH, size - number * WIDTH)
            fresh = new[max(first - before, 0) : first + width - before]
            old = b""
            if first < before:
                old = self._bundle(number, before - first)
            self._write(entries_path(number, width), old + encode_bundle(fresh))

    def _extend_tiles(self, before: int, size: int, leaves: list[bytes]) -> None:
        """Write level 0, then each level above from the roots of the full tiles below."""
        level, hashes = 0, leaves
        while hashes:
            full: list[bytes] = []
            for number in range(before // WIDTH, -(-size // WIDTH)):
                first, width = number * WIDTH, min(WIDTH, size - number * WIDTH)
                old = self.tile(level, number, before - first) if first < before else []
                tile = old + hashes[max(first - before, 0) : first + width - before]
                self._write(tile_path(level, number, width), b"".join(tile))
                if width == WIDTH:
                    full.append(root(tile))
            level, hashes, before, size = level + 1, full, before // WIDTH, size // WIDTH

    def _bundle(self, number: int, width: int) -> bytes:
        """Return the first entries of a bundle; the full one stands for a partial one that was removed."""
        content = self._read(entries_path(number, width)) or self._read(entries_path(number, WIDTH)) or b""
        entries = decode_bundle(content)
        if len(entries) < width:
            raise Tampered("a published bundle is missing or holds too few entries")
        return content[: sum(_PREFIX + len(entry) for entry in entries[:width])]

    def _remove_superseded(self, before: int, size: int) -> None:
        """Remove the partial forms of what is full now; readers of an older tree take the full one instead."""
        level = 0
        while size >= WIDTH:
            for number in range(before // WIDTH, size // WIDTH):
                self._remove_partials(tile_path(level, number, 1))
                if level == 0:
                    self._remove_partials(entries_path(number, 1))
            level, before, size = level + 1, before // WIDTH, size // WIDTH

    def _remove_partials(self, of: str) -> None:
        directory = (self._directory / of).parent
        if directory.is_dir():
            for partial in directory.iterdir():
                partial.unlink()
            directory.rmdir()

    # --- files ------------------------------------------------------------------------------

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process publish at a time."""
        with _reachable():
            make_directory(self._directory)
            with (self._directory / ".lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield

    def _read(self, path: str) -> bytes | None:
        with _reachable():
            try:
                return (self._directory / path).read_bytes()
            except FileNotFoundError:
                return None

    def _write(self, path: str, content: bytes) -> None:
        """Write what is to stay for ever, unless it is there; raise `Tampered` when it is there and differs."""
        there = self._read(path)
        if there is None:
            self._replace(path, content)
        elif there != content:
            raise Tampered("what was published is not what the ledger says")
        else:
            # A crash may have come between the rename and the directory's own fsync.
            sync_directory((self._directory / path).parent)

    def _replace(self, path: str, content: bytes) -> None:
        replace_file(self._directory / path, content)


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable("the publishing directory is out of reach") from error
