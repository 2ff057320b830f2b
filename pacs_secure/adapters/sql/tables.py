"""The tables of index and ledger: plain columns where nobody is named, sealed boxes and keyed tokens elsewhere.

No column can hold a name, an identifier or a description of a person in clear: whoever reads
the whole database finds UIDs, dates, modalities, counts, random aliases and ciphertext (SEC-01).
Large columns stand last in their row, so that a search need not walk past them.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

from pacs_secure.core.errors import Tampered

SCHEMA_VERSION = 4
"""What this build reads and writes; an older database is brought up to it (`migrations`), a newer one is refused."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """A UTC time as whole microseconds since 1970: the same on every engine, and it sorts."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Write a time down."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the same
        """Read a time back."""
        return None if value is None else moment_of(value)


def moment_of(value: int) -> datetime:
    """Return the time that is stored so; raise `Tampered` when it is none."""
    try:
        return _EPOCH + value * _MICROSECOND
    except (TypeError, OverflowError):
        raise Tampered("a stored time is none") from None


class RandomId(TypeDecorator[UUID]):
    """A UUID as its 16 bytes: half of what its text takes, in rows and in indexes."""

    impl = LargeBinary(16)
    cache_ok = True

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - the same
        """Write an id down."""
        return None if value is None else value.bytes

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> UUID | None:  # noqa: ARG002 - the same
        """Read an id back."""
        try:
            return None if value is None else UUID(bytes=value)
        except (TypeError, ValueError):
            raise Tampered("a stored identifier is none") from None


Counter = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only where the key is declared INTEGER."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

institutions = Table(
    "institutions",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("index_key_id", RandomId, nullable=False),
    Column("ledger_key_id", RandomId, nullable=False),
)

patients = Table(
    "patients",
    metadata,
    Column("id", Counter, primary_key=True),
    Column("institution", String(63), nullable=False),
    Column("patient_token", LargeBinary, nullable=False),
    Column("alias", RandomId, nullable=False, unique=True),
    UniqueConstraint("institution", "patient_token"),
)

studies = Table(
    "studies",
    metadata,
    Column("id", Counter, primary_key=True),
    Column("institution", String(63), nullable=False),
    Column("study_instance_uid", String(64), nullable=False),
    Column("patient_id", ForeignKey("patients.id"), nullable=False, index=True),
    Column("alias", RandomId, nullable=False, unique=True),
    Column("department", String, nullable=False),
    Column("study_date", String(8), nullable=False),
    Column("study_time", String(16), nullable=False),
    Column("patient_id_token", LargeBinary, nullable=False),
    Column("accession_number_token", LargeBinary, nullable=False),
    Column("birth_date_token", LargeBinary, nullable=False),
    # Counters, kept by every `add`, so that a search counts nothing.
    Column("modalities", String, nullable=False),
    Column("series_count", Integer, nullable=False),
    Column("instance_count", Integer, nullable=False),
    Column("updated_at", Moment, nullable=False),
    # What stands before it (`rows.pack_safeguards`), whether on legal hold, when its treatment ended ("" not yet).
    Column("safeguards", Integer, nullable=False),
    Column("held", Integer, nullable=False),
    Column("treatment_ended_on", String(8), nullable=False),
    # How often a study of this UID was forgotten before: what is sealed for an earlier one cannot be added to it.
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("proof", LargeBinary, nullable=False),
    Column("box", LargeBinary, nullable=False),
    UniqueConstraint("institution", "study_instance_uid"),
)
# An invited person asks for a study without knowing whose it is.
Index("ix_studies_study_instance_uid", studies.c.study_instance_uid)
Index("ix_studies_newest", *(studies.c[name] for name in ("institution", "study_date", "study_time", "id")))
Index("ix_studies_department", *(studies.c[n] for n in ("institution", "department", "study_date", "study_time", "id")))
Index("ix_studies_patient_id_token", studies.c.institution, studies.c.patient_id_token)
Index("ix_studies_accession_number_token", studies.c.institution, studies.c.accession_number_token)
Index("ix_studies_birth_date_token", studies.c.institution, studies.c.birth_date_token)

name_tokens = Table(
    "name_tokens",
    metadata,
    # Tokens are made under the institution's own index key, so institutions never meet in one.
    Column("token", LargeBinary, primary_key=True),
    Column("study_id", ForeignKey("studies.id"), primary_key=True, index=True),
    sqlite_with_rowid=False,
)

