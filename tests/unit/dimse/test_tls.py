"""BCP 195 on both ends."""

import ssl
from pathlib import Path

import pytest

from pacs_secure.dimse.tls import client_context, server_context
from tests.certificates import Authority


@pytest.fixture
def contexts(tmp_path: Path) -> list[ssl.SSLContext]:
    authority = Authority(tmp_path)
    pair = authority.issue("one")
    files = (str(pair.certificate), str(pair.key), str(authority.file))
    return [server_context(*files), client_context(*files)]


def test_both_ends_demand_a_certificate_and_tls_1_2(contexts: list[ssl.SSLContext]) -> None:
    for context in contexts:
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_COMPRESSION
        assert context.options & ssl.OP_NO_RENEGOTIATION


def test_only_forward_secret_authenticated_ciphers_are_left(contexts: list[ssl.SSLContext]) -> None:
    for context in contexts:
        older = [cipher for cipher in context.get_ciphers() if cipher["protocol"] != "TLSv1.3"]
        assert len(older) == 4
        assert all(cipher["name"].startswith("ECDHE-") and cipher["aead"] for cipher in older)


def test_the_calling_end_checks_whom_it_calls(contexts: list[ssl.SSLContext]) -> None:
    assert contexts[1].check_hostname


def test_no_session_outlives_its_certificate(contexts: list[ssl.SSLContext]) -> None:
    assert contexts[0].num_tickets == 0
    assert contexts[0].options & ssl.OP_NO_TICKET
