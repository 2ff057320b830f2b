"""The tumour board, as features/tumour_board.feature tells it; every route of the API for boards is taken."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.core.access import Role
from tests.bdd.hospital import PART10, Hospital, Person
from tests.bdd.pictures import picture
from tests.bdd.story import STUDY, Story
from tests.clock import Clock

scenarios("tumour_board.feature")

CONVENER = Person(Role.CLINICIAN, name="k.sommer")
SITTING = {
    "Dr. Herbst": Person(Role.CLINICIAN, "oncology", name="m.herbst"),
    "the expert": Person(Role.GUEST, "", name="expert@elsewhere.example"),
}
OUTSIDER, OFFICER = Person(Role.CLINICIAN, "surgery", name="n.gier"), Person(Role.DPO, "", name="d.schutz")
WHY = "the cases of this week"
UID = picture().study_instance_uid
THEIRS = picture(study=9)


@pytest.fixture(autouse=True)
def _clock_first(clock: Clock) -> None:
    """The archive is built with a clock that can be put forward."""


@pytest.fixture
def board() -> dict[str, Any]:
    """Hold the board as its convener was last told of it."""
    return {}


def call(hospital: Hospital, by: Person, method: str, path: str, body: object | None = None) -> httpx.Response:
    return hospital.call_api(by, method, f"/boards{path}", body)


def bring(hospital: Hospital, board: dict[str, Any], study: str = UID) -> httpx.Response:
    return call(hospital, CONVENER, "POST", f"/{board['board']}/studies", {"study_instance_uid": study})


@given("a clinician of radiology has convened a board with Dr. Herbst of oncology and an expert from outside")
def _convened(hospital: Hospital, board: dict[str, Any]) -> None:
    now = datetime.now(UTC)
    answer = call(
        hospital,
        CONVENER,
        "POST",
        "",
        {
            "title": "Tumour board of Thursday",
            "meets_on": now.date().isoformat(),
            "until": (now + timedelta(days=7)).isoformat(),
            "members": [{"person": SITTING["Dr. Herbst"].name}],
            "reason": WHY,
        },
    )
    assert answer.status_code == 201, answer.text
    board |= answer.json()
    added = call(hospital, CONVENER, "POST", f"/{board['board']}/members", {"person": SITTING["the expert"].name})
    assert len(added.json()["members"]) == 2


@given("the study is on the board")
@when("the convener brings the study to the board")
def _brought(hospital: Hospital, board: dict[str, Any]) -> None:
    answer = bring(hospital, board)
    assert [one["study_instance_uid"] for one in answer.json()["studies"]] == [UID]


@given("a study of surgery that the convener may not see")
def _theirs(hospital: Hospital) -> None:
    hospital.enrol("CT2", "surgery")
    hospital.send("CT2", THEIRS)
    assert hospital.get(OUTSIDER, f"/studies/{THEIRS.study_instance_uid}", PART10).status_code == 200


@when("the convener brings that study to the board")
def _tried(hospital: Hospital, story: Story, board: dict[str, Any]) -> None:
    story.answers += [bring(hospital, board, study) for study in (THEIRS.study_instance_uid, "1.2.3.4.5")]


@when("the convener removes Dr. Herbst")
def _removed(hospital: Hospital, board: dict[str, Any]) -> None:
    path = f"/{board['board']}/members/remove"
    assert call(hospital, CONVENER, "POST", path, {"person": SITTING["Dr. Herbst"].name}).status_code == 200


@when("the convener closes the board")
def _closed(hospital: Hospital, board: dict[str, Any]) -> None:
    assert call(hospital, CONVENER, "POST", f"/{board['board']}/close").json()["standing"] == "closed"


@when(parsers.parse("{days:d} days have passed"))
def _passed(clock: Clock, days: int) -> None:
    clock.forward(days=days, seconds=1)


@when("Dr. Herbst invites somebody else to the study")
def _passed_on(hospital: Hospital, story: Story) -> None:
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    body = {"study_instance_uid": UID, "invitee": {"person": OUTSIDER.name}, "until": until, "reason": WHY}
    story.answers.append(hospital.call_api(SITTING["Dr. Herbst"], "POST", "/shares", body))


@when("Dr. Herbst reads the study")
def _read(hospital: Hospital) -> None:
    assert hospital.get(SITTING["Dr. Herbst"], STUDY, PART10).status_code == 200


@then(parsers.parse('the board says that it is "{standing}"'))
def _standing(hospital: Hospital, board: dict[str, Any], standing: str) -> None:
    for one in (CONVENER, OFFICER, *SITTING.values()):
        (told,) = call(hospital, one, "GET", "").json()
        assert (told["board"], told["standing"]) == (board["board"], standing)


@then("Dr. Herbst and the expert see the study")
def _see(hospital: Hospital) -> None:
    assert [hospital.get(one, STUDY, PART10).status_code for one in SITTING.values()] == [200, 200]


@then("they find exactly this one study")
def _find(hospital: Hospital) -> None:
    for one in SITTING.values():
        assert [hit["0020000D"]["Value"] for hit in hospital.search(one).json()] == [[UID]]


@then("the expert still sees the study")
def _still(hospital: Hospital) -> None:
    assert hospital.get(SITTING["the expert"], STUDY, PART10).status_code == 200


@then("a clinician of surgery who does not sit there does not see it")
def _outsider(hospital: Hospital) -> None:
    assert hospital.get(OUTSIDER, STUDY, PART10).status_code == 404


@given(parsers.parse("the study does not exist for {name}"))
@then(parsers.parse("the study does not exist for {name}"))
def _hidden(hospital: Hospital, name: str) -> None:
    hidden, missing = (hospital.get(SITTING[name], path, PART10) for path in (STUDY, "/studies/1.2.3.4.5"))
    assert (hidden.status_code, hidden.content) == (404, missing.content)
    assert hospital.search(SITTING[name]).json() == []


@then("the answer is the same as for a study that does not exist")
def _alike(story: Story) -> None:
    hidden, missing = story.answers[-2:]
    assert (hidden.status_code, hidden.content) == (missing.status_code, missing.content)
    assert hidden.status_code == 404


@then("the convener and the data-protection officer see that Dr. Herbst read it")
def _told(hospital: Hospital, board: dict[str, Any]) -> None:
    for somebody in (CONVENER, OFFICER):
        (read,) = call(hospital, somebody, "GET", f"/{board['board']}/reads").json()
        assert (read["reader"]["person"], read["study_instance_uid"]) == ("m.herbst", UID)
    assert call(hospital, SITTING["Dr. Herbst"], "GET", f"/{board['board']}/reads").status_code == 403


@then("for a clinician of surgery the board does not exist")
def _no_board(hospital: Hospital, board: dict[str, Any]) -> None:
    assert call(hospital, OUTSIDER, "GET", f"/{board['board']}").status_code == 404
    assert call(hospital, OUTSIDER, "GET", "").json() == []
    assert call(hospital, CONVENER, "DELETE", f"/{board['board']}/studies/{UID}").status_code == 204
