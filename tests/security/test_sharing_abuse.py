"""Whoever wants an invitation that is not theirs: by guessing ids, by guessing codes at once, or by changing rows."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import orjson
import pytest

from pacs_secure.archive.boards import Proposal
from pacs_secure.archive.shares import Created, Invitation
from pacs_secure.core.access import Purpose, Role, Subject
from pacs_secure.core.errors import ArchiveError, Conflict, Denied, Hidden, Tampered
from pacs_secure.core.sharing import MOST_ATTEMPTS, Standing
from pacs_secure.crypto.one_time_code import keep
from tests.fakes_keys import FakeKeyring
from tests.unit.archive.instances import TECHNOLOGIST, data_set, received, study_uid
from tests.unit.archive.people import COLLEAGUE, GUEST, INVITER, STRANGER, THE_COLLEAGUE, THE_GUEST, WHY
from tests.web_house import WebHouse, open_house
from tests.web_instances import part10
from tests.web_instances import study_uid as web_study
from tests.world import DiskWorld, World, disk_world

LATER = timedelta(days=7)
JSON = {"Content-Type": "application/json"}
CODE, PERSON = {"code": "0000-0000-0000"}, {"person": "n.gier"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[DiskWorld]:
    keyring = FakeKeyring()
    with disk_world(tmp_path, keyring, keyring, keyring) as world:
        with world.archive.ingest.begin(TECHNOLOGIST, None, {}) as reception:
            reception.store(received(data_set(1)))
        yield world


def share(disk: DiskWorld, *, second_factor: bool = True) -> Created:
    until = datetime.now(UTC) + LATER
    asked = Invitation(study_uid(), THE_GUEST, Purpose.TREATMENT, until, WHY, second_factor)
    return disk.archive.sharing.create(INVITER, None, asked)


def meddle(disk: DiskWorld, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(disk.index_file)) as index:
        assert index.execute(statement, values).rowcount == 1
        index.commit()


def opened(disk: DiskWorld, by: Subject) -> bool:
    try:
        with disk.archive.retrieve.begin(by, None, study_uid(), details={}) as retrieval:
            retrieval.complete()
    except Hidden:
        return False
    return True


class TestGuessingIds:
    """Every route of shares and boards is tried by a stranger: with a real id, and with one that names nothing."""

    ROUTES = (
        ("GET", "/shares/{share}", None),
        ("GET", "/shares/{share}/reads", None),
        ("POST", "/shares/{share}/redeem", CODE),
        ("POST", "/shares/{share}/revoke", None),
        ("DELETE", "/shares/{share}", None),
        ("GET", "/boards/{board}", None),
        ("GET", "/boards/{board}/reads", None),
        ("POST", "/boards/{board}/studies", {"study_instance_uid": web_study(2)}),
        ("DELETE", f"/boards/{{board}}/studies/{web_study(1)}", None),
        ("POST", "/boards/{board}/members", PERSON),
        ("POST", "/boards/{board}/members/remove", PERSON),
        ("POST", "/boards/{board}/close", None),
    )

    @pytest.fixture
    def house(self, tmp_path: Path, world: World) -> WebHouse:
        house = open_house(tmp_path, world)
        house.store(part10(1), part10(2))
        return house

    @pytest.fixture
    def named(self, house: WebHouse) -> dict[str, str]:
        inviter = house.client(Role.CLINICIAN, user="k.sommer")
        until = (datetime.now(UTC) + LATER).isoformat()
        wish = {"study_instance_uid": web_study(1), "invitee": {"person": "expert"}, "until": until, "reason": WHY}
        made = inviter.post("/api/v1/shares", orjson.dumps(wish | {"second_factor": True}), JSON)
        plan = {"title": "Liver board", "meets_on": datetime.now(UTC).date(), "until": until, "reason": WHY}
        convened = inviter.post("/api/v1/boards", orjson.dumps(plan | {"members": [{"person": "expert"}]}), JSON)
        board = convened.json()["board"]
        study = orjson.dumps({"study_instance_uid": web_study(1)})
        assert inviter.post(f"/api/v1/boards/{board}/studies", study, JSON).status_code == 200
        return {"share": made.json()["share"], "board": board}

    @pytest.mark.parametrize(("method", "path", "body"), ROUTES)
    def test_what_is_not_theirs_looks_like_what_never_was(
        self, house: WebHouse, named: dict[str, str], method: str, path: str, body: dict[str, str] | None
    ) -> None:
        # A colleague of the same department may see the studies themselves, and yet learns of no invitation.
        stranger = house.client(Role.CLINICIAN, user="n.gier")
        sent, headers = (None, {}) if body is None else (orjson.dumps(body), JSON)
        answers, entries = [], []
        for ids in (named, {"share": str(uuid4()), "board": str(uuid4())}):
            answer = stranger.request(method, "/api/v1" + path.format(**ids), headers, sent)
            answers.append((answer.status_code, answer.content, dict(answer.headers)))
            entry = house.world.entries()[-1]
            entries.append((entry["action"], entry["outcome"], entry["facts"]["error"], sorted(entry)))

        assert answers[0] == answers[1]
        assert answers[0][0] == 404
        assert entries[0] == entries[1]
        assert entries[0][1:3] == ("refused", "NotFound")

    def test_lists_tell_a_stranger_nothing(self, house: WebHouse, named: dict[str, str]) -> None:
        stranger = house.client(Role.CLINICIAN, user="n.gier")

        assert stranger.get("/api/v1/shares").json() == stranger.get("/api/v1/boards").json() == []


class TestGuessingCodes:
    def test_many_guesses_at_once_are_no_more_than_one_after_the_other(
        self, disk: DiskWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        created = share(disk)
        looked: list[str] = []

        def look(code: str, kept: bytes) -> bool:
            looked.append(code)
            return False

        monkeypatch.setattr("pacs_secure.archive.shares.proves", look)

        def guess(number: int) -> str:
            with pytest.raises((Denied, Conflict)) as refused:
                disk.archive.sharing.redeem(GUEST, None, str(created.opened.share.share_id), f"guess {number}")
            return type(refused.value).__name__

        with ThreadPoolExecutor(8) as guessing:
            outcomes = list(guessing.map(guess, range(40)))
        while outcomes.count("Denied") < MOST_ATTEMPTS:  # whoever lost a race to another guess was not counted
            outcomes.append(guess(len(outcomes)))

        assert len(looked) == outcomes.count("Denied") == MOST_ATTEMPTS
        (listed,) = disk.archive.sharing.listed(INVITER, None)
        assert (listed.standing, listed.share.wrong_codes) == (Standing.LOCKED, MOST_ATTEMPTS)
        assert disk.entries()[-1]["outcome"] == "completed"
        assert disk.house.engines.records.open_acts(datetime.now(UTC)) == []


class TestChangingRows:
    @pytest.mark.parametrize("changed", ["invitee", "code", "ends_at", "purpose", "study_alias"])
    def test_a_changed_share_is_never_redeemed(self, disk: DiskWorld, changed: str) -> None:
        created = share(disk)
        ours = disk.archive.guard.pseudonym(STRANGER.institution, STRANGER.identifier)
        value: object = {"invitee": ours, "ends_at": 1 << 52, "purpose": "PATRQT", "study_alias": uuid4().bytes}.get(
            changed
        )
        code = "MINE" if changed == "code" else str(created.code)
        meddle(disk, f"UPDATE shares SET {changed} = ?", keep("MINE") if changed == "code" else value)

        by = STRANGER if changed == "invitee" else GUEST
        with pytest.raises(Tampered):
            disk.archive.sharing.redeem(by, None, str(created.opened.share.share_id), code)
        assert not opened(disk, by)

    def test_a_member_who_was_written_in_is_invited_to_nothing(self, disk: DiskWorld) -> None:
        now = datetime.now(UTC)
        asked = Proposal("Liver board", now.date(), now + LATER, (THE_COLLEAGUE,), WHY)
        board = str(disk.archive.convening.convene(INVITER, None, asked).board.board_id)
        theirs, ours = (disk.archive.guard.pseudonym(one.institution, one.identifier) for one in (COLLEAGUE, STRANGER))
        meddle(disk, "UPDATE boards SET seats = CAST(replace(CAST(seats AS TEXT), ?, ?) AS BLOB)", theirs, ours)
        meddle(disk, "UPDATE board_members SET actor = ?", ours)

        with pytest.raises(Tampered):
            disk.archive.convening.admit(INVITER, None, board, study_uid())
        with pytest.raises(Tampered):
            disk.archive.convening.listed(STRANGER, None)
        assert not opened(disk, STRANGER)

    def test_being_written_into_the_list_of_members_alone_shows_no_board(self, disk: DiskWorld) -> None:
        now = datetime.now(UTC)
        asked = Proposal("Liver board", now.date(), now + LATER, (THE_COLLEAGUE,), WHY)
        disk.archive.convening.convene(INVITER, None, asked)
        ours = disk.archive.guard.pseudonym(STRANGER.institution, STRANGER.identifier)
        meddle(disk, "UPDATE board_members SET actor = ?", ours)

        assert list(disk.archive.convening.listed(STRANGER, None)) == []

    def test_an_attempt_put_back_opens_nothing_by_itself(self, disk: DiskWorld) -> None:
        created = share(disk)
        meddle(disk, "UPDATE shares SET redeemed_at = begins_at, attempts = 1")

        assert disk.archive.sharing.get(GUEST, None, str(created.opened.share.share_id)).standing is Standing.ACTIVE
        assert not opened(disk, GUEST)


def test_without_a_commit_there_is_neither_share_nor_tie_nor_entry(
    disk: DiskWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(disk.entries())

    def fail(*_: object) -> None:
        raise Conflict("the tests stop here")

    monkeypatch.setattr("pacs_secure.adapters.sql.shares.append_in", fail)
    with pytest.raises(ArchiveError):
        share(disk, second_factor=False)
    monkeypatch.undo()

    assert (len(disk.entries()), disk.archive.sharing.listed(INVITER, None)) == (before, [])
    assert not opened(disk, GUEST)
