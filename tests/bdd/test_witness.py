"""Witnesses outside the house, as features/witness.feature tells it."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure import audit_verify
from pacs_secure.adapters.https_witness import HttpsWitness
from pacs_secure.adapters.tile_directory import TileDirectory
from pacs_secure.adapters.time_servers import TimeServers
from pacs_secure.adapters.time_stamps import TimeStampAuthority
from pacs_secure.archive.clock_watch import ClockWatch
from pacs_secure.archive.notary import Notary
from pacs_secure.archive.time_stamping import TimeStamping
from pacs_secure.archive.witnessing import Witnessing
from pacs_secure.core.access import Action, Role
from pacs_secure.crypto.tlog import log_verifier_key, parse_checkpoint, verify_cosignature, verify_note, witness_key
from pacs_secure.ports import Shelf
from pacs_secure.witness import read_verifier
from tests.bdd.hospital import Entry, Hospital, Person
from tests.bdd.pictures import picture
from tests.bdd.story import SUCCESS, Story
from tests.builders import HERE, draft
from tests.fakes import MemoryLedger
from tests.fakes_keys import FakeKeyring
from tests.time_sources import Authority, NtpServer, ntp_server, time_stamping_authority
from tests.witnesses import RunningWitness, make, running
from tests.world import ORIGIN

scenarios("witness.feature")

OFFICER = Person(Role.DPO, name="d.po")


@dataclass
class Outside:
    """Everybody outside the house who vouches for it, and the time as the archive's threads would see it."""

    hospital: Hospital
    stack: ExitStack
    now: float = 0.0
    witnesses: dict[str, RunningWitness] = field(default_factory=dict)
    servers: list[NtpServer] = field(default_factory=list)
    authority: Authority | None = None
    witnessing: Witnessing = field(init=False)
    clock: ClockWatch = field(init=False)

    def alarm(self, kind: str, facts: Any) -> None:
        self.hospital.world.archive.guard.alarm(self.hospital.keys.institution, kind, facts)

    def start(self, name: str, *arguments: str) -> None:
        self.witnesses[name] = self.stack.enter_context(running(self.hospital.outside / name, *arguments))

    def ask(self) -> None:
        self.witnessing.attest()
        self.witnessing.look()

    def alarms(self, kind: str = "") -> list[Entry]:
        entries = [entry for entry in self.hospital.entries() if entry["action"] == "system:alarm"]
        return [entry for entry in entries if kind in {"", entry["facts"]["alarm"]}]


@pytest.fixture
def outside(hospital: Hospital) -> Iterator[Outside]:
    with ExitStack() as stack:
        yield Outside(hospital, stack)


# --- given ------------------------------------------------------------------------------------


@given("two witnesses under other administrations")
def _two(hospital: Hospital, outside: Outside) -> None:
    log = read_verifier(log_verifier_key(ORIGIN, hospital.keys.signer.public_key()))
    for name in ("w1", "w2"):
        make(hospital.outside / name, f"{name}.example", log)
        outside.start(name)
    engines = hospital.world.house.engines
    asked = [HttpsWitness(name, one.url, one.verifier) for name, one in outside.witnesses.items()]
    outside.witnessing = Witnessing(
        engines.ledger, engines.publisher, lambda _: None, asked, 2, outside.alarm, lambda: outside.now
    )
    outside.stack.callback(outside.witnessing.stop)


@given("the witnesses have signed it")
def _have_signed(hospital: Hospital, outside: Outside) -> None:
    shutil.copytree(hospital.world.checkpoints, hospital.outside / "older")
    hospital.world.archive.guard.announce(hospital.keys.institution, Action.SYSTEM_START, {})
    hospital.world.notary.attest()
    outside.ask()
    _signed_by_both(hospital, outside)


@given("three time servers, one of which is always wrong")
def _time_servers(outside: Outside) -> None:
    outside.servers = [outside.stack.enter_context(ntp_server()) for _ in range(3)]
    outside.servers[2].ahead = -500.0
    asked = TimeServers([one.address for one in outside.servers])
    outside.clock = ClockWatch(asked, 0.0, outside.alarm)


