"""Files that a command leaves behind."""

import os
from pathlib import Path


def write_whole(path: Path, text: str, mode: int) -> None:
    """Write a file whole or not at all; nobody sees it under a wider mode meanwhile."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
