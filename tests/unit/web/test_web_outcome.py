"""What STOW-RS answers, whatever became of the parts (PS3.18 10.5.3)."""

import orjson
import pytest

from pacs_secure.core import errors
from pacs_secure.core.instance import Identity
from pacs_secure.web.outcome import (
    ALREADY_EXISTS,
    NOT_AUTHORIZED,
    OUT_OF_RESOURCES,
    PROCESSING_FAILURE,
    VALIDATION_FAILURE,
    Failure,
    Outcome,
    reason_of,
)
from tests.builders import ROOT, instance_row

BASE = "https://pacs.example/dicom-web"
FAILURE = Failure(ALREADY_EXISTS, "1.2", "1.3")


def identity(number: int = 1, study: int = 1) -> Identity:
    return instance_row(f"{ROOT}.{study}", f"{ROOT}.{study}.1", f"{ROOT}.{study}.1.{number}").identity


@pytest.mark.parametrize(
    ("stored", "failures", "status"),
    [
        ([], [], 204),
        ([identity()], [], 200),
        ([identity()], [FAILURE], 202),
        ([], [FAILURE], 409),
        ([], [FAILURE, Failure(NOT_AUTHORIZED)], 409),
    ],
)
def test_the_status_says_whether_all_some_or_none_was_stored(
    stored: list[Identity], failures: list[Failure], status: int
) -> None:
    assert Outcome(stored, failures).response(BASE).status_code == status


def test_nothing_stored_because_nothing_may_be_is_denied() -> None:
    with pytest.raises(errors.Denied):
        Outcome([], [Failure(NOT_AUTHORIZED), Failure(NOT_AUTHORIZED, "1.2", "1.3")]).response(BASE)


def test_every_part_is_named_with_its_url_or_its_reason() -> None:
    body = orjson.loads(bytes(Outcome([identity()], [FAILURE, Failure(OUT_OF_RESOURCES)]).response(BASE).body))

    study = f"{BASE}/studies/{ROOT}.1"
    assert body["00081190"] == {"vr": "UR", "Value": [study]}
    (stored,) = body["00081199"]["Value"]
    assert stored["00081155"]["Value"] == [f"{ROOT}.1.1.1"]
    assert stored["00081190"]["Value"] == [f"{study}/series/{ROOT}.1.1/instances/{ROOT}.1.1.1"]
    named, nameless = body["00081198"]["Value"]
    assert (named["00081150"]["Value"], named["00081155"]["Value"]) == (["1.2"], ["1.3"])
    assert named["00081197"] == {"vr": "US", "Value": [45070]}
    assert nameless == {"00081197": {"vr": "US", "Value": [0xA700]}}


def test_instances_of_two_studies_have_no_retrieve_url_in_common() -> None:
    body = orjson.loads(bytes(Outcome([identity(), identity(study=2)]).response(BASE).body))

    assert "00081190" not in body


@pytest.mark.parametrize("error", errors.EVERY_ERROR)
def test_every_error_has_a_failure_reason(error: type[errors.ArchiveError]) -> None:
    expected = {
        errors.Conflict: ALREADY_EXISTS,
        errors.Denied: NOT_AUTHORIZED,
        errors.Hidden: NOT_AUTHORIZED,
        errors.Malformed: VALIDATION_FAILURE,
        errors.OverLimit: VALIDATION_FAILURE,
        errors.Unavailable: OUT_OF_RESOURCES,
    }
    assert reason_of(error("x")) == expected.get(error, PROCESSING_FAILURE)
