"""An entry as DICOM audit message, in one line (PS3.15 A.5.1; the schema's order, and its attribute ``csd-code``)."""

from base64 import b64encode
from xml.etree.ElementTree import Element, SubElement, tostring

from pacs_secure.core.audit_codes import (
    PATIENT_NUMBER,
    QUERY,
    SEARCH_CRITERIA,
    SECURITY_ALERT,
    STUDY_INSTANCE_UID,
    URI,
    Code,
)
from pacs_secure.messages.occurrence import Node, Occurrence, Person, printable, urn

ACTIONS, ROLES = "pacs-secure-action", "pacs-secure-role"
"""Coding schemes of the archive's own words."""
APPLICATION_SERVER = "4"
PERSON, SYSTEM_OBJECT = "1", "2"
PATIENT, REPORT, SECURITY_RESOURCE = "1", "3", "13"
"""ParticipantObjectTypeCode and ParticipantObjectTypeCodeRole (PS3.15 A.5.1.2)."""


def render(one: Occurrence) -> str:
    """Write an entry as XML, without line breaks."""
    message = Element("AuditMessage")
    _event(message, one)
    # Whoever performed what an alert tells of is no requestor (PS3.15 A.5.3.11).
    requested = one.event.event_id is not SECURITY_ALERT
    if one.person is not None:
        _person(message, one.person, requestor=requested)
    _node(message, one.client, requestor=requested and one.person is None)
    _node(message, one.archive, requestor=False)
    source = {"AuditEnterpriseSiteID": one.draft.institution, "AuditSourceID": one.origin}
    SubElement(SubElement(message, "AuditSourceIdentification", source), "AuditSourceTypeCode").set(
        "csd-code", APPLICATION_SERVER
    )
    _objects(message, one)
    return tostring(message, encoding="unicode")


def _event(message: Element, one: Occurrence) -> None:
    event, draft = one.event, one.draft
    said = {
        "EventActionCode": event.event_action.value,
        "EventDateTime": draft.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "EventOutcomeIndicator": one.indicator,
    }
    element = SubElement(message, "EventIdentification", said)
    _coded(element, "EventID", event.event_id)
    for kind in event.types:
        _coded(element, "EventTypeCode", kind)
    _coded(element, "EventTypeCode", Code(draft.action.value, draft.action.value, ACTIONS))
    SubElement(element, "EventOutcomeDescription").text = one.outcome


def _person(message: Element, person: Person, *, requestor: bool) -> None:
    told = {"UserID": person.pseudonym, "UserIsRequestor": str(requestor).lower()}
    element = SubElement(message, "ActiveParticipant", told)
    _coded(element, "RoleIDCode", Code(person.role.value, person.role.value, ROLES))


def _node(message: Element, node: Node, *, requestor: bool) -> None:
    told = {"UserID": node.name, "UserIsRequestor": str(requestor).lower()}
    if node.ae_title:
        told["AlternativeUserID"] = f"AETITLES={node.ae_title}"  # PS3.15 A.5.2.2
    told |= {"NetworkAccessPointID": node.place, "NetworkAccessPointTypeCode": node.network.value}
    _coded(SubElement(message, "ActiveParticipant", told), "RoleIDCode", node.part)


def _objects(message: Element, one: Occurrence) -> None:
    draft = one.draft
    if draft.study_alias is not None:
        study = _object(
            message, urn(draft.study_alias), SYSTEM_OBJECT, REPORT, STUDY_INSTANCE_UID, "study, by its alias"
        )
        if one.instances is not None:
            description = SubElement(study, "ParticipantObjectDescription")
            SubElement(description, "SOPClass", {"NumberOfInstances": str(one.instances)})
    elif one.event.event_id is QUERY:
        query = _object(message, one.uri, SYSTEM_OBJECT, REPORT, SEARCH_CRITERIA, "")
        SubElement(query, "ParticipantObjectQuery").text = b64encode(one.query).decode()
    if draft.patient_alias is not None:
        _object(message, urn(draft.patient_alias), PERSON, PATIENT, PATIENT_NUMBER, "patient, by alias")
    entry = _object(message, one.uri, SYSTEM_OBJECT, SECURITY_RESOURCE, URI, "Security Audit Log")
    for name, value in one.details.items():
        detail = {"type": printable(name), "value": b64encode(value.encode()).decode()}
        SubElement(entry, "ParticipantObjectDetail", detail)


def _object(message: Element, identifier: str, kind: str, role: str, of: Code, name: str) -> Element:
    told = {
        "ParticipantObjectID": identifier,
        "ParticipantObjectTypeCode": kind,
        "ParticipantObjectTypeCodeRole": role,
    }
    element = SubElement(message, "ParticipantObjectIdentification", told)
    _coded(element, "ParticipantObjectIDTypeCode", of)
    if name:
        SubElement(element, "ParticipantObjectName").text = name
    return element


def _coded(parent: Element, name: str, code: Code) -> None:
    told = {"csd-code": code.value, "codeSystemName": code.scheme, "originalText": code.meaning}
    SubElement(parent, name, told)
