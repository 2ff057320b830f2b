"""Which classes and syntaxes the door takes: all that are stored, none that could explode."""

import pytest
from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID
from pynetdicom.presentation import AllStoragePresentationContexts, build_context

from pacs_secure.dimse.contexts import DEFLATED, TRANSFER_SYNTAXES, is_storage, is_verification, supported
from tests.data_sets import CT, EXPLICIT, IMPLICIT, JPEG

VERIFICATION = "1.2.840.10008.1.1"


@pytest.mark.parametrize("context", AllStoragePresentationContexts, ids=lambda context: str(context.abstract_syntax))
def test_every_storage_class_of_the_library_is_stored(context: object) -> None:
    assert is_storage(str(getattr(context, "abstract_syntax")))  # noqa: B009


@pytest.mark.parametrize(
    "name",
    [
        "1.2.276.0.7230010.3.1.0.1",  # DCMTK's, private
        "1.2.840.10008.5.1.4.1.1.5",  # Nuclear Medicine, retired
        "1.2.840.10008.5.1.4.1.1.999.7",  # newer than the library
        "1.2.840.10008.5.1.4.34.1",  # RT Beams Delivery Instruction, trial
    ],
)
def test_private_retired_and_future_classes_are_stored(name: str) -> None:
    assert is_storage(name)


@pytest.mark.parametrize(
    "name",
    [
        VERIFICATION,
        "1.2.840.10008.1.3.10",  # DICOMDIR
        "1.2.840.10008.1.20.1",  # Storage Commitment
        "1.2.840.10008.4.2",  # the service class itself
        "1.2.840.10008.5.1.4.1.2.2.1",  # Study Root FIND
        "1.2.840.10008.5.1.4.31",  # worklist
        "1.2.840.10008.5.1.4.38.1",  # Hanging Protocol: of no patient
        "1.2.840.10008.5.1.4.1.1.201.2",  # Inventory FIND
        "1.2.840.10008.9.9.9",  # the standard's, unheard of
    ],
)
def test_other_services_are_not_stored(name: str) -> None:
    assert not is_storage(name)


def test_only_verification_is_verification() -> None:
    assert is_verification(VERIFICATION)
    assert not is_verification(CT)


def test_every_transfer_syntax_of_the_standard_is_taken_but_deflated_ones_and_no_data_sets() -> None:
    standard = {name for name, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"}

    assert standard - TRANSFER_SYNTAXES == DEFLATED | {"1.2.840.10008.1.2.6.1", "1.2.840.10008.1.2.6.2"}
    assert all("Deflate" in UID_dictionary[name][0] for name in DEFLATED)


def test_the_senders_own_order_is_kept_and_what_is_unknown_falls_away() -> None:
    proposal = build_context(UID(CT), [UID(JPEG), UID("1.2.3.4"), UID(EXPLICIT), UID(IMPLICIT)])

    (context,) = supported([proposal])

    assert context.transfer_syntax == [JPEG, EXPLICIT, IMPLICIT]


def test_a_class_of_which_no_syntax_is_taken_is_not_supported() -> None:
    assert supported([build_context(UID(CT), [UID(next(iter(DEFLATED)))])]) == []
