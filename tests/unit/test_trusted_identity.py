"""From the settings to what believes a token."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pacs_secure import identity
from pacs_secure.adapters.development_issuer import AUDIENCE, ISSUER, DevelopmentIssuer
from pacs_secure.adapters.openid_discovery import WELL_KNOWN
from pacs_secure.core.access import Role
from pacs_secure.core.errors import Denied, Unauthenticated
from pacs_secure.core.identifiers import Institution
from pacs_secure.settings import Settings, load
from tests.json_server import JsonServer, json_server
from tests.settings_file import WHOLE, written

HOUR = timedelta(hours=1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[JsonServer]:
    with json_server(tmp_path / "server") as running:
        yield running


def settings(folder: Path, identity_tables: str) -> Settings:
    head, _, _ = WHOLE.partition("[identity]")
    return load(written(folder, head + identity_tables))


def test_the_development_issuer_is_believed_when_its_key_is_named(tmp_path: Path) -> None:
    chosen = settings(tmp_path, f'[identity]\ndevelopment_key_file = "{tmp_path / "issuer.pem"}"\n')
    token = identity.development_issuer(chosen).issue(Role.DPO, "d", "", None, Institution("north"), HOUR)

    assert identity.authenticator(chosen).authenticate(token, "").subject.role is Role.DPO


def issuer_table(server: JsonServer, extra: str = "") -> str:
    return f"""
[[identity.issuers]]
issuer = "{server.url}"
audience = "pacs"
algorithm = "ES256"
ca_file = "{server.authority}"
institutions = ["north"]
institution = "north"
{extra}
[identity.issuers.roles]
doctors = "clinician"
"""


def test_without_the_development_issuer_nobody_gets_a_token_from_it(tmp_path: Path, server: JsonServer) -> None:
    chosen = settings(tmp_path, issuer_table(server))
    token = DevelopmentIssuer(tmp_path / "own.pem", loopback=True).issue(
        Role.DPO, "d", "", None, Institution("north"), HOUR
    )

    with pytest.raises(Denied):
        identity.development_issuer(chosen)
    with pytest.raises(Unauthenticated):
        identity.authenticator(chosen).authenticate(token, "")


@pytest.mark.parametrize("explicit", [True, False])
def test_keys_are_found_by_discovery_or_at_the_address_that_is_given(
    tmp_path: Path, server: JsonServer, *, explicit: bool
) -> None:
    server.answers["/keys"] = {"keys": []}
    server.answers[WELL_KNOWN] = {"issuer": server.url, "jwks_uri": f"{server.url}/keys"}
    chosen = settings(tmp_path, issuer_table(server, f'jwks_url = "{server.url}/keys"' if explicit else ""))

    keys = identity.keys_of(chosen.identity.issuers[0])

    assert keys.find("nobody's") is None
    assert server.asked == ["/keys"] if explicit else [WELL_KNOWN, "/keys"]


def test_the_tables_of_an_issuer_become_what_a_verifier_needs(tmp_path: Path, server: JsonServer) -> None:
    chosen = settings(tmp_path, issuer_table(server, 'second_factor_amr = ["otp"]\nsubject_prefix = "kc:"'))
    one = chosen.identity.issuers[0]

    trusted = identity.trusted_issuer(one, identity.keys_of(one))
    other = identity.trusted_issuer(one, identity.keys_of(one), "client")

    assert (trusted.issuer, trusted.audience, other.audience) == (server.url, "pacs", "client")
    assert trusted.meaning.roles == {"doctors": Role.CLINICIAN}
    assert (trusted.meaning.home, trusted.meaning.subject_prefix) == ("north", "kc:")
    assert trusted.meaning.amr == {"otp"}


def test_the_development_issuer_names_itself_as_such() -> None:
    assert ISSUER.startswith("urn:pacs-secure:development")
    assert AUDIENCE
