"""Finding pictures, as features/search.feature tells it."""

from collections.abc import Callable

from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.archive.ingest import Received
from pacs_secure.core.access import Role
from tests.bdd.hospital import Entry, Hospital
from tests.bdd.keys import MemoryKeys
from tests.bdd.pictures import picture
from tests.bdd.story import RADIOLOGIST, SUCCESS, Story, begin, details_of, person_of
from tests.builders import ROOT
from tests.data_sets import EXPLICIT, explicit, uid_value

scenarios("search.feature")

EVERY_STUDY = (picture().study_instance_uid, picture("US").study_instance_uid)


@given('"US1" has sent the ultrasound of Erika Mustermann')
def _ultrasound(hospital: Hospital) -> None:
    assert hospital.send("US1", picture("US")) == [SUCCESS]


@given(parsers.parse("{number:d} further studies of radiology"))
def _further(hospital: Hospital, number: int) -> None:
    technologist = hospital.subject(Role.TECHNOLOGIST)
    for study in range(100, 100 + number):
        with hospital.world.archive.ingest.begin(technologist, None, {}) as reception:
            reception.store(Received(_small(study), EXPLICIT))


@when("a clinician of cardiology searches without any filter")
def _search_all(hospital: Hospital, story: Story) -> None:
    story.answers.append(hospital.search(person_of("a clinician of cardiology")))


@when(parsers.re(r'a radiologist searches for (?P<attribute>Patient(?:Name|ID)) "(?P<pattern>[^"]+)"'))
def _search_for(hospital: Hospital, story: Story, attribute: str, pattern: str) -> None:
    begin(hospital, story)
    story.answers.append(hospital.search(RADIOLOGIST, **{attribute: pattern}))


@when(parsers.re(r'a radiologist searches fuzzily for (?P<attribute>PatientName) "(?P<pattern>[^"]+)"'))
def _search_fuzzily(hospital: Hospital, story: Story, attribute: str, pattern: str) -> None:
    story.answers.append(hospital.search(RADIOLOGIST, **{attribute: pattern}, fuzzymatching="true"))


@when(parsers.parse("a radiologist searches asking for {limit:d} results"))
def _search_much(hospital: Hospital, story: Story, limit: int) -> None:
    story.answers.append(hospital.search(RADIOLOGIST, limit=limit))


@then(parsers.re(r"(?P<number>\d+) stud(?:y is|ies are) found"))
def _found(story: Story, number: str) -> None:
    assert story.answer.status_code == 200
    assert len(set(found(story))) == len(found(story)) == int(number)


@then("it is the ultrasound")
def _is_ultrasound(story: Story) -> None:
    assert found(story) == [picture("US").study_instance_uid]
    (study,) = story.answer.json()
    assert study["00080061"]["Value"] == ["US"]


@then("among series and instances too nothing else is found")
def _at_every_level(hospital: Hospital) -> None:
    for level in ("series", "instances"):
        (one,) = hospital.search(person_of("a clinician of cardiology"), level).json()
        assert one["0020000D"]["Value"] == [picture("US").study_instance_uid]


@then("the answer is the one for a patient who was never here")
def _like_nobody(hospital: Hospital, story: Story) -> None:
    nobody = hospital.search(person_of("a clinician of dermatology"), PatientID="NOBODY-1")
    told = story.answer
    assert (told.status_code, told.headers, told.content) == (nobody.status_code, nobody.headers, nobody.content)


@then(parsers.re("exactly the studies are found that (?P<who>a [a-z]+(?: of [a-z]+)?) can open"))
def _exactly(hospital: Hospital, story: Story, who: str) -> None:
    answers = {uid: hospital.get(person_of(who), f"/studies/{uid}/metadata").status_code for uid in EVERY_STUDY}
    assert set(answers.values()) <= {200, 404}
    assert set(found(story)) == {uid for uid, status in answers.items() if status == 200}


@then("the search is refused as malformed")
def _malformed(story: Story) -> None:
    assert story.answer.status_code == 400
    assert story.answer.json()["type"].endswith(":malformed")


@then("the answer says that more matched")
def _more(story: Story) -> None:
    assert story.answer.headers["warning"].startswith("299 ")


@then("whoever holds the ledger key can read there what was searched for")
def _readable(keys: MemoryKeys, new: Callable[[], list[Entry]]) -> None:
    for entry in new():
        assert details_of(keys, entry) == {"subject": "r.weber", "PatientName": "Mustermann*"}


def found(story: Story) -> list[str]:
    return [study["0020000D"]["Value"][0] for study in story.answer.json()]


def _small(study: int) -> bytes:
    """Write a Data Set without pixels."""
    uids = (
        (0x00080016, "1.2.840.10008.5.1.4.1.1.2"),
        (0x00080018, f"{ROOT}.{study}.1.1"),
        (0x0020000D, f"{ROOT}.{study}"),
        (0x0020000E, f"{ROOT}.{study}.1"),
    )
    return b"".join(explicit(tag, "UI", uid_value(uid)) for tag, uid in uids)
