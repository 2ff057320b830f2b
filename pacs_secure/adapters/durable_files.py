"""Directories and small files that are on the disk when a call returns: temporary file, fsync, rename, fsync."""

import os
from pathlib import Path


def make_directory(directory: Path) -> None:
    """Make a directory and those above it, each durable in its parent."""
    if not directory.is_dir():
        make_directory(directory.parent)
        directory.mkdir(mode=0o750, exist_ok=True)
        sync_directory(directory.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(target: Path, content: bytes) -> None:
    """Put a whole file in its place, over the old one when there is one; its directory is made when it is missing."""
    make_directory(target.parent)
    fresh = target.with_name(f".{target.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.rename(target)
    sync_directory(target.parent)
