"""An entry as FHIR R4 AuditEvent; what succeeded follows the patterns of IHE BALP 1.1.

BALP describes successful acts on resources. All else is an AuditEvent with DICOM's own codes, which the
base resource allows, and claims no profile.
"""

from base64 import b64encode
from urllib.parse import quote
from uuid import UUID

from pacs_secure.core.audit_codes import Code
from pacs_secure.core.audit_events import AuditEvent, Pattern
from pacs_secure.core.vocabulary import Purpose, Role
from pacs_secure.messages.occurrence import Node, Occurrence, Person, printable, urn

Json = dict[str, object]

PROFILES = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
INTERACTION = "http://hl7.org/fhir/restful-interaction"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
OBJECT_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
URIS = "urn:ietf:rfc:3986"
OURS = "urn:pacs-secure:"

_REST: Json = {
    "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
    "code": "rest",
    "display": "Restful Operation",
}
_INTERACTIONS = {
    Pattern.CREATE: "create",
    Pattern.READ: "read",
    Pattern.UPDATE: "update",
    Pattern.DELETE: "delete",
    Pattern.QUERY: "search",
}
FOLLOWED = tuple(f"{whose}{pattern}" for pattern in Pattern if pattern for whose in ("", "Patient"))
"""The profiles of BALP that events claim."""
_CUSTODIAN: Json = {
    "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
    "code": "custodian",
    "display": "Custodian",
}
_RECIPIENT: Json = {"system": PARTICIPATION, "code": "IRCP", "display": "information recipient"}
_AUTHOR: Json = {"system": PARTICIPATION, "code": "AUT", "display": "author (originator)"}
_HUMAN: Json = {
    "system": "http://terminology.hl7.org/CodeSystem/extra-security-role-type",
    "code": "humanuser",
    "display": "human user",
}
_PERSONS = {
    Pattern.CREATE: _AUTHOR,
    Pattern.READ: _RECIPIENT,
    Pattern.UPDATE: _AUTHOR,
    Pattern.DELETE: _AUTHOR,
    Pattern.QUERY: _RECIPIENT,
    Pattern.NONE: _HUMAN,
}


def render(one: Occurrence) -> Json:
    """Write an entry as AuditEvent, ready for JSON."""
    event, draft = one.event, one.draft
    resource: Json = {"resourceType": "AuditEvent", "id": str(one.index)}
    if (profile := profile_of(one)) is not None:
        resource["meta"] = {"profile": [profile]}
    resource |= {
        "type": _dicom(event.event_id) if event.pattern is Pattern.NONE else _REST,
        "subtype": _subtypes(event, draft.action.value),
        "action": event.deed.value,
        "recorded": draft.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "outcome": one.indicator,
        "outcomeDesc": one.outcome,
    }
    if draft.purpose is not None:
        resource["purposeOfEvent"] = _purpose(draft.purpose)
    resource["agent"] = _agents(one)
    resource["source"] = {
        "site": draft.institution,
        "observer": _named(one.archive.name, "ledger"),
        "type": [
            {
                "system": "http://terminology.hl7.org/CodeSystem/security-source-type",
                "code": "4",
                "display": "Application Server",
            }
        ],
    }
    resource["entity"] = _entities(one)
    return resource


def profile_of(one: Occurrence) -> str | None:
    """Return the BALP profile that an entry follows; None when it follows none."""
    pattern = one.event.pattern
    if pattern is Pattern.NONE:
        return None
    return f"{PROFILES}{'Patient' if one.draft.patient_alias else ''}{pattern.value}"


def _subtypes(event: AuditEvent, action: str) -> list[Json]:
    ours: Json = {"system": f"{OURS}action", "code": action}
    codes = [_dicom(kind) for kind in event.types]
    if event.pattern is Pattern.NONE:
        return [*codes, ours]
    interaction: Json = {"system": INTERACTION, "code": _INTERACTIONS[event.pattern]}
    if event.pattern is Pattern.DELETE:
        return [interaction]  # BALP allows a deletion no second subtype; the entry's details say the action
    return [interaction, _dicom(event.event_id), *codes, ours]


