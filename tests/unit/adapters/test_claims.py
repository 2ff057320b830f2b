"""What the words of another issuer mean here."""

from datetime import UTC, datetime

import pytest

from pacs_secure.adapters.claims import ClaimsMap, every_role, find, identified
from pacs_secure.core.access import Purpose, Role
from pacs_secure.core.errors import Unauthenticated
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import Identified

NORTH = Institution("north")
KEYCLOAK: dict[str, object] = {
    "sub": "7f3c",
    "iat": 1_000,
    "preferred_username": "r.weber",
    "realm_access": {"roles": ["offline_access", "pacs-radiologists"]},
    "https://clinic.example/unit": "radiology",
    "acr": "urn:mfa",
}
MEANING = ClaimsMap(
    subject="preferred_username",
    subject_prefix="kc:",
    role="realm_access.roles",
    roles={"pacs-radiologists": Role.RADIOLOGIST, "pacs-admins": Role.ADMIN},
    department="https://clinic.example/unit",
    home=NORTH,
    acr=frozenset({"urn:mfa"}),
    amr=frozenset({"otp", "hwk"}),
)


def read(**changed: object) -> Identified:
    return identified({**KEYCLOAK, **changed}, MEANING, frozenset({NORTH}), "login", "192.0.2.1")


def test_the_claims_of_keycloak_are_read_by_configuration() -> None:
    subject = read().subject

    assert (subject.identifier, subject.role, subject.institution) == ("kc:r.weber", Role.RADIOLOGIST, "north")
    assert (subject.department, subject.address) == ("radiology", "192.0.2.1")
    assert subject.assurance.second_factor
    assert subject.assurance.login == "login"


def test_whoever_has_two_roles_has_none() -> None:
    with pytest.raises(Unauthenticated):
        read(realm_access={"roles": ["pacs-radiologists", "pacs-admins"]})


@pytest.mark.parametrize("roles", [[], ["others"], None, {"pacs-admins": True}])
def test_whoever_is_in_no_known_group_is_nobody(roles: object) -> None:
    with pytest.raises(Unauthenticated):
        read(realm_access={"roles": roles})


@pytest.mark.parametrize(
    ("claims", "second"),
    [
        ({"acr": "urn:pwd"}, False),
        ({"acr": None}, False),
        ({"acr": "0", "amr": ["pwd"]}, False),
        ({"acr": None, "amr": ["pwd", "otp"]}, True),
        ({"acr": None, "amr": "hwk"}, True),
        ({"acr": ["urn:mfa"]}, False),
    ],
)
def test_a_second_factor_is_what_the_configuration_says_it_is(
    claims: dict[str, object],
    *,
    second: bool,
) -> None:
    assert read(**claims).subject.assurance.second_factor is second


def test_without_any_values_there_is_no_second_factor() -> None:
    plain = ClaimsMap(role="r", department="", home=NORTH)
    claims = {"sub": "a", "r": "dpo", "iat": 1, "acr": "mfa", "amr": ["otp"]}

    found = identified(claims, plain, frozenset({NORTH}), "", "")

    assert not found.subject.assurance.second_factor
    assert found.subject.department == ""


def test_the_time_of_the_login_is_the_issuers_or_that_of_the_token() -> None:
    assert read(auth_time=500).subject.assurance.logged_in_at == datetime.fromtimestamp(500, UTC)
    assert read().subject.assurance.logged_in_at == datetime.fromtimestamp(1_000, UTC)
    with pytest.raises(Unauthenticated):
        read(iat=None)


def test_a_constant_institution_must_be_the_issuers_own() -> None:
    with pytest.raises(Unauthenticated):
        identified(KEYCLOAK, MEANING, frozenset({Institution("south")}), "", "")


def test_a_purpose_is_read_where_the_configuration_says() -> None:
    assert read(purpose="TREAT").purpose is Purpose.TREATMENT
    assert read().purpose is None


def test_a_path_ends_where_there_is_nothing() -> None:
    assert find({"a": {"b": 1}}, "a.b") == 1
    assert find({"a": 1}, "a.b.c") is None
    assert find({}, "") is None


def test_no_token_makes_a_stranger() -> None:
    assert Role.STRANGER not in every_role().values()
    with pytest.raises(Unauthenticated):
        identified(
            {"sub": "a", "role": "x", "iat": 1},
            ClaimsMap(roles={"x": Role.STRANGER}, home=NORTH),
            frozenset({NORTH}),
            "",
            "",
        )
