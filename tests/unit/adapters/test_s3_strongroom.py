"""What was locked away stays, whatever somebody tries who holds every key of the bucket (real object lock)."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest

from pacs_secure.adapters.s3_place import S3Place
from pacs_secure.adapters.s3_requests import Answer, S3Requests
from pacs_secure.adapters.s3_strongroom import S3Strongroom
from pacs_secure.core.errors import Conflict, Unavailable
from tests.object_store_fixture import ObjectServer

NOTE = "checkpoints/00000000000000000007"
REFUSED = {HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, HTTPStatus.BAD_REQUEST}


def now() -> datetime:
    return datetime.now(UTC)


class Attacker:
    """Holds the archive's own credentials, which are those of the store's administrator."""

    def __init__(self, place: S3Place, days: int = 3) -> None:
        self.place = place
        self.strongroom = S3Strongroom(place, days, now)
        self.requests = S3Requests(place)
        self.key = place.key(NOTE)

    def version(self) -> str:
        return self.requests.ask("HEAD", self.key).headers["x-amz-version-id"]

    def retain(self, version: str, mode: str, days: int) -> Answer:
        until = (now() + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = f"<Retention><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>".encode()
        headers = {
            "content-md5": base64.b64encode(hashlib.md5(body).digest()).decode(),
            "x-amz-bypass-governance-retention": "true",
        }
        return self.requests.ask("PUT", self.key, {"retention": "", "versionId": version}, headers, body)


@pytest.fixture
def attacker(object_server: ObjectServer) -> Attacker:
    attacker = Attacker(object_server.place(bucket=object_server.locked_bucket))
    attacker.strongroom.keep(NOTE, b"note")
    return attacker


def test_nobody_removes_it(attacker: Attacker) -> None:
    version, bypass = attacker.version(), {"x-amz-bypass-governance-retention": "true"}

    for headers in ({}, bypass):
        assert attacker.requests.ask("DELETE", attacker.key, {"versionId": version}, headers).status in REFUSED
    body = f"<Delete><Object><Key>{attacker.key}</Key><VersionId>{version}</VersionId></Object></Delete>".encode()
    assert b"AccessDenied" in attacker.requests.ask("POST", query={"delete": ""}, body=body).body
    assert attacker.requests.ask("DELETE").status in REFUSED
    assert attacker.strongroom.read(NOTE) == b"note"


def test_nobody_shortens_its_time_or_weakens_its_lock(attacker: Attacker) -> None:
    version = attacker.version()
    until = attacker.requests.ask("HEAD", attacker.key).headers["x-amz-object-lock-retain-until-date"]

    for mode, days in (("COMPLIANCE", 1), ("GOVERNANCE", 3), ("GOVERNANCE", 1)):
        assert attacker.retain(version, mode, days).status in REFUSED
    headers = attacker.requests.ask("HEAD", attacker.key).headers
    assert headers["x-amz-object-lock-retain-until-date"] == until
    assert headers["x-amz-object-lock-mode"] == "COMPLIANCE"
    suspended = b"<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"
    assert attacker.requests.ask("PUT", query={"versioning": ""}, body=suspended).status in REFUSED


def test_what_is_put_over_it_or_hides_it_does_not_count(attacker: Attacker) -> None:
    assert attacker.requests.ask("PUT", attacker.key, body=b"forged").status == HTTPStatus.OK
    assert attacker.strongroom.read(NOTE) == b"note"
    attacker.requests.ask("DELETE", attacker.key)
    assert attacker.requests.ask("GET", attacker.key).status == HTTPStatus.NOT_FOUND

    assert attacker.strongroom.read(NOTE) == b"note"
    assert list(attacker.strongroom.names("checkpoints/0")) == [NOTE]
    with pytest.raises(Conflict):
        attacker.strongroom.keep(NOTE, b"forged")


def test_more_versions_and_names_than_one_answer_holds_are_all_seen(
    attacker: Attacker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        attacker.requests.ask("PUT", attacker.key, body=b"%d" % number)
        attacker.strongroom.keep(f"checkpoints/0000000000000000001{number}", b"later")
    whole = S3Requests.ask

    def two_at_once(
        self: S3Requests, method: str, key: str = "", query: dict[str, str] | None = None, **more: object
    ) -> Answer:
        paged = {**query, "max-keys": "2"} if query and "versions" in query else query
        return whole(self, method, key, paged, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(S3Requests, "ask", two_at_once)
    assert attacker.strongroom.read(NOTE) == b"note"
    assert [name[-2:] for name in attacker.strongroom.names(NOTE)] == ["10", "11", "12"]


def test_a_bucket_that_does_not_lock_is_no_strongroom(s3_place: S3Place) -> None:
    with pytest.raises(Unavailable):
        S3Strongroom(s3_place, 3, now).keep(NOTE, b"note")


def test_a_store_that_only_says_that_it_took_it_is_not_believed(
    attacker: Attacker, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = S3Requests.ask

    def without_locks(self: S3Requests, method: str, key: str = "", *more: object, **named: object) -> Answer:
        if method == "PUT":
            named["headers"] = {}
        return whole(self, method, key, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(S3Requests, "ask", without_locks)
    with pytest.raises(Unavailable, match="does not lock"):
        attacker.strongroom.keep("checkpoints/00000000000000000099", b"note")


def test_somebody_who_comes_first_is_compared(attacker: Attacker, monkeypatch: pytest.MonkeyPatch) -> None:
    read, asked = S3Strongroom.read, []

    def nothing_yet(self: S3Strongroom, name: str) -> bytes | None:
        asked.append(name)
        return None if len(asked) % 2 else read(self, name)

    monkeypatch.setattr(S3Strongroom, "read", nothing_yet)
    attacker.strongroom.keep(NOTE, b"note")
    with pytest.raises(Conflict):
        attacker.strongroom.keep(NOTE, b"another")


def test_an_answer_that_is_none_is_an_outage(attacker: Attacker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(S3Requests, "ask", lambda *_, **__: Answer(200, {}, b"<unfinished"))
    with pytest.raises(Unavailable):
        attacker.strongroom.read(NOTE)
    monkeypatch.setattr(S3Requests, "ask", lambda *_, **__: Answer(503, {}, b""))
    with pytest.raises(Unavailable):
        list(attacker.strongroom.names(NOTE))
