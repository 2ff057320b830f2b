"""No answer tells a stranger that a study exists: not its status, not its bytes, not what it costs (ACC-02).

Every route of the application is either probed with a study that is there but hidden and one that is not there at all,
or listed with the reason why it cannot tell. A new route is in neither list and fails until it is put into one.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from sqlite3 import Connection as DriverConnection

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event

from pacs_secure.adapters.development_issuer import DevelopmentIssuer
from pacs_secure.core.access import OF_A_STUDY, AccessRequest, Action, Purpose, Role, Safeguard, Subject
from pacs_secure.core.classification import Reclassification
from pacs_secure.core.identifiers import Institution, KeyId, uid
from pacs_secure.ports import ForgettableKey, Shelf
from pacs_secure.web.app import OPENAPI_URL
from tests.builders import ELSEWHERE, HERE, RADIOLOGY, subject
from tests.fakes_keys import FakeKeyring
from tests.web_client import WebClient
from tests.web_house import MULTIPART, WebHouse
from tests.web_instances import instance_uid, part10, related, series_uid, study_uid
from tests.world import DiskWorld, disk_world, told

HIDDEN = {"of another department": 11, "labelled and restricted": 12, "of another institution": 13}
MISSING = 19
NEVER_ASKED = "surgery"
"""A department that has made none of them."""

ON_A_BOARD = "only the convener of a board gets so far: tests/bdd/test_tumour_board.py asks for hidden and missing"
NAMES_NONE = "names no study"
OF_THE_RECORD = (
    "who reads the record may know of every study of their house; others are refused before anything is looked up"
)
TELLS_NOTHING = {
    **{
        (method, f"/api/v1/boards{below}"): NAMES_NONE
        for method, below in (
            ("POST", ""),
            ("GET", ""),
            ("GET", "/{board}"),
            ("GET", "/{board}/reads"),
            ("POST", "/{board}/members"),
            ("POST", "/{board}/members/remove"),
            ("POST", "/{board}/close"),
        )
    },
    ("POST", "/api/v1/boards/{board}/studies"): ON_A_BOARD,
    ("DELETE", "/api/v1/boards/{board}/studies/{study}"): ON_A_BOARD,
    ("GET", "/api/v1/policy"): NAMES_NONE,
    ("GET", "/api/v1/policy/proposals"): NAMES_NONE,
    ("POST", "/api/v1/policy/proposals"): NAMES_NONE,
    ("POST", "/api/v1/policy/proposals/{version}/approve"): NAMES_NONE,
    ("GET", "/api/v1/ledger/report"): NAMES_NONE,
    **dict.fromkeys(
        (
            ("GET", "/api/v1/ledger/entries"),
            ("POST", "/api/v1/ledger/searches"),
            ("GET", "/api/v1/ledger/entries/{index}"),
            ("GET", "/api/v1/ledger/entries/{index}/proof"),
            ("POST", "/api/v1/ledger/patient-trails"),
            ("POST", "/api/v1/ledger/questions"),
            ("GET", "/api/v1/ledger/questions"),
            ("POST", "/api/v1/ledger/questions/{id}/approve"),
            ("POST", "/api/v1/ledger/questions/{id}/refuse"),
            ("GET", "/api/v1/ledger/questions/{id}/entries"),
            ("GET", "/fhir/AuditEvent"),
            ("GET", "/fhir/AuditEvent/{number}"),
        ),
        OF_THE_RECORD,
    ),
    ("GET", "/fhir/metadata"): NAMES_NONE,
    ("GET", "/api/v1/ledger/retention"): NAMES_NONE,
    ("POST", "/api/v1/incidents/report"): "oversight alone gets an answer: a count of the studies of their own house",
    ("GET", "/healthz"): NAMES_NONE,
    ("GET", "/readyz"): NAMES_NONE,
    ("POST", "/dicom-web/studies"): "what may not be stored must be refused: see the last test here",
    ("POST", "/dicom-web/studies/{study}"): "the same",
    ("GET", "/api/v1/break-glass"): NAMES_NONE,
    ("GET", "/api/v1/break-glass/{id}"): NAMES_NONE,
    ("POST", "/api/v1/break-glass/{id}/end"): NAMES_NONE,
    ("POST", "/api/v1/break-glass/{id}/review"): NAMES_NONE,
    ("GET", "/api/v1/break-glass/{id}/reads"): NAMES_NONE,
    ("POST", "/api/v1/care/{id}/end"): NAMES_NONE,
    ("GET", "/api/v1/keys"): NAMES_NONE,
    ("POST", "/api/v1/keys/rotations"): NAMES_NONE,
    ("POST", "/api/v1/keys/rewrappings"): NAMES_NONE,
    ("GET", "/api/v1/devices"): NAMES_NONE,
    ("POST", "/api/v1/devices"): NAMES_NONE,
    ("POST", "/api/v1/devices/{ae_title}/certificate"): NAMES_NONE,
    ("DELETE", "/api/v1/devices/{ae_title}"): NAMES_NONE,
    ("GET", "/api/v1/notices"): NAMES_NONE,
    ("POST", "/api/v1/notices/{id}/acknowledge"): NAMES_NONE,
    ("GET", "/api/v1/sessions"): NAMES_NONE,
    ("POST", "/api/v1/sessions/revoke"): NAMES_NONE,
    ("GET", "/api/v1/shares"): NAMES_NONE,
    ("GET", "/api/v1/shares/{share}"): NAMES_NONE,
    ("DELETE", "/api/v1/shares/{share}"): NAMES_NONE,
    ("GET", "/api/v1/shares/{share}/reads"): NAMES_NONE,
    ("POST", "/api/v1/shares/{share}/redeem"): NAMES_NONE,
    ("POST", "/api/v1/shares/{share}/revoke"): NAMES_NONE,
}
"""Routes that are not probed, and why they need not be."""


@dataclass(frozen=True)
class Probe:
    """One way to ask for a study that must not betray it to whoever may not do this to it."""

    method: str
    route: str
    query: str = ""
    body: Mapping[str, object] | None = None
    """JSON in which "{study}" stands for the study."""
    action: Action = Action.STUDY_READ
    accept: str = "*/*"

    def ask(self, client: WebClient, study: int) -> httpx.Response:
        named = {"study": study_uid(study), "series": series_uid(study), "instance": instance_uid(study)}
        url = (self.route + self.query).format(**named, frames="1")
        if self.body is None:
            return client.request(self.method, url, {"Accept": self.accept})
        content = json.dumps(self.body).replace("{study}", named["study"]).encode()
        return client.request(self.method, url, {"Content-Type": "application/json"}, content)


_STUDY = "/dicom-web/studies/{study}"
_SERIES = _STUDY + "/series/{series}"
_INSTANCE = _SERIES + "/instances/{instance}"
_FRAMES = _INSTANCE + "/frames/{frames}"
_READING = (
    *(_STUDY + below for below in ("", "/metadata", "/series", "/instances")),
    *(_SERIES + below for below in ("", "/metadata", "/instances")),
    *(_INSTANCE + below for below in ("", "/metadata", "/frames/{frames}")),
)
_EXPLAINED = {"role": "clinician", "action": "study:read", "study": "{study}", "person": "a.smith"}
_LATER = "2199-01-01T00:00:00Z"
_REASON = "because the tests ask"
_STATED = {"study": "{study}", "person": "a.smith", "until": _LATER, "reason": _REASON}
PROBES = [
    *(Probe("GET", path) for path in _READING),
    *(Probe("GET", path, accept="application/nonsense") for path in _READING),
    *(Probe("DELETE", path) for path in (_STUDY, _SERIES, _INSTANCE)),
    Probe("GET", "/dicom-web/studies", "?StudyInstanceUID={study}"),
    Probe("GET", "/dicom-web/series", "?StudyInstanceUID={study}&limit=1"),
    Probe("GET", "/dicom-web/instances", "?SOPInstanceUID={instance}&includefield=all"),
    Probe("GET", _STUDY, "?anything=1"),
    Probe("GET", _FRAMES, ",7"),
    Probe(
        "POST",
        "/api/v1/break-glass",
        body={"study_instance_uid": "{study}", "reason": _REASON},
        action=Action.BREAK_GLASS_OPEN,
    ),
    Probe(
        "GET",
        "/api/v1/policy/explain",
        "?role=clinician&action=study:read&study={study}",
        action=Action.POLICY_EXPLAIN,
    ),
    Probe("POST", "/api/v1/policy/explain", body=_EXPLAINED, action=Action.POLICY_EXPLAIN),
    Probe("POST", "/api/v1/care", body=_STATED, action=Action.CARE_GRANT),
    Probe("GET", "/api/v1/care", "?study={study}", action=Action.CARE_GRANT),
    Probe("POST", "/api/v1/referrals", body=_STATED, action=Action.CARE_GRANT),
    Probe("GET", "/api/v1/studies/{study}/facts", action=Action.STUDY_CLASSIFY),
    Probe(
        "PATCH",
        "/api/v1/studies/{study}/facts",
        body={"reason": _REASON, "department": "surgery"},
        action=Action.STUDY_CLASSIFY,
    ),
    Probe(
        "POST",
        "/api/v1/shares",
        body={"study_instance_uid": "{study}", "invitee": {"person": "a.smith"}, "until": _LATER, "reason": _REASON},
        action=Action.SHARE_CREATE,
    ),
]


class CountingKeyring(FakeKeyring):
    """A keyring that notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def mint(self, institution: Institution, shelf: Shelf) -> ForgettableKey:
        self.asked.append(f"mint {institution} {shelf}")
        return super().mint(institution, shelf)

    def fetch(self, institution: Institution, shelf: Shelf, key_ids: Collection[KeyId]) -> dict[KeyId, ForgettableKey]:
        self.asked.append(f"fetch {institution} {shelf}")
        return super().fetch(institution, shelf, key_ids)


