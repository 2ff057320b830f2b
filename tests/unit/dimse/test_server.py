"""The DICOM door over real associations with real certificates: what is let in, served, stored and recorded."""

import io
import ssl
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from pacs_secure.archive.ingest import Reception
from pacs_secure.core.errors import EVERY_ERROR, ArchiveError
from pacs_secure.dimse.calling import Calling
from pacs_secure.dimse.server import DicomServer
from pacs_secure.dimse.statuses import STORE_STATUSES
from pacs_secure.dimse.tls import server_context
from tests import dicom_door as said
from tests.builders import HERE
from tests.data_sets import BIG_ENDIAN, CT, EXPLICIT, IMPLICIT, JPEG_2000
from tests.dicom_door import AE_TITLE, CT_EXPLICIT, ECHO, HOST, Door, ct, ct_uid, message, store_command, until
from tests.web_instances import part10

PROVENANCE = "pynetdicom"


def send(association: Calling, number: int = 1, data_set: bytes | None = None, uid: str | None = None) -> int:
    content = ct(number) if data_set is None else data_set
    path = Path(f"/dev/shm/{threading.get_ident()}-{number}")
    path.write_bytes(content)
    try:
        with path.open("rb", buffering=0) as file:
            return association.store(CT_EXPLICIT, uid or ct_uid(number), file).status.code
    finally:
        path.unlink()


def kept(door: Door) -> set[bytes]:
    """Return the digests of every Data Set in the index."""
    return {indexed.row.data_set_fingerprint for indexed in door.world.records._instances.values()}


def library(door: Door, *contexts: tuple[str, list[str]]) -> Any:
    """Associate as the library itself does."""
    entity = AE("CT1")
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 10
    for abstract, syntaxes in contexts:
        entity.add_requested_context(abstract, syntaxes)
    association = entity.associate(
        HOST, door.port, ae_title=AE_TITLE, tls_args=(door.tls(), HOST), bind_address=(HOST, 0)
    )
    assert association.is_established
    return association


def test_an_echo_is_answered_and_leaves_no_entry(door: Door) -> None:
    association = library(door, (Verification, [IMPLICIT]))

    assert association.send_c_echo().Status == 0
    association.release()

    assert association.is_released
    assert door.idle()
    assert door.world.entries() == []


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN, JPEG_2000])
def test_bytes_as_sent_are_the_bytes_in_the_archive(door: Door, syntax: str) -> None:
    data_set = pydicom.dcmread(io.BytesIO(part10(syntax=JPEG_2000) if syntax == JPEG_2000 else part10()))
    if syntax != JPEG_2000:
        stream = io.BytesIO()
        data_set.file_meta.TransferSyntaxUID = UID(syntax)
        data_set["PixelData"].VR = "OW" if syntax == IMPLICIT else "OB"
        pydicom.dcmwrite(stream, data_set, implicit_vr=syntax == IMPLICIT, little_endian=syntax != BIG_ENDIAN)
        data_set = pydicom.dcmread(io.BytesIO(stream.getvalue()))
    on_the_wire: list[bytes] = []
    association = library(door, (data_set.SOPClassUID, [syntax]))
    association.bind(evt.EVT_DIMSE_SENT, lambda event: on_the_wire.append(event.message.data_set.getvalue()))

    assert association.send_c_store(data_set).Status == 0
    association.release()

    assert kept(door) == {door.world.fingerprint(on_the_wire[0])}
    assert door.idle()
    assert door.outcomes() == ["begun", "completed"]


def test_the_account_names_what_came_over_the_whole_association(door: Door) -> None:
    with door.call() as association:
        assert [send(association, number) for number in (1, 2, 2)] == [0, 0, 0]

    assert door.idle()
    last = door.world.entries()[-1]
    assert (last["outcome"], last["role"], last["door"], last["address"]) == ("completed", "modality", "dimse", HOST)
    assert (last["facts"]["new"], last["facts"]["duplicates"], last["facts"]["protocol"]) == (2, 1, "C-STORE")


