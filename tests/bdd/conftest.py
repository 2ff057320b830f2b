"""The steps that several features share, and the hospital they happen in."""

import logging
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from pytest_bdd import given, parsers, then, when

from pacs_secure.core.access import Purpose, Role
from tests.bdd.hospital import PART10, Entry, Hospital, Keys, Person, closed, hospital_below, until
from tests.bdd.keys import MemoryKeys, VaultKeys
from tests.bdd.pictures import PATIENT_ID, WORDS, picture
from tests.bdd.story import RADIOLOGIST, STUDY, SUCCESS, TRY_AGAIN, Story, begin, person_of
from tests.bdd.traces import traces


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
def keys(request: pytest.FixtureRequest) -> Iterator[Keys]:
    """Lend a real vault to scenarios about keys, and a shelf in memory to all others."""
    if not any(map(request.node.get_closest_marker, ("SEC-03", "real"))):
        yield MemoryKeys()
        return
    lent = VaultKeys(request.getfixturevalue("openbao"))
    try:
        yield lent
    finally:
        lent.close()


@pytest.fixture
def hospital(keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hospital]:
    # Whatever makes a temporary file makes it where it will be searched.
    temporary = tmp_path / "archive" / "tmp"
    temporary.mkdir(parents=True)
    for name in ("TMPDIR", "SQLITE_TMPDIR"):
        monkeypatch.setenv(name, str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with hospital_below(tmp_path, keys) as hospital:
        yield hospital


@pytest.fixture
def new(hospital: Hospital, story: Story) -> Callable[[], list[Entry]]:
    """Return what the ledger says of the last act."""
    return lambda: hospital.entries()[story.mark :]


# --- given ------------------------------------------------------------------------------------


@given(parsers.parse('an archive with the modality "{ae_title}" of {department}'))
@given(parsers.parse('the modality "{ae_title}" of {department}'))
def _modality(hospital: Hospital, ae_title: str, department: str) -> None:
    hospital.enrol(ae_title, department)


@given('"CT1" has sent the CT of Erika Mustermann')
def _ct_was_sent(hospital: Hospital) -> None:
    assert hospital.send("CT1", picture()) == [SUCCESS]


@given("the ledger has been published")
@when("the ledger is published")
def _publish(hospital: Hospital) -> None:
    hospital.world.notary.attest()


# --- when -------------------------------------------------------------------------------------


@when(parsers.re(r"a (?P<role>[a-z]+)(?: of (?P<department>[a-z]+))? asks for that study"))
@when(parsers.re(r"a (?P<role>[a-z]+) of (?P<department>[a-z]+) asks for that study for the purpose (?P<purpose>\w+)"))
def _ask(
    hospital: Hospital, story: Story, role: str, department: str | None = None, purpose: str | None = None
) -> None:
    begin(hospital, story)
    person = Person(Role(role), department or "radiology", Purpose(purpose) if purpose else None)
    story.answers.append(hospital.get(person, STUDY, PART10))


@when(
    parsers.re(
        r"(?P<who>a [a-z]+(?: of [a-z]+)?) searches for the Patient ID \"(?P<patient_id>[^\"]+)\""
        r"(?: for the purpose (?P<purpose>\w+))?"
    )
)
def _search_for_patient(
    hospital: Hospital, story: Story, who: str, patient_id: str, purpose: str | None = None
) -> None:
    begin(hospital, story)
    story.answers.append(hospital.search(person_of(who, purpose), PatientID=patient_id))


@when("the ledger is verified")
def _verify_ledger(hospital: Hospital, story: Story) -> None:
    begin(hospital, story)
    story.verdict = hospital.world.archive.verify.check_ledger(hospital.subject(Role.DPO))


@when("the key store is sealed")
def _seal(hospital: Hospital, keys: Keys) -> None:
    keys.seal()
    until(lambda: closed(hospital))


@when("the key store is unsealed")
def _unseal(hospital: Hospital, keys: Keys) -> None:
    keys.unseal()
    until(lambda: not closed(hospital))


# --- then -------------------------------------------------------------------------------------


@then(parsers.re(r'the ledger holds exactly 1 new entry, a (?P<outcome>\w+) "(?P<action>[\w:-]+)"'))
def _one_entry(new: Callable[[], list[Entry]], outcome: str, action: str) -> None:
    until(lambda: bool(new()))
    assert [(entry["outcome"], entry["action"]) for entry in new()] == [(outcome, action)]


@then(parsers.re(r'the ledger holds a (?P<outcome>\w+) "(?P<action>[\w:-]+)"'))
def _entry(hospital: Hospital, outcome: str, action: str) -> None:
    assert (outcome, action) in [(entry["outcome"], entry["action"]) for entry in hospital.entries()]


@then(parsers.re(r'the ledger holds a (?P<outcome>\w+) "(?P<action>[\w:-]+)" because of "(?P<error>\w+)"'))
def _entry_because(hospital: Hospital, outcome: str, action: str, error: str) -> None:
    found = [(entry["outcome"], entry["action"], entry["facts"].get("error")) for entry in hospital.entries()]
    assert (outcome, action, error) in found


@then("a radiologist hears that it must try again later")
def _read_later(hospital: Hospital) -> None:
    try_again_later(hospital.get(RADIOLOGIST, STUDY, PART10))


@then("a radiologist who searches hears that it must try again later")
def _search_later(hospital: Hospital) -> None:
    try_again_later(hospital.search(RADIOLOGIST, PatientID=PATIENT_ID))


@then('"CT1" hears that it must try again later')
def _send_later(hospital: Hospital) -> None:
    before = hospital.rows()
    assert hospital.send("CT1", picture(number=2)) == [TRY_AGAIN]
    assert hospital.rows() == before


@then('"CT1" can send the next picture without anyone restarting the archive')
def _next(hospital: Hospital) -> None:
    assert hospital.send("CT1", picture(number=2)) == [SUCCESS]


@then(parsers.re(r"the archive holds (?P<number>\d+) objects?"))
def _objects(hospital: Hospital, number: str) -> None:
    files = [path for path in hospital.world.objects.rglob("*") if path.is_file()]

    assert len(files) == hospital.objects() == hospital.rows() == int(number)


@then("the first picture is unchanged")
def _first_unchanged(hospital: Hospital) -> None:
    first = picture()
    answer = hospital.get(RADIOLOGIST, first.path, PART10)
    assert answer.status_code == 200
    assert answer.content.endswith(first.data_set)


@then("the request is refused")
def _refused(story: Story) -> None:
    assert story.answer.status_code in {403, 404}


@then("nothing of the person is in the answer")
def _no_person(story: Story) -> None:
    text = story.answer.text + str(story.answer.headers)
    assert not [word for word in (*WORDS, "Erika", picture().study_instance_uid) if word in text]


@then("no file, temporary file or log of the archive holds a name, a number or a pixel of hers in any encoding")
def _no_trace(hospital: Hospital) -> None:
    logging.getLogger().debug("the archive is searched")
    pixels = [frame for one in (picture(), picture("DX"), picture("US")) for frame in one.frames]
    # The same search finds each of them in what the modality keeps, so it would find them here.
    (hospital.outside / "kept.dcm").write_bytes(picture().stream)
    found = traces([hospital.outside], WORDS, picture().frames)
    assert {word for word in WORDS if any(line.startswith(f"{word} in /") for line in found)} == set(WORDS)
    assert any(line.startswith("pixels") for line in found)
    assert (hospital.directory / "archive.log").stat().st_size
    assert hospital.world.index_file.with_name("index.db-wal").stat().st_size

    assert traces(hospital.roots, WORDS, pixels) == []
    # Once more with everything moved from the write-ahead log into the database itself.
    index = sqlite3.connect(hospital.world.index_file)
    index.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
    index.close()
    assert traces(hospital.roots, WORDS, pixels) == []


def try_again_later(answer: httpx.Response) -> None:
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert not [word for word in WORDS if word in answer.text]
