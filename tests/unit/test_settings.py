from pathlib import Path

import pytest

from pacs_secure.settings import load

WHOLE = """
institution = "north"
[vault]
address = "https://127.0.0.1:8200"
ca_file = "ca.pem"
credentials_file = "credentials.json"
[dicom]
certificate_file = "server.pem"
key_file = "server.key"
ca_file = "ca.pem"
[web]
certificate_file = "server.pem"
key_file = "server.key"
[index]
file = "index.db"
[objects]
directory = "objects"
[ledger]
checkpoint_directory = "ledger"
origin = "north.example/ledger"
public_key_file = "public.pem"
[identity]
development_key_file = "issuer.pem"
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "pacs_secure.toml"
    file.write_text(text)
    return file


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
        ("[vault]", "[vault"),
    ],
)
def test_what_is_missing_unknown_or_forbidden_is_refused(tmp_path: Path, what: str, instead: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which of its kinds is pydantic's to say
        load(written(tmp_path, WHOLE.replace(what, instead)))


def test_a_file_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises((OSError, ValueError)):
        load(tmp_path / "missing.toml")