def test_an_association_that_breaks_is_accounted_as_aborted(door: Door) -> None:
    with door.associated() as peer:
        peer.say(message(store_command(), ct()))
        assert peer.status() == 0

    assert until(lambda: door.outcomes() == ["begun", "aborted"])


def test_every_context_is_answered_for_itself(door: Door) -> None:
    proposed = [
        (CT, EXPLICIT),
        ("1.2.840.10008.5.1.4.1.2.2.1", EXPLICIT),  # Study Root FIND
        (CT, "1.2.840.10008.1.2.1.99"),
        ("1.2.276.0.7230010.3.1.0.1", IMPLICIT),
    ]
    with door.call(*proposed) as association:
        assert [association.accepts(context) for context in proposed] == [True, False, False, True]

    refused = [
        context.result for context in sorted(library_results(door, proposed), key=lambda context: context.context_id)
    ]
    assert refused == [0, 3, 4, 0]


def library_results(door: Door, proposed: list[tuple[str, str]]) -> list[Any]:
    entity = AE("CT1")
    contexts = [build_context(UID(abstract), [UID(transfer)]) for abstract, transfer in proposed]
    association = entity.associate(
        HOST, door.port, contexts, AE_TITLE, tls_args=(door.tls(), HOST), bind_address=(HOST, 0)
    )
    results = association.accepted_contexts + association.rejected_contexts
    association.release()
    return results


def test_all_128_contexts_of_an_association_can_be_used(door: Door) -> None:
    contexts = [(f"1.2.276.0.{number}", EXPLICIT) for number in range(128)]

    with door.call(*contexts) as association:
        assert all(association.accepts(context) for context in contexts)


def test_with_several_syntaxes_on_one_context_the_senders_first_wins(door: Door) -> None:
    association = library(door, (CT, [JPEG_2000, EXPLICIT, IMPLICIT]))

    assert association.accepted_contexts[0].transfer_syntax == [JPEG_2000]
    association.release()


def test_roles_asked_for_do_not_hinder_storing(door: Door) -> None:
    entity = AE("CT1")
    entity.add_requested_context(CT, EXPLICIT)
    from pynetdicom import build_role

    role = build_role(CT, scu_role=True, scp_role=True)
    association = entity.associate(
        HOST, door.port, ae_title=AE_TITLE, ext_neg=[role], tls_args=(door.tls(), HOST), bind_address=(HOST, 0)
    )

    assert association.accepted_contexts[0].as_scu
    association.release()


def test_another_class_than_the_contexts_is_0x0122(door: Door) -> None:
    with door.associated() as peer:
        peer.say(message(store_command(sop_class="1.2.840.10008.5.1.4.1.1.4"), ct()))
        assert peer.status() == 0x0122
        peer.say(message(store_command(x0002=None), ct()))
        assert peer.status() == 0x0122
        peer.say(message(store_command(), ct(), context_id=99))
        assert peer.status() == 0x0122


def test_a_data_set_of_another_class_is_0xa900(door: Door) -> None:
    mr = "1.2.840.10008.5.1.4.1.1.4"
    with door.associated((mr, EXPLICIT)) as peer:
        peer.say(message(store_command(sop_class=mr), ct()))
        assert peer.status() == 0xA900
    assert door.world.blobs.stored == {}


def test_an_instance_under_another_uid_is_stored_with_a_warning(door: Door) -> None:
    with door.call() as association:
        assert send(association, uid="9.9.9") == 0xB007
    assert len(kept(door)) == 1


def test_other_content_under_a_known_uid_is_refused_and_equal_content_is_kept_once(door: Door) -> None:
    with door.call() as association:
        assert send(association) == 0
        assert send(association) == 0
        assert send(association, data_set=ct(size=16)) == 0xC111
    assert len(door.world.blobs.stored) == 1


@pytest.mark.parametrize("data_set", [b"", b"\0" * 8, ct()[:-3], b"garbage that is no Data Set"])
def test_what_is_no_data_set_is_0xc000_and_the_association_goes_on(door: Door, data_set: bytes) -> None:
    with door.call() as association:
        assert send(association, data_set=data_set) == 0xC000
        assert send(association) == 0
    assert door.idle()
    assert door.outcomes() == ["refused", "begun", "completed"]


