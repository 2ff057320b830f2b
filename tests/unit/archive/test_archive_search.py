"""Finding: what matches within the scope is found, all of it, and nothing else."""

from collections.abc import Iterator
from dataclasses import replace

import orjson
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from pacs_secure.archive import search
from pacs_secure.archive.search import Answer
from pacs_secure.core.access import Purpose, Role, Scope, Subject
from pacs_secure.core.errors import Denied, Malformed, OverLimit, Tampered, Unavailable
from pacs_secure.core.instance import SealedHit
from pacs_secure.core.query import MOST_RESULTS, Level, MatchKey, Narrowing, Query
from pacs_secure.dicom.header import scan
from pacs_secure.dicom.matching import matches
from pacs_secure.dicom.metadata import describe
from pacs_secure.dicom.query_keys import resolve
from tests.builders import ELSEWHERE, subject
from tests.data_sets import EXPLICIT
from tests.unit.archive.instances import acts, data_set, instance_uid, store, study_uid
from tests.world import World, memory_world

RADIOLOGIST = subject()
UIDS = {Level.STUDY: "0020000D", Level.SERIES: "0020000E", Level.INSTANCE: "00080018"}


def key(keyword: str, *values: str) -> MatchKey:
    attribute = resolve(keyword)
    return MatchKey(attribute.tag, attribute.keyword, attribute.vr, values)


def find(world: World, query: Query, by: Subject = RADIOLOGIST, purpose: Purpose | None = None) -> Answer:
    return world.archive.search.find(by, purpose, query, details={"protocol": "test"})


def found(world: World, query: Query, by: Subject = RADIOLOGIST) -> list[str]:
    return [orjson.loads(one)[UIDS[query.level]]["Value"][0] for one in find(world, query, by).results]


# --- the record ---------------------------------------------------------------------------------


def test_a_search_is_recorded_with_its_number_of_results(world: World) -> None:
    store(world, data_set(1), data_set(2))
    find(world, Query(Level.STUDY))

    assert acts(world)[-2:] == [("study:search", "begun"), ("study:search", "completed")]
    assert world.entries()[-1]["facts"] == {"protocol": "test", "results": 2}


def test_what_was_searched_for_is_in_no_entry_in_clear(world: World) -> None:
    find(world, Query(Level.STUDY, (key("PatientName", "Mustermann"),)))

    assert not any(b"Muster" in entry.content for entry in world.ledger.kept)
    assert all("details" in entry for entry in world.entries())


@pytest.mark.parametrize(
    ("by", "purpose"),
    [
        (subject(Role.DPO), None),
        (subject(Role.ADMIN), None),
        (subject(Role.RESEARCHER), None),
        (RADIOLOGIST, Purpose.HEALTH_RESEARCH),
    ],
)
def test_whoever_may_not_search_is_denied_and_on_record(world: World, by: Subject, purpose: Purpose | None) -> None:
    with pytest.raises(Denied):
        find(world, Query(Level.STUDY), by, purpose)
    assert acts(world) == [("study:search", "refused")]


def test_with_the_ledger_away_nothing_is_searched(world: World) -> None:
    store(world)
    world.house.drop_keys()
    fetched = world.keyring.fetched
    world.ledger.down = True

    with pytest.raises(Unavailable):
        find(world, Query(Level.STUDY))
    assert world.keyring.fetched == fetched


def test_with_the_index_key_away_a_search_fails_and_that_is_on_record(world: World) -> None:
    store(world)
    find(world, Query(Level.STUDY))
    world.keyring.sealed = True
    world.house.drop_keys()

    with pytest.raises(Unavailable):
        find(world, Query(Level.STUDY))
    assert acts(world)[-2:] == [("study:search", "begun"), ("study:search", "failed")]
    assert world.entries()[-1]["facts"]["error"] == "Unavailable"


def test_a_box_that_was_moved_fails_the_search(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    store(world, data_set(1), data_set(2))
    hits = world.records.search

    def swapped(scope: Scope, narrowing: Narrowing) -> Iterator[SealedHit]:
        one, other = hits(scope, narrowing)
        yield replace(one, study_box=other.study_box)

    monkeypatch.setattr(world.records, "search", swapped)
    with pytest.raises(Tampered):
        find(world, Query(Level.STUDY))


# --- no fishing (ACC-04) ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "fuzzy"),
    [
        ([key("PatientName", "*")], False),
        ([key("PatientName", "M*")], False),
        ([key("PatientName", "??*")], False),
        ([key("PatientName", "^^^*")], False),
        ([key("PatientID", "4*"), key("PatientName", "M*")], False),
        ([key("PatientName", "M")], True),
        ([key("PatientName", "*m*")], True),
        ([key("ReferringPhysicianName", "W")], True),
        ([key("StudyDescription", "*")], False),
    ],
)
def test_fishing_is_refused_before_anything_is_searched(world: World, keys: list[MatchKey], fuzzy: bool) -> None:  # noqa: FBT001
    with pytest.raises(Malformed):
        find(world, Query(Level.STUDY, tuple(keys), fuzzy=fuzzy))

    (entry,) = world.entries()
    assert (entry["outcome"], entry["facts"]["error"]) == ("refused", "Malformed")


