"""Giving back: located, decided, recorded, and only then opened; how it ended is on record too."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from pacs_secure.archive.ingest import Received
from pacs_secure.archive.proofs import proven
from pacs_secure.archive.retrieve import Retrieval
from pacs_secure.core.access import Purpose, Relation, Role, Subject
from pacs_secure.core.errors import Denied, Hidden, Malformed, NotFound, Tampered, Unavailable
from pacs_secure.core.identifiers import uid
from tests.builders import ELSEWHERE, HERE, draft, permit, subject, tie
from tests.data_sets import JPEG, fragments, image
from tests.unit.archive.instances import TECHNOLOGIST, acts, data_set, instance_uid, store, study_uid
from tests.world import World

RADIOLOGIST = subject()
DERMATOLOGIST = subject(Role.CLINICIAN, department="dermatology")


def begin(
    world: World,
    study: str = study_uid(),
    series: str | None = None,
    instance: str | None = None,
    *,
    by: Subject = RADIOLOGIST,
    purpose: Purpose | None = None,
) -> Retrieval:
    return world.archive.retrieve.begin(by, purpose, study, series, instance, details={"protocol": "test"})


def test_a_delivery_is_recorded_before_anything_is_opened(world: World) -> None:
    store(world)
    world.house.drop_keys()
    fetched = world.keyring.opening
    with begin(world) as retrieval:
        assert acts(world)[-1] == ("study:read", "begun")
        assert world.entries()[-1]["facts"] == {"protocol": "test", "objects": 1}
        assert world.keyring.opening == fetched
        assert list(retrieval.data_set(retrieval.rows[0])) == [data_set()]
        retrieval.complete()

    ended = world.entries()[-1]
    assert (ended["action"], ended["outcome"]) == ("study:read", "completed")
    assert ended["facts"] == {"protocol": "test", "objects": 1, "bytes": len(data_set())}
    assert world.records.open_acts(datetime.now(UTC)) == []


def test_with_the_ledger_away_nothing_is_opened(world: World) -> None:
    store(world)
    world.house.drop_keys()
    fetched = world.keyring.opening
    world.ledger.down = True

    with pytest.raises(Unavailable):
        begin(world)
    assert world.keyring.opening == fetched


@pytest.mark.parametrize(
    ("series", "instance", "found"),
    [
        (None, None, [instance_uid(1, 1, 1), instance_uid(1, 2, 1), instance_uid(1, 1, 2)]),
        (f"{study_uid()}.1", None, [instance_uid(1, 1, 1), instance_uid(1, 2, 1)]),
        (f"{study_uid()}.2", instance_uid(1, 1, 2), [instance_uid(1, 1, 2)]),
    ],
)
def test_a_study_a_series_or_an_instance_is_given_back_in_order(
    world: World, series: str | None, instance: str | None, found: list[str]
) -> None:
    store(world, data_set(1, 2), data_set(1, 1, series=2), data_set(1, 1), data_set(2))

    with begin(world, study_uid(), series, instance) as retrieval:
        assert [row.identity.sop_instance_uid for row in retrieval.rows] == found


def test_what_is_not_in_the_study_is_not_found_and_that_is_the_outcome(world: World) -> None:
    store(world)

    with pytest.raises(NotFound) as missing:
        begin(world, study_uid(), f"{study_uid()}.9")
    assert type(missing.value) is NotFound
    assert acts(world)[2:] == [("study:read", "begun"), ("study:read", "failed")]
    assert world.entries()[-1]["facts"]["error"] == "NotFound"


def test_missing_and_forbidden_are_said_alike_and_both_are_recorded(world: World) -> None:
    store(world)
    said = []
    for study in (study_uid(1), study_uid(404)):
        with pytest.raises(NotFound) as refused:
            begin(world, study, by=DERMATOLOGIST)
        said.append(str(refused.value))

    assert said[0] == said[1]
    assert acts(world)[2:] == [("study:read", "refused")] * 2


def test_another_institution_s_study_is_not_there(world: World) -> None:
    store(world)

    with pytest.raises(NotFound) as refused:
        begin(world, by=subject(of=ELSEWHERE))
    assert not isinstance(refused.value, Hidden)


def test_whoever_names_a_purpose_of_no_use_is_refused(world: World) -> None:
    store(world)

    with pytest.raises((Denied, Hidden)):
        begin(world, purpose=Purpose.HEALTH_RESEARCH)
    assert acts(world)[-1] == ("study:read", "refused")


@pytest.mark.parametrize("uids", [("x",), ("",), ("1.2", "../etc"), ("1.2", "1.3", "9" * 65)])
def test_what_is_no_uid_is_malformed_and_on_record(world: World, uids: tuple[str, ...]) -> None:
    with pytest.raises(Malformed):
        begin(world, *uids)

    (entry,) = world.entries()
    assert (entry["action"], entry["outcome"], entry["facts"]["error"]) == ("study:read", "refused", "Malformed")


# --- how a delivery ends ------------------------------------------------------------------------


def read_all(pieces: Iterator[bytes]) -> bytes:
    return b"".join(pieces)


def test_a_reader_who_goes_away_leaves_an_aborted_act_with_the_bytes_so_far(world: World) -> None:
    store(world, data_set(pixels=bytes(60_000) * 40, frames=40))
    with begin(world) as retrieval:
        first = next(retrieval.part10(retrieval.rows[0]))

    ended = world.entries()[-1]
    assert (ended["outcome"], ended["facts"]["bytes"]) == ("aborted", len(first))


def test_a_damaged_object_leaves_a_failed_act(world: World) -> None:
    store(world)
    world.blobs.damage()

    def deliver() -> None:
        with begin(world) as retrieval:
            read_all(retrieval.part10(retrieval.rows[0]))

    with pytest.raises(Tampered):
        deliver()
    ended = world.entries()[-1]
    assert (ended["outcome"], ended["facts"]["error"], ended["facts"]["bytes"]) == ("failed", "Tampered", 0)


def test_a_failure_that_is_not_the_archive_s_aborts(world: World) -> None:
    store(world)

    def break_off() -> None:
        with begin(world):
            raise OSError("the peer has gone")

    with pytest.raises(OSError, match="gone"):
        break_off()
    assert acts(world)[-1] == ("study:read", "aborted")


def test_a_delivery_ends_once(world: World) -> None:
    store(world)
    with begin(world) as retrieval:
        retrieval.complete()
        retrieval.close()
        retrieval.close(Tampered("late"))

    assert acts(world)[2:] == [("study:read", "begun"), ("study:read", "completed")]


# --- what is given back -------------------------------------------------------------------------


def test_a_part_10_stream_holds_the_data_set_as_received(world: World) -> None:
    store(world)
    with begin(world) as retrieval:
        stream = read_all(retrieval.part10(retrieval.rows[0]))

    assert stream[:132] == bytes(128) + b"DICM"
    assert stream.endswith(data_set())


def test_a_native_frame_is_its_own_bytes(world: World) -> None:
    store(world, data_set(pixels=b"first.second", frames=2))
    with begin(world) as retrieval:
        (row,) = retrieval.rows
        assert [read_all(retrieval.frame(row, number)) for number in (1, 2)] == [b"first.", b"second"]
        retrieval.complete()
    assert world.entries()[-1]["facts"]["bytes"] == 12


def test_an_encapsulated_frame_comes_without_its_item_headers(world: World) -> None:
    content = image(rows=1, columns=6, frames="2") + fragments(b"first.", b"second")
    with world.archive.ingest.begin(TECHNOLOGIST, None, {}) as reception:
        reception.store(Received(content, JPEG))
    with begin(world, "1.2.3") as retrieval:
        (row,) = retrieval.rows
        assert [read_all(retrieval.frame(row, number)) for number in (1, 2)] == [b"first.", b"second"]


@pytest.mark.parametrize("number", [0, -1, 3])
def test_a_frame_that_is_not_there_is_not_found(world: World, number: int) -> None:
    store(world, data_set(pixels=b"first.second", frames=2))

    with begin(world) as retrieval, pytest.raises(NotFound):
        retrieval.frame(retrieval.rows[0], number)


def test_an_instance_without_frames_has_none(world: World) -> None:
    store(world)

    with begin(world) as retrieval, pytest.raises(NotFound):
        retrieval.frame(retrieval.rows[0], 1)


def test_metadata_is_one_object_an_instance_in_row_order_and_counted(world: World) -> None:
    store(world, data_set(1, 2), data_set(1, 1, PatientName="Doe^John"))
    with begin(world) as retrieval:
        written = list(retrieval.metadata())
        retrieval.complete()

    told = [orjson.loads(one) for one in written]
    assert [one["00080018"]["Value"] for one in told] == [[instance_uid(1, 1)], [instance_uid(1, 2)]]
    assert told[0]["00100010"]["Value"] == [{"Alphabetic": "Doe^John"}]
    assert world.entries()[-1]["facts"]["bytes"] == sum(map(len, written))


class TestAcrossInstitutions:
    """The dermatologist was invited by another institution to a study that their own may have a copy of."""

    @pytest.fixture(autouse=True)
    def _invited(self, world: World) -> None:
        theirs = subject(Role.TECHNOLOGIST, of=ELSEWHERE)
        store(world, data_set(PatientName="Doe^John"), by=theirs)
        facts = world.archive.facts.of(theirs, None, uid(study_uid()))
        assert facts is not None
        now = datetime.now(UTC)
        made = tie(
            Relation.INVITED,
            facts.alias,
            actor=world.archive.guard.pseudonym(HERE, DERMATOLOGIST.identifier),
            of=ELSEWHERE,
            begins_at=now - timedelta(days=1),
            ends_at=now + timedelta(days=1),
        )
        seal = world.archive.search.seals.index(ELSEWHERE)
        world.ties.tie(permit(theirs), [proven(seal, made)], replace(draft(), institution=ELSEWHERE))

    def test_everything_of_it_opens(self, world: World) -> None:
        with begin(world, by=DERMATOLOGIST) as retrieval:
            assert [row.identity.institution for row in retrieval.rows] == [ELSEWHERE]
            assert read_all(retrieval.part10(retrieval.rows[0]))
            (written,) = retrieval.metadata()

        assert orjson.loads(written)["00100010"]["Value"] == [{"Alphabetic": "Doe^John"}]

    def test_a_copy_at_home_that_is_hidden_stands_in_no_way(self, world: World) -> None:
        store(world)

        with begin(world, by=DERMATOLOGIST) as retrieval:
            assert [row.identity.institution for row in retrieval.rows] == [ELSEWHERE]

    def test_a_copy_at_home_that_may_be_read_comes_first(self, world: World) -> None:
        store(world, by=subject(Role.TECHNOLOGIST, department="dermatology"))

        with begin(world, by=DERMATOLOGIST) as retrieval:
            assert [row.identity.institution for row in retrieval.rows] == [HERE]

    def test_whoever_may_read_neither_is_refused_at_home(self, world: World) -> None:
        store(world)

        with pytest.raises(Hidden):
            begin(world, by=DERMATOLOGIST, purpose=Purpose.HEALTH_RESEARCH)
        assert world.entries()[-1]["institution"] == HERE
