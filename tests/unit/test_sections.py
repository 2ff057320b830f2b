"""What the settings may say of witnesses, time stamps and clocks."""

from pathlib import Path

import pytest

from pacs_secure.sections import Clock
from pacs_secure.settings import load
from tests.settings_file import WHOLE, written


def witness(name: str, verifier_key: str, url: str = "http://127.0.0.1:8787") -> str:
    return f'\n[[ledger.witnesses]]\nname = "{name}"\nurl = "{url}"\nverifier_key = "{verifier_key}"\n'


def test_without_a_word_no_other_clock_is_asked(tmp_path: Path) -> None:
    assert load(written(tmp_path, WHOLE)).clock == Clock()


@pytest.mark.parametrize(
    "more",
    [
        witness("w 1", "key"),
        witness("w1", "key", "ftp://127.0.0.1/"),
        witness("w1", "key") + witness("w1", "other"),
        witness("w1", "key") + "weight = 3\n",
        '\n[ledger.time_stamping]\nurl = "https://tsa.example/"\n',
        '\n[ledger.time_stamping]\nurl = "https://tsa.example/"\nca_file = "tsa.pem"\nevery_hours = 0\n',
        '\n[clock]\nservers = ["two words"]\n',
        "\n[clock]\nevery_seconds = 0\n",
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, more: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which of its kinds is pydantic's to say
        load(written(tmp_path, WHOLE + more))


@pytest.mark.parametrize("months", [11, 121, 36.5])
def test_the_ledger_is_kept_a_year_at_least_and_ten_at_most(tmp_path: Path, months: float) -> None:
    with pytest.raises(ValueError, match="keep_months"):
        load(written(tmp_path, WHOLE.replace("[ledger]", f"[ledger]\nkeep_months = {months}")))


def test_the_ledger_is_kept_36_months_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    assert load(written(tmp_path, WHOLE)).ledger.keep_months == 36
    longer = WHOLE.replace("[ledger]", "[ledger]\nkeep_months = 120")
    assert load(written(tmp_path, longer)).ledger.keep_months == 120


def test_a_quorum_that_cannot_be_reached_is_refused(tmp_path: Path) -> None:
    text = WHOLE.replace("[ledger]", "[ledger]\nwitness_quorum = 2") + witness("w1", "key")
    with pytest.raises(ValueError, match="witness_quorum"):
        load(written(tmp_path, text))
    text = WHOLE.replace("[ledger]", "[ledger]\nwitness_quorum = 1") + witness("w1", "key") + witness("w2", "other")
    assert load(written(tmp_path, text)).ledger.quorum == 1
