"""What an enrolled node may call itself, where it may call from and what it may bring."""

from collections.abc import Callable

import pytest

from pacs_secure.core.devices import ae_title, describe, device_uri, networks, operations, sop_classes
from pacs_secure.core.errors import Malformed
from tests.builders import CT, HERE, device


def test_a_device_answers_to_its_own_titles_only() -> None:
    one = device("CT1", also_ae_titles=frozenset({"CT1 OLD"}))

    assert one.answers_to(" CT1 ")
    assert one.answers_to("CT1 OLD")
    assert not one.answers_to("ct1")
    assert not one.answers_to("")


def test_without_networks_a_device_may_call_from_anywhere() -> None:
    assert device("CT1").may_call_from("203.0.113.9")


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("10.1.255.255", True),
        ("10.2.0.0", False),
        ("::ffff:10.1.2.3", True),
        ("::ffff:10.2.2.3", False),
        ("2001:db8::7", True),
        ("2001:db9::7", False),
        ("fe80::1%eth0", False),
        ("", False),
        ("ct1.example.org", False),
    ],
)
def test_with_networks_a_device_may_call_from_them_alone(address: str, *, may: bool) -> None:
    one = device("CT1", networks=networks(["10.1.0.0/16", "2001:db8::/32"]))

    assert one.may_call_from(address) is may


def test_a_device_may_bring_any_class_or_those_it_was_enrolled_for() -> None:
    assert device("CT1").may_bring(CT)
    assert device("CT1", sop_classes=sop_classes([CT])).may_bring(CT)
    assert not device("CT1", sop_classes=sop_classes(["1.2.3"])).may_bring(CT)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (ae_title, "  "),
        (ae_title, "LONGER_THAN_SIXTEEN"),
        (ae_title, "A\\B"),
        (lambda text: networks([text]), "10.1.2.3/8"),
        (lambda text: networks([text]), "anywhere"),
        (lambda text: operations([text]), "delete"),
        (lambda text: operations([text]), ""),
        (lambda _: operations([]), ""),
        (lambda text: sop_classes([text]), "CT Image Storage"),
    ],
)
def test_what_breaks_the_grammar_is_malformed(make: Callable[[str], object], text: str) -> None:
    with pytest.raises(Malformed):
        make(text)


def test_an_address_alone_is_a_network_of_one() -> None:
    assert networks(["192.0.2.7", " 2001:DB8::/32 "]) == {"192.0.2.7/32", "2001:db8::/32"}


def test_a_device_is_named_by_institution_and_ae_title() -> None:
    assert device_uri(HERE, "CT1") == "urn:pacs:north:ae:CT1"
    assert device_uri(HERE, "CT 1%") == "urn:pacs:north:ae:CT%201%25"


def test_a_device_is_described_in_words_and_has_no_certificate_yet() -> None:
    one = describe(
        HERE,
        " CT1 ",
        department="radiology",
        allow=["store ", "find"],
        also=["CT1", "CT1_B"],
        calling_from=["10.0.0.0/8"],
        bringing=[CT],
        identity_required=True,
    )

    assert (one.ae_title, one.also_ae_titles, one.operations) == (
        "CT1",
        frozenset({"CT1_B"}),
        frozenset({"store", "find"}),
    )
    assert (one.networks, one.sop_classes, one.identity_required) == (frozenset({"10.0.0.0/8"}), frozenset({CT}), True)
    assert (one.spki_sha256, one.serial, one.revoked_at) == (b"", "", None)


@pytest.mark.parametrize(("host", "port"), [("x\n", 104), ("x" * 254, 104), ("ct1", -1), ("ct1", 65536)])
def test_a_device_listens_at_a_place_that_can_be(host: str, port: int) -> None:
    with pytest.raises(Malformed):
        describe(HERE, "CT1", department="radiology", allow=["store"], host=host, port=port)