@pytest.mark.parametrize(
    ("keys", "fuzzy"),
    [
        ([], True),
        ([key("PatientName", "Mus*")], False),
        ([key("PatientName", "Li")], False),
        ([key("PatientName", "Li*"), key("StudyDate", "20260301")], False),
        ([key("PatientName", "Mus")], True),
        ([key("PatientID", "4")], True),
    ],
)
def test_a_search_that_knows_whom_it_seeks_is_no_fishing(world: World, keys: list[MatchKey], fuzzy: bool) -> None:  # noqa: FBT001
    assert find(world, Query(Level.STUDY, tuple(keys), fuzzy=fuzzy)).results == []


def test_no_search_answers_with_more_than_500(world: World) -> None:
    store(world, *(data_set(study) for study in range(1, MOST_RESULTS + 2)))
    for query in (Query(Level.STUDY, limit=10_000), Query(Level.STUDY, (key("PatientID", ""),), limit=10_000)):
        answer = find(world, query)
        assert (len(answer.results), answer.truncated) == (MOST_RESULTS, True)

    answer = find(world, Query(Level.STUDY, limit=10_000, offset=1))
    assert (len(answer.results), answer.truncated) == (MOST_RESULTS, False)


def test_a_search_that_would_open_too_much_is_asked_to_be_more_precise(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(world, *(data_set(study) for study in range(1, 5)))
    query = Query(Level.STUDY, (key("StudyDescription", "Head"),))
    monkeypatch.setattr(search, "MOST_CANDIDATES", 4)
    assert find(world, query).results == []

    monkeypatch.setattr(search, "MOST_CANDIDATES", 3)
    with pytest.raises(OverLimit):
        find(world, query)
    assert world.entries()[-1]["facts"]["error"] == "OverLimit"


# --- what is found ------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [(), (key("PatientID", "P"),)], ids=["SQL pages", "the archive pages"])
def test_pages_follow_each_other_without_gap_or_overlap(world: World, keys: tuple[MatchKey, ...]) -> None:
    store(world, *(data_set(study, PatientID="P", StudyDate=f"202603{study:02}") for study in range(1, 8)))
    pages = [find(world, Query(Level.STUDY, keys, limit=3, offset=offset)) for offset in (0, 3, 6)]
    uids = [orjson.loads(one)["0020000D"]["Value"][0] for page in pages for one in page.results]

    assert uids == [study_uid(study) for study in range(7, 0, -1)]
    assert [page.truncated for page in pages] == [True, True, False]


def test_levels_below_a_study_are_found_within_it(world: World) -> None:
    store(world, data_set(1, 1), data_set(1, 2), data_set(1, 1, series=2), data_set(2))
    study = store(world, data_set(1, 1))[0].identity.study_instance_uid

    assert found(world, Query(Level.SERIES, study_instance_uid=study)) == [f"{study}.1", f"{study}.2"]
    assert found(world, Query(Level.INSTANCE, study_instance_uid=study)) == [
        instance_uid(1, 1),
        instance_uid(1, 2),
        instance_uid(1, 1, 2),
    ]


@pytest.mark.parametrize(
    ("asked", "studies"),
    [
        (key("Modality", "CT"), [1]),
        (key("SeriesInstanceUID", f"{study_uid(2)}.1"), [2]),
        (key("SOPInstanceUID", instance_uid(2)), [2]),
        (key("ModalitiesInStudy", "CT", "MR"), [1, 2]),
    ],
)
def test_a_study_is_found_by_what_it_holds(world: World, asked: MatchKey, studies: list[int]) -> None:
    store(world, data_set(1, Modality="CT"), data_set(2, Modality="MR"))

    assert sorted(found(world, Query(Level.STUDY, (asked,)))) == [study_uid(study) for study in studies]


def test_a_modality_that_is_no_code_is_found_by_what_was_received(world: World) -> None:
    store(world, data_set(1, Modality="ct"), data_set(2, Modality="CT"))

    assert found(world, Query(Level.SERIES, (key("Modality", "ct"),))) == [f"{study_uid(1)}.1"]


def test_another_institution_finds_nothing(world: World) -> None:
    store(world)

    assert found(world, Query(Level.STUDY), subject(of=ELSEWHERE)) == []


def test_a_value_that_is_none_of_its_kind_is_a_failed_act(world: World) -> None:
    with pytest.raises(Malformed):
        find(world, Query(Level.STUDY, (key("StudyDate", "yesterday"),)))
    assert acts(world)[-1] == ("study:search", "failed")


# --- nothing that matches is lost ---------------------------------------------------------------

NAMES = st.sampled_from(
    [
        "Mustermann^Erika",
        "M\u00fcller-L\u00fcdenscheid^J\u00f6rg",
        "Li^Wei",
        "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce",
        "O'Neil",
        "",
    ]
)
IDS = st.sampled_from(["ERIKA-4711", "erika-4711", "4711", "A 1", ""])
DATES = st.sampled_from(["20260228", "20260301", "2026.03.01", "20261301", "soon", ""])
MODALITIES = st.sampled_from(["CT", "MR", "ct", "CT ", ""])
NUMBERS = st.sampled_from(["1", "01", "+7", "1.5", "", "99999999999"])


@st.composite
def contents(draw: st.DrawFn) -> dict[str, str]:
    return {
        "PatientName": draw(NAMES),
        "PatientID": draw(IDS),
        "AccessionNumber": draw(IDS),
        "StudyDate": draw(DATES),
        "PatientBirthDate": draw(DATES),
        "Modality": draw(MODALITIES),
        "SeriesNumber": draw(NUMBERS),
    }


@st.composite
def patterns(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    """Draw a value, or a piece of one with a wildcard put in."""
    value = draw(values)
    place = draw(st.integers(0, len(value)))
    wildcard = draw(st.sampled_from(["", "", "*", "?"]))
    return draw(st.sampled_from([value, value[:place] + wildcard + value[place + 1 :], wildcard + value[place:]]))


PERIODS = st.sampled_from(["{}", "{}-", "-{}", "{}-20260301", "20260228-{}"])


@st.composite
def archives_and_queries(draw: st.DrawFn) -> tuple[list[dict[str, str]], Query]:
    """Draw what is stored, and a query for something like one of it."""
    described = draw(st.lists(contents(), min_size=1, max_size=4))
    like = draw(st.sampled_from(described)) | {"StudyInstanceUID": study_uid(draw(st.sampled_from([1, 2, 9])))}
    keys = []
    for keyword in draw(st.lists(st.sampled_from(sorted(like)), unique=True, max_size=3)):
        value = like[keyword]
        if keyword.endswith("Date"):
            value = draw(PERIODS).format(value)
        elif keyword not in {"SeriesNumber", "StudyInstanceUID"}:
            value = draw(patterns(st.just(value)))
        keys.append(key(keyword, value))
    return described, Query(Level.INSTANCE, tuple(keys), fuzzy=draw(st.booleans()), limit=10)


@settings(max_examples=400, deadline=None)
@given(archives_and_queries())
def test_a_search_finds_exactly_what_matches_when_every_instance_is_looked_at(
    drawn: tuple[list[dict[str, str]], Query],
) -> None:
    described, query = drawn
    world = memory_world()
    sent = [written(study, attributes) for study, attributes in enumerate(described, start=1)]
    store(world, *sent)
    try:
        answer = found(world, query)
    except Malformed:
        event("malformed")
        return

    expected = {
        uid
        for uid, attributes in map(attributes_of, sent)
        if all(matches(attributes, one, fuzzy=query.fuzzy) for one in query.keys)
    }
    event(f"{len(query.keys)} keys, {'some' if expected else 'none'} found")
    assert set(answer) == expected
    assert len(answer) == len(expected)


def written(study: int, attributes: dict[str, str]) -> bytes:
    return data_set(study, 1, series=1, pixels=b"", frames=1, **attributes)


def attributes_of(content: bytes) -> tuple[str, dict[str, dict[str, object]]]:
    """Return what an instance says of itself at every level."""
    header = scan(content, EXPLICIT)
    told = describe(content, EXPLICIT, header)
    levels = (told.study_json, told.series_json, told.instance_json)
    return header.sop_instance_uid, {tag: value for level in levels for tag, value in orjson.loads(level).items()}
