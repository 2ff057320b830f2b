"""Attacks on a published ledger, each found by the stand-alone verifier and put where it happened."""

import json
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacs_secure import audit_verify
from pacs_secure.core.access import Action
from pacs_secure.core.audit import Draft, LedgerEntry, Outcome, Statement
from pacs_secure.core.identifiers import KeyId
from pacs_secure.crypto.tlog import (
    NO_ENTRY,
    WIDTH,
    Author,
    WitnessKey,
    checkpoint_text,
    compose_entry,
    decode_bundle,
    entries_path,
    leaf_hash,
    root,
    sign_note,
    state,
    tile_path,
)
from tests.vectors.generate import draft

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
LOG = "log.example.org/home"
SIZES = (1, 20, 256, 300, 530)
"""Sizes at which the log was signed: within a bundle, at its end, and beyond."""
SIZE = SIZES[-1]


def entries_of(count: int, department: str = "radiology", since: int = 0) -> list[LedgerEntry]:
    """Make a chain; from ``since`` on it tells of another department."""
    entries: list[LedgerEntry] = []
    prev = NO_ENTRY
    author = Author(KeyId(UUID(int=1)), bytes(32))
    for number in range(count):
        written = replace(draft(number), department=department if number >= since else "radiology")
        entries.append(compose_entry(author.sign(state(written)), number, prev))
        prev = entries[-1].leaf_hash
    return entries


def note(leaves: list[bytes], key: Ed25519PrivateKey = KEY, origin: str = LOG) -> bytes:
    text = checkpoint_text(origin, len(leaves), root(leaves))
    return sign_note(text, origin, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), key.sign(text))


