"""Breaking the glass, as features/break_glass.feature tells it."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.adapters.claims import ClaimsMap
from pacs_secure.adapters.development_issuer import DevelopmentIssuer
from pacs_secure.adapters.mail_messenger import MailMessenger, MailRoute, Security
from pacs_secure.adapters.tokens import JoseAuthenticator
from pacs_secure.adapters.webhook_messenger import SIGNATURE, TIMESTAMP, WebhookMessenger, signature
from pacs_secure.archive.notifier import Notifier
from pacs_secure.core.access import Purpose, Role
from pacs_secure.ports import Messenger
from pacs_secure.web.app import create_app
from tests.bdd.hospital import API, HOUR, MULTIPART, PART10, PIXELS, WEB, Entry, Hospital, Person, until
from tests.bdd.pictures import PATIENT_ID, WORDS, picture
from tests.bdd.story import RADIOLOGIST, STUDY, Story, begin
from tests.bdd.traces import traces
from tests.builders import ELSEWHERE
from tests.clock import Clock
from tests.receivers import MailReceiver, WebhookReceiver, mail_receiver, webhook_receiver
from tests.web_client import WebClient
from tests.web_instances import part10, related, study_uid

scenarios("break_glass.feature")

LANG = Person(Role.CLINICIAN, "surgery", name="s.lang")
COLLEAGUES = (replace(LANG, name="b.kurz"), Person(Role.TECHNOLOGIST, "surgery", name="t.klein"))
ELSEWHERE_LANG = replace(LANG, institution=ELSEWHERE)
OFFICER = Person(Role.DPO, "", name="d.schutz")
RECORDS = Person(Role.OFFICER, "", name="o.amt")
PEOPLE = {"Dr. Lang": LANG, "the officer": OFFICER}
WHY = "Unconscious after a fall in the corridor, allergies unknown."
REMARK = "The emergency room confirms the fall."
OTHER, TWICE = (7,), (8, 9)
SECRET = "a secret of the tests that is long enough"


@dataclass
class Glass:
    """What one scenario remembers of its emergency."""

    made: dict[str, Any] = field(default_factory=dict)
    opened_at: float = 0.0
    notifiers: list[Notifier] = field(default_factory=list)
    webhook: WebhookReceiver | None = None
    mail: MailReceiver | None = None
    messengers: list[Messenger] = field(default_factory=list)


@pytest.fixture(autouse=True)
def _clock_first(clock: Clock) -> None:
    """The archive is built with a clock that can be put forward."""


@pytest.fixture
def glass() -> Iterator[Glass]:
    glass = Glass()
    yield glass
    for notifier in glass.notifiers:
        notifier.stop()


def break_glass(hospital: Hospital, by: Person = LANG, **asked: Any) -> httpx.Response:
    body = {"patient_id": PATIENT_ID, "reason": WHY, **asked}
    return hospital.call_api(by, "POST", "/break-glass", {name: value for name, value in body.items() if value})


def looks(hospital: Hospital, person: Person) -> set[int]:
    """Ask for the whole study, its metadata, one frame, and what a search finds of it; return every status."""
    found = hospital.search(person, StudyInstanceUID=picture().study_instance_uid)
    answers = [
        hospital.get(person, STUDY, PART10),
        hospital.get(person, f"{STUDY}/metadata"),
        hospital.get(person, f"{picture().path}/frames/1", PIXELS),
    ]
    statuses = {answer.status_code for answer in answers}
    assert (found.status_code == 200 and bool(found.json())) == (statuses == {200})
    return statuses


def notices(hospital: Hospital) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = hospital.call_api(OFFICER, "GET", "/notices").json()
    return found


def review(hospital: Hospital, glass: Glass, by: Person = OFFICER, **verdict: str) -> httpx.Response:
    return hospital.call_api(by, "POST", f"/break-glass/{glass.made['id']}/review", verdict)


# --- given ------------------------------------------------------------------------------------


@given("there are pictures of another patient")
def _other_patient(hospital: Hospital) -> None:
    streams = [part10(study) for study in OTHER]
    streams += [part10(study, PatientID="TWICE", IssuerOfPatientID=f"issuer {study}") for study in TWICE]
    for stream in streams:
        answer = hospital.client(RADIOLOGIST).post(f"{WEB}/studies", related(stream), MULTIPART)
        assert answer.status_code == 200


@given("Erika Mustermann's pictures are hidden from Dr. Lang of surgery")
@then("Erika Mustermann's pictures are hidden from Dr. Lang")
def _hidden(hospital: Hospital) -> None:
    for purpose in (None, Purpose.BREAK_GLASS):
        assert looks(hospital, replace(LANG, purpose=purpose)) == {404}


@given("Dr. Lang has broken the glass for Erika Mustermann")
@when("Dr. Lang breaks the glass for Erika Mustermann")
def _broken(hospital: Hospital, story: Story, glass: Glass) -> None:
    begin(hospital, story)
    answer = break_glass(hospital)
    glass.opened_at = time.monotonic()
    assert answer.status_code == 201, answer.text
    glass.made = answer.json()


@given(parsers.parse('the pictures are protected as "{label}", restricted, and from a treatment that ended long ago'))
def _safeguarded(hospital: Hospital, label: str) -> None:
    change = {"add_labels": [label], "restricted": True, "treatment_ended_on": "2020-02-29"}
    path = f"/studies/{picture().study_instance_uid}/facts"
    answer = hospital.call_api(RECORDS, "PATCH", path, {"reason": "as the patient has asked for", **change})
    assert answer.status_code == 200


@given("notices go out by a signed webhook and by mail")
def _ways_out(hospital: Hospital, glass: Glass, stack: ExitStack, tmp_path: Path) -> None:
    glass.webhook = stack.enter_context(webhook_receiver(tmp_path / "webhook"))
    glass.mail = stack.enter_context(mail_receiver(tmp_path / "mail"))
    secret = hospital.outside / "secret"
    secret.touch(0o600)
    secret.write_text(SECRET)
    route = MailRoute(
        "127.0.0.1",
        glass.mail.port,
        Security.STARTTLS,
        "archive@north.example",
        ("dpo@north.example",),
        ca_file=glass.mail.authority,
    )
    glass.messengers = [WebhookMessenger(glass.webhook.url, secret, glass.webhook.authority), MailMessenger(route)]
    start(hospital, glass)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(hospital: Hospital, glass: Glass) -> None:
    """Start what carries notices, as an archive does that has just been started."""
    for notifier in glass.notifiers:
        notifier.stop()
    outbox, of = hospital.world.house.engines.notices, hospital.keys.institution
    glass.notifiers = [Notifier(outbox, messenger, of, lambda: datetime.now(UTC)) for messenger in glass.messengers]
    for notifier in glass.notifiers:
        notifier.start()


@given("neither is taken at the moment")
def _not_taken(glass: Glass) -> None:
    assert glass.webhook
    assert glass.mail
    glass.webhook.status, glass.mail.takes = 503, False


@given("Dr. Lang has looked at the pictures")
def _looked(hospital: Hospital) -> None:
    assert hospital.get(LANG, f"{STUDY}/metadata").status_code == 200


# --- when -------------------------------------------------------------------------------------


@when("Dr. Lang breaks the glass for whom one picture shows, for half an hour")
def _by_study(hospital: Hospital, glass: Glass) -> None:
    answer = break_glass(hospital, patient_id="", study_instance_uid=picture().study_instance_uid, hours=0.5)
    assert answer.status_code == 201
    glass.made = answer.json()


@when(parsers.re(r"(?P<hours>\d+) hours? ha(?:ve|s) passed"), converters={"hours": int})
def _passed(clock: Clock, hours: int) -> None:
    clock.forward(hours=hours)


@when("Dr. Lang ends it")
def _ended(hospital: Hospital, glass: Glass) -> None:
    assert hospital.call_api(LANG, "POST", f"/break-glass/{glass.made['id']}/end").status_code == 200


@when(parsers.parse("Dr. Lang tries to break the glass {how}"))
def _tried(hospital: Hospital, story: Story, how: str) -> None:
    begin(hospital, story)
    asked: dict[str, dict[str, object]] = {
        "without a reason": {"reason": " "},
        'with five blanks and a "because"': {"reason": "     because"},
        "for five hours": {"hours": 5},
        "for a patient nobody knows": {"patient_id": "NOBODY"},
        "for nobody in particular": {"patient_id": ""},
        "for one of two patients with the same number": {"patient_id": "TWICE"},
    }
    if how == "with a login of an hour ago":
        client = logged_in_an_hour_ago(hospital)
        body = orjson.dumps({"patient_id": PATIENT_ID, "reason": WHY})
        story.answers.append(client.post(f"{API}/break-glass", body, {"Content-Type": "application/json"}))
    else:
        story.answers.append(break_glass(hospital, LANG, **asked[how]))


def logged_in_an_hour_ago(hospital: Hospital) -> WebClient:
    """Return Dr. Lang with a token that is still good, and a login that is not fresh."""
    key = hospital.outside / "issuer.pem"
    issuer = DevelopmentIssuer(key, loopback=True, now=lambda: time.time() - HOUR.total_seconds())
    token = issuer.issue(LANG.role, LANG.name, LANG.department, None, hospital.keys.institution, 8 * HOUR)
    return WebClient(hospital.app, {"Authorization": f"Bearer {token}"})


@when(parsers.re(r"a (?P<role>[a-z]+) tries to break the glass for Erika Mustermann"))
def _tried_by(hospital: Hospital, story: Story, role: str) -> None:
    begin(hospital, story)
    story.answers.append(break_glass(hospital, Person(Role(role), "surgery", name="somebody")))


@when("a clinician of another hospital breaks the glass for Erika Mustermann")
def _from_elsewhere(hospital: Hospital, story: Story) -> None:
    for asked in ({}, {"patient_id": "", "study_instance_uid": picture().study_instance_uid}):
        story.answers.append(break_glass(hospital, ELSEWHERE_LANG, **asked))
        assert story.answer.status_code == 404


@when(parsers.re(r"(?P<who>Dr\. Lang|the officer) without a second factor tries to (?P<what>.+)"))
def _once_proven(hospital: Hospital, story: Story, glass: Glass, who: str, what: str) -> None:
    (notice,) = notices(hospital)
    begin(hospital, story)
    one = f"{API}/break-glass/{glass.made['id']}"
    method, path, body = {
        "break the glass": ("POST", f"{API}/break-glass", {"patient_id": PATIENT_ID, "reason": WHY}),
        "read the pictures for the emergency": ("GET", f"{WEB}{STUDY}/metadata", None),
        "list the emergencies": ("GET", f"{API}/break-glass", None),
        "judge the emergency": ("POST", f"{one}/review", {"verdict": "justified"}),
        "list the notices": ("GET", f"{API}/notices", None),
        "acknowledge a notice": ("POST", f"{API}/notices/{notice['id']}/acknowledge", None),
    }[what]
    purpose = Purpose.BREAK_GLASS if path.startswith(WEB) else None
    client = hospital.client(replace(PEOPLE[who], purpose=purpose))
    # The same tokens, at a door whose issuer says of none of its logins that it had a second factor.
    trusted = replace(hospital.issuer.trusted([hospital.keys.institution]), meaning=ClaimsMap())
    client.app = create_app(
        hospital.world.archive, JoseAuthenticator([trusted]), hospital.keys.institution, hospital.readiness.check
    )
    sent = {} if body is None else {"Content-Type": "application/json"}
    story.answers.append(client.request(method, path, sent, None if body is None else orjson.dumps(body)))


@when("both are taken again and the archive is started anew")
def _taken_again(hospital: Hospital, glass: Glass) -> None:
    assert glass.webhook
    assert glass.mail
    refused = glass.webhook.posted
    until(lambda: bool(refused))
    assert glass.mail.messages == []
    assert [one["sent_at"] for one in notices(hospital)] == [None]
    refused.clear()
    glass.webhook.status, glass.mail.takes = 200, True
    glass.opened_at = time.monotonic()
    start(hospital, glass)


@when(parsers.re(r"the officer judges it (?P<verdict>justified|not justified)"))
def _judged(hospital: Hospital, glass: Glass, verdict: str) -> None:
    assert review(hospital, glass, verdict=verdict, remark=REMARK).status_code == 200


# --- then -------------------------------------------------------------------------------------


@then("Dr. Lang sees Erika Mustermann's pictures, for the treatment and for the emergency")
def _seen(hospital: Hospital) -> None:
    for purpose in (Purpose.TREATMENT, Purpose.BREAK_GLASS):
        assert looks(hospital, replace(LANG, purpose=purpose)) == {200}


@then("the other patient's pictures are hidden from Dr. Lang")
def _others_hidden(hospital: Hospital) -> None:
    for purpose in (None, Purpose.BREAK_GLASS):
        person = replace(LANG, purpose=purpose)
        for study in (*OTHER, *TWICE):
            assert hospital.get(person, f"/studies/{study_uid(study)}/metadata").status_code == 404
        (found,) = hospital.search(person).json()
        assert found["0020000D"]["Value"] == [picture().study_instance_uid]


@then("Erika Mustermann's pictures are hidden from every colleague of Dr. Lang")
def _colleagues(hospital: Hospital) -> None:
    for person in COLLEAGUES:
        assert looks(hospital, person) == {404}


@then("Erika Mustermann's pictures are hidden from the clinician of the other hospital")
def _hidden_elsewhere(hospital: Hospital) -> None:
    assert looks(hospital, ELSEWHERE_LANG) == {404}


@then(parsers.re(r'(?:Dr\. Lang|they) hears? "(?P<answer>.+)"'))
def _heard(story: Story, answer: str) -> None:
    assert story.answer.status_code in {400, 403, 404, 409}
    assert story.answer.json()["detail"] == answer


@then("the officer has been told nothing")
def _told_nothing(hospital: Hospital) -> None:
    assert notices(hospital) == []


@then(parsers.parse('each of these accesses is on record with the ground "{ground}"'))
def _grounds(new: Callable[[], list[Entry]], ground: str) -> None:
    reads = [entry for entry in new() if (entry["action"], entry["outcome"]) == ("study:read", "begun")]
    assert len(reads) == 6
    assert {entry["facts"]["ground"] for entry in reads} == {ground}


@then("the officer has been told of each of these accesses singly")
def _told_singly(hospital: Hospital, new: Callable[[], list[Entry]]) -> None:
    reads = [entry for entry in new() if (entry["action"], entry["outcome"]) == ("study:read", "begun")]
    told = {one["id"]: one["act"] for one in notices(hospital) if one["kind"] == "protected-access"}
    assert told == {entry["facts"]["reported"]: entry["act"] for entry in reads}


@then(parsers.parse("within {seconds:d} seconds both have come, and name neither Dr. Lang nor Erika Mustermann"))
def _came(hospital: Hospital, glass: Glass, seconds: int) -> None:
    webhook, mail = glass.webhook, glass.mail
    assert webhook
    assert mail
    until(lambda: bool(webhook.posted) and bool(mail.messages))
    assert time.monotonic() - glass.opened_at < seconds
    (posted,), (message,) = webhook.posted, mail.messages
    assert posted.headers[SIGNATURE] == signature(SECRET.encode(), posted.headers[TIMESTAMP], posted.body)
    (notice,) = orjson.loads(posted.body)["notices"]
    assert (notice["kind"], notice["about"]) == ("break-glass", glass.made["id"])
    text = message.as_string()
    assert glass.made["id"] in text
    for word in (*WORDS, "lang", "surgery", "Unconscious", picture().study_instance_uid):
        assert word not in posted.body.decode() + str(posted.headers) + text
    until(lambda: all(one["sent_at"] for one in notices(hospital)))


@then("the officer reads who it was and why, and acknowledges it")
def _acknowledged(hospital: Hospital, glass: Glass) -> None:
    (notice,) = notices(hospital)
    assert (notice["kind"], notice["about"]) == ("break-glass", glass.made["id"])
    assert notice["told"] == {"person": "s.lang", "role": "clinician", "department": "surgery", "reason": WHY}
    assert hospital.call_api(OFFICER, "POST", f"/notices/{notice['id']}/acknowledge").status_code == 204
    assert notices(hospital) == []


@then("the officer's report shows it as open, with the reason and that look")
def _reported_open(hospital: Hospital, glass: Glass) -> None:
    (shown,) = hospital.call_api(OFFICER, "GET", "/break-glass").json()
    assert (shown["id"], shown["open"], shown["person"]) == (glass.made["id"], True, "s.lang")
    assert (shown["reason"], shown["patient_id"], shown["review"]) == (WHY, PATIENT_ID, None)
    (read,) = hospital.call_api(OFFICER, "GET", f"/break-glass/{shown['id']}/reads").json()
    assert (read["objects"], read["outcome"]) == (1, "completed")


@then("Dr. Lang cannot judge it, not even as an officer")
def _not_by_oneself(hospital: Hospital, glass: Glass) -> None:
    for person in (LANG, replace(OFFICER, name=LANG.name)):
        assert review(hospital, glass, person, verdict="justified").status_code == 403
    assert hospital.call_api(OFFICER, "GET", f"/break-glass/{glass.made['id']}").json()["open"]


@then("the officer's report shows it as judged by the officer")
def _reported_judged(hospital: Hospital) -> None:
    (shown,) = hospital.call_api(OFFICER, "GET", "/break-glass").json()
    judged = shown["review"]
    assert (shown["open"], judged["verdict"], judged["by"]) == (False, "justified", "d.schutz")
    assert judged["remark"] == REMARK


@then("nobody can judge it again")
def _once(hospital: Hospital, glass: Glass) -> None:
    for person in (OFFICER, replace(OFFICER, name="deputy")):
        assert review(hospital, glass, person, verdict="justified").status_code == 409


@then("Dr. Lang sees how it was judged")
def _seen_judged(hospital: Hospital, glass: Glass) -> None:
    shown = hospital.call_api(LANG, "GET", f"/break-glass/{glass.made['id']}").json()
    assert (shown["open"], shown["review"]["verdict"]) == (False, "not justified")


@then("no file, temporary file or log of the archive holds a word of the reason or the remark")
def _no_words(hospital: Hospital) -> None:
    (hospital.outside / "kept.txt").write_text(f"{WHY} {REMARK}")
    words = ("Unconscious", "corridor", "allergies", "confirms")
    assert len(traces([hospital.outside], words, [])) == len(words)

    assert traces(hospital.roots, words, []) == []
