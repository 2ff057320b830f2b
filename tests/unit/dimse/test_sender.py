"""Sending files and folders as they lie there, over as many associations as it takes."""

import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE, evt

from pacs_secure.archive.ingest import Reception
from pacs_secure.core.errors import Denied, Unavailable
from pacs_secure.dimse.calling import CONTEXTS_PER_ASSOCIATION
from pacs_secure.dimse.sender import Sent, Summary, send
from pacs_secure.dimse.tls import client_context, server_context
from tests.certificates import Authority
from tests.data_sets import CT, DEFLATED, EXPLICIT, explicit, file_meta, part10, real_streams, uid_value
from tests.dicom_door import AE_TITLE, HOST, Door, ct, ct_uid, until


def meta(sop_class: str, syntax: str, instance: str) -> bytes:
    body = (
        explicit(0x00020001, "OB", b"\0\1")
        + explicit(0x00020002, "UI", uid_value(sop_class))
        + explicit(0x00020003, "UI", uid_value(instance))
        + explicit(0x00020010, "UI", uid_value(syntax))
    )
    return explicit(0x00020000, "UL", len(body).to_bytes(4, "little")) + body


def write(folder: Path, *numbers: int) -> list[Path]:
    paths = []
    for number in numbers:
        path = folder / f"{number:03}.dcm"
        path.write_bytes(part10(ct(number), meta(CT, EXPLICIT, ct_uid(number))))
        paths.append(path)
    return paths


def sent_to(door: Door, *paths: Path, called: str = AE_TITLE, calling: str = "CT1") -> Summary:
    return send(paths, HOST, door.port, called, calling, door.tls("CT1"))


