"""A witness never signs two histories: not for racing forks, and not when it is killed at any step of its work."""

import os
import random
import signal
import threading
from http.client import HTTPException
from pathlib import Path

import pytest

from pacs_secure.witness import Memory, Refused, load
from tests.witnesses import LOG, LOG_VERIFIER, RunningWitness, body_of, leaves, make, note_of, running, submission

BEFORE_WRITING = "w.Memory.keep = lambda *told: os.kill(os.getpid(), 9)"
BEFORE_RENAMING = "w.Path.rename = lambda *told: os.kill(os.getpid(), 9)"
AFTER_NEWEST = """
keep, inner = w.Memory.keep, w.write
def dying(path, content):
    inner(path, content)
    os.kill(os.getpid(), 9)
def kept(*told):
    w.write = dying
    keep(*told)
w.Memory.keep = kept
"""
AFTER_KEEPING = """
keep = w.Memory.keep
def kept(*told):
    keep(*told)
    os.kill(os.getpid(), 9)
w.Memory.keep = kept
"""


def submitted(one: RunningWitness, body: bytes) -> bool:
    """Submit; say whether a cosignature came back."""
    try:
        return one.submit(body)[0] == 200
    except (OSError, HTTPException):
        return False


def root_line(one: RunningWitness) -> str:
    status, _, note = one.newest()
    return note.split("\n")[2] if status == 200 else ""


@pytest.mark.parametrize("round_", range(3))
def test_of_forks_that_are_submitted_at_once_one_is_signed(tmp_path: Path, round_: int) -> None:
    make(tmp_path)
    signed: list[bytes] = []
    with running(tmp_path) as one:
        assert one.submit(submission(leaves(3), 0))[0] == 200
        bodies = [submission(leaves(size, fork_at=3 + size), 3) for size in (4, 5, 6, 7)]
        bodies += [submission(leaves(size, fork_at=3), 3) for size in (4, 5, 6, 7)]
        gate = threading.Barrier(len(bodies))

        def submit(body: bytes) -> None:
            gate.wait(10)
            if submitted(one, body):
                signed.append(body)

        threads = [threading.Thread(target=submit, args=(body,)) for body in bodies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)

        assert len(signed) == 1
        assert root_line(one) in signed[0].decode()


@pytest.mark.parametrize(
    ("dying", "moved"),
    [(BEFORE_WRITING, False), (BEFORE_RENAMING, False), (AFTER_NEWEST, True), (AFTER_KEEPING, True)],
    ids=["before writing", "before renaming", "after the newest", "after everything, before the answer"],
)
def test_killed_at_any_step_it_holds_the_log_to_what_it_may_have_signed(
    tmp_path: Path, dying: str, *, moved: bool
) -> None:
    make(tmp_path)
    with running(tmp_path) as one:
        assert one.submit(submission(leaves(3), 0))[0] == 200
    with running(tmp_path, before=dying) as one:
        assert not submitted(one, submission(leaves(5), 3))
        assert one.process.wait(timeout=10) == -signal.SIGKILL
    with running(tmp_path) as one:
        fork, honest = submission(leaves(5, fork_at=3), 3), submission(leaves(5), 5 if moved else 3)
        if moved:
            assert one.submit(fork) == (409, "text/x.tlog.size", "5\n")
        assert one.submit(honest)[0] == 200
        assert one.submit(submission(leaves(6, fork_at=3), 5))[0] == 422


def test_killed_at_any_moment_it_never_goes_back(tmp_path: Path) -> None:
    make(tmp_path)
    chance, answered = random.Random(4), 0
    for _ in range(8):
        with running(tmp_path) as one:
            killer = threading.Timer(chance.uniform(0.0, 0.15), os.kill, (one.process.pid, signal.SIGKILL))
            size = int(one.newest()[2].split("\n")[1]) if answered else 0
            assert size >= answered
            answered = size
            killer.start()
            while submitted(one, submission(leaves(size + 1), size)):
                size += 1
                answered = size
            killer.join()
    with running(tmp_path) as one:
        seen = int(one.newest()[2].split("\n")[1])
        assert seen in {answered, answered + 1}
        assert one.submit(submission(leaves(seen + 1, fork_at=seen - 1), seen))[0] == 422


def test_a_torn_line_of_history_spoils_no_later_one(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    memory.keep("a-log", 1, "a note\n")
    (history,) = (tmp_path / "a-log").glob("*.jsonl")
    history.write_bytes(history.read_bytes() + b'{"size": 2, "no')

    memory.keep("a-log", 3, "another note\n")

    whole, torn, later = history.read_text().splitlines()
    assert (whole, torn) == ('{"size": 1, "note": "a note\\n"}', '{"size": 2, "no')
    assert later == '{"size": 3, "note": "another note\\n"}'


def test_evidence_against_a_log_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pacs_secure.witness.MOST_AGAINST", 2)
    make(tmp_path, "w.example", LOG_VERIFIER)
    witness = load(tmp_path)
    witness.add(submission(leaves(9), 0))
    for fork in range(1, 6):
        with pytest.raises(Refused):
            witness.add(submission(leaves(9, fork_at=fork), 9, note_of(leaves(9, fork_at=fork))))

    assert len(list((tmp_path / "notes").glob("*/against/*"))) == 2
    assert LOG in witness.logs.values()


def test_sound_notes_with_wrong_proofs_do_not_crowd_out_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notes of an honest log are public: anybody can send each of them with a proof that does not hold."""
    monkeypatch.setattr("pacs_secure.witness.MOST_AGAINST", 5)
    monkeypatch.setattr("pacs_secure.witness.MOST_UNPROVEN", 3)
    make(tmp_path, "w.example", LOG_VERIFIER)
    witness = load(tmp_path)
    for seen in (0, 9):
        for size in range(seen + 1, seen + 9):
            with pytest.raises(Refused):
                witness.add(body_of(seen, [bytes(32)], note_of(leaves(size))))
        if not seen:
            witness.add(submission(leaves(9), 0))
    assert list((tmp_path / "notes").glob("*/against/*")) == []
    assert len(list((tmp_path / "notes").glob("*/unproven/*"))) == 3

    fork = note_of(leaves(9, fork_at=7))
    with pytest.raises(Refused):
        witness.add(body_of(9, [], fork))

    (kept,) = (tmp_path / "notes").glob("*/against/*")
    assert kept.read_bytes() == fork
