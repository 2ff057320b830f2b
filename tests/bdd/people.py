"""People who invite each other, what they can see of Erika Mustermann, and how they ask the archive."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx

from pacs_secure.core.access import Role
from tests.bdd.hospital import PART10, PIXELS, Hospital, Person
from tests.bdd.pictures import PATIENT_ID, Picture, picture
from tests.bdd.story import SUCCESS
from tests.builders import ELSEWHERE, ROOT

WHY = "the liver board asks for a second look"
EVERY = {"the CT": picture(), "the ultrasound": picture("US"), "the older X-ray": picture("DX")}
NOWHERE = f"{ROOT}.404"

PEOPLE = {
    "Dr. Sommer": Person(Role.CLINICIAN, name="k.sommer"),
    "Dr. Herbst": Person(Role.CLINICIAN, "oncology", name="m.herbst"),
    "Dr. Winter": Person(Role.GUEST, "", name="p.winter@elsewhere.example"),
    "Dr. Lenz": Person(Role.RADIOLOGIST, name="a.lenz", institution=ELSEWHERE),
    "Ms. Schutz": Person(Role.DPO, "", name="d.schutz"),
    "Mr. Gier": Person(Role.CLINICIAN, "surgery", name="n.gier"),
    "an officer": Person(Role.OFFICER, "", name="o.amt"),
}


@dataclass
class Asking:
    """What one scenario of people who invite each other remembers."""

    made: dict[str, Any] = field(default_factory=dict)
    """The share or board that it is about, as it was answered."""
    answers: list[httpx.Response] = field(default_factory=list)

    @property
    def answer(self) -> httpx.Response:
        return self.answers[-1]


def gather(hospital: Hospital) -> None:
    """Bring the pictures in, and let everybody be known: an institution is one once anybody of it was met."""
    assert hospital.send("CT1", picture(), picture("DX")) == [SUCCESS, SUCCESS]
    assert hospital.send("US1", picture("US")) == [SUCCESS]
    for person in PEOPLE.values():
        hospital.get(person, "/studies?StudyDate=19000101")


def named(who: str) -> dict[str, str]:
    """Name a person as the API wants it."""
    person = PEOPLE[who]
    return {"person": person.name} | ({"institution": person.institution} if person.institution else {})


def in_days(days: int) -> str:
    """Return so many days from now, a little before."""
    return (datetime.now(UTC) + timedelta(days=days, minutes=-1 if days > 0 and days <= 90 else 1)).isoformat()


def opens(hospital: Hospital, who: str, one: Picture) -> bool:
    """Say whether somebody gets the pictures, the metadata and the frames: all of it or none."""
    person, study = PEOPLE[who], f"/studies/{one.study_instance_uid}"
    answers = [
        hospital.get(person, study, PART10),
        hospital.get(person, f"{study}/metadata"),
        hospital.get(person, f"{one.path}/frames/1", PIXELS),
    ]
    statuses = {answer.status_code for answer in answers}
    assert statuses in ({200}, {404})
    return statuses == {200}


def finds(hospital: Hospital, who: str, **asked: object) -> set[str]:
    """Return the studies that somebody finds, the same at every level and in every count."""
    found = []
    for level in ("studies", "series", "instances"):
        query = "&".join(f"{name}={quote(str(value))}" for name, value in asked.items())
        answer = hospital.get(PEOPLE[who], f"/{level}?{query}")
        assert answer.status_code == 200
        uids = [one["0020000D"]["Value"][0] for one in answer.json()]
        assert len(uids) == len(set(uids))
        found.append(set(uids))
    assert found[0] == found[1] == found[2]
    return found[0]


def sees(hospital: Hospital, who: str) -> set[str]:
    """Return what somebody sees of Erika Mustermann, however they go about it."""
    opened = {what for what, one in EVERY.items() if opens(hospital, who, one)}
    uids = {one.study_instance_uid: what for what, one in EVERY.items()}
    by_patient = {uids[uid] for uid in finds(hospital, who, PatientID=PATIENT_ID)}
    by_uid = {what for uid, what in uids.items() if finds(hospital, who, StudyInstanceUID=uid)}
    without_filter = {uids[uid] for uid in finds(hospital, who)}
    assert opened == by_patient == by_uid == without_filter
    return opened


def looks_like_nothing(hospital: Hospital, who: str, one: Picture) -> bool:
    """Say whether a study is answered byte for byte like one that does not exist."""
    hidden = hospital.get(PEOPLE[who], f"/studies/{one.study_instance_uid}/metadata")
    missing = hospital.get(PEOPLE[who], f"/studies/{NOWHERE}/metadata")
    told = (missing.status_code, missing.content, dict(missing.headers))
    return hidden.status_code == 404 and (hidden.status_code, hidden.content, dict(hidden.headers)) == told