@dataclass(frozen=True)
class Cost:
    """An answer, and all that it took."""

    answer: httpx.Response
    recorded: list[tuple[str, str]]
    """Action and outcome of each ledger entry."""
    statements: list[str]
    asked_of_vault: list[str]


@dataclass
class Watched:
    """A house on real files, and everything that it asks its database and its vault for."""

    house: WebHouse
    world: DiskWorld
    keyring: CountingKeyring
    statements: list[str]

    def cost(self, ask: Callable[[], httpx.Response], *, cold: bool) -> Cost:
        """Ask once everything else is settled, with no key in memory when ``cold``."""
        self.world.house.drop_keys()
        if not cold:
            self.world.archive.facts.seals.index(HERE)
        ledger = self.world.house.engines.ledger
        before = ledger.size()
        self.statements.clear()
        self.keyring.asked.clear()
        answer = ask()
        self.world.database.write(lambda _: None)  # what follows an answer is committed before this is
        took = list(self.statements), list(self.keyring.asked)
        entries = [told(one) for one in ledger.entries(before, ledger.size())]
        return Cost(answer, [(one["action"], one["outcome"]) for one in entries], *took)


@contextmanager
def watched(directory: Path) -> Iterator[Watched]:
    keyring, statements = CountingKeyring(), list[str]()

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        # Who is revoked is looked up by the clock, whoever asks for what.
        if statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")) and "FROM revoked_" not in statement:
            statements.append(statement)

    with disk_world(directory, keyring, keyring, keyring) as world:
        world.database._engine.dispose()
        event.listen(world.database._engine, "connect", _hurry)
        for engine in (world.database._readers, world.database._engine):
            event.listen(engine, "before_cursor_execute", note)
        house = WebHouse(world, DevelopmentIssuer(directory / "issuer.pem", loopback=True))  # type: ignore[arg-type]
        yield Watched(house, world, keyring, statements)


