"""What proving the ledger costs (``python -m benchmarks.ledger [ENTRIES]``): verification and proofs."""

import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pacs_secure import audit_verify
from pacs_secure.adapters.tile_directory import TileDirectory
from pacs_secure.archive.ledger_check import LedgerCheck
from pacs_secure.archive.writer_check import WriterCheck
from pacs_secure.core.audit import LedgerEntry
from pacs_secure.core.identifiers import KeyId
from pacs_secure.crypto.tlog import (
    NO_ENTRY,
    Author,
    Frontier,
    checkpoint_text,
    compose_entry,
    consistency_from_tiles,
    inclusion_from_tiles,
    sign_note,
    state,
)
from tests.vectors.generate import KEY_ID, ORIGIN, draft

ENTRIES, A_CHECKPOINT = 300_000, 1_000
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()


def publish(directory: Path, size: int) -> list[LedgerEntry]:
    """Write a ledger as the notary does, a checkpoint for every thousand entries."""
    author, frontier, publisher = Author(KEY_ID, bytes(32)), Frontier(), TileDirectory(directory)
    drafts = [state(draft(number)) for number in range(500)]
    entries: list[LedgerEntry] = []
    prev = NO_ENTRY
    for index in range(size):
        moment = datetime(2026, 1, 1, tzinfo=UTC) + index * timedelta(milliseconds=1)
        at = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        said = replace(drafts[index % len(drafts)], at=at)
        entry = compose_entry(author.sign(said), index, prev)
        entries.append(entry)
        frontier.append(entry.leaf_hash)
        prev = entry.leaf_hash
        if (index + 1) % A_CHECKPOINT == 0:
            text = checkpoint_text(ORIGIN, index + 1, frontier.root())
            publisher.publish(entries[-A_CHECKPOINT:], index + 1, sign_note(text, ORIGIN, PUBLIC, KEY.sign(text)))
    return entries


def rate(what: str, size: int, took: list[float]) -> None:
    best, median = size / min(took), size / statistics.median(took)
    print(f"{what:<60} median {median:9,.0f}/s   best {best:9,.0f}/s")


def spans(what: str, took: list[float]) -> None:
    took = sorted(one * 1_000 for one in took)
    print(f"{what:<60} median {statistics.median(took):6.3f} ms   p99 {took[int(len(took) * 0.99)]:6.3f} ms")


def timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def verify_published(directory: Path, size: int) -> float:
    began = time.process_time()
    verification = audit_verify.Verification(audit_verify.Directory(directory), KEY.public_key())
    verification.run()
    if verification.findings != [] or verification.size != size:
        raise SystemExit(f"the ledger is not sound: {verification.findings[:3]}")
    return time.process_time() - began


def verify_inside(directory: Path, entries: list[LedgerEntry]) -> float:
    def writer_key(_: KeyId) -> bytes:
        return bytes(32)

    publisher = TileDirectory(directory)
    began = time.process_time()
    check = LedgerCheck(ORIGIN, PUBLIC, WriterCheck(writer_key))
    check.published(publisher)
    for entry in entries:
        check.entry(entry)
    check.end()
    if check.findings:
        raise SystemExit(f"the ledger is not sound: {check.findings[:3]}")
    return time.process_time() - began


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
    with tempfile.TemporaryDirectory(dir=".") as place:
        directory = Path(place)
        entries = publish(directory, size)
        length = statistics.mean(len(entry.content) for entry in entries[:1000])
        print(f"{size:,} entries of {length:.0f} bytes, a checkpoint for every {A_CHECKPOINT:,}; one process, CPU time")
        rate("pacs-audit-verify, whole", size, [verify_published(directory, size) for _ in range(5)])
        rate("ledger verify, whole, signatures of the writers too", size, [verify_inside(directory, entries)])
        tiles = TileDirectory(directory).tile
        places = [number * 7_919 % size for number in range(1_000)]
        spans("an inclusion proof", [timed(partial(inclusion_from_tiles, tiles, place, size)) for place in places])
        spans(
            "a consistency proof", [timed(partial(consistency_from_tiles, tiles, place + 1, size)) for place in places]
        )
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"peak memory {memory} MiB, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
