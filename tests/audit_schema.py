"""The DICOM standard's own schema of audit messages, ready to validate by."""

from functools import cache
from pathlib import Path

import rnc2rng
from lxml import etree

SCHEMA = Path(__file__).parent / "vectors" / "audit-message.rnc"


@cache
def audit_schema() -> etree.RelaxNG:
    """Return the RELAX NG grammar of PS3.15 A.5.1.1."""
    grammar: str = rnc2rng.dumps(rnc2rng.load(str(SCHEMA)))  # type: ignore[no-untyped-call]  # it has no types
    return etree.RelaxNG(etree.fromstring(grammar.encode()))
