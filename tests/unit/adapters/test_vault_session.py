"""How one role speaks to a vault that is well, slow, sealed, gone or talking nonsense."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pacs_secure.adapters.loopback_certificate import ensure_certificate
from pacs_secure.adapters.vault_session import AppRole, Reply, Token, VaultSession
from pacs_secure.core.errors import Unavailable
from tests.vault_stub import Answer, Asked, StubVault, stub_vault

ROLE = AppRole("role", "the-secret-id")
SECRET = "a2V5IG1hdGVyaWFsIG9mIGEgc3R1ZHk="


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[StubVault]:
    with stub_vault(tmp_path) as running:
        yield running


@pytest.fixture
def session(stub: StubVault, clock: Clock) -> Iterator[VaultSession]:
    made = VaultSession(stub.address, stub.ca_file, ROLE, timeout=(0.5, 0.4), monotonic=clock)
    yield made
    made.close()


def chain(error: BaseException) -> list[BaseException]:
    """Return an error and everything that hangs on it."""
    seen = [error]
    for one in seen:
        seen += [other for other in (one.__cause__, one.__context__) if other and other not in seen]
    return seen


def test_a_role_logs_in_once_and_speaks_with_its_token(session: VaultSession, stub: StubVault) -> None:
    for _ in range(3):
        assert session.get("shelf/study/x").text("data", "value") == "42"
    session.post("transit/encrypt/kek", {"plaintext": "p"})
    session.list("pki/issuers")
    session.delete("shelf/study/x")

    assert stub.logins == 1
    assert {asked.token for asked in stub.asked} == {"token-1"}
    assert stub.asked[3:] == [
        Asked("POST", "/v1/transit/encrypt/kek", "token-1", {"plaintext": "p"}),
        Asked("LIST", "/v1/pki/issuers", "token-1", None),
        Asked("DELETE", "/v1/shelf/study/x", "token-1", None),
    ]


def test_at_two_thirds_of_its_life_the_token_is_replaced(session: VaultSession, stub: StubVault, clock: Clock) -> None:
    session.get("x")
    clock.now += 799
    session.get("x")
    clock.now += 2
    session.get("x")

    assert [asked.token for asked in stub.asked] == ["token-1", "token-1", "token-2"]


def test_a_token_without_an_end_is_kept(session: VaultSession, stub: StubVault, clock: Clock) -> None:
    stub.login = lambda number: (200, {"auth": {"client_token": f"token-{number}", "lease_duration": 0}})
    session.get("x")
    clock.now += 10**9
    session.get("x")

    assert stub.logins == 1


def test_threads_that_start_together_log_in_once(session: VaultSession, stub: StubVault) -> None:
    stub.delay = 0.05
    gate = threading.Barrier(8)

    def ask(_: int) -> bool:
        gate.wait()
        return session.get("x").done

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(8)))
    assert stub.logins == 1


def test_a_token_refused_before_its_time_is_replaced_once(session: VaultSession, stub: StubVault, clock: Clock) -> None:
    session.get("x")
    clock.now += 60
    stub.answer = lambda asked: (403, {"errors": ["permission denied"]}) if asked.token == "token-1" else (200, {})

    assert session.get("x").done
    assert [asked.token for asked in stub.asked] == ["token-1", "token-1", "token-2"]


def test_threads_refused_together_share_one_new_login(session: VaultSession, stub: StubVault, clock: Clock) -> None:
    session.get("x")
    clock.now += 60
    stub.delay = 0.05
    stub.answer = lambda asked: (403, {}) if asked.token == "token-1" else (200, {})
    gate = threading.Barrier(6)

    def ask(_: int) -> bool:
        gate.wait()
        return session.get("x").done

    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(ask, range(6)))
    assert stub.logins == 2


def test_a_role_that_is_refused_again_is_told_so_and_stops_nobody(
    session: VaultSession, stub: StubVault, clock: Clock
) -> None:
    stub.answer = lambda asked: (403, {"errors": ["permission denied"]}) if "kek-b" in asked.path else (200, {})

    for _ in range(5):
        clock.now += 1
        with pytest.raises(Unavailable, match="refuses this role"):
            session.post("transit/encrypt/kek-b", {})
        assert session.post("transit/encrypt/kek-a", {}).done
    assert stub.logins == 1


def test_a_given_token_is_used_as_it_is(stub: StubVault) -> None:
    session = VaultSession(stub.address, stub.ca_file, Token("root"))
    session.get("x")
    stub.answer = lambda _: (403, {})

    with pytest.raises(Unavailable):
        session.get("x")
    assert (stub.logins, {asked.token for asked in stub.asked}) == (0, {"root"})
    session.close()


def test_without_an_identity_no_token_is_sent(stub: StubVault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "of somebody else")
    session = VaultSession(stub.address, stub.ca_file, None)

    assert session.get("sys/init").done
    assert stub.asked[0].token is None
    session.close()


def test_variables_of_the_environment_change_neither_ca_nor_proxy(
    stub: StubVault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    ensure_certificate(*(other / name for name in ("ca.pem", "server.pem", "server.key")))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("VAULT_CACERT", str(other / "ca.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(stub.ca_file))
    trusting, other_ca = (VaultSession(stub.address, ca_file, None) for ca_file in (stub.ca_file, other / "ca.pem"))

    assert trusting.get("x").done
    with pytest.raises(Unavailable):
        other_ca.get("x")
    trusting.close()
    other_ca.close()


def test_only_https_is_spoken(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="https only"):
        VaultSession("http://127.0.0.1:8200", tmp_path / "ca.pem", ROLE)


@pytest.mark.parametrize(
    "answer",
    [
        (503, {"errors": ["Vault is sealed"]}),
        (500, {"errors": ["internal error"]}),
        (429, {"errors": ["too many requests"]}),
        (404, {"errors": ["no handler for route"]}),
        (307, {}),
        (200, b"<html>not a vault</html>"),
        (200, [1, 2]),
        None,
    ],
    ids=["sealed", "failing", "limited", "no such mount", "redirected", "no JSON", "no object", "hung up"],
)
def test_whatever_is_no_answer_of_a_working_vault_is_unavailable(
    session: VaultSession, stub: StubVault, answer: Answer | None
) -> None:
    stub.answer = lambda _: answer

    with pytest.raises(Unavailable):
        session.get("x")


def test_a_missing_thing_and_a_refused_input_are_answers(session: VaultSession, stub: StubVault) -> None:
    stub.answer = lambda asked: (404, {"errors": []}) if asked.method == "GET" else (400, {"errors": ["bad"]})

    assert session.get("x").absent
    refused = session.post("x", {})
    assert not refused.done
    with pytest.raises(Unavailable):
        refused.demand_done()


@pytest.mark.parametrize(
    "answer", [(400, {"errors": ["invalid role or secret ID"]}), (200, {}), (403, {}), (503, {}), None]
)
def test_a_login_that_fails_is_unavailable(session: VaultSession, stub: StubVault, answer: Answer | None) -> None:
    stub.login = lambda _: answer

    with pytest.raises(Unavailable):
        session.get("x")


def test_a_vault_that_hangs_is_given_up_and_then_not_waited_for(
    session: VaultSession, stub: StubVault, clock: Clock
) -> None:
    session.get("x")
    stub.delay = 1.0
    took = []
    for _ in range(5):
        began = time.monotonic()
        with pytest.raises(Unavailable):
            session.get("x")
        took.append(time.monotonic() - began)

    assert all(0.3 < seconds < 1.0 for seconds in took[:3])
    assert all(seconds < 0.1 for seconds in took[3:])
    stub.delay = 0.0
    clock.now += 1
    assert session.get("x").done


def test_a_vault_that_is_not_there_is_unavailable_at_once(tmp_path: Path, stub: StubVault) -> None:
    session = VaultSession("https://127.0.0.1:1", stub.ca_file, ROLE)
    began = time.monotonic()

    with pytest.raises(Unavailable):
        session.get("x")
    assert time.monotonic() - began < 1
    session.close()


@pytest.mark.parametrize(
    "answer",
    [(503, {"errors": [SECRET]}), (200, SECRET.encode()), (403, {"errors": [SECRET]}), (400, {"data": SECRET}), None],
)
def test_no_error_carries_what_was_sent_or_answered(
    session: VaultSession, stub: StubVault, answer: Answer | None
) -> None:
    stub.answer = lambda _: answer

    with pytest.raises(Unavailable) as caught:
        session.post("transit/encrypt/kek", {"plaintext": SECRET}).demand_done()

    assert chain(caught.value) == [caught.value]
    assert SECRET not in repr(caught.value) + repr(vars(caught.value))


def test_nothing_secret_shows_in_a_representation() -> None:
    shown = repr([ROLE, Token("the-token"), Reply(200, {"data": SECRET})])

    assert not [secret for secret in ("the-secret-id", "the-token", SECRET) if secret in shown]


def test_a_reply_gives_only_what_has_the_right_shape() -> None:
    reply = Reply(200, {"data": {"text": "a", "map": {}, "list": [{}], "mixed": [{}, 1]}})

    assert reply.text("data", "text") == "a"
    assert reply.mapping("data", "map") == {}
    assert reply.items("data", "list") == [{}]
    assert reply.find("data", "text", "deeper") is None
    for wrong in (
        lambda: reply.text("data", "map"),
        lambda: reply.mapping("data", "text"),
        lambda: reply.items("data", "mixed"),
        lambda: reply.items("nothing"),
    ):
        with pytest.raises(Unavailable):
            wrong()
