"""Proving that nothing was changed, as features/verify.feature tells it."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure import audit_verify
from pacs_secure.core.access import Role
from pacs_secure.core.errors import ArchiveError, Tampered
from pacs_secure.crypto.tlog import decode_bundle, leaf_hash
from tests.bdd.hospital import Hospital
from tests.bdd.pictures import picture
from tests.bdd.story import SUCCESS, Story, begin

scenarios("verify.feature")

Row = tuple[bytes, bytes, bytes]
"""Content, leaf hash and predecessor's hash of one entry."""


# --- the database -----------------------------------------------------------------------------


@given('"CT1" has sent the next picture, and nothing was published since')
def _unpublished(hospital: Hospital) -> None:
    assert hospital.send("CT1", picture(number=2)) == [SUCCESS]
    assert hospital.world.house.engines.publisher.published() == 3


@when(parsers.parse("someone with access to the database {tampers}"))
def _tamper(hospital: Hospital, tampers: str) -> None:
    changes: dict[str, Callable[[dict[int, Row]], object]] = {
        "changes one byte of entry 1": partial(_change, at=1),
        "changes one byte of entry 3": partial(_change, at=3),
        "changes entry 1 and its own hash": _change_with_hash,
        "removes entry 1": lambda rows: rows.pop(1),
        "removes entry 3": lambda rows: rows.pop(3),
        "swaps entries 1 and 2": partial(_swap, at=1),
        "swaps entries 3 and 4": partial(_swap, at=3),
        "rewrites entry 1 and every hash after": _rewrite,
        "cuts off everything from entry 2": _cut,
        "inserts an entry before entry 1": _insert,
        "drops entry 3 before it gets its place": lambda rows: _say(rows, 3, [4]),
        "gives entry 3 two places": lambda rows: _say(rows, 3, [3, 3, 4]),
        "changes entry 3 before it gets its place": lambda rows: _say(rows, 3, [3, 4], address="203.0.113.7"),
        "adds an entry in somebody's name": lambda rows: _add(rows, drop=("mac", "seq", "writer")),
        "adds an entry under the name of a made-up writer": lambda rows: _add(rows, writer=str(uuid4()), seq=0),
        "dates entry 3 back by a day": lambda rows: _say(rows, 3, [3, 4], at="2020-01-01T00:00:00.000000Z"),
    }
    with closing(sqlite3.connect(hospital.world.index_file)) as index:
        rows: dict[int, Row] = {
            place: (content, leaf, prev)
            for place, content, leaf, prev in index.execute(
                "SELECT entry_index, content, leaf_hash, prev_hash FROM ledger ORDER BY entry_index"
            )
        }
        assert len(rows) > 2
        changes[tampers](rows)
        # Whoever can write the file can also take its triggers away.
        for (name,) in index.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            index.execute(f"DROP TRIGGER {name}")
        index.execute("DELETE FROM ledger")
        index.executemany("INSERT INTO ledger VALUES (?, ?, ?, ?)", [(place, *row) for place, row in rows.items()])
        index.commit()


def _change(rows: dict[int, Row], at: int) -> None:
    content, leaf, prev = rows[at]
    rows[at] = content.replace(b'"radiology"', b'"radiologx"'), leaf, prev
    assert rows[at][0] != content


def _change_with_hash(rows: dict[int, Row]) -> None:
    _change(rows, 1)
    content, _, prev = rows[1]
    rows[1] = content, leaf_hash(content), prev


def _swap(rows: dict[int, Row], at: int) -> None:
    rows[at], rows[at + 1] = rows[at + 1], rows[at]


def _rewrite(rows: dict[int, Row]) -> None:
    """Change an entry, then make everything after it agree: chain, indices and hashes."""
    _change_with_hash(rows)
    for place in range(2, len(rows)):
        rows[place] = _chained(rows[place][0], place, rows[place - 1][1])


def _say(rows: dict[int, Row], since: int, told: list[int], **changed: str) -> None:
    """Chain anew, from one place on, what was said at others; the first of it may be changed."""
    said = [rows[place][0] for place in told]
    _cut(rows, since)
    for offset, content in enumerate(said):
        place = since + offset
        rows[place] = _chained(content, place, rows[place - 1][1], **(changed if offset == 0 else {}))


def _add(rows: dict[int, Row], drop: tuple[str, ...] = (), **changed: str | int) -> None:
    """Write one more entry by hand, like the last one and rightly chained."""
    last = len(rows) - 1
    entry = {key: value for key, value in json.loads(rows[last][0]).items() if key not in drop}
    rows[last + 1] = _chained(rfc8785.dumps(entry), last + 1, rows[last][1], **changed)


def _insert(rows: dict[int, Row]) -> None:
    for place in range(len(rows), 1, -1):
        rows[place] = rows[place - 1]
    rows[1] = _chained(rows[1][0], 1, rows[0][1], address="203.0.113.7")


def _cut(rows: dict[int, Row], since: int = 2) -> None:
    for place in [place for place in rows if place >= since]:
        del rows[place]


def _chained(content: bytes, place: int, prev: bytes, **changed: str | int) -> Row:
    entry: dict[str, Any] = {**json.loads(content), "index": place, "prev": prev.hex()}
    if "address" in changed:
        entry["said"]["address"] = changed.pop("address")
    entry |= changed
    written = rfc8785.dumps(entry)
    return written, leaf_hash(written), prev


