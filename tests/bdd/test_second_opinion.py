"""Asking for a second opinion, as features/second_opinion.feature tells it."""

from uuid import uuid4

import httpx
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from tests.bdd.hospital import PART10, Hospital, until
from tests.bdd.people import (
    EVERY,
    NOWHERE,
    PEOPLE,
    WHY,
    Asking,
    finds,
    gather,
    in_days,
    looks_like_nothing,
    named,
    opens,
    sees,
)
from tests.bdd.pictures import PATIENT_ID, picture
from tests.bdd.traces import traces
from tests.clock import Clock

scenarios("second_opinion.feature")

CT = picture()
DOCTOR, DAYS = r"Dr\. \w+", {"days": int}


@pytest.fixture
def asking(clock: Clock) -> Asking:
    return Asking()


@given("the CT, the ultrasound and an older X-ray of Erika Mustermann")
def _pictures(hospital: Hospital) -> None:
    gather(hospital)


@given("people who ask each other:")
def _people(datatable: list[list[str]]) -> None:
    assert {row[0] for row in datatable[1:]} <= set(PEOPLE)


@pytest.fixture(autouse=True)
def _clock_first(clock: Clock) -> None:
    """The archive is built with a clock that can be put forward."""


def show(hospital: Hospital, who: str, whom: str, days: int, **more: object) -> httpx.Response:
    wish = {"study_instance_uid": CT.study_instance_uid, "invitee": named(whom), "until": in_days(days), "reason": WHY}
    return hospital.call_api(PEOPLE[who], "POST", "/shares", wish | more)


def share(asking: Asking) -> str:
    return f"/shares/{asking.made['share']}"


@given(
    parsers.re(r"(?P<who>Dr\. \w+) has shown the CT to (?P<whom>Dr\. \w+) for (?P<days>\d+) days"),
    converters={"days": int},
)
@when(
    parsers.re(r"(?P<who>Dr\. \w+) shows the CT to (?P<whom>Dr\. \w+) for (?P<days>\d+) days"), converters={"days": int}
)
def _shows(hospital: Hospital, asking: Asking, who: str, whom: str, days: int) -> None:
    made = show(hospital, who, whom, days)
    assert made.status_code == 201, made.text
    asking.made = made.json()


@given("Dr. Sommer has shown the CT to Dr. Winter for 7 days, with a one-time code")
def _with_code(hospital: Hospital, asking: Asking) -> None:
    made = show(hospital, "Dr. Sommer", "Dr. Winter", 7, second_factor=True)
    assert made.status_code == 201
    asking.made = made.json()
    assert asking.made["code"]


@when(
    parsers.re(r"(?P<who>\w+\. \w+) wants to show the CT to (?P<whom>\w+\. \w+) for (?P<days>\d+) days?"),
    converters={"days": int},
)
def _wants(hospital: Hospital, asking: Asking, who: str, whom: str, days: int) -> None:
    asking.answers.append(show(hospital, who, whom, days))


@when(parsers.parse("{days:d} days have passed"))
def _passed(clock: Clock, days: int) -> None:
    clock.forward(days=days)


@when(parsers.parse("{who} takes the invitation back"))
def _takes_back(hospital: Hospital, asking: Asking, who: str) -> None:
    assert hospital.call_api(PEOPLE[who], "POST", f"{share(asking)}/revoke").status_code == 204


@when("Dr. Winter gives the code that she was told on the telephone")
def _gives(hospital: Hospital, asking: Asking) -> None:
    code = {"code": asking.made["code"].lower().replace("-", " ")}
    assert hospital.call_api(PEOPLE["Dr. Winter"], "POST", f"{share(asking)}/redeem", code).status_code == 200


@when(parsers.parse("{who} gives {number:d} wrong codes"))
def _guesses(hospital: Hospital, asking: Asking, who: str, number: int) -> None:
    wrong = {"code": "0000-0000-0000"}
    path = f"{share(asking)}/redeem"
    statuses = {hospital.call_api(PEOPLE[who], "POST", path, wrong).status_code for _ in range(number)}
    assert statuses == ({403} if who == "Dr. Winter" else {404})


@when(parsers.parse("Dr. Winter looks at the CT {number:d} times"))
def _looks(hospital: Hospital, number: int) -> None:
    for _ in range(number):
        answer = hospital.get(PEOPLE["Dr. Winter"], f"/studies/{CT.study_instance_uid}", PART10)
        assert answer.status_code == 200
        assert answer.content.count(CT.data_set) == 1


@given("the CT is protected as a matter of psychiatry")
def _protected(hospital: Hospital) -> None:
    change = {"reason": "she is treated for a matter of psychiatry", "add_labels": ["psychiatry"]}
    path = f"/studies/{CT.study_instance_uid}/facts"
    assert hospital.call_api(PEOPLE["an officer"], "PATCH", path, change).status_code == 200


@given("an officer has stated that Dr. Sommer treats Erika Mustermann")
def _treats(hospital: Hospital) -> None:
    care = {"study": CT.study_instance_uid, "person": "k.sommer", "until": in_days(30), "reason": "she treats her now"}
    assert hospital.call_api(PEOPLE["an officer"], "POST", "/care", care).status_code == 201


# --- then -------------------------------------------------------------------------------------


@given(parsers.re(r"(?P<who>\w+\. \w+) sees nothing of Erika Mustermann"))
@then(parsers.re(r"(?P<who>\w+\. \w+) (?:still )?sees nothing of Erika Mustermann"))
def _sees_nothing(hospital: Hospital, who: str) -> None:
    assert sees(hospital, who) == set()