def classify(world: DiskWorld, study: int) -> None:
    officer = subject(Role.OFFICER)
    change = Reclassification(add_labels=frozenset({Safeguard.PSYCHIATRY}), restricted=True)
    world.archive.classify.change(officer, None, study_uid(study), change, _REASON)


def _hurry(connection: DriverConnection, _: object) -> None:
    """Wait for no disk: what is lost in a crash is not asked here."""
    connection.execute("PRAGMA synchronous=OFF").close()


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched(tmp_path_factory.mktemp("hospital")) as found:
        for study in HIDDEN.values():
            of = ELSEWHERE if study == HIDDEN["of another institution"] else HERE
            sender = found.house.client(Role.TECHNOLOGIST, RADIOLOGY, of=of)
            answer = sender.post("/dicom-web/studies", related(part10(study)), MULTIPART)
            assert answer.status_code == 200, answer.text
        classify(found.world, HIDDEN["labelled and restricted"])
        # Refusals share one key, of nobody; it is made when the first one is met.
        assert found.house.client(Role.REFERRER, NEVER_ASKED).get("/api/v1/ledger/retention").status_code == 403
        yield found


def routes(app: FastAPI) -> set[tuple[str, str]]:
    """Return every route, those that no document describes included."""
    found = set()
    for route in app.routes:
        contexts = route.effective_route_contexts() if hasattr(route, "effective_route_contexts") else [route]
        found |= {(method, one.path) for one in contexts for method in one.methods or ()}  # type: ignore[union-attr]
    return {one for one in found if one[1] != OPENAPI_URL}