def put(place: Path, content: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


def bundle_of(contents: list[bytes]) -> bytes:
    return b"".join(len(content).to_bytes(2, "big") + content for content in contents)


def publish_tiles(directory: Path, contents: list[bytes], width: int = WIDTH) -> list[bytes]:
    """Write bundles and tiles of a whole log; return its leaf hashes."""

    def named(part: list[bytes]) -> int:
        return WIDTH if len(part) == width else len(part)

    leaves = [leaf_hash(content) for content in contents]
    for number in range(-(-len(contents) // width)):
        part = contents[number * width : (number + 1) * width]
        put(directory / entries_path(number, named(part)), bundle_of(part))
    level, hashes = 0, leaves
    while hashes:
        tiles = [hashes[place : place + width] for place in range(0, len(hashes), width)]
        for number, tile in enumerate(tiles):
            put(directory / tile_path(level, number, named(tile)), b"".join(tile))
        level, hashes = level + 1, [root(tile) for tile in tiles if len(tile) == width]
    return leaves


def sign_sizes(directory: Path, leaves: list[bytes], sizes: tuple[int, ...], key: Ed25519PrivateKey = KEY) -> None:
    for size in sizes:
        put(directory / f"checkpoints/{size:020}", note(leaves[:size], key))
    put(directory / "checkpoint", note(leaves[: sizes[-1]], key))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("published")
    leaves = publish_tiles(directory, [entry.content for entry in entries_of(SIZE)])
    sign_sizes(directory, leaves, SIZES)
    return directory


@pytest.fixture
def log(published: Path, tmp_path: Path) -> Path:
    """A published log of our own to attack."""
    return Path(shutil.copytree(published, tmp_path / "log"))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "public.pem"
    path.write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_verify, "PATIENCE", (0.0,))


Verify = Callable[..., audit_verify.Verification]


@pytest.fixture
def verify() -> Verify:
    def run(directory: Path, key: Ed25519PrivateKey = KEY) -> audit_verify.Verification:
        verification = audit_verify.Verification(audit_verify.Directory(directory), key.public_key())
        verification.run()
        return verification

    return run


def said(verification: audit_verify.Verification) -> list[str]:
    return [str(finding) for finding in verification.findings]


def edit_bundle(log: Path, change: Callable[[list[bytes]], object]) -> None:
    """Change the first bundle, positions 0 to 255."""
    path = log / entries_path(0)
    entries = decode_bundle(path.read_bytes())
    change(entries)
    path.write_bytes(bundle_of(entries))


def test_an_untouched_log_is_sound(log: Path, verify: Verify) -> None:
    verification = verify(log)
    assert said(verification) == []
    assert verification.size == verification.tree.size == SIZE


def test_a_log_read_while_it_grows_is_sound(log: Path, verify: Verify) -> None:
    contents = [entry.content for entry in entries_of(600)]
    for size in (*SIZES, 600):
        publish_tiles(log, contents[:size])
    for full in ("tile/0/000", "tile/0/001", "tile/entries/000", "tile/entries/001"):
        shutil.rmtree(log / f"{full}.p", ignore_errors=True)
    assert said(verify(log)) == []
    for size in (530, 300, 256, 20, 1):
        for path in log.glob("checkpoints/*"):
            if int(path.name) > size:
                path.unlink()
        put(log / "checkpoint", (log / f"checkpoints/{size:020}").read_bytes())
        assert said(verify(log)) == []


@pytest.mark.parametrize("position", [0, 17, 255])
def test_an_edited_byte_is_found_at_its_entry(log: Path, verify: Verify, position: int) -> None:
    edit_bundle(log, lambda entries: entries.__setitem__(position, entries[position][:-1] + b" "))
    first, *others = verify(log).findings
    assert str(first) == f"position {position}: entry does not match its leaf hash"
    assert {finding.place for finding in others} <= {"tree", "tile"}


def test_an_entry_edited_together_with_its_tile_is_found_at_the_next_signed_size(log: Path, verify: Verify) -> None:
    entries = [entry.content for entry in entries_of(SIZE)]
    entries[17] = entries[17].replace(b"192.0.2.7", b"192.0.2.8")
    publish_tiles(log, entries)
    found = said(verify(log))
    assert any("position 18: entry does not continue" in line for line in found)
    assert any("entries 1 to 19 are not those that were signed" in line for line in found)


def test_a_deleted_entry_is_found(log: Path, verify: Verify) -> None:
    edit_bundle(log, lambda entries: entries.pop(40))
    found = said(verify(log))
    assert "position 0: the bundle holds 255 entries instead of 256" in found
    assert "position 40: entry does not match its leaf hash" in found
    assert not any("position 39" in line for line in found)


def test_an_added_entry_is_found(log: Path, verify: Verify) -> None:
    edit_bundle(log, lambda entries: entries.insert(40, entries[40]))
    found = said(verify(log))
    assert "position 0: the bundle holds 257 entries instead of 256" in found
    assert "position 41: entry does not match its leaf hash" in found


def test_swapped_entries_are_found_at_both_places(log: Path, verify: Verify) -> None:
    def swap(entries: list[bytes]) -> None:
        entries[30], entries[90] = entries[90], entries[30]

    edit_bundle(log, swap)
    places = {finding.position for finding in verify(log).findings if finding.place == "entry"}
    assert places == {30, 90}


@pytest.mark.parametrize("size", [529, 512, 300, 256, 21])
def test_a_cut_tail_is_found_by_the_notes_that_were_kept(log: Path, verify: Verify, size: int) -> None:
    shutil.rmtree(log / "tile")
    leaves = publish_tiles(log, [entry.content for entry in entries_of(size)])
    put(log / "checkpoint", note(leaves))
    verification = verify(log)
    assert verification.size == SIZE
    assert any("put back" in line for line in said(verification))
    assert any("missing" in line for line in said(verification))


def test_a_rewrite_with_every_hash_recomputed_is_found_without_the_key(log: Path, verify: Verify) -> None:
    contents = [entry.content for entry in entries_of(SIZE, "dermatology", since=100)]
    leaves = publish_tiles(log, contents)
    found = said(verify(log))
    assert found == [
        "position 20: the root at size 256 is not the signed one: entries 20 to 255 are not those that were signed"
    ]
    sign_sizes(log, leaves, SIZES, OTHER_KEY)
    found = said(verify(log))
    assert len(found) == len(SIZES) + 1
    assert all("not signed by this key" in line for line in found)
    assert not verify(log, OTHER_KEY).findings


def test_a_fork_between_two_checkpoints_is_found_even_when_the_key_signed_it(log: Path, verify: Verify) -> None:
    leaves = publish_tiles(log, [entry.content for entry in entries_of(SIZE, "dermatology", since=400)])
    put(log / "checkpoint", note(leaves))
    found = said(verify(log))
    assert f"checkpoint: two different roots were signed for size {SIZE}: the log was forked" in found
    assert any("entries 300 to 529 are not those that were signed" in line for line in found)


def test_a_rewrite_signed_again_is_found_by_one_note_kept_from_before(log: Path, verify: Verify) -> None:
    leaves = publish_tiles(log, [entry.content for entry in entries_of(SIZE, "dermatology", since=100)])
    kept = (log / f"checkpoints/{300:020}").read_bytes()
    sign_sizes(log, leaves, SIZES)
    put(log / f"checkpoints/{300:020}", kept)
    assert any("the root at size 300 is not the signed one" in line for line in said(verify(log)))


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        (tile_path(0, 0), "tile 0 of level 0, width 256, is missing"),
        (tile_path(0, 2, 18), "tile 2 of level 0, width 18, is missing"),
        (tile_path(1, 0, 2), "tile 0 of level 1, width 2, is missing"),
        (entries_path(1), "entries 256 to 511 are missing"),
        (entries_path(2, 18), "entries 512 to 529 are missing"),
    ],
)
def test_a_missing_tile_or_bundle_is_named(log: Path, verify: Verify, path: str, problem: str) -> None:
    (log / path).unlink()
    found = said(verify(log))
    assert len(found) == 1
    assert problem in found[0]