def kept(door: Door) -> set[bytes]:
    return {indexed.row.data_set_fingerprint for indexed in door.world.records._instances.values()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


def test_data_sets_leave_as_they_lie_in_the_file(door: Door, folder: Path) -> None:
    write(folder, 1, 2, 3)
    (folder / "sub").mkdir()
    big = folder / "sub" / "004.dcm"
    big.write_bytes(part10(ct(4, size=700_000), meta(CT, EXPLICIT, ct_uid(4))))

    summary = sent_to(door, folder)

    assert (summary.stored, summary.failed, summary.skipped) == (4, (), 0)
    assert kept(door) == {door.world.fingerprint(ct(*one)) for one in ((1,), (2,), (3,))} | {
        door.world.fingerprint(ct(4, size=700_000))
    }


def test_each_file_is_told_of_as_soon_as_it_is_done(door: Door, folder: Path) -> None:
    paths = write(folder, 2, 1)
    told: list[Sent] = []

    send([folder], HOST, door.port, AE_TITLE, "CT1", door.tls(), told.append)

    assert [(one.path, one.status, one.done, one.total) for one in told] == [
        (paths[1], 0, 1, 2),
        (paths[0], 0, 2, 2),
    ]


def test_what_is_no_instance_is_left_out_with_a_reason(door: Door, folder: Path) -> None:
    (folder / "a.txt").write_text("no DICOM at all")
    (folder / "b.dcm").write_bytes(part10(b"", b""))
    (folder / "c").write_bytes(part10(b"", meta("1.2.840.10008.1.3.10", EXPLICIT, "1.2")))
    (folder / "d.dcm").write_bytes(part10(ct(), meta("not a UID", EXPLICIT, "1.2")))
    (folder / "e").write_bytes(b"")
    missing = folder / "f"

    summary = sent_to(door, folder, missing)

    assert [(one.path.name, one.reason) for one in summary.left_out] == [
        ("a.txt", "it is no Part 10 file"),
        ("b.dcm", "it is no Part 10 file"),
        ("c", "it is a DICOMDIR"),
        ("d.dcm", "its File Meta Information names no SOP Instance"),
        ("e", "it is no Part 10 file"),
        ("f", "it cannot be read"),
    ]
    assert (summary.sent, summary.skipped) == ((), 6)


def test_more_contexts_than_an_association_has_take_several(door: Door, folder: Path) -> None:
    for number in range(CONTEXTS_PER_ASSOCIATION + 5):
        stream = part10(ct(number), meta(f"1.2.276.0.{number}", EXPLICIT, ct_uid(number)))
        (folder / f"{number:03}").write_bytes(stream)

    summary = sent_to(door, folder)

    assert [one.status for one in summary.sent] == [0xA900] * (CONTEXTS_PER_ASSOCIATION + 5)


def test_a_syntax_the_archive_does_not_take_fails_alone(door: Door, folder: Path) -> None:
    (deflated,) = write(folder, 1)
    deflated.write_bytes(part10(ct(), meta(CT, DEFLATED, ct_uid())))
    write(folder, 2)

    summary = sent_to(door, folder)

    assert [one.problem for one in summary.sent] == ["SOP class or transfer syntax not accepted", ""]


def test_a_refusal_is_said_with_its_status_and_words(door: Door, folder: Path) -> None:
    write(folder, 1)
    door.world.keyring.sealed = True

    (failed,) = sent_to(door, folder).failed

    assert (failed.status, failed.problem) == (0xA700, "status 0xA700: out of resources, try again later")


def test_a_warning_counts_as_stored(door: Door, folder: Path) -> None:
    (path,) = write(folder, 1)
    path.write_bytes(part10(ct(), meta(CT, EXPLICIT, "9.9.9")))

    summary = sent_to(door, folder)

    assert (summary.stored, summary.sent[0].status) == (1, 0xB007)


def test_when_an_association_breaks_the_rest_goes_over_another(
    door: Door, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, 1, 2, 3)
    original, broken = Reception.store, threading.Event()

    def cut_once(self: Reception, received: object) -> object:
        if not broken.is_set():
            broken.set()
            assert door.server._listener is not None
            next(iter(door.server._listener._associations)).connection.cut()
        return original(self, received)  # type: ignore[arg-type]

    monkeypatch.setattr(Reception, "store", cut_once)
    summary = sent_to(door, folder)

    assert [one.status for one in summary.sent] == [None, 0, 0]
    assert summary.sent[0].problem == "no answer"


def test_when_the_archive_goes_away_the_rest_is_told_so(
    door: Door, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, 1, 2, 3)

    def revoke(sent: Sent) -> None:
        if sent.done == 1:
            door.revoke("CT1")
            assert door.server._listener is not None
            next(iter(door.server._listener._associations)).connection.cut()

    summary = send([folder], HOST, door.port, AE_TITLE, "CT1", door.tls(), revoke)

    assert [one.problem for one in summary.sent] == ["", "no answer", "no association"]


def test_a_file_that_cannot_be_opened_any_more_fails_alone(door: Door, folder: Path) -> None:
    paths = write(folder, 1, 2, 3)

    def remove(sent: Sent) -> None:
        if sent.done == 1:
            paths[1].unlink()

    summary = send([folder], HOST, door.port, AE_TITLE, "CT1", door.tls(), remove)

    assert [one.problem for one in summary.sent] == ["", "the file cannot be read", ""]


def test_a_wrong_title_or_a_revoked_device_is_denied(door: Door, folder: Path) -> None:
    write(folder, 1)

    with pytest.raises(Denied):
        sent_to(door, folder, called="OTHER")
    door.revoke("CT1")
    with pytest.raises(Denied):
        sent_to(door, folder)


def test_certificates_that_do_not_fit_are_denied(door: Door, folder: Path, tmp_path: Path) -> None:
    write(folder, 1)
    forger = Authority(tmp_path, "forger")
    forged = forger.issue("CT1-forged")
    unknown_to_it = client_context(str(forged.certificate), str(forged.key), str(door.authority.file))
    unknown_to_us = client_context(str(forged.certificate), str(forged.key), str(forger.file))

    for context in (unknown_to_it, unknown_to_us):
        with pytest.raises(Denied):
            send([folder], HOST, door.port, AE_TITLE, "CT1", context)


def test_an_archive_that_is_away_or_full_is_unavailable(door: Door, folder: Path) -> None:
    write(folder, 1)
    devices = door.world.devices
    original = devices.by_certificate
    devices.by_certificate = lambda _: 1 / 0  # type: ignore[assignment,method-assign,return-value]
    with pytest.raises(Unavailable):
        sent_to(door, folder)
    devices.by_certificate = original  # type: ignore[method-assign]

    door.server.stop()
    with pytest.raises(Unavailable):
        sent_to(door, folder)


def test_nothing_to_send_needs_no_archive(folder: Path) -> None:
    assert send([folder], HOST, 1, AE_TITLE, "CT1", ssl.create_default_context()) == Summary((), ())


def test_an_interrupted_sender_aborts_and_leaves_nothing(door: Door, folder: Path) -> None:
    write(folder, 1, 2)

    def interrupt(_: Sent) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send([folder], HOST, door.port, AE_TITLE, "CT1", door.tls(), interrupt)

    assert until(lambda: door.outcomes() == ["begun", "aborted"])


def test_another_archive_receives_the_same_bytes(door: Door, folder: Path) -> None:
    paths = write(folder, 1, 2)
    heard: list[tuple[str, bytes]] = []

    def note(event: Any) -> int:
        heard.append((event.request.AffectedSOPInstanceUID, event.request.DataSet.getvalue()))
        return 0

    entity = AE("OTHER")
    entity.maximum_pdu_size = 4096
    entity.add_supported_context(CT, EXPLICIT)
    own = door.authority.issue("other")
    context = server_context(str(own.certificate), str(own.key), str(door.authority.file))
    server: Any = entity.start_server(
        (HOST, 0), block=False, evt_handlers=[(evt.EVT_C_STORE, note)], ssl_context=context
    )
    try:
        summary = send(paths, HOST, server.server_address[1], "OTHER", "CT1", door.tls())
    finally:
        server.shutdown()

    assert summary.stored == 2
    assert heard == [(ct_uid(1), ct(1)), (ct_uid(2), ct(2))]


def corpus() -> Iterator[Path]:
    yield from real_streams()


def test_every_readable_file_of_the_test_packages_is_answered(door: Door) -> None:
    summary = sent_to(door, *corpus())

    assert len(summary.sent) + summary.skipped == len(real_streams())
    assert summary.stored > len(real_streams()) // 2
    assert all(one.status is not None or "not accepted" in one.problem for one in summary.sent)


def test_a_stray_device_row_does_not_let_another_title_in(door: Door, folder: Path) -> None:
    write(folder, 1)
    door.world.devices.kept["CT2"] = replace(door.world.devices.kept["CT1"], ae_title="CT2", spki_sha256=b"x" * 32)

    with pytest.raises(Denied):
        sent_to(door, folder, calling="CT2")


def test_meta_of_the_builders_is_read_too(door: Door, folder: Path) -> None:
    (folder / "one").write_bytes(part10(ct(), file_meta(EXPLICIT, ct_uid())))

    assert sent_to(door, folder).stored == 1