def hidden_from(world: DiskWorld, by: Subject, purpose: Purpose, study: int, action: Action) -> bool:
    """Say whether the policy hides a study from somebody: neither may they do this to it, nor know of it."""
    if action is Action.BREAK_GLASS_OPEN:
        purpose = Purpose.BREAK_GLASS
    by = replace(by, assurance=replace(by.assurance, logged_in_at=datetime.now(UTC)))
    facts = world.archive.facts.of(by, purpose, uid(study_uid(study)))
    decision = world.archive.guard.judge(AccessRequest(by, action, purpose, facts))
    return facts is None or not (decision.allowed or (decision.may_know and action in OF_A_STUDY))


def test_every_route_is_probed_or_says_why_not(hospital: Watched) -> None:
    probed = {(probe.method, probe.route) for probe in PROBES}
    there = routes(hospital.house.app())

    assert there - probed - TELLS_NOTHING.keys() == set()
    assert (probed | TELLS_NOTHING.keys()) - there == set()


def test_no_route_that_names_a_study_is_passed_over(hospital: Watched) -> None:
    paths = hospital.house.app().openapi()["paths"]
    for (method, path), why in TELLS_NOTHING.items():
        if why == NAMES_NONE:
            operation = json.dumps(paths[path][method.lower()] | {"responses": {}}).lower()
            assert "{study}" not in path
            assert not re.search(r"study|series|instance_uid", operation.replace("studies service", "")), path


def look(answer: httpx.Response, study: int) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Return everything that an answer shows, the UIDs that were asked for aside."""
    named = study_uid(study)
    headers = [(name, value.replace(named, "?")) for name, value in answer.headers.items() if name != "date"]
    return answer.status_code, answer.content.replace(named.encode(), b"?"), headers


COSTS_MORE = "INSERT INTO ledger_subjects"
"""What a refusal about a study that exists costs beyond one about none: it is found again by the study's alias.

