"""Sending: `pacs-secure store PATH…` and the quickstart's samples, over TLS as any modality would.

The encoded Data Set leaves as it lies in the file, in PDUs read one by one: nothing is decoded,
and a file larger than memory is no different from a small one.
"""

import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pacs_secure.core.errors import Denied, Malformed, OverLimit, Unavailable
from pacs_secure.core.identifiers import uid
from pacs_secure.dicom.part10 import PREFIX, split
from pacs_secure.dimse.calling import CONTEXTS_PER_ASSOCIATION, Calling, Context, call
from pacs_secure.dimse.commands import Answer
from pacs_secure.dimse.quiet import hush

_HEAD = 64 * 1024
_LONGEST_HEAD = 2 << 20
"""Bytes read of a file to find its File Meta Information; the second when the first were too few."""
_DICOMDIR = "1.2.840.10008.1.3.10"


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one file."""

    path: Path
    status: int | None
    """The C-STORE status; None when it was not sent or not answered."""
    problem: str
    """What the archive found wrong (a warning is stored all the same) or why it did not answer; else empty."""
    done: int
    """How many files are done, this one included."""
    total: int

    @property
    def stored(self) -> bool:
        """Whether the archive has it: Success, or a warning (PS3.4 Table B.2-1)."""
        return self.status is not None and (self.status == 0 or self.status >> 12 == 0xB)  # noqa: PLR2004 - Bxxx


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is no SOP Instance, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of everything that was to be sent."""

    sent: tuple[Sent, ...]
    left_out: tuple[Skipped, ...]

    @property
    def stored(self) -> int:
        """How many instances the archive has."""
        return sum(one.stored for one in self.sent)

    @property
    def failed(self) -> tuple[Sent, ...]:
        """Return the files that were not stored."""
        return tuple(one for one in self.sent if not one.stored)

    @property
    def skipped(self) -> int:
        """How many files are no SOP Instance."""
        return len(self.left_out)


@dataclass(frozen=True, slots=True)
class _Instance:
    """One Part 10 file that can be sent, and the context it needs."""

    path: Path
    sop_instance_uid: str
    context: Context
    data_set_offset: int


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one instance, before anyone counts."""

    instance: _Instance
    status: int | None
    problem: str


def send(
    paths: Iterable[Path],
    host: str,
    port: int,
    called_ae: str,
    calling_ae: str,
    ssl_context: ssl.SSLContext,
    progress: Callable[[Sent], None] = lambda _sent: None,
) -> Summary:
    """Send files, and whatever lies in folders, by C-STORE; ``progress`` hears of each when it is done.

    Raises:
        Denied: the peer rejected the association for good (AE titles, certificate).
        Unavailable: the peer cannot be reached or is not taking any now, and nothing was sent yet.
    """
    hush()
    instances, left_out = _gather(paths)
    sent: list[Sent] = []

    def associate(contexts: Iterable[Context]) -> Calling | None:
        try:
            return call((host, port), called_ae, calling_ae, contexts, ssl_context)
        except (Denied, Unavailable):
            if not sent:
                raise
            return None

    for batch in _batches(instances):
        for outcome in _send_batch(batch, associate):
            done = len(sent) + 1
            sent.append(Sent(outcome.instance.path, outcome.status, outcome.problem, done, len(instances)))
            progress(sent[-1])
    return Summary(tuple(sent), tuple(left_out))


def _send_batch(
    instances: Sequence[_Instance], associate: Callable[[Iterable[Context]], Calling | None]
) -> Iterator[_Outcome]:
    """Send what fits one association, over another one when it breaks."""
    rest = list(instances)
    while rest:
        association = associate(dict.fromkeys(instance.context for instance in rest))
        if association is None:
            yield from (_Outcome(instance, None, "no association") for instance in rest)
            return
        try:
            with association:
                while rest:
                    yield _send_one(association, rest[0])
                    del rest[0]
        except (OSError, Malformed) as error:
            reason = (
                "the file cannot be read" if isinstance(error, FileNotFoundError | PermissionError) else "no answer"
            )
            yield _Outcome(rest.pop(0), None, reason)


def _send_one(association: Calling, instance: _Instance) -> _Outcome:
    if not association.accepts(instance.context):
        return _Outcome(instance, None, "SOP class or transfer syntax not accepted")
    with instance.path.open("rb", buffering=0) as file:
        file.seek(instance.data_set_offset)
        answer = association.store(instance.context, instance.sop_instance_uid, file)
    return _Outcome(instance, answer.status.code, _problem(answer))


def _problem(answer: Answer) -> str:
    status = answer.status
    if status.code == 0:
        return ""
    return f"status 0x{status.code:04X}" + (f": {status.comment}" if status.comment else "")


def _gather(paths: Iterable[Path]) -> tuple[list[_Instance], list[Skipped]]:
    """Find every SOP Instance in files and folders, folders in order of name, and what is none."""
    instances: list[_Instance] = []
    left_out: list[Skipped] = []
    for path in _files(paths):
        found = _instance(path)
        if isinstance(found, Skipped):
            left_out.append(found)
        else:
            instances.append(found)
    return instances, left_out


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(inner for inner in path.rglob("*") if inner.is_file())
        else:
            yield path


def _instance(path: Path) -> _Instance | Skipped:
    """Read the File Meta Information of a Part 10 file (PS3.10 7.1)."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            try:
                found = split(head)
            except Malformed:
                found = split(head + file.read(_LONGEST_HEAD))
    except OSError:
        return Skipped(path, "it cannot be read")
    except (Malformed, OverLimit):
        return Skipped(path, "it is no Part 10 file")
    sop_class_uid, sop_instance_uid = found.media_storage_sop_class_uid, found.media_storage_sop_instance_uid
    if sop_class_uid == _DICOMDIR:
        return Skipped(path, "it is a DICOMDIR")
    try:
        context = (uid(sop_class_uid or ""), uid(found.transfer_syntax_uid))
        return _Instance(path, uid(sop_instance_uid or ""), context, len(PREFIX) + len(found.file_meta))
    except Malformed:
        return Skipped(path, "its File Meta Information names no SOP Instance")


def _batches(instances: Sequence[_Instance]) -> Iterator[Sequence[_Instance]]:
    """Cut the instances into runs that need no more contexts than one association has."""
    contexts: set[Context] = set()
    start = 0
    for place, instance in enumerate(instances):
        if instance.context not in contexts and len(contexts) == CONTEXTS_PER_ASSOCIATION:
            yield instances[start:place]
            start, contexts = place, set()
        contexts.add(instance.context)
    if start < len(instances):
        yield instances[start:]
