"""A bucket is named without a secret, and credentials are read from a file for its owner only."""

import json
from pathlib import Path

import pytest

from pacs_secure.adapters.s3_place import S3Credentials, S3Place, s3_place
from pacs_secure.core.errors import Malformed, Unavailable


def place(file: Path, url: str = "s3://pictures/north/archive") -> S3Place:
    return s3_place(url, "https://s3.example:9000/", "eu-central-1", file)


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "credentials.json"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_bucket_and_prefix_are_read_from_the_address(tmp_path: Path) -> None:
    of = place(tmp_path)

    assert (of.bucket, of.prefix, of.endpoint, of.plain) == (
        "pictures",
        "north/archive",
        "https://s3.example:9000",
        False,
    )
    assert of.key("objects", "1") == "north/archive/objects/1"
    assert place(tmp_path, "s3://pictures").key("objects", "1") == "objects/1"


@pytest.mark.parametrize("url", ["pictures", "https://pictures/x", "s3:///x", "s3://pictures/x?version=1"])
def test_what_names_no_bucket_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(Malformed):
        place(tmp_path, url)


def test_an_endpoint_without_tls_is_on_this_machine_or_refused(tmp_path: Path) -> None:
    assert s3_place("s3://pictures", "http://127.0.0.1:9000", "north", tmp_path).plain
    with pytest.raises(Malformed):
        s3_place("s3://pictures", "http://s3.example", "north", tmp_path)


def test_credentials_are_read_anew_each_time(tmp_path: Path) -> None:
    file = written(tmp_path, json.dumps({"access_key_id": "a", "secret_access_key": "first-secret"}))
    of = place(file)
    assert of.credentials() == S3Credentials("a", "first-secret")

    written(tmp_path, json.dumps({"access_key_id": "b", "secret_access_key": "second-secret", "session_token": "t"}))
    assert of.credentials() == S3Credentials("b", "second-secret", "t")


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ('{"access_key_id": "a", "secret_access_key": "first-secret"}', 0o640),
        ('{"access_key_id": "a", "secret_access_key": "first-secret"}', 0o604),
        ('{"access_key_id": "a", "secret_access_key": "short"}', 0o600),
        ('{"access_key_id": "", "secret_access_key": "first-secret"}', 0o600),
        ('{"access_key_id": "a"}', 0o600),
        ('{"access_key_id": "a", "secret_access_key": "first-secret", "more": 1}', 0o600),
        ("[]", 0o600),
        ("no json", 0o600),
    ],
)
def test_credentials_that_others_may_read_or_that_are_none_are_not_used(tmp_path: Path, text: str, mode: int) -> None:
    with pytest.raises(Unavailable):
        place(written(tmp_path, text, mode)).credentials()


def test_no_secret_shows_when_credentials_are_printed() -> None:
    assert "first-secret" not in repr(S3Credentials("a", "first-secret"))


def test_an_authority_is_read_or_missed(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    named = s3_place("s3://pictures", "https://s3.example", "north", tmp_path, file)
    with pytest.raises(Unavailable):
        named.authority()

    file.write_bytes(b"PEM")
    assert (named.authority(), place(tmp_path).authority()) == (b"PEM", None)
