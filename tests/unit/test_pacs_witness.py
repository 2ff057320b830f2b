"""The stand-alone witness: what it co-signs, what it refuses and how, over real sockets (C2SP tlog-witness)."""

import http.client
import json
import socket
import ssl
import stat
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pacs_secure import witness
from pacs_secure.crypto.tlog import consistency_proof, root
from pacs_secure.witness import Misuse, Refused, Verifier, only_grew, read_note, read_submission, read_verifier
from tests.certificates import Authority
from tests.witnesses import (
    LOG,
    LOG_KEY,
    LOG_VERIFIER,
    RunningWitness,
    body_of,
    leaves,
    make,
    note_of,
    run,
    running,
    submission,
)

NAME = "witness.example/w1"
DIRECTORY = sha256(LOG.encode()).hexdigest()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWitness]:
    """Lend one witness to tests that do not move what it has seen: size 5."""
    directory = tmp_path_factory.mktemp("witness")
    make(directory)
    with running(directory) as one:
        assert one.submit(submission(leaves(5), 0))[0] == 200
        yield one


def mutated(body: bytes) -> st.SearchStrategy[bytes]:
    """Return bodies that are nearly this one: a few bytes put in the place of others."""

    def put(at: int, length: int, new: bytes) -> bytes:
        return body[:at] + new + body[at + length :]

    return st.builds(put, st.integers(0, len(body)), st.integers(0, 40), st.binary(max_size=8))


def verified(line: str, verifier: str, note: bytes) -> int:
    """Verify a cosignature as its text says, apart from the code under test; return its time."""
    name, _, encoded = verifier.partition("+")
    key = b64decode(encoded.partition("+")[2])
    dash, named, blob = line.split()
    raw = b64decode(blob)
    assert (dash, named, key[:1], len(raw)) == ("\u2014", name, b"\x04", 4 + 8 + 64)
    assert raw[:4] == sha256(name.encode() + b"\n" + key).digest()[:4]
    at = int.from_bytes(raw[4:12], "big")
    text = note.decode().rpartition("\n\n")[0] + "\n"
    Ed25519PublicKey.from_public_bytes(key[1:]).verify(raw[12:], f"cosignature/v1\ntime {at}\n{text}".encode())
    return at


# --- published vectors --------------------------------------------------------------------------


def test_the_published_verifier_key_of_the_go_project_is_read() -> None:
    # It stands in the documentation of golang.org/x/mod/sumdb/note; its encoded part holds a plus sign.
    published = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"

    key = read_verifier(published)

    assert (key.name, key.key_id.hex(), str(key)) == ("PeterNeumann", "c74f20a3", published)


def test_the_published_note_of_the_go_project_is_signed_by_that_key() -> None:
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    blob = b64decode("x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=")
    key = read_verifier("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    signed = witness.Note(text, "", 0, b"", (("the line", "PeterNeumann", blob),))

    assert signed.lines_by([key]) == ["the line"]
    assert witness.Note(text + "x", "", 0, b"", signed.signatures).lines_by([key]) == []


def test_the_example_of_the_cosignature_text_is_taken_apart() -> None:
    example = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "\u2014 example.com/behind-the-sofa "
        "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
        "\u2014 witness.example.com/w1 "
        "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
    )

    note = read_note(example)

    assert (note.origin, note.size, len(note.signatures)) == ("example.com/behind-the-sofa", 20852163, 2)
    assert int.from_bytes(note.signatures[1][2][4:12], "big") == 1679315147


# --- what is co-signed --------------------------------------------------------------------------


def test_a_log_that_only_grows_is_co_signed_and_kept(tmp_path: Path) -> None:
    verifier = make(tmp_path)
    with running(tmp_path) as one:
        assert one.newest() == (404, "text/plain; charset=utf-8", "there is nothing here\n")
        notes = {}
        for old, size in [(0, 1), (1, 1), (1, 4), (4, 9), (9, 256), (256, 300)]:
            hashes = leaves(size)
            status, _, line = one.submit(submission(hashes, old))
            assert status == 200
            assert abs(verified(line, verifier, note_of(hashes)) - time.time()) < 60
            notes[size] = note_of(hashes).decode() + line
            assert one.newest()[::2] == (200, notes[size])
    (history,) = (tmp_path / "notes" / DIRECTORY).glob("*.jsonl")
    kept = [json.loads(line) for line in history.read_text().splitlines()]
    assert [one["size"] for one in kept] == [1, 4, 9, 256, 300]
    assert {one["size"]: one["note"] for one in kept} == notes