@pytest.mark.parametrize("path", [tile_path(0, 1), tile_path(0, 2, 18), tile_path(1, 0, 2)])
def test_a_changed_or_cut_tile_is_found(log: Path, verify: Verify, path: str) -> None:
    place = log / path
    original = place.read_bytes()
    place.write_bytes(bytes([original[0] ^ 1]) + original[1:])
    assert verify(log).findings
    place.write_bytes(original[:-1])
    assert any("another length" in line for line in said(verify(log)))


def test_entry_and_tile_lost_together_are_found_and_nothing_breaks(log: Path, verify: Verify) -> None:
    (log / entries_path(1)).unlink()
    (log / tile_path(0, 1)).unlink()
    found = said(verify(log))
    assert any("entries 256 to 511 are missing" in line for line in found)
    assert any("the root at size 300" in line for line in found)


def test_full_tiles_of_every_level_are_verified(
    tmp_path: Path, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Tiles of two hashes instead of 256 give a short log several levels of full ones.
    monkeypatch.setattr(audit_verify, "WIDTH", 2)
    for size in (1, 2, 3, 7, 8, 15):
        directory = tmp_path / str(size)
        sign_sizes(directory, publish_tiles(directory, [entry.content for entry in entries_of(size)], 2), (size,))
        assert said(verify(directory)) == []
    put(tmp_path / "8/tile/2/000", bytes(64))
    assert said(verify(tmp_path / "8")) == ["tile: tile 0 of level 2 does not follow from the entries"]


def rebuilt(log: Path, change: Callable[[int, dict[str, object]], object]) -> None:
    """Publish and sign anew, as the log itself could, entries changed one by one, each chained to the last."""
    contents, prev = [], NO_ENTRY.hex()
    for number, entry in enumerate(entries_of(40)):
        content = json.loads(entry.content) | {"prev": prev}
        change(number, content)
        contents.append(rfc8785.dumps(content))
        prev = leaf_hash(contents[-1]).hex()
    shutil.rmtree(log)
    sign_sizes(log, publish_tiles(log, contents), (20, 40))


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("index", 12, "names another position"),
        ("index", True, "cannot be read"),
        ("index", "9", "cannot be read"),
        ("prev", "0" * 64, "does not continue"),
        ("prev", ["x"], "cannot be read"),
        ("seq", 7, "6 entries of its writer before it are missing"),
        ("seq", 0, "a number that its writer had used before"),
        ("at", "yesterday", "cannot be read"),
        ("at", 5, "cannot be read"),
        ("at", "2026-02-01T00:00:00", "cannot be read"),
        ("at", "2026-99-31T00:00:00.000000Z", "cannot be read"),
        ("at", "2026-01-31T00:00:00.000000Z", "is dated 23:59:58"),
    ],
)
def test_an_entry_that_lies_about_its_place_or_time_is_found(
    log: Path, verify: Verify, field: str, value: object, problem: str
) -> None:
    rebuilt(log, lambda number, content: content.update({field: value}) if number == 1 else None)
    found = verify(log).findings
    assert [finding.position for finding in found] == [1]
    assert problem in found[0].problem


