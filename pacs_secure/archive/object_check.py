"""One object against its row: is it there, does it open, is it what was received, can it be read (INT-01, INT-02)."""

from dataclasses import dataclass
from hmac import compare_digest

from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.seals import Opener
from pacs_secure.core.access import Grant
from pacs_secure.core.errors import ArchiveError, NotFound, Tampered, Unavailable
from pacs_secure.core.instance import FrameIndex, InstanceRow
from pacs_secure.dicom.header import Limits
from pacs_secure.dicom.reading import read_back
from pacs_secure.ports import Blobs, Records


@dataclass(frozen=True, slots=True)
class ObjectCheck:
    """Says of one row whether its object still is what was received."""

    opener: Opener
    seals: InstitutionSeals
    blobs: Blobs
    records: Records
    limits: Limits

    def look(self, row: InstanceRow) -> str:
        """Return what is wrong with an object without opening it, or ""; raise `Unavailable` when nobody can say."""
        try:
            with self.blobs.open(row.sealed.object_id) as blob:
                changed = blob.length != row.sealed.stored_length
        except NotFound:
            return self.unless_gone(row, "it is missing")
        return self.unless_gone(row, "its length changed") if changed else ""

    def read(self, grant: Grant, row: InstanceRow) -> str:
        """Open and parse an object; return what is wrong with it, or "".

        Raises:
            Unavailable: keys or store are out of reach; that says nothing of the object.
        """
        try:
            self._read(grant, row)
        except Unavailable:
            raise
        except NotFound:
            return self.unless_gone(row, "it is missing, or its key was forgotten")
        except ArchiveError as error:
            return self.unless_gone(row, str(error))
        return ""

    def unless_gone(self, row: InstanceRow, problem: str) -> str:
        """Return the problem where the row still names the object: what is forgotten meanwhile is no finding.

        A tombstone excuses no row that stands: the rows of a study go before its keys.
        """
        identity = row.identity
        kept = self.records.instances(
            identity.institution,
            identity.study_instance_uid,
            identity.series_instance_uid,
            identity.sop_instance_uid,
        )
        return problem if any(one.sealed.object_id == row.sealed.object_id for one in kept) else ""

    def _read(self, grant: Grant, row: InstanceRow) -> None:
        opened = self.opener.prove(grant, row)
        fingerprint = self.seals.index(row.identity.institution).fingerprint(opened.sha256)
        if not compare_digest(fingerprint, row.data_set_fingerprint):
            raise Tampered("its Data Set is not the one that was received")
        header = read_back(opened.data_set, row.transfer_syntax_uid, self.limits)
        if (header.study_instance_uid, header.sop_instance_uid) != (
            row.identity.study_instance_uid,
            row.identity.sop_instance_uid,
        ):
            raise Tampered("its Data Set is another instance's")
        if row.frames != FrameIndex() and header.frames.shifted(row.data_set_offset) != row.frames:
            raise Tampered("its frames are not where the index says")