def _agents(one: Occurrence) -> list[Json]:
    pattern, person = one.event.pattern, one.person
    client = _node(one.client, one.client.part, requestor=person is None)
    archive = _node(one.archive, one.archive.part, requestor=False)
    if pattern is Pattern.DELETE:
        archive["type"] = {"coding": [_CUSTODIAN]}
    agents = [client, archive]
    if person is not None:
        agents.insert(0, _person(one, person))
    elif pattern is not Pattern.DELETE:
        client |= {"policy": _policy(one), "role": _role(one.draft.role)}
    return agents


def _person(one: Occurrence, person: Person) -> Json:
    agent: Json = {
        "type": {"coding": [_PERSONS[one.event.pattern]]},
        "role": _role(person.role),
        "who": _who(one, person),
        "requestor": True,
    }
    if one.event.pattern is not Pattern.DELETE:
        agent["policy"] = _policy(one)
    if one.draft.purpose is not None:
        agent["purposeOfUse"] = _purpose(one.draft.purpose)
    return agent


def _who(one: Occurrence, person: Person) -> Json:
    if one.number is not None:
        return {"display": person.pseudonym}  # it names nobody beyond this answer
    return _named(person.pseudonym, f"pseudonym:{one.draft.institution}")


def _node(node: Node, part: Code, *, requestor: bool) -> Json:
    return {
        "type": {"coding": [_dicom(part)]},
        "who": _named(node.name, "ae-title" if node.ae_title else "node"),
        "requestor": requestor,
        "network": {"address": node.place, "type": node.network.value},
    }


def _entities(one: Occurrence) -> list[Json]:
    draft, entities = one.draft, list[Json]()
    if one.event.pattern is Pattern.QUERY:
        entities.append(_entity("2", "System Object", "24", "Query") | {"query": b64encode(one.query).decode()})
    elif draft.study_alias is not None:
        study: Json = {
            "what": {"type": "ImagingStudy", "identifier": {"system": URIS, "value": urn(draft.study_alias)}}
        }
        entities.append(_entity("2", "System Object", "4", "Domain Resource") | study)
    else:
        entities.append(
            _entity("2", "System Object", "4", "Domain Resource") | {"what": _named(one.object_name, "object")}
        )
    if draft.patient_alias is not None:
        patient = _aliased("Patient", draft.patient_alias)
        entities.append(_entity("1", "Person", "1", "Patient") | {"what": patient})
    # Of a type of its own: BALP wants exactly one system object, the one that the act was about.
    details = [{"type": printable(name), "valueString": printable(value)} for name, value in one.details.items()]
    entry: Json = {"what": _named(one.uri, "ledger-entry"), "type": {"system": f"{OURS}entity", "code": "ledger-entry"}}
    return [*entities, entry | {"detail": details}]


def _entity(kind: str, kind_name: str, role: str, role_name: str) -> Json:
    return {
        "type": {"system": ENTITY_TYPE, "code": kind, "display": kind_name},
        "role": {"system": OBJECT_ROLE, "code": role, "display": role_name},
    }


def _resource(what: Json) -> Json:
    return _entity("2", "System Object", "4", "Domain Resource") | {"what": what}


def _aliased(kind: str, alias: UUID) -> Json:
    return {"type": kind, "identifier": {"system": URIS, "value": urn(alias)}}


def _named(value: str, kind: str) -> Json:
    """Point at somebody or something by a name of ours: no server resolves it."""
    return {"identifier": {"system": OURS + kind, "value": value}, "display": value}


def _dicom(code: Code) -> Json:
    return {"system": DICOM, "code": code.value, "display": code.meaning}


def _purpose(purpose: Purpose) -> list[Json]:
    return [{"coding": [{"system": REASON, "code": purpose.value}]}]


def _role(role: Role) -> list[Json]:
    return [{"coding": [{"system": f"{OURS}role", "code": role.value}]}]


def _policy(one: Occurrence) -> list[str]:
    return [f"{OURS}policy:{quote(one.draft.policy_version, safe='')}"]
