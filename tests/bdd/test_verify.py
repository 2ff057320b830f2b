"""Proving that nothing was changed, as features/verify.feature tells it."""

import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
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
from pacs_secure.archive.scrub import Scrub
from pacs_secure.core.access import Role
from pacs_secure.core.audit import Verdict
from pacs_secure.core.errors import ArchiveError, Tampered
from pacs_secure.core.identifiers import Institution, ObjectId, Uid, uid
from pacs_secure.crypto.tlog import decode_bundle, leaf_hash
from pacs_secure.ports import Blob, Shelf
from pacs_secure.sections import Verification
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


# --- the scrub --------------------------------------------------------------------------------


@given('"CT1" has sent twenty more pictures')
def _twenty(hospital: Hospital) -> None:
    assert hospital.send("CT1", *(picture(number=number) for number in range(2, 22))) == [SUCCESS] * 20


@given("someone flips a byte of one of them", target_fixture="damaged")
def _flip_one(hospital: Hospital) -> str:
    stored = max((path for path in hospital.world.objects.rglob("*") if path.is_file()), key=lambda path: path.name)
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 1
    stored.chmod(0o600)
    stored.write_bytes(content)
    return stored.name


@dataclass
class Months:
    """Half a year, an hour at a time where it matters, and how often each object was read in it."""

    hospital: Hospital
    begun: datetime
    at: datetime
    read: Counter[str] = field(default_factory=Counter)

    def scrub(self) -> Scrub:
        """Return what a process that has just started scrubs with, at the period that ships."""
        engines, archive = self.hospital.world.house.engines, self.hospital.world.archive
        return Scrub(
            archive.guard,
            engines.records,
            archive.verify.store.objects,
            engines.scrubs,
            engines.home,
            timedelta(days=Verification().scrub_days),
            partial(archive.guard.alarm, engines.home),
            lambda: self.at,
        )

    def pass_by(self, monkeypatch: pytest.MonkeyPatch, *, restart: timedelta) -> None:
        opened = self.hospital.world.house.engines.blobs.open

        def counting(object_id: ObjectId) -> AbstractContextManager[Blob]:
            self.read[str(object_id)] += 1
            return opened(object_id)

        monkeypatch.setattr(self.hospital.world.house.engines.blobs, "open", counting)
        scrub, started = self.scrub(), self.at
        while self.at - self.begun < timedelta(days=Verification().scrub_days - 1):
            if self.at - started >= restart:
                scrub, started = self.scrub(), self.at
            scrub.look()
            self.at += timedelta(hours=40)


