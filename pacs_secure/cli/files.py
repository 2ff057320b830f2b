"""Files that a command leaves behind."""

import os
from pathlib import Path


def write_whole(path: Path, text: str, mode: int) -> None:
    """Write a text of ASCII whole or not at all; nobody sees it under a wider mode meanwhile."""
    write_bytes(path, text.encode("ascii"), mode)


def write_bytes(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole or not at all; nobody sees it under a wider mode meanwhile."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
