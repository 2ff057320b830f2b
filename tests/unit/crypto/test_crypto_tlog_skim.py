"""Skimming reads what reading reads, but for the details."""

from dataclasses import replace
from uuid import uuid4

import pytest

from pacs_secure.core.errors import Tampered
from pacs_secure.crypto.tlog import read_draft
from pacs_secure.crypto.tlog.skim import skim
from tests.builders import draft, study_facts
from tests.world import World


@pytest.mark.parametrize("about", [True, False], ids=["a study", "no study"])
def test_a_skimmed_entry_is_what_was_written_without_its_details(world: World, *, about: bool) -> None:
    written = draft(study=study_facts() if about else None, facts={"objects": 3, "protected": "vip"})
    written = written if about else replace(written, purpose=None, act=uuid4())
    world.ledger.append(written)
    content = world.ledger.kept[0].content

    assert skim(content) == replace(written, details=None) == replace(read_draft(content), details=None)


@pytest.mark.parametrize("old", [b'"study:read"', b'"v":', b'"web"', b'"facts"', b"{"])
def test_what_is_no_entry_is_tampered_with(world: World, old: bytes) -> None:
    world.ledger.append(draft())

    with pytest.raises(Tampered):
        skim(world.ledger.kept[0].content.replace(old, b'"x":' if old == b'"v":' else b'"x"', 1))


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'{"v":99}', b"\xff"])
def test_other_bytes_are_tampered_with(content: bytes) -> None:
    with pytest.raises(Tampered):
        skim(content)