@when("half a year goes by with the archive running", target_fixture="months")
def _half_a_year(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> Months:
    now = datetime.now(UTC)
    months = Months(hospital, now, now)
    months.pass_by(monkeypatch, restart=timedelta(days=999))
    return months


@when("the archive is restarted every week for half a year", target_fixture="months")
def _restarts(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> Months:
    now = datetime.now(UTC)
    months = Months(hospital, now, now)
    months.pass_by(monkeypatch, restart=timedelta(days=7))
    return months


@then("every object was opened, compared with what was received, and parsed")
def _all_read(hospital: Hospital, months: Months) -> None:
    names = {path.name for path in hospital.world.objects.rglob("*") if path.is_file()}
    finished = hospital.world.house.engines.scrubs.finished()
    assert finished is not None
    assert (set(months.read), finished.objects) == (names, 21)
    assert months.at - months.begun < timedelta(days=183)


@then("none was read twice")
def _once(months: Months) -> None:
    assert set(months.read.values()) == {1}


@then("the alarm names the damaged object and nobody's name")
def _alarmed(hospital: Hospital, damaged: str) -> None:
    (alarm,) = (entry for entry in hospital.entries() if entry["action"] == "system:alarm")
    assert alarm["facts"]["alarm"] == "scrub"
    assert alarm["facts"]["found"].startswith(damaged)
    assert not any(word in json.dumps(alarm) for word in ("Mustermann", "Erika"))


@then("the status says how many were read and that one was wanting")
def _status_of_the_scrub(hospital: Hospital) -> None:
    finished = hospital.world.house.engines.scrubs.finished()
    assert finished is not None
    told = finished.told()
    assert (told["objects"], told["wanting"]) == (21, 1)
    assert told["finished"]


@then("it says how many objects and bytes it opened a second")
def _paced(hospital: Hospital, story: Story) -> None:
    assert story.verdict is not None
    pace = story.verdict.pace
    assert pace is not None
    stored = sum(path.stat().st_size for path in hospital.world.objects.rglob("*") if path.is_file())
    assert (pace.objects, pace.octets) == (1, stored)
    assert pace.objects_per_second > 0
    assert pace.mebibytes_per_second > 0


@then("it compared the keys on the shelf with the index")
def _keys_compared(story: Story) -> None:
    assert story.verdict is not None
    assert (story.verdict.told["keys"], story.verdict.told["keys_unnamed"]) == (1, 0)


@given("a crash has left a key on the shelf that no picture needs")
def _left_over(hospital: Hospital) -> None:
    hospital.keys.wrapper.mint(hospital.keys.institution, Shelf.STUDY)


@then("nothing is found wanting and the left-over key is counted")
def _counted(story: Story) -> None:
    assert story.verdict is not None
    assert (story.verdict.findings, story.verdict.told["keys_unnamed"]) == ((), 1)


@when("someone takes the study's key off the shelf")
def _take_key(hospital: Hospital) -> None:
    keys = {row.sealed.study_key_id for row in hospital.world.house.engines.records.instances(*_study(hospital))}
    hospital.keys.eraser.erase(hospital.keys.institution, Shelf.STUDY, keys)


def _study(hospital: Hospital) -> tuple[Institution, Uid]:
    return hospital.keys.institution, uid(picture().study_instance_uid)


@when("the archive is verified")
def _verify(hospital: Hospital, story: Story) -> None:
    story.verdict = hospital.world.archive.verify.check_archive(hospital.subject(Role.OPERATOR), deep=False)


@then("the picture without its key is found wanting")
def _keyless(story: Story) -> None:
    assert story.verdict is not None
    (finding,) = story.verdict.findings
    assert "key" in finding.problem


# --- meanwhile --------------------------------------------------------------------------------


@when(
    "the archive is verified three times at once while pictures come in and the study is being forgotten",
    target_fixture="verdicts",
)
def _meanwhile(hospital: Hospital) -> list[Verdict]:
    archive, operator = hospital.world.archive, hospital.subject(Role.OPERATOR)
    with ThreadPoolExecutor(3) as several:
        running = [several.submit(archive.verify.check_archive, operator, deep=deep) for deep in (True, True, False)]
        assert hospital.send("CT1", *(picture("US", number) for number in range(1, 9))) == [SUCCESS] * 8
        archive.forget.request(operator, None, picture().study_instance_uid, details={"protocol": "test"})
        archive.forget.carry_on(operator, None, details={"protocol": "test"})
        return [one.result() for one in running]


@then("none of them finds anything wanting")
def _nothing_wanting(verdicts: list[Verdict]) -> None:
    assert [verdict.findings for verdict in verdicts] == [(), (), ()]
    assert all(verdict.checked for verdict in verdicts)


@then("what is being forgotten is left to whoever forgets it")
def _left(hospital: Hospital) -> None:
    objects = [path for path in hospital.world.objects.rglob("*") if path.is_file()]
    for path in objects:
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - timedelta(days=2).total_seconds()))
    verdict = hospital.world.archive.verify.check_archive(hospital.subject(Role.OPERATOR), deep=True)
    assert (verdict.findings, verdict.told["swept"], len(objects)) == ((), 0, 29)
    assert all(path.exists() for path in objects)