@given("a time-stamping authority")
def _authority(hospital: Hospital, outside: Outside) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl plays the authority")
    outside.authority = outside.stack.enter_context(time_stamping_authority(hospital.outside / "tsa"))


# --- when -------------------------------------------------------------------------------------


@when("the witnesses are asked")
def _asked(outside: Outside) -> None:
    outside.now += 60
    outside.ask()


@when(parsers.parse("the witnesses are asked for {seconds:d} seconds"))
def _asked_for(outside: Outside, seconds: int) -> None:
    for _ in range(seconds):
        outside.ask()
        outside.now += 1


@when(parsers.parse("someone who holds every key of the house publishes {what}"))
def _rewrite(hospital: Hospital, what: str) -> None:
    published = hospital.world.checkpoints
    size = hospital.world.house.engines.publisher.published()
    other = hospital.outside / "other"
    if what == "an older copy of the ledger":
        other = hospital.outside / "older"
    else:
        ledger, shelf = MemoryLedger(), FakeKeyring()
        ledger.author(lambda: shelf.mint(HERE, Shelf.LEDGER))
        for _ in range(size if what == "another history of the same size" else size + 7):
            ledger.append(draft())
        Notary(ledger, TileDirectory(other), hospital.keys.signer, ORIGIN).attest()
    shutil.rmtree(published)
    shutil.copytree(other, published)
    note = (published / "checkpoint").read_bytes()
    assert verify_note(note, ORIGIN, hospital.keys.signer.public_key()), "it is well signed"


@when("one witness dies")
def _dies(outside: Outside) -> None:
    outside.witnesses["w2"].process.kill()
    outside.witnesses["w2"].process.wait()


@when('"CT1" sends the next picture, which is accepted and published')
def _next_picture(hospital: Hospital) -> None:
    assert hospital.send("CT1", picture(number=2)) == [SUCCESS]
    before = hospital.world.house.engines.publisher.published()
    assert hospital.world.notary.attest() > before


@when("the witness is back")
def _is_back(outside: Outside) -> None:
    outside.start("w2", "--port", str(outside.witnesses["w2"].port))


@when(parsers.re(r"the clock of the archive is set (?P<seconds>\d+) seconds (?P<whither>back|ahead)"))
def _set(outside: Outside, seconds: str, whither: str) -> None:
    outside.now = 1000.0
    wall = [1_790_000_000.0]
    watch = ClockWatch(None, 60, outside.alarm, lambda: wall[0], lambda: outside.now)
    watch.look()
    outside.now += 1
    wall[0] += 1 + int(seconds) * (1 if whither == "ahead" else -1)
    for _ in range(3):
        watch.look()
        outside.now, wall[0] = outside.now + 1, wall[0] + 1


@when(parsers.parse("the time servers are {seconds:g} seconds ahead"))
def _ahead(outside: Outside, seconds: float) -> None:
    for server in outside.servers[:2]:
        server.ahead = seconds
    for _ in range(2):
        outside.clock.look()


@when("the newest checkpoint is stamped")
def _stamped(hospital: Hospital, outside: Outside) -> None:
    assert outside.authority is not None
    authority = TimeStampAuthority(outside.authority.url, outside.authority.root)
    TimeStamping(hospital.world.house.engines.publisher, authority, 3600, outside.alarm).look()


# --- then -------------------------------------------------------------------------------------


@then("the newest published checkpoint is signed by both witnesses")
def _signed_by_both(hospital: Hospital, outside: Outside) -> None:
    note = (hospital.world.checkpoints / "witnessed-checkpoint").read_bytes()
    text = verify_note(note, ORIGIN, hospital.keys.signer.public_key())
    size = hospital.world.house.engines.publisher.published()
    assert parse_checkpoint(note).size == size
    assert (hospital.world.checkpoints / "witnessed" / f"{size:020}").read_bytes() == note
    lines = note.decode().splitlines()[-2:]
    for line, witness in zip(lines, outside.witnesses.values(), strict=True):
        verify_cosignature(line, witness_key(witness.verifier), text)


