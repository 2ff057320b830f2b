"""Makes from the settings where sealed objects lie."""

from contextlib import ExitStack

from pacs_secure.adapters.disk_blobs import DiskBlobs
from pacs_secure.adapters.s3_blobs import S3Blobs
from pacs_secure.adapters.s3_place import S3Place, s3_place
from pacs_secure.core.errors import Malformed
from pacs_secure.ports import Blobs
from pacs_secure.sections import ObjectStore


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
