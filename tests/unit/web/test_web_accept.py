"""The Accept header against what is on offer: a table, and whatever anybody may send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_secure.core.errors import Malformed
from pacs_secure.core.identifiers import Uid
from pacs_secure.web.accept import DICOM, DICOM_JSON, JSON_OFFERS, MULTIPART, OCTETS, Offer, choose, parse, split
from pacs_secure.web.frames import frame_offers

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
JPEG_2000 = "1.2.840.10008.1.2.4.90"

MANY = [Offer(MULTIPART, DICOM, frozenset({EXPLICIT}))]
MIXED = [Offer(MULTIPART, DICOM)]
ONE = [*MANY, Offer(DICOM, "", frozenset({EXPLICIT}))]
NATIVE_FRAME = frame_offers(Uid(IMPLICIT), 1)
NATIVE_FRAMES = frame_offers(Uid(EXPLICIT), 2)
JPEG_FRAME = frame_offers(Uid(JPEG_2000), 1)
JPEG_FRAMES = frame_offers(Uid(JPEG_2000), 2)

PARTS = (MULTIPART, DICOM)
ALONE = (DICOM, "")
OCTET_PARTS = (MULTIPART, OCTETS)
OCTETS_ALONE = (OCTETS, "")

TABLE = [
    # no header, or anything
    (ONE, "", PARTS),
    (ONE, "*/*", PARTS),
    (ONE, "*/*;q=0.1", PARTS),
    # instances, transfer syntax any, quoted or not
    (MANY, 'multipart/related; type="application/dicom"', PARTS),
    (MANY, "multipart/related; type=application/dicom", PARTS),
    (MANY, 'multipart/related;type="application/dicom";transfer-syntax=*', PARTS),
    (MANY, 'multipart/related; type="application/dicom"; transfer-syntax="*"', PARTS),
    (MANY, "MULTIPART/RELATED; TYPE=APPLICATION/DICOM", PARTS),
    (MANY, "multipart/related", PARTS),
    (MANY, "multipart/*", PARTS),
    (MIXED, "multipart/related; type=application/dicom; transfer-syntax=*", PARTS),
    # a transfer syntax by name: as stored, or not at all
    (MANY, f"multipart/related; type=application/dicom; transfer-syntax={EXPLICIT}", PARTS),
    (MANY, f"multipart/related; type=application/dicom; transfer-syntax={JPEG_2000}", None),
    (MIXED, f"multipart/related; type=application/dicom; transfer-syntax={EXPLICIT}", None),
    (
        MANY,
        f"{MULTIPART}; type={DICOM}; transfer-syntax={JPEG_2000}, {MULTIPART}; type={DICOM}; transfer-syntax=*; q=0.5",
        PARTS,
    ),
    # one instance alone
    (ONE, "application/dicom", ALONE),
    (ONE, "application/dicom; transfer-syntax=*", ALONE),
    (ONE, f"application/dicom; transfer-syntax={JPEG_2000}", None),
    (ONE, "application/*", ALONE),
    (MANY, "application/dicom", None),
    # other types
    (MANY, "multipart/related; type=application/octet-stream", None),
    (MANY, "multipart/related; type=application/dicom+xml", None),
    (MANY, "application/json", None),
    (MANY, "text/html", None),
    # weights
    (ONE, "application/dicom;q=0.2, multipart/related;type=application/dicom;q=0.8", PARTS),
    (ONE, "application/dicom;q=0.8, multipart/related;type=application/dicom;q=0.2", ALONE),
    (ONE, "application/dicom, multipart/related;type=application/dicom", ALONE),
    (ONE, "application/dicom;q=0, */*", PARTS),
    (ONE, "*/*;q=0", None),
    (ONE, "multipart/related;q=0, application/dicom", ALONE),
    (ONE, "application/dicom;q=2", None),
    (ONE, "application/dicom;q=x, multipart/related", PARTS),
    # broken members are passed over
    (ONE, ",,;;, dicom, /dicom, application/, application/dicom", ALONE),
    (ONE, "*/dicom", None),
    # native frames are the same bytes in both little-endian syntaxes
    (NATIVE_FRAME, "multipart/related; type=application/octet-stream; transfer-syntax=*", OCTET_PARTS),
    (NATIVE_FRAME, f"multipart/related; type=application/octet-stream; transfer-syntax={EXPLICIT}", OCTET_PARTS),
    (NATIVE_FRAME, "application/octet-stream; transfer-syntax=*", OCTETS_ALONE),
    (NATIVE_FRAME, "image/jpeg", None),
    (NATIVE_FRAMES, "application/octet-stream", None),
    (NATIVE_FRAMES, "*/*", OCTET_PARTS),
    # compressed frames
    (JPEG_FRAME, "multipart/related; type=image/jp2", (MULTIPART, "image/jp2")),
    (JPEG_FRAME, "image/jp2", ("image/jp2", "")),
    (JPEG_FRAME, "image/*", ("image/jp2", "")),
    (JPEG_FRAME, "image/jpeg", None),
    (JPEG_FRAME, f"multipart/related; type=image/jp2; transfer-syntax={JPEG_2000}", (MULTIPART, "image/jp2")),
    (JPEG_FRAMES, 'multipart/related; type="application/octet-stream"; transfer-syntax=*', OCTET_PARTS),
    (JPEG_FRAMES, f"multipart/related; type=application/octet-stream; transfer-syntax={EXPLICIT}", None),
    # JSON
    (JSON_OFFERS, "application/dicom+json", (DICOM_JSON, "")),
    (JSON_OFFERS, "application/json", ("application/json", "")),
    (JSON_OFFERS, "application/json, application/dicom+json", ("application/json", "")),
    (JSON_OFFERS, "text/html, application/xhtml+xml, */*;q=0.8", (DICOM_JSON, "")),
    (JSON_OFFERS, "multipart/related; type=application/dicom+xml", None),
    (JSON_OFFERS, "application/dicom+xml", None),
]


@pytest.mark.parametrize(("offers", "accept", "chosen"), TABLE)
def test_the_client_gets_the_form_it_likes_best_of_those_on_offer(
    offers: list[Offer], accept: str, chosen: tuple[str, str] | None
) -> None:
    offer = choose(accept, offers)

    assert (None if offer is None else (offer.media_type, offer.part_type)) == chosen


def test_separators_within_quotation_marks_do_not_separate() -> None:
    assert list(split(r'a; b="x,\",;y", c', ",")) == [r'a; b="x,\",;y"', "c"]


def test_a_quoted_value_is_read_without_its_marks() -> None:
    assert parse(r'a/b; c="d\"e"')[0].parameters == {"c": 'd"e'}


@pytest.mark.parametrize("header", ["a/b," * 65, "a" * 9_000])
def test_an_endless_header_is_refused(header: str) -> None:
    with pytest.raises(Malformed):
        parse(header)


PIECES = st.sampled_from(
    [
        "multipart/related",
        "application/dicom",
        "*/*",
        "type=",
        "transfer-syntax=",
        "q=",
        "*",
        ",",
        ";",
        '"',
        "\\",
        " ",
        "0",
        "1.5",
    ]
)


@given(st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=30).map("".join)))
def test_whatever_is_sent_is_chosen_from_or_refused(header: str) -> None:
    assert choose(header, ONE) in [None, *ONE]
