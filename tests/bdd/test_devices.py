"""Devices, as features/devices.feature tells it."""

import io
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pydicom
import pytest
from pynetdicom import AE
from pynetdicom.pdu_primitives import UserIdentityNegotiation
from pytest_bdd import given, parsers, scenarios, then, when

from pacs_secure.adapters.bound_tokens import BoundTokens
from pacs_secure.adapters.development_issuer import Connection, DevelopmentIssuer
from pacs_secure.adapters.sql import Database, SqlUsedTokens
from pacs_secure.adapters.watching import FileWatch, Periodic
from pacs_secure.archive.enrolment import certified
from pacs_secure.core.access import Role
from pacs_secure.core.devices import describe
from pacs_secure.core.errors import Denied
from pacs_secure.crypto.certificates import read_certificate
from pacs_secure.dimse.tls import client_context
from pacs_secure.ports import IssuedCertificate
from tests.bdd.hospital import AE_TITLE, HOST, HOUR, Hospital, Keys, until
from tests.bdd.pictures import Picture, picture
from tests.bdd.story import SUCCESS, details_of
from tests.certificates import Pair

scenarios("devices.feature")

MINUTES = timedelta(minutes=10)
MR = "1.2.840.10008.5.1.4.1.1.4"
LIMITS: dict[str, dict[str, Any]] = {
    "": {},
    " for another network": {"calling_from": ["10.1.0.0/16"]},
    " for magnetic resonance pictures only": {"bringing": [MR]},
    " for searching only": {"allow": ["find"]},
}
MAY: dict[str, dict[str, Any]] = {
    "storing": {"allow": ["store", "find"]},
    "searching": {"allow": ["find"]},
    "storing by a person only": {"allow": ["store", "find"], "identity_required": True},
}


@dataclass
class Scene:
    """What happens at the devices of one scenario."""

    hospital: Hospital
    statuses: list[int] = field(default_factory=list)
    rows: int = 0
    """Pictures in the archive before the last one was sent."""
    open: dict[str, Any] = field(default_factory=dict)
    old: Pair | None = None
    shown: bytes = b""
    """The archive's certificate at the beginning."""

    def enrol(self, name: str, by: Role = Role.ADMIN, **facts: Any) -> None:
        """Enrol a device with a certificate of the hospital."""
        hospital = self.hospital
        told: dict[str, Any] = {"department": "radiology", "allow": ["store"]} | facts
        device = describe(hospital.keys.institution, name, **told)
        self.keep(name, hospital.world.archive.enrolment.issue(hospital.subject(by), device))

    def keep(self, name: str, issued: IssuedCertificate) -> None:
        """Write down at the device what was issued to it."""
        serial = read_certificate(issued.cert_pem.encode()).serial
        pair = Pair(*(self.hospital.outside / f"{name}-{serial}.{kind}" for kind in ("pem", "key")))
        pair.certificate.write_text(issued.cert_pem)
        pair.key.write_text(issued.key_pem)
        self.hospital.devices[name] = pair

    def associate(
        self, name: str, *identity: UserIdentityNegotiation, pair: Pair | None = None, sent: Picture | None = None
    ) -> Any:
        """Ask for an association, established or not."""
        one = pydicom.dcmread(io.BytesIO((sent or picture()).stream))
        entity = AE(name)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 10
        entity.add_requested_context(one.SOPClassUID, [one.file_meta.TransferSyntaxUID])
        shown = pair or self.hospital.devices[name]
        tls = client_context(str(shown.certificate), str(shown.key), str(self.hospital.authority.file))
        return entity.associate(
            HOST,
            self.hospital.port,
            ae_title=AE_TITLE,
            ext_neg=list(identity),
            tls_args=(tls, HOST),
            bind_address=(HOST, 0),
        )

    def send(self, name: str, *identity: UserIdentityNegotiation, pair: Pair | None = None) -> None:
        """Send a picture; remember what the device hears, nothing when it is not let in."""
        self.rows = self.hospital.rows()
        association = self.associate(name, *identity, pair=pair)
        self.statuses = []
        if association.is_established:
            self.statuses = [self.store_over(association)]
            association.release()

    def store_over(self, association: Any) -> int:
        status: int = association.send_c_store(pydicom.dcmread(io.BytesIO(picture().stream))).Status
        return status

    def token(
        self, role: Role, device: str | None, *, life: timedelta = MINUTES, issuer: DevelopmentIssuer | None = None
    ) -> bytes:
        at = None
        if device is not None:
            at = Connection(AE_TITLE, read_certificate(self.hospital.devices[device].der).sha256)
        of = self.hospital.keys.institution
        return (issuer or self.hospital.issuer).issue(role, "r.weber", "radiology", None, of, life, at).encode()

    def archive_certificate(self, name: str = "MR2") -> bytes:
        """Return the certificate that whoever connects now is shown."""
        pair = self.hospital.devices[name]
        context = client_context(str(pair.certificate), str(pair.key), str(self.hospital.authority.file))
        with (
            socket.create_connection((HOST, self.hospital.port), 5) as plain,
            context.wrap_socket(plain, server_hostname=HOST) as connection,
        ):
            return connection.getpeercert(binary_form=True) or b""


