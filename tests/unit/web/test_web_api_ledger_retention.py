"""What the ledger no longer keeps, over HTTP."""

from hashlib import sha256
from pathlib import Path

import pytest

from pacs_secure.core.access import Role
from pacs_secure.web.api_ledger_retention import Retention
from tests.aged import write_past
from tests.builders import subject
from tests.web_house import WebHouse, open_house
from tests.world import World

PATH = "/api/v1/ledger/retention"


@pytest.fixture
def web(tmp_path: Path, world: World) -> WebHouse:
    return open_house(tmp_path, world)


def test_whoever_may_read_the_ledger_sees_what_has_expired_and_the_certificate_of_it(web: WebHouse) -> None:
    write_past(web.world.house, 300)
    web.world.notary.attest()
    operator = subject(Role.OPERATOR, department="")
    web.world.archive.ledger_retention.expire(operator, None, details={})

    answer = web.client(Role.DPO, "").get(PATH)

    assert answer.status_code == 200
    told = Retention.model_validate_json(answer.content)
    (certificate,) = told.certificates
    (note,) = web.world.publisher.retained()
    assert (told.keep_months, told.horizon) == (36, 256)
    assert (certificate.number, certificate.start, certificate.horizon, certificate.by) == (1, 0, 256, Role.OPERATOR)
    assert (certificate.note.encode(), certificate.sha256) == (note, sha256(note).hexdigest())
    assert web.recorded()[-2:] == [("ledger:read", "begun"), ("ledger:read", "completed")]


def test_a_young_ledger_has_no_certificate(web: WebHouse) -> None:
    assert web.client(Role.DPO, "").get(PATH).json() == {"keep_months": 36, "horizon": 0, "certificates": []}


def test_others_are_refused_and_that_is_on_record(web: WebHouse) -> None:
    for role in (Role.RADIOLOGIST, Role.ADMIN):
        assert web.client(role).get(PATH).status_code == 403
    assert web.recorded() == [("ledger:read", "refused")] * 2
