"""Endpoints about DICOM nodes: list, enrol, renew and revoke; a new key is answered once and kept nowhere."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter
from pydantic import Field

from pacs_secure.archive import Archive
from pacs_secure.archive.enrolment import LONGEST_REASON, certified
from pacs_secure.core.access import DEFAULT_DEPARTMENT, Action
from pacs_secure.core.devices import LAST_PORT, LONGEST_AE_TITLE, LONGEST_HOST, Device, ae_title, describe
from pacs_secure.ports import IssuedCertificate
from pacs_secure.web.api import Api, Asked, Body
from pacs_secure.web.identity import Identification
from pacs_secure.web.record import on_record

Title = Annotated[str, Field(min_length=1, max_length=LONGEST_AE_TITLE)]
Short = Annotated[str, Field(min_length=1, max_length=64)]
MOST = 256
"""Networks or SOP classes of one device."""


class NewDevice(Body):
    """A device to enrol."""

    ae_title: Title
    department: Annotated[str, Field(min_length=1, max_length=64)] = DEFAULT_DEPARTMENT
    allow: Annotated[list[Literal["store", "find", "get", "move"]], Field(min_length=1, max_length=4)]
    host: Annotated[str, Field(max_length=LONGEST_HOST)] = ""
    port: Annotated[int, Field(ge=0, le=LAST_PORT)] = 0
    also_ae_titles: Annotated[tuple[Title, ...], Field(max_length=MOST)] = ()
    networks: Annotated[tuple[Short, ...], Field(max_length=MOST)] = ()
    """CIDR; without any it may call from anywhere."""
    sop_classes: Annotated[tuple[Short, ...], Field(max_length=MOST)] = ()
    """SOP Class UIDs; without any it may store every class."""
    identity_required: bool = False
    certificate: Annotated[str, Field(max_length=16 * 1024)] | None = None
    """PEM, of a device that has one; without it one is issued."""


class Why(Body):
    """Why a device is revoked."""

    reason: Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]


class EnrolledDevice(Body):
    """A device as it is enrolled."""

    ae_title: str
    also_ae_titles: list[str]
    department: str
    allow: list[str]
    host: str
    port: int
    networks: list[str]
    sop_classes: list[str]
    identity_required: bool
    serial: str
    not_after: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, device: Device) -> Self:
        """Write a device down."""
        return cls(
            ae_title=device.ae_title,
            also_ae_titles=sorted(device.also_ae_titles),
            department=device.department,
            allow=sorted(device.operations),
            host=device.host,
            port=device.port,
            networks=sorted(device.networks),
            sop_classes=sorted(device.sop_classes),
            identity_required=device.identity_required,
            serial=device.serial,
            not_after=device.not_after,
            revoked_at=device.revoked_at,
        )


class Credentials(Body):
    """What a device is known by from now on, PEM; the key is nowhere but in this answer."""

    ae_title: str
    certificate: str | None
    key: str | None
    ca: str | None

    @classmethod
    def of(cls, title: str, issued: IssuedCertificate | None) -> Self:
        """Write down what was issued, if anything was."""
        if issued is None:
            return cls(ae_title=title, certificate=None, key=None, ca=None)
        return cls(ae_title=title, certificate=issued.cert_pem, key=issued.key_pem, ca=issued.ca_pem)


@dataclass(frozen=True, slots=True)
class DeviceEndpoints:
    """The handlers, each one verb."""

    archive: Archive

    def list_devices(self, asked: Asked[None, None]) -> list[EnrolledDevice]:
        """List the devices of one's institution."""
        return [EnrolledDevice.of(one) for one in self.archive.enrolment.list(asked.caller.subject)]

    def enrol_device(self, asked: Asked[NewDevice, None]) -> Credentials:
        """Enrol a device, or another certificate for it."""
        subject, enrolment = asked.caller.subject, self.archive.enrolment
        with on_record(self.archive.guard, asked.caller, Action.DEVICE_ENROL, {"protocol": "API"}):
            device = _described(asked)
        if asked.body.certificate is not None:
            enrolment.enrol(subject, device)
            return Credentials.of(device.ae_title, None)
        return Credentials.of(device.ae_title, enrolment.issue(subject, device))

    def renew_device(self, asked: Asked[None, None]) -> Credentials:
        """Issue a new certificate to a device; the one it has is revoked."""
        title = self._title(asked, Action.DEVICE_ENROL)
        return Credentials.of(title, self.archive.enrolment.renew(asked.caller.subject, title))

    def revoke_device(self, asked: Asked[Why, None]) -> EnrolledDevice:
        """Let a device in no more, and have its certificate revoked."""
        title = self._title(asked, Action.DEVICE_REVOKE)
        return EnrolledDevice.of(self.archive.enrolment.revoke(asked.caller.subject, title, asked.body.reason))

    def _title(self, asked: Asked[Any, Any], action: Action) -> str:
        with on_record(self.archive.guard, asked.caller, action, {"protocol": "API"}):
            return ae_title(asked.path["ae_title"])


def routes(archive: Archive, identification: Identification) -> APIRouter:
    """Return the endpoints about devices."""
    api, endpoints = Api(archive, identification, "Devices"), DeviceEndpoints(archive)
    enrol, created = Action.DEVICE_ENROL, HTTPStatus.CREATED
    api.add("GET", "/devices", endpoints.list_devices, action=Action.DEVICE_LIST, answer=list[EnrolledDevice])
    api.add(
        "POST", "/devices", endpoints.enrol_device, action=enrol, body=NewDevice, answer=Credentials, status=created
    )
    api.add(
        "POST",
        "/devices/{ae_title}/certificate",
        endpoints.renew_device,
        action=enrol,
        answer=Credentials,
        status=created,
    )
    api.add(
        "DELETE",
        "/devices/{ae_title}",
        endpoints.revoke_device,
        action=Action.DEVICE_REVOKE,
        body=Why,
        answer=EnrolledDevice,
    )
    return api.router


def _described(asked: Asked[NewDevice, None]) -> Device:
    wanted = asked.body
    device = describe(
        asked.caller.subject.institution,
        wanted.ae_title,
        department=wanted.department,
        allow=wanted.allow,
        host=wanted.host,
        port=wanted.port,
        also=wanted.also_ae_titles,
        calling_from=wanted.networks,
        bringing=wanted.sop_classes,
        identity_required=wanted.identity_required,
    )
    return device if wanted.certificate is None else certified(device, wanted.certificate.encode())
