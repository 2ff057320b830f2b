"""Certificate, device row and AE titles must all say the same."""

from dataclasses import replace

import pytest
from pynetdicom._globals import APPLICATION_CONTEXT_NAME
from pynetdicom.pdu_primitives import A_ASSOCIATE, UserIdentityNegotiation

from pacs_secure.core.access import Action, Door, Role
from pacs_secure.core.devices import Device, device_uri
from pacs_secure.crypto.certificates import CertificateFacts
from pacs_secure.dimse.identity import Caller, Mismatch, certificate_of, device_of, refused, stranger, subject_of
from tests.builders import HERE, NOW, device
from tests.certificates import Authority
from tests.fakes import MemoryDevices

CT1 = device("CT1")
FACTS = CertificateFacts(CT1.spki_sha256, b"", "01", b"", NOW, frozenset())


def asked(calling: str = "CT1", called: str = "ARCHIVE", context: str = APPLICATION_CONTEXT_NAME) -> A_ASSOCIATE:
    request = A_ASSOCIATE()
    request.application_context_name = context
    request.calling_ae_title, request.called_ae_title = calling, called
    return request


def with_user() -> A_ASSOCIATE:
    request, user = asked(), UserIdentityNegotiation()
    user.user_identity_type, user.primary_field = 1, b"dr.weber"
    request.user_information = [user]
    return request


def mismatch(
    one: Device | None, request: A_ASSOCIATE, own: str, *uris: str, address: str = "192.0.2.1"
) -> Mismatch | None:
    return Caller(request, replace(FACTS, uris=frozenset(uris)), address).mismatch(one, own, lambda _: False)


def test_when_all_agrees_nothing_speaks_against_it() -> None:
    assert mismatch(CT1, asked(), "ARCHIVE") is None


@pytest.mark.parametrize(
    ("one", "request_", "wrong", "diagnostic"),
    [
        (None, asked(), Mismatch.CERTIFICATE_UNKNOWN, 3),
        (replace(CT1, revoked_at=NOW), asked(), Mismatch.DEVICE_REVOKED, 3),
        (replace(CT1, networks=frozenset({"10.0.0.0/8"})), asked(), Mismatch.NETWORK, 3),
        (CT1, asked(calling="CT2"), Mismatch.CALLING_AE_TITLE, 3),
        (CT1, asked(called="OTHER"), Mismatch.CALLED_AE_TITLE, 7),
        (CT1, asked(context="1.2.3"), Mismatch.APPLICATION_CONTEXT, 2),
        (CT1, with_user(), Mismatch.USER_IDENTITY, 1),
    ],
)
def test_each_disagreement_has_its_reason(
    one: Device | None, request_: A_ASSOCIATE, wrong: Mismatch, diagnostic: int
) -> None:
    found = mismatch(one, request_, "ARCHIVE")

    assert found is wrong
    assert wrong.diagnostic == diagnostic


def test_a_device_may_call_with_each_of_its_titles_and_from_each_of_its_networks() -> None:
    one = replace(CT1, also_ae_titles=frozenset({"CT1_B"}), networks=frozenset({"192.0.2.0/24"}))

    assert mismatch(one, asked(calling="CT1_B"), "ARCHIVE") is None
    assert mismatch(one, asked(calling="CT1_C"), "ARCHIVE") is Mismatch.CALLING_AE_TITLE


def test_a_certificate_that_names_a_device_must_name_this_one() -> None:
    own, other = device_uri(HERE, "CT1"), device_uri(HERE, "CT2")

    assert mismatch(CT1, asked(), "ARCHIVE", own, "https://vendor.example/ct") is None
    assert mismatch(CT1, asked(), "ARCHIVE", other) is Mismatch.CERTIFICATE_NAME
    assert mismatch(CT1, asked(), "ARCHIVE", own, other) is Mismatch.CERTIFICATE_NAME


def test_a_certificate_in_a_revocation_list_lets_nobody_in() -> None:
    caller = Caller(asked(), FACTS, "192.0.2.1")

    assert caller.mismatch(CT1, "ARCHIVE", lambda one: one == FACTS) is Mismatch.CERTIFICATE_REVOKED
    assert Caller(asked(), None, "").mismatch(CT1, "ARCHIVE", lambda _: False) is Mismatch.CERTIFICATE_REVOKED


def test_a_stranger_learns_no_more_by_a_wrong_called_title() -> None:
    assert mismatch(None, asked(called="OTHER"), "ARCHIVE") is Mismatch.CERTIFICATE_UNKNOWN


def test_a_device_is_known_by_its_key_even_when_its_certificate_is_renewed(tmp_path: object) -> None:
    authority = Authority(tmp_path)  # type: ignore[arg-type]
    pair, other = authority.issue("ct1"), authority.issue("ct2")
    devices = MemoryDevices()
    devices.kept["CT1"] = replace(CT1, spki_sha256=certificate_of(pair.der).spki_sha256)  # type: ignore[union-attr]

    assert device_of(devices, certificate_of(pair.der)) == devices.kept["CT1"]
    assert device_of(devices, certificate_of(other.der)) is None


@pytest.mark.parametrize("certificate", [None, b"", b"no certificate"])
def test_what_is_no_certificate_is_no_device(certificate: bytes | None) -> None:
    assert device_of(MemoryDevices(), certificate_of(certificate)) is None


def test_what_only_sends_is_a_modality_and_what_asks_is_a_workstation() -> None:
    assert subject_of(CT1, "192.0.2.1").role is Role.MODALITY
    reader = subject_of(device("WS1", operations=("store", "find")), "192.0.2.1")

    assert (reader.role, reader.door, reader.address) == (Role.WORKSTATION, Door.DIMSE, "192.0.2.1")


def test_who_proved_nothing_is_a_stranger() -> None:
    assert stranger(HERE, "192.0.2.1").role is Role.STRANGER


def test_a_refused_association_says_why_and_keeps_what_may_name_someone_apart() -> None:
    caller = stranger(HERE, "192.0.2.1")

    request = refused(caller, "a reason", {"calling_ae_title": "DR_WEBER"})

    assert (request.action, request.subject) == (Action.ASSOCIATION_OPEN, caller)
    assert request.details == {"protocol": "A-ASSOCIATE", "reason": "a reason"}
    assert request.private == {"calling_ae_title": "DR_WEBER"}
