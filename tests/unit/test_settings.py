from pathlib import Path

import pytest

from pacs_secure.settings import load
from tests.settings_file import WHOLE, written


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    settings = load(written(tmp_path, WHOLE))

    assert settings.institution == "north"
    assert (settings.dicom.port, settings.dicom.ae_title) == (2762, "PACS_SECURE")
    assert settings.web.host == "127.0.0.1"


def test_the_environment_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACS_SECURE__DICOM__PORT", "11113")

    assert load(written(tmp_path, WHOLE)).dicom.port == 11113


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ('institution = "north"', ""),
        ('institution = "north"', 'institution = "north"\nvault_token = "s.secret"'),
        ('origin = "north.example/ledger"', 'origin = "north.example/ledger"\nunknown = 1'),
        ("[web]", '[web]\nhost = "0.0.0.0"'),
        ("[dicom]", "[dicom]\nport = 0"),
        ("[dicom]", '[dicom]\nae_title = "LONGER_THAN_SIXTEEN"'),
        ("[identity]", '[ledger.report]\ntime_zone = "Europe/Atlantis"\n[identity]'),
        ("[identity]", '[ledger.report]\ntime_zone = "../../etc/passwd"\n[identity]'),
        ("[identity]", "[ledger.report]\nnight_begins = 25\n[identity]"),
        ("[vault]", "[vault"),
    ],
)
def test_what_is_missing_unknown_or_forbidden_is_refused(tmp_path: Path, what: str, instead: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which of its kinds is pydantic's to say
        load(written(tmp_path, WHOLE.replace(what, instead)))


def test_a_file_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises((OSError, ValueError)):
        load(tmp_path / "missing.toml")


ISSUER = """
[[identity.issuers]]
issuer = "https://login.example/realms/north"
audience = "pacs"
algorithm = "RS256"
institutions = ["north"]
institution = "north"
[identity.issuers.roles]
radiologists = "radiologist"
"""
LOGIN = """
[identity.login]
issuer = "https://login.example/realms/north"
client_id = "pacs"
public_url = "https://pacs.example"
"""
DEVELOPMENT = '[identity]\ndevelopment_key_file = "issuer.pem"\n'


def identity(tables: str) -> str:
    return WHOLE.replace(DEVELOPMENT, tables)


def test_an_installation_may_have_issuers_of_its_own_and_a_login(tmp_path: Path) -> None:
    settings = load(written(tmp_path, identity(ISSUER + LOGIN)))

    assert settings.identity.development_key_file is None
    assert settings.identity.issuers[0].token_ids
    assert settings.identity.login is not None
    assert (settings.identity.login.idle_minutes, settings.identity.login.longest_hours) == (15, 10)


def test_without_the_development_issuer_the_doors_may_leave_loopback(tmp_path: Path) -> None:
    text = identity(ISSUER).replace("[web]", '[web]\nhost = "0.0.0.0"')

    assert load(written(tmp_path, text)).web.host == "0.0.0.0"


SECOND = ISSUER.replace("login.example", "other.example")


@pytest.mark.parametrize(
    "tables",
    [
        "",
        "[identity]\n",
        LOGIN,
        ISSUER + ISSUER,
        ISSUER + SECOND,
        ISSUER.replace("[identity.issuers.roles]", 'subject_prefix = "a"\n[identity.issuers.roles]') + SECOND,
        ISSUER.replace("https://", "http://"),
        ISSUER.replace("RS256", "HS256"),
        ISSUER.replace("RS256", "EdDSA"),
        ISSUER.replace('institution = "north"', 'institution = "south"'),
        ISSUER.replace('"radiologist"', '"stranger"'),
        ISSUER.replace('"radiologist"', '"operator"'),
        ISSUER.replace('radiologists = "radiologist"', ""),
        ISSUER.replace('institutions = ["north"]', "institutions = []"),
        ISSUER + LOGIN.replace("login.example", "nobody.example"),
        ISSUER + LOGIN.replace("https://pacs.example", "https://pacs.example/archive"),
        ISSUER + LOGIN.replace("https://pacs.example", "http://pacs.example"),
        ISSUER + LOGIN + 'client_secret = "written down"',
    ],
)
def test_identities_that_nobody_should_rely_on_are_refused(tmp_path: Path, tables: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which of its kinds is pydantic's to say
        load(written(tmp_path, identity(tables)))


def test_two_issuers_of_one_institution_give_their_people_different_names(tmp_path: Path) -> None:
    one, other = (
        table.replace("[identity.issuers.roles]", f'subject_prefix = "{prefix}"\n[identity.issuers.roles]')
        for table, prefix in ((ISSUER, "a:"), (SECOND, "b:"))
    )

    assert len(load(written(tmp_path, identity(one + other))).identity.issuers) == 2


@pytest.mark.parametrize(
    "index",
    [
        "",
        'file = "index.db"\nurl = "postgresql:///archive?host=/run/postgresql"',
        'file = "index.db"\npassword_file = "password"',
        'url = "mysql://db.example/archive"',
        'url = "postgresql://archive:secret@db.example/archive"',
        'url = "postgresql://db.example/archive?password=secret"',
    ],
)
def test_the_index_is_in_one_place_and_its_password_in_a_file_of_its_own(tmp_path: Path, index: str) -> None:
    with pytest.raises(ValueError, match=r"index|String should match"):
        load(written(tmp_path, WHOLE.replace('file = "index.db"', index)))


def test_the_index_may_be_in_postgresql(tmp_path: Path) -> None:
    url = "postgresql://archive@db.example/archive?sslrootcert=/etc/ssl/db.pem"
    text = WHOLE.replace('file = "index.db"', f'url = "{url}"\npassword_file = "password"')

    index = load(written(tmp_path, text)).index
    assert (index.place, index.password_file) == (url, Path("password"))