def test_the_same_note_gets_the_same_signature_for_a_while_and_fills_no_disk(tmp_path: Path) -> None:
    make(tmp_path)
    with running(tmp_path, before="w.SECONDS_OF_A_SIGNATURE = 1.5") as one:
        first = one.submit(submission(leaves(3), 0))
        assert {one.submit(submission(leaves(3), 3)) for _ in range(5)} == {first}
        time.sleep(2.1)
        assert one.submit(submission(leaves(3), 3))[2] != first[2]
    (history,) = (tmp_path / "notes" / DIRECTORY).glob("*.jsonl")
    assert len(history.read_text().splitlines()) == 2


def test_a_log_may_begin_with_nothing(tmp_path: Path) -> None:
    make(tmp_path)
    with running(tmp_path) as one:
        assert one.submit(submission([], 0))[0] == 200
        assert one.submit(submission(leaves(2), 0))[0] == 200


def test_only_signatures_of_the_log_are_kept_beside_our_own(tmp_path: Path) -> None:
    make(tmp_path)
    stranger = b"\xe2\x80\x94 stranger.example " + b64encode(bytes(80)) + b"\n"
    with running(tmp_path) as one:
        assert one.submit(submission(leaves(2), 0, note_of(leaves(2)) + stranger))[0] == 200
        assert "stranger" not in one.newest()[2]


def test_what_was_seen_is_remembered_by_the_next_process(tmp_path: Path) -> None:
    make(tmp_path)
    with running(tmp_path) as one:
        assert one.submit(submission(leaves(5), 0))[0] == 200
    with running(tmp_path) as one:
        assert one.submit(submission(leaves(3, fork_at=0), 0)) == (409, "text/x.tlog.size", "5\n")
        assert one.submit(submission(leaves(7), 5))[0] == 200


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n\n",
        b"old 0\n\n" + note_of(leaves(2)).replace(b"\n2\n", b"\n02\n"),
        b"old 00\n\n" + note_of(leaves(2)),
        b"old -1\n\n" + note_of(leaves(2)),
        b"new 0\n\n" + note_of(leaves(2)),
        b"old 6\n\n" + note_of(leaves(5)),
        b"old 5\nnot base64!\n\n" + note_of(leaves(6)),
        b"old 5\n" + b64encode(bytes(31)) + b"\n\n" + note_of(leaves(6)),
        body_of(5, [bytes(32)] * 64, note_of(leaves(6))),
        b"old 5\n\n" + note_of(leaves(6)).rstrip(b"\n"),
        b"old 5\n\n" + note_of(leaves(6)).replace(b"\xe2\x80\x94 ", b"- "),
        b"old 5\n\n" + note_of(leaves(6)).replace(LOG.encode(), b"two words"),
        b"old 5\n\n" + LOG.encode() + b"\n6\n" + b64encode(bytes(31)) + b"\n\n\xe2\x80\x94 a AAAA\n",
        b"\xff" + submission(leaves(6), 5),
    ],
)
def test_what_is_no_submission_is_a_bad_request(shared: RunningWitness, body: bytes) -> None:
    assert shared.submit(body)[0] == 400


def test_a_log_that_nobody_named_is_not_found(shared: RunningWitness) -> None:
    stranger = note_of(leaves(2), "other.example/log")

    assert shared.submit(submission(leaves(2), 0, stranger))[0] == 404


def test_a_note_that_the_log_did_not_sign_is_forbidden(shared: RunningWitness) -> None:
    forged = note_of(leaves(6), key=Ed25519PrivateKey.from_private_bytes(bytes(32)))
    changed = note_of(leaves(6)).replace(b"\n6\n", b"\n7\n")

    assert shared.submit(submission(leaves(6), 5, forged))[0] == 403
    assert shared.submit(submission(leaves(7), 5, changed))[0] == 403


@pytest.mark.parametrize("old", [0, 4])
def test_whoever_starts_elsewhere_is_told_what_was_seen(shared: RunningWitness, old: int) -> None:
    assert shared.submit(submission(leaves(6), old)) == (409, "text/x.tlog.size", "5\n")


def test_another_root_of_the_same_size_is_a_conflict_and_kept_as_evidence(shared: RunningWitness) -> None:
    fork = note_of(leaves(5, fork_at=2))

    assert shared.submit(body_of(5, [], fork)) == (409, "text/x.tlog.size", "5\n")

    against = list((shared.directory / "notes" / DIRECTORY / "against").iterdir())
    assert fork in [one.read_bytes() for one in against]
    assert all(one.name.startswith(f"{5:020}-") for one in against)


