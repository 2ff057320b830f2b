"""What packing before sealing saves and costs (``python -m benchmarks.packing``): the sample studies, on one disk.

The same instances are sealed and put, then opened whole and by frame, in turns with packing and without. Noise, which
nothing makes smaller, shows what it costs where it gains nothing.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from pacs_secure.adapters.disk_blobs import DiskBlobs
from pacs_secure.archive.copies import Copies
from pacs_secure.archive.seals import Opener, Sealer
from pacs_secure.archive.study_keys import StudyKeys
from pacs_secure.core.access import Grant
from pacs_secure.core.errors import ArchiveError
from pacs_secure.core.identifiers import uid
from pacs_secure.core.instance import InstanceRow
from pacs_secure.dicom.header import Limits, scan
from pacs_secure.dicom.part10 import split
from pacs_secure.dicom.syntaxes import is_native
from pacs_secure.quickstart.samples import sample_files
from tests.builders import grant, indexed_instance, new_object_id, study_facts
from tests.fakes_keys import FakeKeyring

ROUNDS = 7
LEAST = 4096
MIB = 1 << 20


def samples() -> Iterator[bytes]:
    """Yield each sample instance of an uncompressed transfer syntax."""
    for place in sample_files():
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            content = path.read_bytes() if path.is_file() else b""
            if content[128:132] == b"DICM" and len(content) > LEAST and _is_taken(content):
                yield content


def _is_taken(content: bytes) -> bool:
    """Say whether an instance is uncompressed and the archive takes it."""
    parts = split(content)
    try:
        scan(parts.data_set, parts.transfer_syntax_uid, Limits())
    except ArchiveError:
        return False
    return is_native(parts.transfer_syntax_uid)


class Archive:
    """Sealing and opening over one directory, with packing or without."""

    def __init__(self, directory: Path, *, packs: bool) -> None:
        keyring = FakeKeyring()
        keys = StudyKeys(keyring, keyring, time.monotonic)
        self.blobs = DiskBlobs(directory)
        self.sealer = Sealer(keys, self.blobs, new_object_id, packs=packs)
        self.opener = Opener(keys, Copies([self.blobs], time.monotonic))
        self.rows: list[InstanceRow] = []

    def put(self, streams: Sequence[bytes]) -> None:
        self.rows.clear()
        for stream in streams:
            parts = split(stream)
            header = scan(parts.data_set, parts.transfer_syntax_uid, Limits())
            row = indexed_instance().row
            prefix = stream[: len(stream) - len(parts.data_set)]
            sealed = self.sealer.seal(
                row.identity, uid(parts.transfer_syntax_uid), bytes(32), (prefix, parts.data_set), b"{}"
            ).sealed
            self.rows.append(replace(row, sealed=sealed, frames=header.frames.shifted(len(prefix)), act=uuid4()))

    def read(self) -> None:
        for row in self.rows:
            for _ in self.opener.whole(_granted(row), row):
                pass

    def frames(self) -> None:
        for row in self.rows:
            for start, length in zip(row.frames.offsets, row.frames.lengths, strict=True):
                for _ in self.opener.span(_granted(row), row, start, start + length):
                    pass


def _granted(row: InstanceRow) -> Grant:
    return grant(study=study_facts(row.identity.study_instance_uid))


@contextmanager
def both() -> Iterator[dict[str, Archive]]:
    with tempfile.TemporaryDirectory(dir=".") as place:
        made = {name: Archive(Path(place) / name, packs=name == "packed") for name in ("plain", "packed")}
        yield made
        for archive in made.values():
            archive.blobs.close()


def timed(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def compare(what: str, streams: Sequence[bytes]) -> None:
    octets = sum(map(len, streams))
    with both() as archives:
        took: dict[tuple[str, str], list[float]] = {}
        for _ in range(ROUNDS):
            for name, archive in archives.items():
                for deed, act in (
                    ("put", lambda archive=archive: archive.put(streams)),
                    ("read", archive.read),
                    ("frames", archive.frames),
                ):
                    took.setdefault((deed, name), []).append(timed(act))
        stored = {name: sum(row.sealed.stored_length for row in archive.rows) for name, archive in archives.items()}
    frames = sum(len(row.frames) for row in archives["plain"].rows)
    print(f"{what}: {len(streams)} instances, {octets / MIB:.1f} MiB, {frames} frames")
    print(f"  stored    plain {stored['plain'] / MIB:8.1f} MiB   packed {stored['packed'] / MIB:8.1f} MiB   "
          f"ratio {stored['plain'] / stored['packed']:.2f}")  # fmt: skip
    for deed in ("put", "read", "frames"):
        plain, packed = (octets / MIB / statistics.median(took[deed, name]) for name in ("plain", "packed"))
        print(f"  {deed:<8}  plain {plain:8.0f} MiB/s packed {packed:8.0f} MiB/s ratio {packed / plain:.2f}")


def main() -> None:
    real = list(samples())
    compare("sample studies", real * max(1, 64 * MIB // sum(map(len, real))))
    head = next(one for one in real if len(one) > LEAST)
    parts = split(head)
    start = len(head) - len(parts.data_set)
    noisy = [bytes(head[: start + 0]) + _noise(bytes(parts.data_set), 524_288) for _ in range(64)]
    compare("noise (CT of 512 KiB)", noisy)


def _noise(data_set: bytes, length: int) -> bytes:
    """Replace the pixels of a Data Set, which come last, by noise."""
    place = data_set.rindex(b"\xe0\x7f\x10\x00")
    value = place + (12 if data_set[place + 4 : place + 6] in {b"OW", b"OB"} else 8)
    return data_set[: value - 4] + length.to_bytes(4, "little") + os.urandom(length)


if __name__ == "__main__":
    main()