def test_clocks_that_differ_a_little_are_borne(log: Path, verify: Verify) -> None:
    def shift(number: int, content: dict[str, object]) -> None:
        at = draft(number).at - timedelta(minutes=4) * (number % 2)
        content["at"] = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    rebuilt(log, shift)
    assert said(verify(log)) == []


@pytest.mark.parametrize(
    "entry", [b"", b"no json", b"\xff", b"[]", b"{}", b"[" * 60_000, entries_of(2)[1].content + b" "]
)
def test_an_entry_that_cannot_be_read_is_found(log: Path, verify: Verify, entry: bytes) -> None:
    contents = [made.content for made in entries_of(3)]
    contents[1] = entry
    shutil.rmtree(log)
    sign_sizes(log, publish_tiles(log, contents), (3,))
    assert "position 1: entry cannot be read" in said(verify(log))


def test_notes_that_prove_nothing_are_named(log: Path, verify: Verify) -> None:
    leaves = [entry.leaf_hash for entry in entries_of(SIZE)]
    bad = {
        "20": note(leaves[:20]),
        f"{2:020}": b"no note",
        f"{3:020}": note(leaves[:3])[:-10] + b"A\n",
        f"{4:020}": note(leaves[:4], origin="log.example.org/other"),
        f"{5:020}": note(leaves[:5]).replace(b"\n5\n", b"\n6\n"),
        f"{6:020}": note(leaves[:6]).replace(b"\n6\n", b"\n06\n"),
        f"{7:020}": note(leaves[:7]).replace(b" l", b" !"),
        f"{8:020}": note(leaves[:8]) + "\u2014 witness ***\n".encode(),
        f"{9:020}": note(leaves[:9]) + b"x" * 70_000 + b"\n",
    }
    for name, content in bad.items():
        put(log / "checkpoints" / name, content)
    put(log / "checkpoints/.00.new", b"torn")
    assert {finding.place for finding in verify(log).findings} == {f"checkpoints/{name}" for name in bad}


def test_a_witness_beside_the_log_is_no_finding(log: Path, verify: Verify) -> None:
    signed = (log / "checkpoint").read_bytes()
    put(log / "checkpoint", signed + sign_note(b"", "witness.example", bytes(32), bytes(64)).lstrip(b"\n"))
    assert said(verify(log)) == []


def test_a_log_without_a_newest_checkpoint_is_wanting(log: Path, verify: Verify) -> None:
    (log / "checkpoint").unlink()
    assert said(verify(log)) == ["checkpoint: this is no checkpoint"]


def test_many_findings_are_counted_and_not_all_shown(
    log: Path, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_verify, "MOST_FINDINGS", 3)
    edit_bundle(log, lambda entries: entries.pop(40))
    verification = verify(log)
    assert len(verification.findings) == 3
    assert verification.found > 200
    assert f"found wanting: {verification.found} findings" in audit_verify.report(verification, as_json=False)