study_modalities = Table(
    "study_modalities",
    metadata,
    # The columns of the newest-first order are repeated here, where they never change either, so
    # that the studies of one modality lie in that order, however rare or common it is.
    Column("institution", String(63), primary_key=True),
    Column("modality", String(16), primary_key=True),
    Column("study_date", String(8), primary_key=True),
    Column("study_time", String(16), primary_key=True),
    Column("study_id", ForeignKey("studies.id"), primary_key=True, index=True),
    sqlite_with_rowid=False,
)

series = Table(
    "series",
    metadata,
    Column("id", Counter, primary_key=True),
    Column("study_id", ForeignKey("studies.id"), nullable=False),
    Column("series_instance_uid", String(64), nullable=False, index=True),
    Column("modality", String, nullable=False),
    Column("series_number", BigInteger),
    Column("instance_count", Integer, nullable=False),
    Column("box", LargeBinary, nullable=False),
    UniqueConstraint("study_id", "series_instance_uid"),
)

instances = Table(
    "instances",
    metadata,
    Column("id", Counter, primary_key=True),
    Column("series_id", ForeignKey("series.id"), nullable=False),
    Column("institution", String(63), nullable=False),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("sop_class_uid", String(64), nullable=False),
    Column("transfer_syntax_uid", String(64), nullable=False),
    Column("instance_number", BigInteger),
    Column("object_id", RandomId, nullable=False, unique=True),
    Column("study_key_id", RandomId, nullable=False, index=True),
    Column("wrapped_dek", LargeBinary, nullable=False),
    Column("commitment", LargeBinary, nullable=False),
    Column("header_length", Integer, nullable=False),
    Column("plaintext_length", BigInteger, nullable=False),
    Column("stored_length", BigInteger, nullable=False),
    Column("data_set_offset", Integer, nullable=False),
    Column("data_set_fingerprint", LargeBinary, nullable=False),
    Column("number_of_frames", Integer, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("columns", Integer, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("act", RandomId, nullable=False),
    Column("box", LargeBinary, nullable=False),
    Column("frames", LargeBinary, nullable=False),
    Column("metadata_box", LargeBinary, nullable=False),
    UniqueConstraint("institution", "sop_instance_uid"),
)
Index("ix_instances_series_id", instances.c.series_id, instances.c.sop_class_uid)

ledger = Table(
    "ledger",
    metadata,
    Column("entry_index", Counter, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary(32), nullable=False),
    Column("prev_hash", LargeBinary(32), nullable=False),
)

ties = Table(
    "ties",
    metadata,
    Column("tie_id", RandomId, primary_key=True),
    Column("relation", String(16), nullable=False),
    Column("institution", String(63), nullable=False),
    Column("actor", String(32), nullable=False),
    Column("alias", RandomId, nullable=False, index=True),
    Column("purpose", String(16), nullable=False),
    Column("begins_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    # When it was ended before its time, so that its end, which is proven, stays as written.
    Column("released_at", Moment),
    Column("origin", RandomId, nullable=False, index=True),
    Column("box", LargeBinary, nullable=False),
    Column("proof", LargeBinary, nullable=False),
)
Index("ix_ties_actor", ties.c.actor, ties.c.ends_at)

open_acts = Table(
    "open_acts",
    metadata,
    # What is under way now, or was when the process ended: a row goes with its act's outcome.
    Column("act", RandomId, primary_key=True),
    Column("begun", ForeignKey("ledger.entry_index"), nullable=False),
    Column("begun_at", Moment, nullable=False, index=True),
    sqlite_with_rowid=False,
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
)

devices = Table(
    "devices",
    metadata,
    Column("ae_title", String(16), primary_key=True),
    Column("institution", String(63), nullable=False),
    Column("department", String, nullable=False),
    Column("operations", String, nullable=False),
    Column("spki_sha256", LargeBinary(32), nullable=False, unique=True),
    Column("host", String, nullable=False),
    Column("port", Integer, nullable=False),
    Column("revoked_at", Moment),
    # Lists are written as DICOM writes several values: with backslashes between them (PS3.5 6.4).
    Column("also_ae_titles", String, nullable=False),
    Column("networks", String, nullable=False),
    Column("sop_classes", String, nullable=False),
    Column("identity_required", Boolean, nullable=False),
    Column("serial", String, nullable=False),
    Column("not_after", Moment),
    Column("proof", LargeBinary, nullable=False),
)

APPEND_ONLY = (ledger, checkpoints)
"""Tables in which no row may change or go (defence in depth; the proof is the tree)."""
