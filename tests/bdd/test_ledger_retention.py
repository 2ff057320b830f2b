"""What the ledger need not keep any longer, as features/ledger_retention.feature tells it."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure import audit_verify
from pacs_secure.archive.details import Details
from pacs_secure.archive.ledger_proofs import Inclusion
from pacs_secure.core.access import AccessRequest, Action, Role
from pacs_secure.core.audit import Draft, LedgerEntry
from pacs_secure.core.classification import Reclassification
from pacs_secure.core.errors import Denied, NotFound
from pacs_secure.core.identifiers import uid
from pacs_secure.core.retention import Certificate, Expired, Plan, Stopped
from pacs_secure.crypto.tlog import (
    certificate_text,
    certifier,
    entries_path,
    leaf_hash,
    parse_entry,
    read_certificate,
    read_draft,
    root,
    sign_note,
    verify_inclusion,
)
from tests.aged import write_past
from tests.bdd.hospital import PART10, Hospital
from tests.bdd.pictures import picture
from tests.bdd.story import RADIOLOGIST, STUDY, Story
from tests.fakes_keys import FakeKeyring
from tests.world import ORIGIN

scenarios("ledger_retention.feature")


@dataclass
class Years:
    """What one scenario remembers over the years."""

    before: list[LedgerEntry] = field(default_factory=list)
    """Every entry before anything could go."""
    expired: Expired | None = None
    plan: Plan | None = None
    refused: Denied | None = None
    proof: Inclusion | None = None


@pytest.fixture
def years() -> Years:
    return Years()


# --- before ---------------------------------------------------------------------------------------


@given(parsers.parse("{count:d} entries of daily work are in the ledger"))
def _daily_work(hospital: Hospital, count: int) -> None:
    write_past(hospital.world.house, count, datetime.now(UTC), timedelta(), of=hospital.keys.institution)


@given("an officer has put a legal hold on that study")
def _held(hospital: Hospital) -> None:
    _hold(hospital, held=True)


@when("an officer has ended the legal hold on that study")
def _hold_ended(hospital: Hospital) -> None:
    _hold(hospital, held=False)


def _hold(hospital: Hospital, *, held: bool) -> None:
    change = Reclassification(held=held)
    study = picture().study_instance_uid
    hospital.world.archive.classify.change(hospital.subject(Role.OFFICER), None, study, change, "a lawsuit of hers")


@given("a radiologist has read it")
def _read(hospital: Hospital) -> None:
    assert hospital.get(RADIOLOGIST, STUDY, PART10).status_code == 200
    hospital.entries()  # once how it came out is on record


@given(parsers.parse("the data-protection officer has kept the proof of entry {index:d}"))
def _kept(hospital: Hospital, years: Years, index: int) -> None:
    dpo = hospital.subject(Role.DPO)
    years.proof = hospital.world.archive.ledger_proofs.of(dpo, None, index, details={})


@given("the data-protection officer has kept the proof of the entry that says so")
def _kept_read(hospital: Hospital, years: Years) -> None:
    read = max(index for index, draft in enumerate(_drafts(hospital)) if draft.action is Action.STUDY_READ)
    _kept(hospital, years, read)


# --- the years go by --------------------------------------------------------------------------------


@when("four years later the operator lets the ledger expire")
def _expire(hospital: Hospital, years: Years) -> None:
    _expire_by(hospital, years, Role.OPERATOR, 4)


@when("two years later the operator lets the ledger expire")
def _expire_early(hospital: Hospital, years: Years) -> None:
    _expire_by(hospital, years, Role.OPERATOR, 2)


@when("four years later a radiologist lets the ledger expire")
def _expire_by_another(hospital: Hospital, years: Years) -> None:
    with pytest.raises(Denied) as refused:
        _expire_by(hospital, years, Role.RADIOLOGIST, 4)
    years.refused = refused.value


def _expire_by(hospital: Hospital, years: Years, role: Role, later: int) -> None:
    years.before = years.before or _entries(hospital)
    verb = replace(hospital.world.archive.ledger_retention, now=lambda: _in(later))
    years.expired = verb.expire(hospital.subject(role), None, details={})


@when("four years later the operator asks what would go")
def _plan(hospital: Hospital, years: Years) -> None:
    years.before = _entries(hospital)
    verb = replace(hospital.world.archive.ledger_retention, now=lambda: _in(4))
    years.plan = verb.plan(hospital.subject(Role.OPERATOR), None, details={})


def _in(years: int) -> datetime:
    now = datetime.now(UTC)
    return now.replace(year=now.year + years, day=min(now.day, 28))


@when("the ledger keys of Erika Mustermann are forgotten")
def _forget(hospital: Hospital, years: Years) -> None:
    years.before = _entries(hospital)
    archive, of = hospital.world.archive, hospital.keys.institution
    facts = archive.facts.of(hospital.subject(Role.RADIOLOGIST), None, uid(picture().study_instance_uid))
    assert facts is not None
    asked = AccessRequest(hospital.subject(Role.OPERATOR), Action.LEDGER_EXPIRE, None)
    assert archive.ledger_keys.forget(archive.guard.decide(asked), of, facts.patient_alias) == 1


@when("somebody with access to the database writes a certificate of their own and takes entries away")
def _forge_in_database(hospital: Hospital) -> None:
    leaves = list(hospital.world.house.engines.ledger.leaf_hashes(0, 256))
    with closing(sqlite3.connect(hospital.world.index_file)) as index:
        # All that the triggers ask for; no trigger knows the log's key.
        index.execute("INSERT INTO retention_certificates VALUES (256, 0, ?)", (_forged(hospital),))
        index.execute("INSERT INTO retained_tiles VALUES (0, ?)", (b"".join(leaves),))
        assert index.execute("DELETE FROM ledger WHERE entry_index < 256").rowcount == 256
        index.commit()


@when("somebody with access to the published files writes a certificate of their own and takes entries away")
def _forge_in_files(hospital: Hospital) -> None:
    folder = hospital.world.checkpoints / "retention"
    folder.mkdir()
    (folder / f"{256:020}").write_bytes(_forged(hospital))
    (hospital.world.checkpoints / entries_path(0)).unlink()


def _forged(hospital: Hospital) -> bytes:
    leaves, now = list(hospital.world.house.engines.ledger.leaf_hashes(0, 256)), datetime.now(UTC)
    text = certificate_text(ORIGIN, Certificate(1, 0, 256, root(leaves), now, 0, "", Role.OPERATOR, now, {}))
    return sign_note(text, certifier(ORIGIN), hospital.keys.signer.public_key(), FakeKeyring().sign(text))


# --- what is left -----------------------------------------------------------------------------------


@then(parsers.parse("the entries 0 to {last:d} are gone from the database and from what is published"))
def _gone(hospital: Hospital, last: int) -> None:
    with closing(sqlite3.connect(hospital.world.index_file)) as index:
        assert index.execute("SELECT min(entry_index) FROM ledger").fetchone() == (last + 1,)
    bundles = hospital.world.checkpoints / "tile" / "entries"
    assert not any((bundles / f"{number:03}").exists() for number in range((last + 1) // 256))
    assert all((hospital.world.checkpoints / "tile" / "0" / f"{n:03}").exists() for n in range((last + 1) // 256))


@then("a certificate signed by the log says that the entries 0 to 255 went, and names nobody")
def _certificate(hospital: Hospital) -> None:
    note = (hospital.world.checkpoints / "retention" / f"{256:020}").read_bytes()
    certificate = read_certificate(note, ORIGIN, hospital.keys.signer.public_key())
    assert (certificate.number, certificate.start, certificate.horizon) == (1, 0, 256)
    assert b"r.weber" not in note


@then("the ledger holds the digest of that certificate")
def _digest(hospital: Hospital) -> None:
    note = (hospital.world.checkpoints / "retention" / f"{256:020}").read_bytes()
    told = [entry["facts"].get("certificate") for entry in hospital.entries() if entry["action"] == "ledger:expire"]
    assert sha256(note).hexdigest() in told


@then("nothing that those entries said of persons opens any more")
def _shut(hospital: Hospital, years: Years) -> None:
    drafts = [read_draft(entry.content) for entry in years.before[:256]]
    assert all(draft.details for draft in drafts)
    assert set(map(str, _opened(hospital, drafts))) == {"None"}


@then("every entry is still there")
def _all_there(hospital: Hospital, years: Years) -> None:
    assert _entries(hospital)[: len(years.before)] == years.before


@then("there is no certificate")
def _no_certificate(hospital: Hospital) -> None:
    assert not (hospital.world.checkpoints / "retention").exists()


@then("they hear of 256 entries, how many keys, and until when")
def _told(years: Years) -> None:
    assert years.plan is not None
    assert (years.plan.count, years.plan.keys) == (256, 1)
    assert years.plan.until == datetime.fromisoformat(parse_entry(years.before[255].content).statement.at)


@then("what the ledger says of Erika Mustermann still opens")
def _still_opens(hospital: Hospital, years: Years) -> None:
    hers = [draft for draft in _drafts(hospital) if draft.patient_alias]
    assert hers
    assert None not in _opened(hospital, hers)


@then("the operator hears that a legal hold keeps the rest")
def _hold_heard(years: Years) -> None:
    assert years.expired is not None
    assert years.expired.plan.stopped is Stopped.HELD


@then("that is refused")
def _is_refused(years: Years) -> None:
    assert years.refused is not None


@then("the kept proof still holds")
def _holds(years: Years) -> None:
    kept = years.proof
    assert kept is not None
    assert verify_inclusion(leaf_hash(kept.content), kept.index, kept.size, kept.path, kept.root)


@then("the entry itself is not there any more")
def _entry_gone(hospital: Hospital, years: Years) -> None:
    assert years.proof is not None
    with pytest.raises(NotFound):
        hospital.world.archive.ledger_proofs.of(hospital.subject(Role.DPO), None, years.proof.index, details={})


@then("nothing that the ledger said of Erika Mustermann opens any more")
def _hers_shut(hospital: Hospital, years: Years) -> None:
    hers = [one for one in map(_read_entry, years.before) if one.patient_alias]
    assert len(hers) > 2
    assert set(map(str, _opened(hospital, hers))) == {"None"}


@then("what it says of others opens as before")
def _others_open(hospital: Hospital, years: Years) -> None:
    others = [one for one in map(_read_entry, years.before) if one.details and not one.patient_alias]
    assert others
    assert None not in _opened(hospital, others)


# --- the verifiers ----------------------------------------------------------------------------------


@then("the ledger is sound")
def _sound(story: Story) -> None:
    assert story.verdict is not None
    assert story.verdict.findings == ()


@then("the stand-alone verifier finds it sound")
def _stand_alone_sound(hospital: Hospital) -> None:
    hospital.world.notary.attest()
    assert _stand_alone(hospital) == (0, [])


@then("the archive finds that entries are missing and that the certificate is forged")
def _archive_finds(hospital: Hospital) -> None:
    verdict = hospital.world.archive.verify.check_ledger(hospital.subject(Role.DPO))
    found = [(finding.place, finding.position) for finding in verdict.findings]
    assert ("certificate", None) in found
    assert ("chain", 0) in found


@then("the stand-alone verifier finds that entries are missing and that the certificate is forged")
def _stand_alone_finds(hospital: Hospital) -> None:
    status, found = _stand_alone(hospital)
    assert status == 1
    assert any(finding["place"] == f"retention/{256:020}" for finding in found)
    assert any("entries 0 to 255 are missing" in finding["problem"] for finding in found)


def _stand_alone(hospital: Hospital) -> tuple[int, list[dict[str, Any]]]:
    pem = hospital.outside / "ledger.pem"
    public_key = Ed25519PublicKey.from_public_bytes(hospital.keys.signer.public_key())
    pem.write_bytes(public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    words = ("-I", audit_verify.__file__, hospital.world.checkpoints, "--key", pem, "--json")
    command = [sys.executable, *map(str, words)]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return told.returncode, json.loads(told.stdout)["findings"]


def _entries(hospital: Hospital) -> list[LedgerEntry]:
    hospital.entries()  # once what follows is committed
    ledger = hospital.world.house.engines.ledger
    return list(ledger.entries(0, ledger.size()))


def _drafts(hospital: Hospital) -> list[Draft]:
    return list(map(_read_entry, _entries(hospital)))


def _read_entry(entry: LedgerEntry) -> Draft:
    return read_draft(entry.content)


def _opened(hospital: Hospital, drafts: list[Draft]) -> list[dict[str, str] | None]:
    return Details(hospital.keys.unwrapper).open(drafts)