@pytest.mark.parametrize(
    "proof", [[], [bytes(32)], consistency_proof(leaves(6), 5)[:-1], [*consistency_proof(leaves(6), 5), bytes(32)]]
)
def test_a_proof_that_does_not_hold_is_unprocessable(shared: RunningWitness, proof: list[bytes]) -> None:
    assert shared.submit(body_of(5, proof, note_of(leaves(6))))[0] == 422


def test_a_fork_with_a_good_proof_of_its_own_is_unprocessable(shared: RunningWitness) -> None:
    assert shared.submit(submission(leaves(9, fork_at=3), 5))[0] == 422
    (kept,) = (shared.directory / "notes" / DIRECTORY / "unproven").glob(f"{9:020}-*")
    assert kept.read_bytes() == note_of(leaves(9, fork_at=3))
    assert shared.newest()[2].split("\n")[1] == "5"


def test_only_two_paths_are_there_and_bodies_are_bounded(shared: RunningWitness) -> None:
    assert shared.ask("POST", "/", submission(leaves(6), 5))[0] == 404
    assert shared.ask("GET", "/")[0] == 404
    assert shared.ask("GET", "/checkpoint/../../key.pem")[0] == 404
    assert shared.ask("POST", "/add-checkpoint", b"", **{"Content-Length": str(1 << 20)})[0] == 400
    assert shared.ask("POST", "/add-checkpoint", b"", **{"Content-Length": "x"})[0] == 400
    assert shared.ask("POST", "/add-checkpoint", b"0\r\n\r\n", **{"Transfer-Encoding": "chunked"})[0] == 400


@settings(max_examples=300, deadline=None)
@example(b"old 0\n\n\n\n")
@given(st.one_of(st.binary(max_size=300), mutated(submission(leaves(6), 5))))
def test_no_body_whatever_does_anything_but_be_taken_apart_or_refused(body: bytes) -> None:
    with suppress(Refused):
        old, proof, note = read_submission(body)
        assert old <= note.size
        assert all(len(one) == 32 for one in proof)


# --- proofs -------------------------------------------------------------------------------------


def test_every_proof_of_growth_holds_and_no_other() -> None:
    for new in range(1, 40):
        hashes = leaves(new)
        for old in range(1, new + 1):
            proof = consistency_proof(hashes, old)
            assert only_grew(old, new, root(hashes[:old]), root(hashes), proof)
            assert not only_grew(old, new, bytes(32), root(hashes), proof)
            assert not only_grew(old, new, root(hashes[:old]), bytes(32), proof)
            assert not only_grew(old, new, root(hashes[:old]), root(hashes), [*proof, bytes(32)])
            assert not proof or not only_grew(old, new, root(hashes[:old]), root(hashes), proof[:-1])
    assert only_grew(0, 3, root([]), root(leaves(3)), [])
    assert not only_grew(0, 3, root([]), root(leaves(3)), [bytes(32)])


def test_what_is_signed_by_nobody_known_has_no_lines() -> None:
    note = read_note(note_of(leaves(3)).decode())

    assert len(note.lines_by([LOG_VERIFIER])) == 1
    assert note.lines_by([Verifier(LOG, bytes(32))]) == []
    assert read_submission(submission(leaves(3), 0))[2] == note
    with pytest.raises(Refused) as refused:
        read_submission(b"old 4\n\n" + note_of(leaves(3)))
    assert refused.value.status == 400


# --- connections --------------------------------------------------------------------------------


def test_one_connection_carries_many_submissions(shared: RunningWitness) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=5)
    for _ in range(3):
        connection.request("POST", "/add-checkpoint", submission(leaves(6), 0))
        with connection.getresponse() as response:
            assert (response.status, response.read()) == (409, b"5\n")
    connection.close()


