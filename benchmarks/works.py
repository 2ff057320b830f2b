"""The works that are measured; each gives its seconds and fails loudly when anything was lost on the way."""

import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.archives import QUICK_SEND, Archive
from benchmarks.studies import Study, multipart
from benchmarks.wire import Connection

A_REQUEST = 50
"""Instances in one STOW-RS request."""
REPEATED = 50
"""Requests of a latency measurement."""
CONNECTIONS = 8
LANES = 4
"""Associations at once."""
EACH = 100
"""Requests of each of the connections."""

JSON = "application/dicom+json"
PART10 = 'multipart/related; type="application/dicom"; transfer-syntax=*'
FRAME = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'


@dataclass(frozen=True, slots=True)
class Fresh:
    """What one round brings along: studies that no archive has seen yet."""

    single: Study
    parallel: Sequence[Study]
    web: Study


@dataclass(frozen=True, slots=True)
class Work:
    """One line of the table."""

    name: str
    per: str
    """What one unit of the result is."""
    run: Callable[[Archive, Fresh], Sequence[float]]
    """Seconds: one value, or one a request for latencies."""
    wire: str
    """Which side of an archive it uses: dicom or web."""


def store_single(archive: Archive, fresh: Fresh) -> list[float]:
    return [_timed(lambda: _storescu(archive, fresh.single))]


def store_parallel(archive: Archive, fresh: Fresh) -> list[float]:
    def all_at_once() -> None:
        with ThreadPoolExecutor(len(fresh.parallel)) as senders:
            list(senders.map(lambda study: _storescu(archive, study), fresh.parallel))

    return [_timed(all_at_once)]


def stow(archive: Archive, fresh: Fresh) -> list[float]:
    files = fresh.web.files
    requests = [multipart(files[start : start + A_REQUEST]) for start in range(0, len(files), A_REQUEST)]

    def send() -> None:
        with Connection(archive.web) as connection:
            for content_type, body in requests:
                connection.post("/studies", content_type, body)

    return [_timed(send)]


def wado_study(archive: Archive, fresh: Fresh) -> list[float]:
    expected = sum(path.stat().st_size for path in fresh.web.files) * 0.99

    def read() -> None:
        with Connection(archive.web) as connection:
            if connection.get(f"/studies/{fresh.web.study_instance_uid}", PART10) < expected:
                raise RuntimeError("the study came back short")

    return [_timed(read)]


def series_metadata(archive: Archive, fresh: Fresh) -> list[float]:
    path = f"/studies/{fresh.web.study_instance_uid}/series/{fresh.web.series_instance_uid}/metadata"
    return _latencies(archive, [path] * 10, JSON, len(fresh.web.sop_instance_uids) * 500)


def one_frame(archive: Archive, fresh: Fresh) -> list[float]:
    series = f"/studies/{fresh.web.study_instance_uid}/series/{fresh.web.series_instance_uid}"
    uids = [fresh.web.sop_instance_uids[number % len(fresh.web.sop_instance_uids)] for number in range(REPEATED)]
    smallest = fresh.web.files[0].stat().st_size // 2
    return _latencies(archive, [f"{series}/instances/{uid}/frames/1" for uid in uids], FRAME, smallest)


def qido_patient(archive: Archive, fresh: Fresh) -> list[float]:
    return _latencies(archive, [f"/studies?PatientID={fresh.web.patient_id}"] * REPEATED, JSON, 100)


def qido_many(archive: Archive, fresh: Fresh) -> list[float]:
    """Seconds a request when several connections ask at once: the inverse of requests a second."""
    path = f"/studies?PatientID={fresh.web.patient_id}"

    def ask(connection: Connection) -> None:
        for _ in range(EACH):
            connection.get(path, JSON)

    connections = [Connection(archive.web) for _ in range(CONNECTIONS)]
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        seconds = _timed(lambda: list(threads.map(ask, connections)))
    for connection in connections:
        with connection:
            pass
    return [seconds / (CONNECTIONS * EACH)]


def every_work(instances: int) -> list[Work]:
    """List the works in the order in which a round does them: what is read was stored before."""
    return [
        Work("C-STORE, 1 association", f"{instances} instances", store_single, "dicom"),
        Work(f"C-STORE, {LANES} associations", f"{LANES * instances} instances", store_parallel, "dicom"),
        Work(f"STOW-RS, {A_REQUEST} a request", f"{instances} instances", stow, "web"),
        Work("WADO-RS study", f"{instances} instances", wado_study, "web"),
        Work("WADO-RS series metadata", f"{instances} instances", series_metadata, "web"),
        Work("WADO-RS one frame", "frame", one_frame, "web"),
        Work("QIDO-RS study by PatientID", "request", qido_patient, "web"),
        Work(f"QIDO-RS, {CONNECTIONS} connections", "request", qido_many, "web"),
    ]


def fill(archive: Archive, small: Sequence[Path]) -> None:
    """Give an archive the studies among which a search has to find."""
    with Connection(archive.web) as connection:
        for start in range(0, len(small), A_REQUEST):
            connection.post("/studies", *multipart(list(small[start : start + A_REQUEST])))


def _storescu(archive: Archive, study: Study) -> None:
    command = [*archive.store, *(str(path) for path in study.files)]
    sent = subprocess.run(command, env=QUICK_SEND, capture_output=True, text=True, check=False, timeout=600)
    if sent.returncode:
        raise RuntimeError(
            f"{archive.name}: storescu ended with {sent.returncode}: {(sent.stdout + sent.stderr)[-300:]}"
        )


def _latencies(archive: Archive, paths: Sequence[str], accept: str, smallest: int) -> list[float]:
    found = []
    with Connection(archive.web) as connection:
        connection.get(paths[0], accept)
        for path in paths:
            started = time.perf_counter()
            read = connection.get(path, accept)
            found.append(time.perf_counter() - started)
            if read < smallest:
                raise RuntimeError(f"{archive.name}: an answer of {read} bytes is too short")
    return found


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