@then("each witness shows the same checkpoint to whoever asks it")
def _shows(hospital: Hospital, outside: Outside) -> None:
    for witness in outside.witnesses.values():
        status, _, note = witness.newest(ORIGIN)
        assert status == 200
        assert note.encode().startswith((hospital.world.checkpoints / "checkpoint").read_bytes())


@then("the stand-alone verifier finds nothing wrong with what is published alone")
def _alone(hospital: Hospital) -> None:
    assert _verified(hospital).findings == []


@then("together with a witness's newest note it finds the ledger wanting")
def _together(hospital: Hospital, outside: Outside) -> None:
    for name, witness in outside.witnesses.items():
        _, _, note = witness.newest(ORIGIN)
        assert _verified(hospital, (name, note.encode())).findings != []


def _verified(hospital: Hospital, *notes: tuple[str, bytes]) -> audit_verify.Verification:
    key = Ed25519PublicKey.from_public_bytes(hospital.keys.signer.public_key())
    verification = audit_verify.Verification(audit_verify.Directory(hospital.world.checkpoints), key, (), notes)
    verification.run()
    return verification


@then("neither witness signs it")
def _not_signed(hospital: Hospital, outside: Outside) -> None:
    text = parse_checkpoint((hospital.world.checkpoints / "checkpoint").read_bytes()).text
    for witness in outside.witnesses.values():
        assert not witness.newest(ORIGIN)[2].encode().startswith(text)
    assert not (hospital.world.checkpoints / "witnessed-checkpoint").exists()


@then(parsers.parse('the ledger holds the alarm "{kind}" of each witness'))
def _of_each(outside: Outside, kind: str) -> None:
    assert [entry["facts"]["witness"] for entry in outside.alarms(kind)] == ["w1", "w2"]
    assert {entry["outcome"] for entry in outside.alarms(kind)} == {"failed"}


@then(parsers.parse('the ledger holds the alarm "{kind}" once'))
def _once(outside: Outside, kind: str) -> None:
    (entry,) = outside.alarms(kind)
    assert entry["outcome"] == "failed"
    assert "recovered" not in entry["facts"]


@then("the ledger holds no alarm")
def _no_alarm(outside: Outside) -> None:
    assert outside.alarms() == []


@then(parsers.parse('the ledger says once that the alarm "{kind}" is over'))
def _over(outside: Outside, kind: str) -> None:
    raised, ended = outside.alarms(kind)
    assert (raised["outcome"], ended["outcome"]) == ("failed", "completed")
    assert ended["facts"]["recovered"]


@then("the data-protection officer is told of the alarm")
def _told(hospital: Hospital, outside: Outside) -> None:
    notices = hospital.call_api(OFFICER, "GET", "/notices").json()
    acts = {entry["act"]: entry["facts"]["alarm"] for entry in outside.alarms()}
    told = {notice["act"]: notice["told"]["alarm"] for notice in notices if notice["kind"] == "alarm"}
    assert told == acts != {}


@then("the ledger is sound")
def _sound(hospital: Hospital, story: Story) -> None:
    hospital.world.notary.attest()
    story.verdict = hospital.world.archive.verify.check_ledger(hospital.subject(Role.DPO))
    assert story.verdict.sound


@then("the authority's own tools verify the time stamp over the published checkpoint")
def _tools_agree(hospital: Hospital, outside: Outside) -> None:
    published, authority = hospital.world.checkpoints, outside.authority
    assert authority is not None
    (token,) = (published / "timestamps").glob("*.tsr")
    stamped: Path = published / "checkpoints" / token.stem
    assert stamped.read_bytes() == (published / "checkpoint").read_bytes()
    assert authority.verifies(token, stamped)
