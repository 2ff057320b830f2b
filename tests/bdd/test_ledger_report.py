"""The report that a data-protection officer signs, as features/ledger_report.feature tells it."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

import httpx
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.adapters.printing.words import Words
from pacs_secure.core.access import Role
from pacs_secure.core.errors import Tampered
from pacs_secure.core.reports import BLIND_SPOTS, Language
from pacs_secure.crypto.tlog import parse_checkpoint
from tests.bdd.hospital import API, Hospital, Person
from tests.bdd.pictures import WORDS, picture
from tests.bdd.reports import LANG, OFFICER, break_glass, chapter, demand_signed, look, model, rows
from tests.bdd.story import RADIOLOGIST, STUDY, Story
from tests.clock import Clock

scenarios("ledger_report.feature")


@pytest.fixture(autouse=True)
def _clock_first(clock: Clock) -> None:
    """The archive is built with a clock that can be put forward."""


@dataclass
class Asked:
    """What one scenario remembers of the day that it asks for."""

    day: date = field(default_factory=lambda: datetime.now(UTC).date())
    glass: str = ""


@pytest.fixture
def asked() -> Asked:
    return Asked()


def ask(
    hospital: Hospital, day: date, form: str = "json", language: str = "en", by: Person = OFFICER
) -> httpx.Response:
    days = f"from={day}&to={day}"
    return hospital.client(by).get(f"{API}/ledger/report?{days}&lang={language}&format={form}")


def unusual(answer: httpx.Response, rule: str) -> list[dict[str, Any]]:
    (found,) = (one for one in model(answer)["unusual"] if one["rule"] == rule)
    return rows(found["found"])


def open_points(answer: httpx.Response) -> set[str]:
    return {point["name"] for point in model(answer)["open_points"]}


# --- given ------------------------------------------------------------------------------------


@given("a radiologist has looked at the pictures")
@when("a radiologist looks at the pictures the next day")
def _looked(hospital: Hospital) -> None:
    assert hospital.get(RADIOLOGIST, f"{STUDY}/metadata").status_code == 200


@given("the day is over")
def _over(clock: Clock) -> None:
    clock.forward(days=1, minutes=10)


@given("Dr. Lang of surgery has broken the glass for Erika Mustermann")
def _broken(hospital: Hospital, asked: Asked) -> None:
    asked.glass = break_glass(hospital)


@given(parsers.parse('Erika Mustermann\'s pictures are protected as "{label}"'))
def _labelled(hospital: Hospital, label: str) -> None:
    officer = Person(Role.OFFICER, "", name="o.amt")
    path = f"/studies/{picture().study_instance_uid}/facts"
    body = {"reason": "as the patient has asked for", "add_labels": [label]}
    assert hospital.call_api(officer, "PATCH", path, body).status_code == 200


@given(parsers.re(r"Dr\. Lang has looked at the pictures (?P<times>\d+) times?"), converters={"times": int})
def _looks(hospital: Hospital, times: int) -> None:
    assert [look(hospital, STUDY) for _ in range(times)] == [200] * times


# --- when -------------------------------------------------------------------------------------


@when("the officer asks for today's report")
@when("the officer asks for that day's report")
def _asks(hospital: Hospital, story: Story, asked: Asked) -> None:
    story.answers.append(ask(hospital, asked.day))


@when(parsers.parse('the officer asks for today\'s report in "{language}" as "{form}"'))
def _asks_for(hospital: Hospital, story: Story, asked: Asked, language: str, form: str) -> None:
    story.answers.append(ask(hospital, asked.day, form, language))


@when(parsers.re(r"a (?P<role>[a-z]+) asks for today's report"))
def _asks_as(hospital: Hospital, story: Story, asked: Asked, role: str) -> None:
    story.answers.append(ask(hospital, asked.day, by=Person(Role(role), "", name="somebody")))


@when("someone with access to the database changes one byte of entry 1")
def _tampers(hospital: Hospital) -> None:
    with closing(sqlite3.connect(hospital.world.index_file)) as index:
        for (name,) in index.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            index.execute(f"DROP TRIGGER {name}")
        ((content,),) = index.execute("SELECT content FROM ledger WHERE entry_index = 1").fetchall()
        changed = content.replace(b'"radiology"', b'"radiologx"')
        assert changed != content
        index.execute("UPDATE ledger SET content = ? WHERE entry_index = 1", (changed,))
        index.commit()


@when(parsers.parse('the officer judges it "{verdict}"'))
def _judges(hospital: Hospital, asked: Asked, verdict: str) -> None:
    body = {"verdict": verdict, "remark": "The emergency room confirms the fall."}
    assert hospital.call_api(OFFICER, "POST", f"/break-glass/{asked.glass}/review", body).status_code == 200


# --- then -------------------------------------------------------------------------------------


@then(parsers.parse('it is delivered as "{media_type}"'))
def _delivered(story: Story, media_type: str) -> None:
    assert (story.answer.status_code, story.answer.headers["content-type"].partition(";")[0]) == (200, media_type)
    assert "attachment" in story.answer.headers["content-disposition"]


@then("its signature holds, and no longer once a byte is changed")
def _signed(hospital: Hospital, story: Story) -> None:
    demand_signed(hospital, story.answer)
    with pytest.raises(Tampered):
        demand_signed(hospital, story.answer, story.answer.content[:-1] + b"!")


@then('the ledger holds a completed "ledger:report" with the digest of what was delivered')
def _recorded(hospital: Hospital, story: Story) -> None:
    entry = hospital.entries()[-1]
    assert (entry["action"], entry["outcome"]) == ("ledger:report", "completed")
    assert entry["facts"]["sha256"] == sha256(story.answer.content).hexdigest()


@then('it counts 1 act "study:create" and 1 act "study:read"')
def _counts(story: Story) -> None:
    counts = {table["name"]: dict(table["rows"]) for table in model(story.answer)["counts"]}
    assert (counts["action"]["study:create"], counts["action"]["study:read"]) == (1, 1)
    assert counts["role"]["modality"] == 1
    assert sum(counts["hour"].values()) == sum(counts["day"].values()) == sum(counts["action"].values())


@then("it says that the ledger is sound")
def _sound(story: Story) -> None:
    integrity = model(story.answer)["integrity"]
    assert integrity["sound"]
    assert integrity["problems"]["rows"] == []


@then("it names the signed head that covers the day")
def _head(hospital: Hospital, story: Story) -> None:
    integrity = model(story.answer)["integrity"]
    heads = map(parse_checkpoint, hospital.world.house.engines.ledger.checkpoints())
    roots = {one.size: one.root.hex() for one in heads}
    assert integrity["checkpoint_size"] > integrity["last_entry"] > 0
    assert roots[integrity["checkpoint_size"]] == integrity["checkpoint_root"]


@then("it says that the ledger was found wanting at position 1")
def _wanting(story: Story) -> None:
    integrity = model(story.answer)["integrity"]
    assert (integrity["sound"], integrity["problems"]["rows"][0][1]) == (False, 1)
    assert "ledger-unsound" in open_points(story.answer)


@then("both reports and their signatures are the same, byte for byte")
def _same(story: Story) -> None:
    first, second = story.answers[-2:]
    assert model(first)["closed"]
    assert first.content == second.content
    assert first.headers["signature-note"] == second.headers["signature-note"]


@then("it says that a later report will hold more")
def _unclosed(story: Story) -> None:
    assert not model(story.answer)["closed"]


@then(parsers.re("it is (?P<outcome>delivered|refused)"))
def _outcome(story: Story, outcome: str) -> None:
    assert story.answer.status_code == {"delivered": 200, "refused": 403}[outcome]


@then(parsers.parse('it lists the broken glass as "open", and as an open point'))
def _open(story: Story) -> None:
    assert [row["review"] for row in chapter(story.answer, "break-glass")] == ["open"]
    assert "glasses-unreviewed" in open_points(story.answer)


@then(parsers.parse('it lists the broken glass as "justified", and has no open point of it'))
def _reviewed(story: Story) -> None:
    assert [row["review"] for row in chapter(story.answer, "break-glass")] == ["justified"]
    assert "glasses-unreviewed" not in open_points(story.answer)


@then(parsers.parse('the rule "{rule}" has flagged {count:d} accesses with the label "{label}"'))
def _flagged(story: Story, rule: str, count: int, label: str) -> None:
    assert [row["labels"] for row in unusual(story.answer, rule)] == [label] * count


@then(parsers.parse('the rule "{rule}" has flagged Dr. Lang\'s pseudonym'))
def _flagged_person(hospital: Hospital, story: Story, rule: str) -> None:
    pseudonym = hospital.world.archive.guard.pseudonym(hospital.keys.institution, LANG.name)
    assert [(row["actor"], row["department"]) for row in unusual(story.answer, rule)] == [(pseudonym, "surgery")]


@then(parsers.parse('it says of "{rule}" that it cannot be computed, and why'))
def _not_computable(story: Story, rule: str) -> None:
    after = story.answer.text.partition(f"<b>{rule}</b>")[2][:600]
    assert "cannot be computed" in after
    assert "pseudonyms" in after


@then("it says what reports cannot see: the browser, after delivery, snapshots of the vault and five more")
def _blind(story: Story) -> None:
    words = Words(Language.ENGLISH)
    assert len(BLIND_SPOTS) == 8
    for name in BLIND_SPOTS:
        assert words.term("blind", name).replace("'", "&#39;") in story.answer.text


@then("nothing of the person is in it, nor of Dr. Lang")
def _nobody(story: Story) -> None:
    text = story.answer.text + str(story.answer.headers)
    said = (*WORDS, "Erika", picture().study_instance_uid, LANG.name, OFFICER.name, replace(RADIOLOGIST).name)
    assert [word for word in said if word in text] == []
