"""Makes from the settings where sealed objects lie."""

import logging
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import timedelta

from pacs_secure.adapters.disk_blobs import DiskBlobs
from pacs_secure.adapters.s3_blobs import S3Blobs
from pacs_secure.adapters.s3_place import S3Place, s3_place
from pacs_secure.core.errors import Malformed, Unavailable
from pacs_secure.ports import Blobs
from pacs_secure.sections import ObjectStore

log = logging.getLogger(__name__)


def object_store(told: ObjectStore, stack: ExitStack) -> Blobs:
    """Open one store of objects; ``stack`` closes it.

    Raises:
        Malformed: the address of a bucket is none.
        Unavailable: a directory, or what it takes to ask for a bucket, cannot be read.
    """
    if told.directory is not None:
        disk = DiskBlobs(told.directory, told.least_free)
        stack.callback(disk.close)
        return disk
    return S3Blobs(bucket(told))


def bucket(told: ObjectStore) -> S3Place:
    """Return which bucket is meant; raises `Malformed` when none is."""
    if told.url is None or told.endpoint is None or told.credentials_file is None:
        raise Malformed("a bucket needs url, endpoint and credentials_file")
    return s3_place(told.url, told.endpoint, told.region, told.credentials_file, told.ca_file, told.request_seconds)


def sweep(stores: Iterable[Blobs | None], older_than: timedelta) -> None:
    """Remove what dead writers left in each store; one that is away keeps no archive from starting."""
    for store in stores:
        try:
            if store is not None:
                store.sweep_temporary(older_than)
        except Unavailable as error:
            log.warning("what was left unfinished stays until the next start: %s", error)
