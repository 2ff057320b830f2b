"""An extract in words, line by line."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from pacs_secure.archive import trail_rows as rows
from pacs_secure.archive.trail_english import ENGLISH
from pacs_secure.archive.trail_german import GERMAN
from pacs_secure.archive.trail_words import Words
from pacs_secure.core.access import Action, Purpose, Role
from pacs_secure.core.audit import Outcome
from pacs_secure.core.trails import Access, Category, EntryProof, Examination, Recipient, Trail
from tests.builders import HERE

AT = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
READ = Access(
    AT,
    Action.STUDY_READ,
    Category.VIEWED,
    Purpose.TREATMENT,
    Outcome.COMPLETED,
    Role.RADIOLOGIST,
    "radiology",
    person="",
    recipient=None,
    device="",
    examination=1,
    pictures=2,
    entries=(4, 5),
)
GUEST = replace(READ, role=Role.GUEST, department="", recipient=Recipient("expert@example.org", is_institution=False))
THEIRS = replace(READ, department="", recipient=Recipient("south", is_institution=True))
SHARED = replace(READ, action=Action.SHARE_CREATE, category=Category.SHARED, recipient=THEIRS.recipient, pictures=0)
REFUSED = replace(READ, outcome=Outcome.REFUSED)
TRAIL = Trail(
    HERE,
    AT,
    named=False,
    examinations=(Examination(uuid4(), "20240403", ("CT", "SR")), Examination(uuid4(), "", ())),
    accesses=(READ, GUEST, replace(GUEST, at=AT + timedelta(hours=1)), THEIRS, SHARED, REFUSED),
    patient_id="ERIKA",
)


@pytest.mark.parametrize("words", [GERMAN, ENGLISH], ids=["de", "en"])
class TestEachLanguage:
    def test_has_a_word_for_everything_that_may_be_told(self, words: Words) -> None:
        assert set(words.categories) == set(Category)
        assert set(words.purposes) == set(Purpose)
        assert set(words.outcomes) == set(Outcome)
        assert set(words.roles) == set(Role)
        assert set(words.phrases) == set(GERMAN.phrases)
        assert set(words.actions) == set(GERMAN.actions)
        assert set(words.modalities) == set(GERMAN.modalities)

    def test_fills_in_what_it_leaves_open(self, words: Words) -> None:
        open_ones = {name for name, phrase in words.phrases.items() if "{}" in phrase}
        assert open_ones == {"pictures", "department", "device", "of_institution", "outside", "given_to"}


def test_an_access_is_told_in_plain_words_and_local_time() -> None:
    assert rows.row(READ, GERMAN, BERLIN) == (
        "01.07.2026, 14:30",
        "Bilder angesehen oder abgerufen\n2 Bilder",
        "Nr. 1",
        "Ihre Behandlung",
        "Fachärztin oder Facharzt für Radiologie\nAbteilung Radiologie",
        "ausgeführt",
    )
    assert rows.row(replace(READ, pictures=1, examination=None, purpose=None), ENGLISH, UTC) == (
        "01 July 2026, 12:30",
        "pictures viewed or retrieved\n1 picture",
        "-",
        "unknown",
        "radiologist\nradiology department",
        "done",
    )


def test_a_refused_attempt_saw_no_pictures() -> None:
    assert rows.row(REFUSED, ENGLISH, UTC)[1] == "pictures viewed or retrieved"


@pytest.mark.parametrize(
    ("access", "who"),
    [
        (replace(READ, person="r.weber"), "r.weber\nradiologist\nradiology department"),
        (replace(READ, department="hand surgery"), "radiologist\nhand surgery department"),
        (replace(READ, department=""), "radiologist"),
        (replace(READ, role=Role.MODALITY, device="CT1"), "imaging device\nradiology department\ndevice CT1"),
        (GUEST, "person from outside: expert@example.org"),
        (replace(GUEST, recipient=Recipient("", is_institution=False)), "person from outside"),
        (THEIRS, "somebody of the institution “south”"),
        (SHARED, "radiologist\nradiology department\ngiven to the institution “south”"),
    ],
    ids=["named", "department", "nowhere", "device", "guest", "forgotten guest", "institution", "given"],
)
def test_who_it_was_is_a_role_a_recipient_or_a_device(access: Access, who: str) -> None:
    assert rows.who(access, ENGLISH) == who


def test_it_is_counted_by_kind_and_recipients_are_listed_once() -> None:
    assert rows.counts(TRAIL, ENGLISH) == [
        (4, "pictures viewed or retrieved"),
        (1, "shared with somebody"),
        (1, "access refused"),
    ]
    assert rows.recipients(TRAIL, ENGLISH) == [
        "person from outside: expert@example.org",
        "somebody of the institution “south”",
    ]
    refused = replace(TRAIL, accesses=(replace(GUEST, outcome=Outcome.REFUSED),))
    assert (rows.recipients(refused, ENGLISH), rows.counts(refused, ENGLISH)) == ([], [(1, "access refused")])


def test_examinations_are_told_by_day_and_kind() -> None:
    assert rows.examinations(TRAIL, GERMAN) == [
        ("1", "03.04.2024", "Computertomographie (CT), Befundbericht"),
        ("2", "unbekannt", "unbekannt"),
    ]
    odd = replace(TRAIL, examinations=(Examination(uuid4(), "20241399", ("ZZ", "CR", "DX")),))
    assert rows.examinations(odd, ENGLISH) == [("1", "unknown", "ZZ, X-ray")]


def test_its_head_says_whose_it_is_and_leaves_out_what_nobody_knows() -> None:
    assert rows.head(TRAIL, ENGLISH, UTC) == [
        ("Institution", "north"),
        ("Your patient number", "ERIKA"),
        ("Produced on", "01 July 2026, 12:30"),
        ("Time zone", "UTC"),
    ]
    assert len(rows.head(replace(TRAIL, patient_id=""), ENGLISH, UTC)) == 3


def test_its_notes_say_whether_employees_are_named() -> None:
    assert "C-579/21" in rows.notes(TRAIL, GERMAN)[0]
    assert "unverzichtbar" in rows.notes(replace(TRAIL, named=True), GERMAN)[0]


def test_machines_read_facts_and_words_side_by_side() -> None:
    proof = EntryProof(4, b"\x01" * 32, (b"\x02" * 32,))
    told = rows.told(replace(TRAIL, checkpoint=b"a note\n", proofs=[proof]), ENGLISH, UTC)

    first, guest = told["accesses"][:2]
    assert (first["at"], first["category"], first["purpose"]) == ("2026-07-01T12:30:00+00:00", "viewed", "TREAT")
    assert (first["department"], first["person"], first["recipient"]) == ("radiology", None, None)
    assert first["entries"] == [4, 5]
    assert first["said"]["who"] == "radiologist\nradiology department"
    assert (guest["recipient"], guest["department"], guest["device"]) == ("expert@example.org", None, None)
    assert told["examinations"] == [
        {"number": 1, "date": "20240403", "kind": "computed tomography (CT), report"},
        {"number": 2, "date": None, "kind": "unknown"},
    ]
    assert (told["checkpoint"], told["employees"]) == ("a note\n", "by role")
    assert told["proofs"] == [{"index": 4, "leaf_sha256": "01" * 32, "path": ["02" * 32]}]
    nameless = rows.told(replace(TRAIL, accesses=(replace(READ, purpose=None),), named=True), ENGLISH, UTC)
    assert (nameless["accesses"][0]["purpose"], nameless["employees"], nameless["checkpoint"]) == (None, "named", None)