@pytest.fixture
def scene(hospital: Hospital) -> Iterator[Scene]:
    """Open the scene, with the watches that a running archive has, only more impatient."""
    files = hospital.credentials._files
    watch = FileWatch([files.certificate, files.key, files.authorities])
    watches = [
        Periodic("lists", 0.2, hospital.credentials.look_at_lists),
        Periodic("files", 0.1, lambda: watch.changed() and hospital.credentials.look_at_files()),
    ]
    for one in watches:
        one.start()
    scene = Scene(hospital)
    yield scene
    for association in scene.open.values():
        if association.is_established:
            association.abort()
    for one in watches:
        one.stop()


def jwt(token: bytes) -> UserIdentityNegotiation:
    item = UserIdentityNegotiation()
    item.user_identity_type, item.primary_field = 5, token
    return item


# --- given ------------------------------------------------------------------------------------


@given("an archive whose devices have certificates of the hospital")
def _archive(scene: Scene) -> None:
    assert scene.hospital.rows() == 0


@given(parsers.re(r'the modality "(?P<name>\w+)" was enrolled(?P<limit>| for .+)'))
def _enrolled(scene: Scene, name: str, limit: str) -> None:
    scene.enrol(name, **LIMITS[limit])
    scene.shown = scene.archive_certificate(name)


@given(parsers.parse('the modality "{name}" was enrolled under another name'))
def _misnamed(scene: Scene, name: str) -> None:
    hospital = scene.hospital
    issued = hospital.pki.issue(hospital.keys.institution, "MR9", destination=False)
    device = describe(hospital.keys.institution, name, department="radiology", allow=["store"])
    hospital.world.archive.enrolment.enrol(hospital.subject(Role.ADMIN), certified(device, issued.cert_pem.encode()))
    scene.keep(name, issued)


@given(parsers.parse('the workstation "{name}" was enrolled for {may}'))
def _workstation(scene: Scene, name: str, may: str) -> None:
    scene.enrol(name, **MAY[may])


@given(parsers.parse('"{name}" has an open connection and says nothing'))
def _open(scene: Scene, name: str) -> None:
    scene.open[name] = scene.associate(name)
    assert scene.open[name].is_established


# --- when -------------------------------------------------------------------------------------


@when(parsers.parse('an administrator enrols the modality "{name}"'))
def _enrol(scene: Scene, name: str) -> None:
    scene.enrol(name)


@when(parsers.parse('a radiologist tries to enrol the modality "{name}"'))
def _try_to_enrol(scene: Scene, name: str) -> None:
    with pytest.raises(Denied):
        scene.enrol(name, Role.RADIOLOGIST)


@when(parsers.re(r'"(?P<name>\w+)" sends a picture'))
def _send(scene: Scene, name: str) -> None:
    scene.send(name)


@when(parsers.re(r'a (?P<role>\w+) at "(?P<name>\w+)" sends a picture'))
def _send_as(scene: Scene, role: str, name: str) -> None:
    scene.send(name, jwt(scene.token(Role(role), name)))


@when(parsers.parse('somebody sends a picture with the old certificate of "{name}"'))
def _send_with_old(scene: Scene, name: str) -> None:
    scene.send(name, pair=scene.old)


@when(parsers.parse('an administrator revokes "{name}" because it was stolen'))
def _revoke(scene: Scene, name: str) -> None:
    hospital = scene.hospital
    hospital.world.archive.enrolment.revoke(hospital.subject(Role.ADMIN), name, "stolen from the ambulance")


@when(parsers.parse('the hospital\'s authority revokes the certificate of "{name}" by itself'))
def _revoke_elsewhere(scene: Scene, name: str) -> None:
    assert scene.hospital.pki.revoke(read_certificate(scene.hospital.devices[name].der).serial)


@when(parsers.parse('an administrator renews the certificate of "{name}"'))
def _renew(scene: Scene, name: str) -> None:
    hospital = scene.hospital
    scene.old = hospital.devices[name]
    scene.keep(name, hospital.world.archive.enrolment.renew(hospital.subject(Role.ADMIN), name))


@when("the archive's certificate is replaced by a broken file")
def _break_certificate(scene: Scene) -> None:
    scene.hospital.credentials._files.certificate.write_text("-----BEGIN CERTIFICATE-----\n")
    log = scene.hospital.directory / "archive.log"
    until(lambda: "keeps its certificate" in log.read_text())


@when("the archive's certificate is replaced by a new one")
def _replace_certificate(scene: Scene) -> None:
    scene.hospital.authority.issue("archive")


@when(parsers.parse('a radiologist at "{name}" shows {credential}'))
def _show(scene: Scene, name: str, credential: str) -> None:
    scene.open[name] = scene.associate(name, CREDENTIALS[credential](scene, name))