@then("it is sound")
def _sound(hospital: Hospital, story: Story) -> None:
    assert story.verdict is not None
    assert story.verdict.sound
    assert story.verdict.checked == len(hospital.entries()) - 1


@then(parsers.parse("it is found wanting at position {position:d}"))
def _wanting_at(story: Story, position: int) -> None:
    assert story.verdict is not None
    findings = story.verdict.findings
    assert findings[0].position == position
    assert min(finding.position for finding in findings if finding.position is not None) == position


@then(parsers.parse("it is found wanting at position {position:d}, because {reason}"))
def _wanting_because(story: Story, position: int, reason: str) -> None:
    assert story.verdict is not None
    first = story.verdict.findings[0]
    assert (first.position, first.problem) == (position, reason)


@given("someone with access to the database makes it swallow every new entry")
def _swallow(hospital: Hospital) -> None:
    with closing(sqlite3.connect(hospital.world.index_file)) as index:
        index.execute("CREATE TRIGGER swallows BEFORE INSERT ON ledger BEGIN SELECT RAISE(IGNORE); END")


@then('"CT1" is told to keep the next picture and send it again')
def _kept_there(hospital: Hospital) -> None:
    before = len(hospital.entries())
    (status,) = hospital.send("CT1", picture(number=2))
    assert status != SUCCESS
    assert len(hospital.entries()) == before


@then("a radiologist receives no picture")
def _nothing(hospital: Hospital) -> None:
    sent, retrieve = picture(), hospital.world.archive.retrieve
    subject = hospital.subject(Role.RADIOLOGIST)
    with pytest.raises(ArchiveError), retrieve.begin(subject, None, sent.study_instance_uid, details={}):
        pass  # pragma: no cover - nothing is delivered


# --- what was published -----------------------------------------------------------------------


@when(parsers.parse("someone {tampers} of what was published"))
def _tamper_published(hospital: Hospital, tampers: str) -> None:
    (bundle,) = (hospital.world.checkpoints / "tile" / "entries" / "000.p").iterdir()
    entries = decode_bundle(bundle.read_bytes())
    if tampers == "changes one byte of entry 1":
        entries[1] = entries[1].replace(b'"radiology"', b'"radiologx"')
    elif tampers == "removes entry 1":
        del entries[1]
    else:
        entries[1], entries[2] = entries[2], entries[1]
    before = bundle.read_bytes()
    bundle.chmod(0o600)
    bundle.write_bytes(b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries))
    assert bundle.read_bytes() != before


@then("the stand-alone verifier agrees")
def _agrees(hospital: Hospital) -> None:
    status, told = _stand_alone(hospital)
    assert (status, told["findings"]) == (0, [])


@then(parsers.parse("the stand-alone verifier finds it wanting at position {position:d}"))
def _stand_alone_wanting(hospital: Hospital, position: int) -> None:
    status, told = _stand_alone(hospital)
    places = [finding["position"] for finding in told["findings"] if finding["position"] is not None]
    assert status == 1
    assert position in places


def _stand_alone(hospital: Hospital) -> tuple[int, dict[str, Any]]:
    """Run the one file of the verifier with nothing of the archive but what was published."""
    public_key = Ed25519PublicKey.from_public_bytes(hospital.keys.signer.public_key())
    pem = hospital.outside / "ledger.pem"
    pem.write_bytes(public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    alone = hospital.outside / "audit_verify.py"
    alone.write_text(Path(audit_verify.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    told = subprocess.run(
        [sys.executable, "-I", alone, hospital.world.checkpoints, "--key", pem, "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return told.returncode, json.loads(told.stdout)


# --- the objects ------------------------------------------------------------------------------


@when(parsers.re("someone (?P<touches>flips a byte of|cuts the end off|removes) the stored object"))
def _touch(hospital: Hospital, touches: str) -> None:
    (stored,) = (path for path in hospital.world.objects.rglob("*") if path.is_file())
    content = bytearray(stored.read_bytes())
    if touches == "removes":
        stored.unlink()
        return
    if touches == "flips a byte of":
        content[len(content) * 9 // 10] ^= 1
    else:
        del content[-1000:]
    stored.chmod(0o600)
    stored.write_bytes(content)


@when("the archive is verified deeply")
def _verify_deeply(hospital: Hospital, story: Story) -> None:
    begin(hospital, story)
    story.verdict = hospital.world.archive.verify.check_archive(hospital.subject(Role.OPERATOR), deep=True)


@then("it is found wanting")
def _wanting(story: Story) -> None:
    assert story.verdict is not None
    assert (story.verdict.checked, len(story.verdict.findings)) == (1, 1)


@then("a radiologist does not receive a changed picture")
def _not_received(hospital: Hospital) -> None:
    sent, received = picture(), bytearray()
    subject = hospital.subject(Role.RADIOLOGIST)
    retrieve = hospital.world.archive.retrieve

    def receive() -> None:
        with retrieve.begin(subject, None, sent.study_instance_uid, details={}) as retrieval:
            for piece in retrieval.data_set(retrieval.rows[0]):
                received.extend(piece)

    with pytest.raises(Tampered):
        receive()
    assert sent.data_set.startswith(received)
    assert len(received) < len(sent.data_set)
    assert hospital.entries()[-1]["outcome"] == "failed"
