"""Absolute URLs are made from what the client reached, and from nothing a header may smuggle in."""

import pytest
from starlette.requests import Request

from pacs_secure.web.origin import base, retrieve_url


def request(host: bytes | None, scheme: str = "https") -> Request:
    headers = [] if host is None else [(b"host", host)]
    return Request({"type": "http", "scheme": scheme, "server": ("10.0.0.1", 1), "path": "/", "headers": headers})


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (b"pacs.example:8443", "https://pacs.example:8443/dicom-web"),
        (b"[::1]:8443", "https://[::1]:8443/dicom-web"),
        (b'evil"/x', "https://localhost/dicom-web"),
        (b"evil/x?y", "https://localhost/dicom-web"),
        (b"", "https://localhost/dicom-web"),
        (None, "https://localhost/dicom-web"),
    ],
)
def test_the_base_is_the_host_the_client_named(host: bytes | None, expected: str) -> None:
    assert base(request(host)) == expected


def test_urls_go_as_deep_as_what_they_name() -> None:
    assert retrieve_url("r", "1") == "r/studies/1"
    assert retrieve_url("r", "1", "2") == "r/studies/1/series/2"
    assert retrieve_url("r", "1", "2", "3") == "r/studies/1/series/2/instances/3"