One row, in the commit that is waited for anyhow; whoever measures commits cannot tell it from their noise.
"""


PEOPLE = sorted(set(Role) - {Role.STRANGER})


@pytest.mark.parametrize("role", PEOPLE)
@pytest.mark.parametrize("kind", HIDDEN)
def test_hidden_and_missing_look_alike_and_cost_the_same(hospital: Watched, role: Role, kind: str) -> None:
    by = subject(role, identifier="r.weber", department=NEVER_ASKED)
    purpose = hospital.world.house.engines.policy.default_purpose(by) or Purpose.TREATMENT
    client = hospital.house.client(role, NEVER_ASKED, purpose=purpose)
    asked = [one for one in PROBES if hidden_from(hospital.world, by, purpose, HIDDEN[kind], one.action)]
    for number, probe in enumerate(asked):
        cold = number % 4 != 1
        missing = hospital.cost(lambda: probe.ask(client, MISSING), cold=cold)  # noqa: B023
        hidden = hospital.cost(lambda: probe.ask(client, HIDDEN[kind]), cold=cold)  # noqa: B023

        assert look(hidden.answer, HIDDEN[kind]) == look(missing.answer, MISSING), probe
        assert hidden.recorded == missing.recorded, probe
        assert hidden.asked_of_vault == missing.asked_of_vault, probe
        beyond = [one for one in hidden.statements if COSTS_MORE in one]
        assert [one for one in hidden.statements if one not in beyond] == missing.statements, probe
        assert len(beyond) <= len(hidden.recorded), probe
    assert len(asked) >= 30 or role is Role.RADIOLOGIST


def test_with_the_vault_away_hidden_and_missing_are_away_alike(hospital: Watched) -> None:
    by = subject(Role.CLINICIAN, identifier="r.weber", department=NEVER_ASKED)
    asked = [
        (probe, study)
        for probe, study in product(PROBES, HIDDEN.values())
        if hidden_from(hospital.world, by, Purpose.TREATMENT, study, probe.action)
    ]
    client = hospital.house.client(Role.CLINICIAN, NEVER_ASKED)
    hospital.keyring.sealed = True
    try:
        for probe, study in asked:
            missing = hospital.cost(lambda: probe.ask(client, MISSING), cold=True)  # noqa: B023
            hidden = hospital.cost(lambda: probe.ask(client, study), cold=True)  # noqa: B023

            assert look(hidden.answer, study) == look(missing.answer, MISSING), probe
            assert hidden.answer.status_code >= 400, probe
    finally:
        hospital.keyring.sealed = False


def test_whoever_is_nobody_hears_the_same_of_everything_and_nothing_is_looked_for(hospital: Watched) -> None:
    nobody = WebClient(hospital.house.app())
    for probe, study in product(PROBES, HIDDEN.values()):
        missing = hospital.cost(lambda: probe.ask(nobody, MISSING), cold=True)  # noqa: B023
        hidden = hospital.cost(lambda: probe.ask(nobody, study), cold=True)  # noqa: B023

        assert hidden.answer.status_code == 401
        assert look(hidden.answer, study) == look(missing.answer, MISSING)
        assert not [one for one in hidden.statements + missing.statements if "FROM studies" in one]


def test_what_may_not_be_stored_is_refused_in_the_words_that_everybody_hears(hospital: Watched) -> None:
    """The one thing that cannot be kept silent: to take in what cannot be kept would be a lie, so the UID is taken."""
    surgeon = hospital.house.client(Role.TECHNOLOGIST, NEVER_ASKED)
    theirs = related(part10(HIDDEN["of another department"], 2))
    refused = surgeon.post("/dicom-web/studies", theirs, MULTIPART)
    never = hospital.house.client(Role.CLINICIAN, NEVER_ASKED).post("/dicom-web/studies", theirs, MULTIPART)

    assert look(refused, 0) == look(never, 0)
    assert refused.status_code == 403
    elsewhere = related(part10(HIDDEN["of another institution"], 2))
    assert (
        surgeon.post("/dicom-web/studies", elsewhere, MULTIPART).status_code == 200
    )  # another house's are no news here
