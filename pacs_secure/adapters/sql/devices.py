"""The enrolled DICOM nodes in SQL; every change shares its commit with its ledger entry."""

from collections.abc import Iterable, Sequence

from sqlalchemy import insert, or_, select, update
from sqlalchemy.engine import Connection

from pacs_secure.adapters.sql.engine import Database
from pacs_secure.adapters.sql.ledger import append_in
from pacs_secure.adapters.sql.rows import AnyRow
from pacs_secure.adapters.sql.tables import devices
from pacs_secure.core.access import Permit
from pacs_secure.core.audit import Draft
from pacs_secure.core.errors import Conflict, Denied
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import Device


class SqlDevices:
    """`pacs_secure.ports.Devices` on a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_certificate(self, spki_sha256: bytes) -> Device | None:
        """Return the device whose certificate carries this public key, revoked or not."""
        with self._database.read() as connection:
            row = connection.execute(select(devices).where(devices.c.spki_sha256 == spki_sha256)).first()
            return None if row is None else _device(row)

    def by_ae_title(self, ae_title: str) -> Device | None:
        """Return the device of that name, revoked or not."""
        with self._database.read() as connection:
            return _named(connection, ae_title)

    def enrol(self, permit: Permit, device: Device, draft: Draft) -> None:
        """Add or replace the device of that AE title, and record it, in one commit.

        Raises:
            Conflict: another institution holds the AE title, or another device the certificate.
            Denied: the Permit is another institution's.
        """
        _demand_own(permit, device)

        def enrol(connection: Connection) -> None:
            _put(connection, device)
            append_in(connection, draft)

        self._database.write(enrol)

    def change(self, permit: Permit, before: Device, after: Device, draft: Draft) -> None:
        """Change a device that is still as it was read, and record it, in one commit.

        Raises:
            Conflict: it has been changed meanwhile, or another device holds the certificate.
            Denied: the Permit is another institution's.
        """
        _demand_own(permit, before)
        _demand_own(permit, after)

        def change(connection: Connection) -> None:
            if after.ae_title != before.ae_title or _named(connection, before.ae_title, hold=True) != before:
                raise Conflict("the device has been changed meanwhile")
            _put(connection, after)
            append_in(connection, draft)

        self._database.write(change)

    def all(self) -> Sequence[Device]:
        """Return every device in the order of AE titles, revoked ones too."""
        with self._database.read() as connection:
            return [_device(row) for row in connection.execute(select(devices).order_by(devices.c.ae_title))]


def _demand_own(permit: Permit, device: Device) -> None:
    if permit.request.subject.institution != device.institution:
        raise Denied("institutions are strictly apart")


def _named(connection: Connection, ae_title: str, *, hold: bool = False) -> Device | None:
    wanted = select(devices).where(devices.c.ae_title == ae_title)
    row = connection.execute(wanted.with_for_update() if hold else wanted).first()
    return None if row is None else _device(row)


def _put(connection: Connection, device: Device) -> None:
    same = or_(devices.c.ae_title == device.ae_title, devices.c.spki_sha256 == device.spki_sha256)
    rows = connection.execute(select(devices).where(same).with_for_update()).all()
    if any((row.ae_title, row.institution) != (device.ae_title, device.institution) for row in rows):
        raise Conflict("the AE title or the certificate belongs to another device")
    change = update(devices).where(devices.c.ae_title == device.ae_title) if rows else insert(devices)
    connection.execute(change.values(_values(device)))


def _several(values: Iterable[str]) -> str:
    return "\\".join(sorted(values))


def _values_of(text: str) -> frozenset[str]:
    return frozenset(text.split("\\")) if text else frozenset()


def _values(device: Device) -> dict[str, object]:
    return {
        "ae_title": device.ae_title,
        "institution": device.institution,
        "department": device.department,
        "operations": " ".join(sorted(device.operations)),
        "spki_sha256": device.spki_sha256,
        "host": device.host,
        "port": device.port,
        "revoked_at": device.revoked_at,
        "also_ae_titles": _several(device.also_ae_titles),
        "networks": _several(device.networks),
        "sop_classes": _several(device.sop_classes),
        "identity_required": device.identity_required,
        "serial": device.serial,
        "not_after": device.not_after,
        "proof": device.proof,
    }


def _device(row: AnyRow) -> Device:
    return Device(
        ae_title=row.ae_title,
        institution=Institution(row.institution),
        department=row.department,
        operations=frozenset(row.operations.split()),
        spki_sha256=row.spki_sha256,
        host=row.host,
        port=row.port,
        revoked_at=row.revoked_at,
        also_ae_titles=_values_of(row.also_ae_titles),
        networks=_values_of(row.networks),
        sop_classes=_values_of(row.sop_classes),
        identity_required=row.identity_required,
        serial=row.serial,
        not_after=row.not_after,
        proof=row.proof,
    )