@pytest.mark.parametrize("error", EVERY_ERROR)
def test_each_error_of_the_archive_reaches_the_sender_as_its_status(
    door: Door, monkeypatch: pytest.MonkeyPatch, error: type[ArchiveError]
) -> None:
    def fail(*_: object) -> None:
        raise error("no names here")

    monkeypatch.setattr(Reception, "store", fail)
    with door.call() as association:
        assert send(association) == STORE_STATUSES[error].code


def test_a_failure_nobody_foresaw_is_a_failure_and_the_association_goes_on(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken, door.call() as association:
        broken.setattr(Reception, "store", lambda *_: 1 / 0)
        assert send(association) == 0xC110
        broken.undo()
        assert send(association) == 0


@pytest.mark.parametrize("field", [0x0020, 0x0021, 0x0010, 0x0140])
def test_what_is_not_offered_is_0x0211(door: Door, field: int) -> None:
    with door.associated(ECHO, CT_EXPLICIT) as peer:
        for context_id in (1, 3):
            asked = store_command(x0100=said.us(field))
            peer.say(message(asked, b"an identifier", context_id=context_id))
            assert peer.status() == 0x0211
        peer.say(message(said.ECHO_COMMAND))
        assert peer.status() == 0


def test_a_store_without_a_data_set_is_0xc000(door: Door) -> None:
    with door.associated() as peer:
        peer.say(message(store_command(x0800=said.us(0x0101))))
        assert peer.status() == 0xC000


def test_a_sealed_vault_takes_nothing_and_what_is_sent_again_is_stored(door: Door) -> None:
    door.world.keyring.sealed = True
    with door.call() as association:
        assert send(association) == 0xA700
        assert (door.world.blobs.stored, kept(door)) == ({}, set())

        door.world.keyring.sealed = False
        assert send(association) == 0
    assert len(kept(door)) == 1


@pytest.mark.parametrize("engine", ["ledger", "records", "blobs"])
def test_an_engine_out_of_reach_takes_nothing_and_asks_to_try_again(door: Door, engine: str) -> None:
    broken = getattr(door.world, engine)
    with door.call() as association:
        broken.down = True
        assert send(association) == 0xA700
        broken.down = False
        assert send(association) == 0
    assert len(kept(door)) == 1


def test_devices_out_of_reach_let_nobody_in_for_now(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(_: bytes) -> None:
        raise EVERY_ERROR[-1]

    monkeypatch.setattr(door.world.devices, "by_certificate", down)
    with door.peer() as peer:
        assert peer.associate() == (said.ASSOCIATE_RJ, b"\0\2\3\1")


def test_a_device_that_may_not_store_is_told_so_and_it_is_recorded(door: Door) -> None:
    door.enrol("WS1", ("find",))
    with door.call(calling="WS1") as association:
        assert send(association) == 0x0124
    refusal = door.world.entries()[-1]
    assert (refusal["outcome"], refusal["facts"]["reason"]) == ("refused", "the device may not store")


def change(door: Door, **facts: Any) -> None:
    door.world.devices.kept["CT1"] = replace(door.world.devices.kept["CT1"], **facts)


def test_a_sop_class_that_the_device_may_not_bring_is_0x0124_and_recorded(door: Door) -> None:
    change(door, sop_classes=frozenset({"1.2.840.10008.5.1.4.1.1.4"}))
    with door.call() as association:
        assert send(association) == 0x0124
    refusal = door.world.entries()[-1]
    assert (refusal["outcome"], refusal["facts"]["reason"]) == (
        "refused",
        "the device may not bring this SOP class",
    )
    assert door.world.blobs.stored == {}


def test_a_device_that_calls_from_another_network_is_rejected_and_recorded(door: Door) -> None:
    change(door, networks=frozenset({"10.0.0.0/8"}))
    with door.peer() as peer:
        assert peer.associate() == (said.ASSOCIATE_RJ, b"\0\1\1\3")
    assert door.recorded("device called from another network")


def test_a_device_may_call_with_another_of_its_titles(door: Door) -> None:
    change(door, also_ae_titles=frozenset({"CT1_SPARE"}), networks=frozenset({"127.0.0.0/8"}))
    with door.peer() as peer:
        assert peer.associate(calling="CT1_SPARE")[0] == said.ASSOCIATE_AC


def test_a_certificate_that_names_another_device_is_rejected_and_recorded(door: Door) -> None:
    door.enrol("CT2", pair=door.authority.issue("CT2", uri="urn:pacs:north:ae:CT9"))
    with door.peer("CT2") as peer:
        assert peer.associate(calling="CT2") == (said.ASSOCIATE_RJ, b"\0\1\1\3")
    assert door.recorded("certificate names another device")


def test_many_associations_store_at_once(door: Door) -> None:
    statuses: list[int] = []

    def store(first: int) -> None:
        with door.call() as association:
            statuses.extend(send(association, number) for number in range(first, first + 5))

    workers = [threading.Thread(target=store, args=(number * 10,)) for number in range(1, 9)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert statuses == [0] * 40
    assert len(kept(door)) == 40


def test_a_new_certificate_acts_at_once_and_running_associations_go_on(door: Door, tmp_path: Path) -> None:
    with door.call() as association:
        renewed = door.authority.issue("renewed")
        context = server_context(str(renewed.certificate), str(renewed.key), str(door.authority.file))
        door.server.replace_certificate(context)
        with door.peer() as peer:
            assert isinstance(peer.connection, ssl.SSLSocket)
            assert peer.connection.getpeercert(binary_form=True) == renewed.der
        assert send(association) == 0


def test_stopping_lets_a_running_store_end_and_aborts_the_rest(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    running, go_on = threading.Event(), threading.Event()
    original: Callable[..., Any] = Reception.store

    def slow(self: Reception, received: Any) -> Any:
        running.set()
        go_on.wait(5)
        return original(self, received)

    monkeypatch.setattr(Reception, "store", slow)
    idle = door.associated()
    with door.associated() as peer:
        peer.say(message(store_command(), ct()))
        assert running.wait(5)
        stopping = threading.Thread(target=door.server.stop)
        stopping.start()
        assert idle.hear()[0] == said.ABORT
        go_on.set()
        assert peer.status() == 0
        assert peer.hear()[0] == said.ABORT
        stopping.join(5)
    idle.connection.close()

    assert not stopping.is_alive()
    assert door.outcomes() == ["begun", "aborted"]


def test_stopping_does_not_wait_for_ever_for_a_store_that_hangs(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    running, go_on = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        running.set()
        go_on.wait(10)
        raise EVERY_ERROR[-1]

    monkeypatch.setattr(Reception, "store", hang)
    with door.associated() as peer:
        peer.say(message(store_command(), ct()))
        assert running.wait(5)
        door.server.stop(patience=0.3)
        assert peer.hear() == (0, b"")
    go_on.set()


def test_a_stopped_door_can_be_opened_again(door: Door) -> None:
    door.server.stop()
    door.server.stop()
    door.port = door.server.start()

    assert door.still_serves()


def test_a_door_that_was_never_opened_has_nobody_in_it_and_can_be_stopped(door: Door) -> None:
    own = door.authority.issue("closed")
    context = server_context(str(own.certificate), str(own.key), str(door.authority.file))
    closed = DicomServer(door.world.archive, door.world.devices, HERE, AE_TITLE, HOST, 0, context)
    closed.replace_certificate(context)
    closed.stop()

    assert closed.connections == 0


def test_what_a_device_may_is_looked_up_again_and_again(quick_door: Door) -> None:
    with quick_door.call() as association:
        assert send(association, 1) == 0
        kept_device = quick_door.world.devices.kept["CT1"]
        quick_door.world.devices.kept["CT1"] = replace(kept_device, operations=frozenset({"find"}))
        assert send(association, 2) == 0x0124