@then(parsers.re(r"(?P<who>\w+\. \w+) sees the CT and nothing else of Erika Mustermann"))
def _sees_the_ct(hospital: Hospital, who: str) -> None:
    assert sees(hospital, who) == {"the CT"}


@then("Dr. Winter still sees the CT")
def _still_sees(hospital: Hospital) -> None:
    assert opens(hospital, "Dr. Winter", CT)


@then("of all examinations of the patient Dr. Winter finds exactly those that she can open")
def _exactly(hospital: Hospital) -> None:
    can_open = {one.study_instance_uid for one in EVERY.values() if opens(hospital, "Dr. Winter", one)}
    assert finds(hospital, "Dr. Winter", PatientID=PATIENT_ID) == can_open == {CT.study_instance_uid}


@then("to Dr. Winter the CT looks like an examination that does not exist")
def _looks_like_nothing(hospital: Hospital) -> None:
    assert looks_like_nothing(hospital, "Dr. Winter", CT)


@then(parsers.parse('the invitation says that it is "{standing}"'))
def _standing(hospital: Hospital, asking: Asking, standing: str) -> None:
    for who in ("Dr. Sommer", "Dr. Winter", "Ms. Schutz"):
        (told,) = hospital.call_api(PEOPLE[who], "GET", "/shares").json()
        assert (told["share"], told["standing"]) == (asking.made["share"], standing)


@then(parsers.parse("Dr. Sommer is told of {number:d} wrong codes"))
def _told_of_wrong_codes(hospital: Hospital, asking: Asking, number: int) -> None:
    assert hospital.call_api(PEOPLE["Dr. Sommer"], "GET", share(asking)).json()["wrong_codes"] == number


@then("the right code is of no use any more")
def _no_use(hospital: Hospital, asking: Asking) -> None:
    code = {"code": asking.made["code"]}
    assert hospital.call_api(PEOPLE["Dr. Winter"], "POST", f"{share(asking)}/redeem", code).status_code == 409


@then(parsers.parse("that is refused as {word}"))
def _refused_as(asking: Asking, word: str) -> None:
    assert asking.answer.status_code == {"malformed": 400, "denied": 403}[word]
    assert asking.answer.json()["type"].endswith(f":{word}")


@then("that is refused")
def _refused(asking: Asking) -> None:
    assert asking.answer.status_code in {403, 404}


@then("that is answered like an examination that does not exist")
def _like_missing(hospital: Hospital, asking: Asking) -> None:
    missing = show(hospital, "Mr. Gier", "Dr. Winter", 7, study_instance_uid=NOWHERE)
    told = asking.answer
    assert (told.status_code, told.content, told.headers) == (404, missing.content, missing.headers)


@then(parsers.parse("{who} is told of {number:d} looks of Dr. Winter, with their times"))
def _told_of_looks(hospital: Hospital, asking: Asking, who: str, number: int) -> None:
    def told() -> list[dict[str, object]]:
        found: list[dict[str, object]] = hospital.call_api(PEOPLE[who], "GET", f"{share(asking)}/reads").json()
        return found

    until(lambda: {one["outcome"] for one in told()} == {"completed"})
    looks = told()
    assert len({one["act"] for one in looks}) == len(looks) == number
    assert sorted(str(one["at"]) for one in looks) == [one["at"] for one in looks]
    assert {one["objects"] for one in looks} == {1}


@then("that they asked is on record too")
def _asking_on_record(hospital: Hospital, asking: Asking) -> None:
    asked = [entry for entry in hospital.entries() if entry["action"] == "share:list"]
    of_it = {entry["role"] for entry in asked if entry["facts"].get("share") == asking.made["share"]}
    assert of_it == {"clinician", "dpo"}


@then("Dr. Winter and Mr. Gier are told nothing of that")
def _told_nothing(hospital: Hospital, asking: Asking) -> None:
    assert hospital.call_api(PEOPLE["Dr. Winter"], "GET", f"{share(asking)}/reads").status_code == 403
    assert hospital.call_api(PEOPLE["Mr. Gier"], "GET", f"{share(asking)}/reads").status_code == 404


@then("for Mr. Gier the invitation is like one that was never made, whatever he does to it")
def _never_made(hospital: Hospital, asking: Asking) -> None:
    assert hospital.call_api(PEOPLE["Mr. Gier"], "GET", "/shares").json() == []
    code = {"code": "0000-0000-0000"}
    for method, tail, body in (
        ("GET", "", None),
        ("GET", "/reads", None),
        ("POST", "/redeem", code),
        ("POST", "/revoke", None),
        ("DELETE", "", None),
    ):
        real = hospital.call_api(PEOPLE["Mr. Gier"], method, share(asking) + tail, body)
        never = hospital.call_api(PEOPLE["Mr. Gier"], method, f"/shares/{uuid4()}{tail}", body)
        assert (real.status_code, real.content, real.headers) == (404, never.content, never.headers)


@then(parsers.parse("each of these {number:d} looks was reported singly"))
def _reported(hospital: Hospital, number: int) -> None:
    begun = [one for one in hospital.entries() if (one["action"], one["outcome"]) == ("study:read", "begun")]
    looks = [one for one in begun if one["role"] == "guest"]
    assert [one["facts"]["protected"] for one in looks] == ["psychiatry"] * number
    assert len({one["facts"]["reported"] for one in looks}) == number


@then("no file of the archive holds their names, the reason or the code")
def _no_trace(hospital: Hospital, asking: Asking) -> None:
    code = asking.made["code"]
    words = (*(PEOPLE[who].name for who in ("Dr. Sommer", "Dr. Winter")), WHY, code, code.replace("-", ""))
    assert traces(hospital.roots, words, ()) == []