def test_the_command_says_sound_or_where_not(log: Path, key_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit_verify.main([str(log), "--key", str(key_file)]) == 0
    assert capsys.readouterr().out.startswith(f"sound: {SIZE} entries, root ")
    edit_bundle(log, lambda entries: entries.__setitem__(17, b"{}"))
    assert audit_verify.main([str(log), "--key", str(key_file)]) == 1
    assert "position 17: entry does not match its leaf hash\n" in capsys.readouterr().out
    assert audit_verify.main([str(log), "--key", str(key_file), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["sound"], answer["entries"]) == (False, SIZE)
    assert answer["findings"][0] == {
        "place": "entry",
        "position": 17,
        "problem": "entry does not match its leaf hash",
    }


def test_a_publication_under_way_is_waited_for(log: Path, verify: Verify, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = (log / "checkpoint").read_bytes()
    put(log / "checkpoint", (log / f"checkpoints/{300:020}").read_bytes())
    monkeypatch.setattr(audit_verify, "PATIENCE", (0.0, 1.0))

    def sleep(wait: float) -> None:
        if wait:
            put(log / "checkpoint", newest)

    monkeypatch.setattr("pacs_secure.audit_verify.time.sleep", sleep)
    assert said(verify(log)) == []


def test_an_empty_log_and_a_very_long_name_are_handled(tmp_path: Path, verify: Verify) -> None:
    sign_sizes(tmp_path, [], (0,))
    verification = verify(tmp_path)
    assert (said(verification), verification.size) == ([], 0)
    put(tmp_path / "tile/entries/x001/x234/067.p/5", b"here")
    assert audit_verify.Directory(tmp_path).tile("entries", 1_234_067, 5) == (b"here", False)


def test_an_unreadable_note_or_tile_is_no_excuse(log: Path, verify: Verify) -> None:
    (log / "checkpoints" / f"{7:020}").mkdir()
    assert said(verify(log)) == [f"checkpoints/{7:020}: this is no checkpoint"]


def test_misuse_is_told_from_a_bad_log(log: Path, key_file: Path, tmp_path: Path) -> None:
    assert audit_verify.main([str(tmp_path / "nowhere"), "--key", str(key_file)]) == 2
    assert audit_verify.main([str(log), "--key", str(tmp_path / "nowhere.pem")]) == 2
    assert audit_verify.main([str(log), "--key", str(log / "checkpoint")]) == 2
    wrong = tmp_path / "ec.pem"
    public = generate_ec(SECP256R1()).public_key()
    wrong.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert audit_verify.main([str(log), "--key", str(wrong)]) == 2
    with pytest.raises(SystemExit) as caught:
        audit_verify.main([str(log)])
    assert caught.value.code == 2


def test_the_file_works_alone_anywhere(log: Path, key_file: Path, tmp_path: Path) -> None:
    alone = Path(shutil.copy(audit_verify.__file__, tmp_path / "audit_verify.py"))
    command = [sys.executable, "-I", str(alone), str(log), "--key", str(key_file), "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["sound"] is True
    assert "pacs_secure" not in {line.split()[1] for line in alone.read_text().splitlines() if line.startswith("from")}


# --- witnesses, and notes that were kept elsewhere ----------------------------------------------

WITNESSES = {name: Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number, name in enumerate("ab", 1)}


def signer(name: str) -> audit_verify.Signer:
    raw = WITNESSES[name].public_key().public_bytes_raw()
    return audit_verify.load_witness(str(WitnessKey(f"{name}.example", raw)))


def cosigned(note: bytes, name: str, at: int = 1_790_000_000) -> bytes:
    key = WITNESSES[name]
    text = note.decode().rpartition("\n\n")[0].encode() + b"\n"
    blob = at.to_bytes(8, "big") + key.sign(f"cosignature/v1\ntime {at}\n".encode() + text)
    known = WitnessKey(f"{name}.example", key.public_key().public_bytes_raw()).key_id
    return note + f"\u2014 {name}.example {b64encode(known + blob).decode()}\n".encode()


def witnessed(log: Path, names: str, size: int = SIZE) -> bytes:
    note = (log / f"checkpoints/{size:020}").read_bytes()
    for name in names:
        note = cosigned(note, name)
    put(log / f"witnessed/{size:020}", note)
    return note


def verified(log: Path, witnesses: str = "", elsewhere: Sequence[tuple[str, bytes]] = ()) -> audit_verify.Verification:
    chosen = [signer(name) for name in witnesses]
    verification = audit_verify.Verification(audit_verify.Directory(log), KEY.public_key(), chosen, elsewhere)
    verification.run()
    return verification


def test_how_far_each_witness_has_signed_is_told(log: Path) -> None:
    witnessed(log, "ab", 300)
    witnessed(log, "a")
    verification = verified(log, "ab")
    assert said(verification) == []
    assert verification.witnessed == {"a.example": SIZE, "b.example": 300}
    told = audit_verify.report(verification, as_json=False).splitlines()
    assert told[:2] == [f"a.example has signed up to size {SIZE}", "b.example has signed up to size 300"]
    assert json.loads(audit_verify.report(verification, as_json=True))["witnessed"] == verification.witnessed


def test_a_witness_that_has_signed_nothing_is_missed(log: Path) -> None:
    witnessed(log, "a")
    assert said(verified(log, "ab")) == ["witness: b.example has signed none of the checkpoints"]


def test_a_signature_of_a_witness_that_is_not_of_this_text_is_found(log: Path) -> None:
    other = witnessed(log, "a", 300).decode().splitlines()[-1]
    note = (log / f"checkpoints/{SIZE:020}").read_bytes()
    put(log / f"witnessed/{SIZE:020}", note + f"{other}\n".encode())
    (found,) = said(verified(log, "a"))
    assert "the signature of a.example is not of this text" in found
    assert said(verified(log, "")) == []  # whoever is not asked about is not looked at


def test_a_log_cut_back_with_all_its_notes_is_found_by_a_note_kept_elsewhere(log: Path) -> None:
    kept = cosigned((log / "checkpoint").read_bytes(), "a")
    shutil.rmtree(log)
    sign_sizes(log, publish_tiles(log, [entry.content for entry in entries_of(300)]), (20, 300))
    assert said(verified(log)) == []

    found = said(verified(log, elsewhere=[("witness", kept)]))
    assert any("it is of size 300, but size 530 was signed" in line for line in found)
    assert any("missing" in line for line in found)


@pytest.mark.parametrize("size", [SIZE, SIZE + 20])
def test_a_fork_shown_to_one_witness_is_found_by_what_the_other_saw(log: Path, size: int) -> None:
    """The log signed two histories, and showed each witness another one."""
    shown_to_a = cosigned((log / "checkpoint").read_bytes(), "a")
    shutil.rmtree(log)
    entries = entries_of(size, "dermatology", since=400)
    sign_sizes(log, publish_tiles(log, [entry.content for entry in entries]), (300, size))
    witnessed(log, "b", size)
    assert said(verified(log, "b")) == []

    found = said(verified(log, "ab", [("a's newest note", shown_to_a)]))
    assert any("400" in line or "300 to" in line or "forked" in line for line in found)
    assert any(f"size {SIZE}" in line for line in found)


def test_everything_rewritten_by_whoever_holds_the_key_is_found_by_one_old_note(log: Path) -> None:
    old = (log / f"checkpoints/{20:020}").read_bytes()
    shutil.rmtree(log)
    entries = entries_of(SIZE, "dermatology", since=3)
    sign_sizes(log, publish_tiles(log, [entry.content for entry in entries]), (256, SIZE))
    assert said(verified(log)) == []
    assert any("the root at size 20 is not the signed one" in line for line in said(verified(log, "", [("old", old)])))


def test_the_command_takes_witnesses_and_notes(
    log: Path, key_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes(witnessed(log, "a"))
    raw = WITNESSES["a"].public_key().public_bytes_raw()
    name, of_a_log = str(WitnessKey("a.example", raw)), f"a.example+00000000+{b64encode(bytes([1]) + raw).decode()}"
    usual = [str(log), "--key", str(key_file)]
    assert audit_verify.main([*usual, "--witness", name, "--note", str(kept)]) == 0
    assert f"a.example has signed up to size {SIZE}" in capsys.readouterr().out
    for wrong in ("", "a.example", "a.example+00000000+AAAA", name[:-4], of_a_log):
        assert audit_verify.main([*usual, "--witness", wrong]) == 2, wrong
    assert audit_verify.main([*usual, "--note", str(tmp_path / "nowhere")]) == 2


# --- the quick way and the thorough one ---------------------------------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_byte_is_changed_both_ways_of_verifying_say_the_same(
    published: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    log = Path(shutil.copytree(published, tmp_path_factory.mktemp("any") / "log"))
    files = sorted(path for path in log.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(files), label="file")
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1), label="byte")
    content[place] ^= data.draw(st.integers(1, 255), label="bits")
    path.write_bytes(content)

    quick = verified(log)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit_verify.Verification, "_all_sound", lambda *_: False)
        patch.setattr(audit_verify, "PATIENCE", (0.0,))
        thorough = verified(log)
    assert quick.findings == thorough.findings != []
    assert quick.tree.root() == thorough.tree.root()


# --- unsigned entries, writers that go on, time and names ---------------------------------------


def extended(log: Path, *said: Statement) -> list[str]:
    """Publish and sign more entries behind the untouched ones, as the log itself could; say what is found."""
    entries = entries_of(40)
    for one in said:
        entries.append(compose_entry(one, len(entries), entries[-1].leaf_hash))
    shutil.rmtree(log)
    sign_sizes(log, publish_tiles(log, [entry.content for entry in entries]), (40, len(entries)))
    return said_of(log)


def said_of(log: Path) -> list[str]:
    verification = audit_verify.Verification(audit_verify.Directory(log), KEY.public_key())
    verification.run()
    return said(verification)


HARMLESS = replace(draft(50), actor="", details=None, outcome=Outcome.REFUSED)


@pytest.mark.parametrize(
    ("unsigned", "sound"),
    [
        (HARMLESS, True),
        (replace(HARMLESS, outcome=Outcome.COMPLETED, action=Action.SYSTEM_START), True),
        (replace(HARMLESS, actor=draft(50).actor), False),
        (replace(HARMLESS, details=draft(50).details), False),
        (replace(HARMLESS, outcome=Outcome.COMPLETED, facts={"actor": "", "objects": 12}), False),
        (replace(HARMLESS, outcome=Outcome.COMPLETED, action=Action.SYSTEM_STOP), False),
    ],
)
def test_what_nobody_signed_may_accuse_nobody_and_cover_nothing_up(log: Path, unsigned: Draft, *, sound: bool) -> None:
    found = extended(log, state(unsigned))
    assert found == ([] if sound else ["position 40: nobody signed the entry, and it may not stand unsigned"])


@pytest.mark.parametrize("content", [b'{"actor":"",}', b"[]", b"{" * 3000 + b"}"])
def test_what_nobody_signed_and_nobody_can_read_is_found(log: Path, content: bytes) -> None:
    (found,) = extended(log, Statement(state(HARMLESS).at, b'{"said":' + content + b"}"))
    assert "nobody signed the entry" in found


@pytest.mark.parametrize(("number", "sound"), [(40, True), (12, True), (43, False)])
def test_a_writer_that_goes_on_under_another_name_loses_nothing_unnoticed(
    log: Path, number: int, *, sound: bool
) -> None:
    successor = Author(KeyId(UUID(int=2)), bytes(32))
    words = replace(draft(50), facts={"continues": f"{UUID(int=1)} {number}"})
    found = extended(log, successor.sign(state(words)))
    assert found == ([] if sound else [f"position 40: entries that its writer made as {UUID(int=1)} are missing"])


def test_small_steps_back_do_not_add_up(log: Path) -> None:
    steps = [replace(HARMLESS, at=draft(39).at - step * timedelta(minutes=4)) for step in (1, 2, 3)]
    found = extended(log, *map(state, steps))
    assert [line.partition(":")[0] for line in found] == ["position 41", "position 42"]


def test_no_file_is_named_like_a_verdict(log: Path) -> None:
    put(log / "checkpoints" / "x\nsound: 530 entries\x1b[8m", b"no note")
    (found,) = said_of(log)
    assert found.startswith("checkpoints/x\\nsound: 530 entries\\x1b[8m: ")
