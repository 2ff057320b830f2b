"""Requests to a bucket are signed as the published examples of AWS Signature Version 4 are."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pacs_secure.adapters.s3_place import S3Credentials, S3Place
from pacs_secure.adapters.s3_requests import S3Requests, signed
from pacs_secure.core.errors import Unavailable

EXAMPLE = S3Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
HOST = {"Host": "examplebucket.s3.amazonaws.com"}


@pytest.mark.parametrize(
    ("path", "query", "headers", "signature"),
    [
        (
            "/test.txt",
            "",
            {"Range": "bytes=0-9"},
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        ("/", "lifecycle=", {}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ("/", "max-keys=2&prefix=J", {}, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ],
    ids=["get object", "get lifecycle", "list"],
)
def test_the_published_examples_have_the_published_signatures(
    path: str, query: str, headers: dict[str, str], signature: str
) -> None:
    """Amazon S3 API Reference, "Examples: Signature Calculations in AWS Signature Version 4"."""
    at = datetime(2013, 5, 24, tzinfo=UTC)

    told = signed(EXAMPLE, "us-east-1", "GET", path, query, {**HOST, **headers}, b"", at)

    assert told["authorization"].endswith(f"Signature={signature}")


def test_the_token_of_a_session_is_signed_too() -> None:
    token = replace(EXAMPLE, session_token="of-a-session")

    told = signed(token, "us-east-1", "GET", "/", "", HOST, b"", datetime(2013, 5, 24, tzinfo=UTC))

    assert told["x-amz-security-token"] == "of-a-session"
    assert "x-amz-security-token" in told["authorization"]


def test_what_was_put_is_read_from_a_real_store(s3_place: S3Place) -> None:
    requests, key = S3Requests(s3_place), s3_place.key("a name with spaces+")

    assert requests.ask("PUT", key, body=b"abc").status == 200
    read = requests.ask("GET", key)
    assert (read.status, read.body, read.headers["content-length"]) == (200, b"abc", "3")
    assert requests.ask("GET", query={"prefix": key, "list-type": "2"}).status == 200


def test_an_answer_that_is_too_long_is_not_taken(s3_place: S3Place, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = S3Requests(s3_place)
    requests.ask("PUT", s3_place.key("long"), body=bytes(1000))
    monkeypatch.setattr("pacs_secure.adapters.s3_requests.LARGEST_ANSWER", 999)

    with pytest.raises(Unavailable):
        requests.ask("GET", s3_place.key("long"))


def test_a_store_that_nobody_runs_or_that_is_not_vouched_for_is_out_of_reach(tmp_path: Path, s3_place: S3Place) -> None:
    with pytest.raises(Unavailable):
        S3Requests(replace(s3_place, endpoint="http://127.0.0.1:1")).ask("GET")
    with pytest.raises(Unavailable):
        S3Requests(replace(s3_place, ca_file=None)).ask("GET")
    with pytest.raises(Unavailable):
        S3Requests(replace(s3_place, ca_file=tmp_path / "none.pem"))