def used(scene: Scene, name: str) -> UserIdentityNegotiation:
    item = jwt(scene.token(Role.RADIOLOGIST, name))
    first = scene.associate(name, item)
    assert first.is_established
    first.release()
    return item


def used_before_a_restart(scene: Scene, name: str) -> UserIdentityNegotiation:
    hospital, token = scene.hospital, scene.token(Role.RADIOLOGIST, name)
    earlier = Database(hospital.world.index_file)
    tokens = BoundTokens([hospital.issuer.trusted([hospital.keys.institution])], AE_TITLE, SqlUsedTokens(earlier))
    tokens.authenticate(token, HOST, read_certificate(hospital.devices[name].der).sha256)
    earlier.close()
    return jwt(token)


def of_somebody_else(scene: Scene, name: str) -> UserIdentityNegotiation:
    stranger = DevelopmentIssuer(scene.hospital.outside / "stranger.pem", loopback=True)
    return jwt(scene.token(Role.RADIOLOGIST, name, issuer=stranger))


def a_name(_: Scene, __: str) -> UserIdentityNegotiation:
    item = UserIdentityNegotiation()
    item.user_identity_type, item.primary_field = 1, b"r.weber"
    return item


def a_password(scene: Scene, name: str) -> UserIdentityNegotiation:
    item = a_name(scene, name)
    item.user_identity_type, item.secondary_field = 2, b"secret"
    return item


CREDENTIALS: dict[str, Callable[[Scene, str], UserIdentityNegotiation]] = {
    "a token that was used before": used,
    "a token that was used before a restart": used_before_a_restart,
    'a token that was made for "WS2"': lambda scene, _: jwt(scene.token(Role.RADIOLOGIST, "WS2")),
    "a token that was made for the web": lambda scene, _: jwt(scene.token(Role.RADIOLOGIST, None)),
    "a token that lives for an hour": lambda scene, name: jwt(scene.token(Role.RADIOLOGIST, name, life=HOUR)),
    "a token that somebody else has signed": of_somebody_else,
    "a name alone": a_name,
    "a name and a password": a_password,
}


# --- then -------------------------------------------------------------------------------------


@then("the archive has kept no private key")
def _no_key(scene: Scene) -> None:
    files = [path for path in scene.hospital.directory.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"PRIVATE KEY" in path.read_bytes()]


@then("nothing was enrolled")
def _nothing_enrolled(scene: Scene) -> None:
    assert scene.hospital.pki.issued == {}
    assert list(scene.hospital.world.house.engines.devices.all()) == []


@then("the picture is stored")
def _stored(scene: Scene) -> None:
    assert scene.statuses == [SUCCESS]
    assert scene.hospital.rows() == 1


@then("the picture is not stored")
def _not_stored(scene: Scene) -> None:
    assert scene.statuses in ([], [0x0124])
    assert scene.hospital.rows() == scene.rows


@then(parsers.parse('the ledger holds a refused "{action}" with the reason "{reason}"'))
def _refused_because(scene: Scene, action: str, reason: str) -> None:
    def found() -> bool:
        entries = scene.hospital.entries()
        refusals = [one for one in entries if (one["action"], one["outcome"]) == (action, "refused")]
        return reason in [one["facts"].get("reason") for one in refusals]

    until(found)


@then(parsers.parse('the open connection of "{name}" ends'))
def _ends(scene: Scene, name: str) -> None:
    until(lambda: not scene.open[name].is_established)
    assert scene.open[name].is_aborted


@then("only who holds the ledger's keys can read why")
def _sealed_reason(scene: Scene, keys: Keys) -> None:
    (entry,) = (one for one in scene.hospital.entries() if one["action"] == "device:revoke")
    assert "ambulance" not in str(entry)
    assert details_of(keys, entry)["reason"] == "stolen from the ambulance"


@then("whoever connects is shown the certificate of before")
def _shown_old(scene: Scene) -> None:
    assert scene.archive_certificate() == scene.shown


@then("whoever connects is shown the new certificate")
def _shown_new(scene: Scene) -> None:
    until(lambda: scene.archive_certificate() != scene.shown)
    new = scene.hospital.credentials._files.certificate.read_bytes()
    assert read_certificate(scene.archive_certificate()) == read_certificate(new)


@then(parsers.parse('"{name}" can store a picture over the connection that was open all the time'))
def _still_open(scene: Scene, name: str) -> None:
    assert scene.store_over(scene.open[name]) == SUCCESS
    scene.open[name].release()


@then(parsers.parse('the ledger says that a {role} acted through "{name}"'))
def _acted_through(scene: Scene, role: str, name: str) -> None:
    entries = [one for one in scene.hospital.entries() if one["action"] == "study:create"]
    assert {(one["role"], one["facts"]["device"]) for one in entries} == {(role, f"device:{name}")}


@then("no connection is opened")
def _no_connection(scene: Scene) -> None:
    assert [one.is_rejected for one in scene.open.values()] == [True]