def test_a_client_who_drips_is_cut_off_and_hinders_nobody(tmp_path: Path) -> None:
    make(tmp_path)
    short = "w.SECONDS_OF_SILENCE, w.SECONDS_OF_A_CONNECTION, w.MOST_CONNECTIONS = 0.5, 1.0, 4"
    with running(tmp_path, before=short) as one:
        slow = [socket.create_connection(("127.0.0.1", one.port), timeout=5) for _ in range(3)]
        slow[0].sendall(b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 60000\r\n\r\n")
        assert one.submit(submission(leaves(2), 0))[0] == 200
        begun, ended = time.monotonic(), 0.0
        while not ended and time.monotonic() - begun < 8:
            try:
                slow[0].sendall(b"x")
                time.sleep(0.1)
            except OSError:
                ended = time.monotonic() - begun
        assert 0 < ended < 4
        assert one.submit(submission(leaves(3), 2))[0] == 200
        for connection in slow:
            connection.close()


def test_too_many_connections_are_closed_at_once(tmp_path: Path) -> None:
    make(tmp_path)
    with running(tmp_path, before="w.SECONDS_OF_SILENCE, w.MOST_CONNECTIONS = 1.0, 2") as one:
        many = [socket.create_connection(("127.0.0.1", one.port), timeout=5) for _ in range(3)]
        assert many[2].recv(1) == b""
        time.sleep(1.6)
        assert one.submit(submission(leaves(2), 0))[0] == 200
        for connection in many:
            connection.close()


def test_with_a_certificate_it_speaks_tls_and_a_silent_client_does_not_stop_it(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("witness")
    make(tmp_path / "w")
    with running(tmp_path / "w", "--certificate", pair.certificate, "--certificate-key", pair.key) as one:
        silent = socket.create_connection(("127.0.0.1", one.port), timeout=5)
        trusting = ssl.create_default_context(cafile=str(authority.file))
        connection = http.client.HTTPSConnection("127.0.0.1", one.port, timeout=5, context=trusting)
        connection.request("POST", "/add-checkpoint", submission(leaves(2), 0))
        with connection.getresponse() as response:
            assert (response.status, len(response.read().splitlines())) == (200, 1)
        connection.close()
        silent.close()


# --- the command line ---------------------------------------------------------------------------


def test_its_key_is_made_once_readable_by_its_owner_alone_and_printed(tmp_path: Path) -> None:
    first = make(tmp_path)
    other = Verifier("other.example/log", bytes(32))
    again = make(tmp_path, "another.name", other, LOG_VERIFIER)

    assert first == again == run("key", tmp_path).stdout.strip()
    assert first.startswith(f"{NAME}+")
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    assert (tmp_path / "logs").read_text().splitlines() == [str(LOG_VERIFIER), str(other)]


@pytest.mark.parametrize(
    "log", ["", "log.example", "log+00000000+AAAA", f"{LOG}+00000000+{b64encode(bytes(33)).decode()}"]
)
def test_what_is_no_verifier_key_is_refused(tmp_path: Path, log: str) -> None:
    with pytest.raises(Misuse):
        read_verifier(log)
    told = run("init", tmp_path, "--name", NAME, "--log", log)

    assert (told.returncode, told.stdout) == (2, "")
    assert "verifier key" in told.stderr


def test_a_witness_without_name_directory_or_memory_does_not_begin(tmp_path: Path) -> None:
    assert run("init", tmp_path / "nameless", "--log", str(LOG_VERIFIER)).returncode == 2
    assert run("serve", tmp_path / "nowhere").returncode == 2
    make(tmp_path / "w")
    (tmp_path / "w" / "notes").rmdir()
    told = run("serve", tmp_path / "w")
    assert (told.returncode, "lost its key or its memory" in told.stderr) == (2, True)


def test_two_processes_never_serve_one_directory(tmp_path: Path) -> None:
    make(tmp_path)
    with running(tmp_path):
        assert run("serve", tmp_path, "--port", "0").returncode == 2


def test_it_ends_when_asked(tmp_path: Path) -> None:
    make(tmp_path)
    with running(tmp_path) as one:
        one.process.terminate()
        assert one.process.wait(timeout=10) == 0


def test_a_cosignature_is_over_this_time_and_this_text_only(shared: RunningWitness) -> None:
    line = shared.newest()[2].splitlines()[-1]
    at = verified(line, shared.verifier, note_of(leaves(5)))

    with pytest.raises(InvalidSignature):
        verified(line, shared.verifier, note_of(leaves(5, fork_at=1)))
    moved = bytearray(b64decode(line.split()[2]))
    moved[11] ^= 1
    with pytest.raises(InvalidSignature):
        verified(f"\u2014 {NAME} {b64encode(moved).decode()}", shared.verifier, note_of(leaves(5)))
    assert at > 1_700_000_000


def test_it_needs_nothing_of_the_archive(tmp_path: Path) -> None:
    alone = tmp_path / "alone.py"
    alone.write_text(Path(witness.__file__).read_text())
    told = subprocess.run(
        [sys.executable, "-I", alone, "init", tmp_path / "w", "--name", NAME],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert (told.returncode, told.stderr) == (0, "")
    assert LOG_KEY is not None
