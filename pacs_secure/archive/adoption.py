"""Adopting: one object without a row gets its row again, made of what it holds and proves itself."""

from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from uuid import UUID

from pacs_secure.archive.indexing import index
from pacs_secure.archive.institutions import InstitutionSeals
from pacs_secure.archive.seals import Recovered, Recoverer
from pacs_secure.core.access import Safeguard
from pacs_secure.core.errors import Tampered
from pacs_secure.core.identifiers import made_at
from pacs_secure.core.instance import IndexedInstance, InstanceRow
from pacs_secure.dicom.header import Header, Limits, scan
from pacs_secure.dicom.metadata import describe
from pacs_secure.dicom.part10 import split

NO_DEPARTMENT = "unassigned"
"""Where nobody works: until an officer says whose a study is, it is no department's."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """Makes the row of a recovered object anew."""

    recoverer: Recoverer
    seals: InstitutionSeals
    limits: Limits

    def row_of(self, recovered: Recovered, act: UUID) -> IndexedInstance:
        """Return the row of an object, its study restricted and in no department.

        Raises:
            Malformed: the object holds no Data Set that the archive would take in.
            OverLimit: the same.
            Tampered: what its label says and what it holds are two things.
        """
        part10 = split(recovered.stream)
        data_set, syntax = part10.data_set, recovered.transfer_syntax_uid
        if not compare_digest(sha256(data_set).digest(), recovered.data_set_sha256):
            raise Tampered("its Data Set is not the one that was received")
        header = scan(data_set, syntax, self.limits)
        if _identity(header) != _labelled(recovered):
            raise Tampered("its Data Set is another instance's")
        description = describe(data_set, syntax, header, self.limits)
        offset = len(recovered.stream) - len(data_set)
        seal = self.seals.index(recovered.identity.institution)
        row = InstanceRow(
            identity=recovered.identity,
            transfer_syntax_uid=syntax,
            sealed=recovered.sealed,
            data_set_offset=offset,
            data_set_fingerprint=seal.fingerprint(recovered.data_set_sha256),
            frames=header.frames.shifted(offset),
            number_of_frames=header.number_of_frames,
            rows=header.rows,
            columns=header.columns,
            metadata_box=self.recoverer.metadata_box(recovered, description.metadata_json),
            received_at=made_at(recovered.sealed.object_id),
            act=act,
        )
        return index(seal, row, description, NO_DEPARTMENT, frozenset({Safeguard.RESTRICTED}))


def _identity(header: Header) -> tuple[str, ...]:
    return header.study_instance_uid, header.series_instance_uid, header.sop_instance_uid, header.sop_class_uid


def _labelled(recovered: Recovered) -> tuple[str, ...]:
    label = recovered.identity
    return label.study_instance_uid, label.series_instance_uid, label.sop_instance_uid, label.sop_class_uid
