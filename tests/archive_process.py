"""One of several archives, in a process of its own, over shared engines: it stores and reads until it is killed.

Told by one line of JSON where PostgreSQL, objects and vault are; it says of each picture that it was kept, or read.
"""

import json
import random
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from pacs_secure.adapters.s3_blobs import S3Blobs
from pacs_secure.adapters.s3_place import S3Place
from pacs_secure.adapters.sql import Database
from pacs_secure.adapters.vault_keyring import VaultSigner, VaultUnwrapper, VaultWrapper
from pacs_secure.adapters.vault_provisioning import VaultRole
from pacs_secure.adapters.vault_session import AppRole, VaultSession
from pacs_secure.archive import Archive
from pacs_secure.archive.ingest import Received
from pacs_secure.archive.notary import Notary
from pacs_secure.core.access import Door, Role, Subject
from pacs_secure.core.errors import ArchiveError
from pacs_secure.core.identifiers import institution
from pacs_secure.dicom.part10 import split
from tests.bdd.pictures import Picture, picture
from tests.world import ORIGIN, disk_world

WRITERS = 2
_speaking = threading.Lock()


def say(**words: object) -> None:
    with _speaking:
        sys.stdout.write(json.dumps(words) + "\n")
        sys.stdout.flush()


def person(role: Role, of: str) -> Subject:
    return Subject(f"one.{role}", role, institution(of), "radiology", Door.DIMSE, "127.0.0.1")


def read(archive: Archive, reader: Subject, one: Picture) -> bytes:
    """Return a picture as the archive gives it back."""
    where = one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid
    with archive.retrieve.begin(reader, None, *where, details={}) as retrieval:
        (row,) = retrieval.rows
        content = b"".join(retrieval.data_set(row))
        retrieval.complete()
    return content


def work(archive: Archive, of: str, start: int) -> None:
    """Store one study after the other, and read one of them back each time."""
    kept: list[Picture] = []
    for study in range(start, start + 10_000):
        one = picture("US", study=study)
        parts = split(one.stream)
        try:
            with archive.ingest.begin(person(Role.MODALITY, of), None, {"protocol": "test"}) as reception:
                reception.store(Received(parts.data_set, parts.transfer_syntax_uid))
            say(kept=study)
            kept.append(one)
            again = random.choice(kept)
            assert read(archive, person(Role.RADIOLOGIST, of), again) == again.data_set
            say(read=study)
        except ArchiveError as error:
            say(failed=study, error=type(error).__name__)


def main() -> None:
    place: dict[str, Any] = json.loads(sys.stdin.readline())
    home = institution(place["institution"])
    store, reader, signer = (
        VaultSession(place["address"], Path(place["ca_file"]), AppRole(*place["roles"][role]))
        for role in (VaultRole.STORE, VaultRole.READER, VaultRole.SIGNER)
    )
    bucket = place["bucket"]
    blobs = S3Blobs(
        S3Place(**{**bucket, "credentials_file": Path(bucket["credentials_file"]), "ca_file": Path(bucket["ca_file"])})
    )
    keys = VaultWrapper(store), VaultUnwrapper(reader), VaultSigner(signer, home)
    directory = Path(place["directory"] or tempfile.mkdtemp())
    with disk_world(directory, *keys, home=home, database=Database(place["url"]), blobs=blobs) as world:
        leader = world.house.engines.leader
        leader.start(lambda kind, facts: say(alarm=kind, facts=facts))
        Notary(world.house.engines.ledger, world.house.engines.publisher, keys[2], ORIGIN, leader).start()
        say(ready=True)
        for writer in range(WRITERS):
            first = place["first"] + writer * 10_000
            threading.Thread(target=work, args=(world.archive, place["institution"], first), daemon=True).start()
        threading.Event().wait(60)


if __name__ == "__main__":
    main()
