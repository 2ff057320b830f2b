import pytest
from pydicom.uid import UID, AllTransferSyntaxes

from pacs_secure.dicom.syntaxes import Coding, Syntax, is_encapsulated, syntax_of


@pytest.mark.parametrize(
    ("uid", "syntax"),
    [
        ("1.2.840.10008.1.2", Syntax(Coding.IMPLICIT_LITTLE)),
        ("1.2.840.10008.1.2.1", Syntax(Coding.EXPLICIT_LITTLE)),
        ("1.2.840.10008.1.2.2", Syntax(Coding.EXPLICIT_BIG)),
        ("1.2.840.10008.1.2.1.99", Syntax(deflated=True)),
        ("1.2.840.10008.1.2.1.98", Syntax(encapsulated=True)),
        ("1.2.840.10008.1.2.4.94", Syntax()),
        ("1.2.840.10008.1.2.4.95", Syntax(deflated=True)),
        ("1.2.840.113619.5.2", Syntax(Coding.IMPLICIT_LITTLE)),
        ("1.2.3.4.5", Syntax(encapsulated=True)),
    ],
)
def test_a_transfer_syntax_says_how_a_data_set_is_read(uid: str, syntax: Syntax) -> None:
    assert syntax_of(uid) == syntax
    assert is_encapsulated(uid) is syntax.encapsulated


def test_every_transfer_syntax_of_the_standard_is_read_as_the_standard_says() -> None:
    for known in map(UID, AllTransferSyntaxes):
        syntax = syntax_of(known)
        assert (syntax.coding is Coding.IMPLICIT_LITTLE) is known.is_implicit_VR
        assert (syntax.coding is Coding.EXPLICIT_BIG) is not known.is_little_endian
        # JPIP syntaxes hold no pixels, neither in fragments nor otherwise.
        assert syntax.encapsulated is (known.is_encapsulated and not known.name.startswith("JPIP"))


def test_byte_order_is_written_as_struct_wants_it() -> None:
    assert [coding.order for coding in Coding] == ["<", "<", ">"]
