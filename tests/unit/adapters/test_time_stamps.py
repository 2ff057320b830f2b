"""Time stamps of a real authority (`openssl ts`), verified before they are believed (RFC 3161)."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_secure.adapters.time_stamps import TimeStampAuthority
from pacs_secure.core.errors import Malformed, Tampered, Unavailable
from tests.time_sources import Authority, time_stamping_authority

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl plays the authority")
CONTENT = b"log.example\n2\nroot\n"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with time_stamping_authority(tmp_path_factory.mktemp("tsa")) as one:
        yield one


@pytest.fixture
def authority(there: Authority) -> Authority:
    there.status, there.kind, there.signer, there.instead = 200, "application/timestamp-reply", "tsa", None
    return there


def test_a_time_stamp_is_over_the_content_and_openssl_agrees(authority: Authority, tmp_path: Path) -> None:
    token = TimeStampAuthority(authority.url, authority.root).stamp(CONTENT)

    (tmp_path / "token.tsr").write_bytes(token)
    (tmp_path / "content").write_bytes(CONTENT)
    (tmp_path / "other").write_bytes(CONTENT + b".")
    assert authority.verifies(tmp_path / "token.tsr", tmp_path / "content")
    assert not authority.verifies(tmp_path / "token.tsr", tmp_path / "other")


def test_an_issuer_between_is_named_beside_its_root(authority: Authority, tmp_path: Path) -> None:
    authority.signer = "distant"
    both = tmp_path / "both.pem"
    both.write_bytes(authority.root.read_bytes() + (authority.folder / "between.pem").read_bytes())

    assert TimeStampAuthority(authority.url, both).stamp(CONTENT)
    with pytest.raises(Tampered):
        TimeStampAuthority(authority.url, authority.root).stamp(CONTENT)


def test_a_time_stamp_by_a_stranger_is_not_believed(authority: Authority) -> None:
    authority.signer = "stranger"

    with pytest.raises(Tampered):
        TimeStampAuthority(authority.url, authority.root).stamp(CONTENT)


def test_an_old_time_stamp_or_one_of_other_content_is_not_believed(authority: Authority) -> None:
    ours = TimeStampAuthority(authority.url, authority.root)
    authority.instead = ours.stamp(CONTENT)

    for content in (CONTENT, b"other"):
        with pytest.raises(Tampered):
            ours.stamp(content)


@pytest.mark.parametrize("instead", [b"", b"no token", bytes(3000)])
def test_what_is_no_time_stamp_is_not_believed(authority: Authority, instead: bytes) -> None:
    authority.instead = instead

    with pytest.raises(Tampered):
        TimeStampAuthority(authority.url, authority.root).stamp(CONTENT)


def test_a_flipped_bit_is_found(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, real = TimeStampAuthority(authority.url, authority.root), authority.reply

    for place in (60, 200, -200, -20):

        def flipped(query: bytes, place: int = place) -> bytes:
            answer = bytearray(real(query))
            answer[place] ^= 1
            return bytes(answer)

        monkeypatch.setattr(authority, "reply", flipped)
        with pytest.raises(Tampered):
            ours.stamp(CONTENT)


@pytest.mark.parametrize(("status", "kind"), [(503, "application/timestamp-reply"), (200, "text/html")])
def test_an_authority_that_refuses_is_unavailable(authority: Authority, status: int, kind: str) -> None:
    authority.status, authority.kind, authority.instead = status, kind, b"no"

    with pytest.raises(Unavailable):
        TimeStampAuthority(authority.url, authority.root).stamp(CONTENT)


def test_an_authority_is_asked_safely_under_certificates_that_can_be_read(authority: Authority, tmp_path: Path) -> None:
    with pytest.raises(Malformed):
        TimeStampAuthority("http://tsa.example/", authority.root)
    with pytest.raises(Unavailable):
        TimeStampAuthority(authority.url, tmp_path / "nothing.pem")
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(Unavailable):
        TimeStampAuthority(authority.url, tmp_path / "bad.pem")
