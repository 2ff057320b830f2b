"""The guided first tour: find, read back and compare, be refused once, verify the ledger, and where to look next."""

import hashlib
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pydicom
from rich.console import Console
from rich.table import Table

from pacs_secure import bootstrap, identity
from pacs_secure.core.access import Door, Role, Subject
from pacs_secure.core.errors import NotFound, Unavailable
from pacs_secure.dicom.part10 import split
from pacs_secure.quickstart.layout import Json, Layout
from pacs_secure.quickstart.provision import INSTITUTION
from pacs_secure.quickstart.samples import sample_files
from pacs_secure.settings import load

_NOT_FOUND = 404
VISITOR = "visitor"
_STUDY, _DATE, _NAME, _MODALITIES, _INSTANCES = "0020000D", "00080020", "00100010", "00080061", "00201208"


def show_tour(layout: Layout, published: Mapping[str, object], console: Console) -> None:
    """Show what the archive does, on the sample studies.

    Raises:
        Unavailable: something did not come out as it must.
    """
    visitor = _Visitor(layout, published)
    console.rule("1. A radiologist searches (QIDO-RS)")
    studies = json.loads(visitor.get("radiologist", "/studies?limit=8"))
    console.print(_table(studies))
    console.rule("2. and reads one picture back (WADO-RS)")
    _read_back(visitor, console)
    console.rule("3. A clinician of another department asks for the same study")
    _be_refused(visitor, _value(studies[0], _STUDY), console)
    console.rule("4. The radiologist asks them for a second opinion, and takes it back")
    _invite(visitor, _value(studies[0], _STUDY), console)
    console.rule("5. Whatever happened is in the ledger, and the ledger proves itself")
    _verify(layout, console)
    console.rule("Where to look next")
    console.print(_next_steps(layout, published), highlight=False, soft_wrap=True)


class _Visitor:
    """Someone who comes through the web door as this or that user."""

    def __init__(self, layout: Layout, published: Mapping[str, object]) -> None:
        self._layout = layout
        self._published = cast(Mapping[str, Any], published)
        self._context = ssl.create_default_context(cafile=str(layout.ca_file))

    def get(self, user: str, path: str, accept: str = "application/dicom+json") -> bytes:
        token: str = self._published["users"][user]["token"]
        return self.get_as(token, path, accept)

    def get_as(self, token: str, path: str, accept: str = "application/dicom+json") -> bytes:
        url = f"{self._published['dicomweb_url']}{path}"
        return self._ask(url, {"Authorization": f"Bearer {token}", "Accept": accept}, None)

    def post(self, user: str, path: str, body: Json | None = None) -> Json:
        """Ask something of the API as a user; return the object it answers."""
        headers = {"Authorization": f"Bearer {self._published['users'][user]['token']}"}
        content = None if body is None else json.dumps(body).encode()
        sent = headers if content is None else {**headers, "Content-Type": "application/json"}
        answer = self._ask(f"{self._published['api_url']}{path}", sent, content or b"")
        return cast(Json, json.loads(answer or b"{}"))

    def _ask(self, url: str, headers: Mapping[str, str], content: bytes | None) -> bytes:
        request = urllib.request.Request(url, content, dict(headers))  # noqa: S310 - https
        try:
            with urllib.request.urlopen(request, timeout=30, context=self._context) as answer:  # noqa: S310 - https
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            if error.code == _NOT_FOUND:
                raise NotFound("no such object") from None
            raise Unavailable(f"the archive answered {error.code}") from None

    def token(self, role: Role, department: str) -> str:
        issuer = identity.development_issuer(load(self._layout.config_file))
        return issuer.issue(role, VISITOR, department, None, INSTITUTION, timedelta(minutes=5))


def _table(studies: list[Json]) -> Table:
    table = Table("Study Date", "Modality", "Patient's Name", "Instances")
    for study in studies:
        table.add_row(*(_value(study, tag) for tag in (_DATE, _MODALITIES, _NAME, _INSTANCES)))
    return table


def _value(attributes: Json, tag: str) -> str:
    attribute = cast(dict[str, list[Any]], attributes.get(tag, {}))
    values = attribute.get("Value") or [""]
    return "\\".join(one.get("Alphabetic", "") if isinstance(one, dict) else str(one) for one in values)


def _read_back(visitor: _Visitor, console: Console) -> None:
    sample = next(path for path in sample_files() if path.is_file())
    sent = pydicom.dcmread(sample, stop_before_pixels=True)
    path = f"/studies/{sent.StudyInstanceUID}/series/{sent.SeriesInstanceUID}/instances/{sent.SOPInstanceUID}"
    received = visitor.get("radiologist", path, "application/dicom")
    digests = [hashlib.sha256(split(stream).data_set).hexdigest() for stream in (sample.read_bytes(), received)]
    if digests[0] != digests[1]:
        raise Unavailable("what was read back is not what was sent")
    console.print(f"{sample.name}: {len(received):,} bytes, the Data Set byte for byte what the modality sent")
    console.print(f"SHA-256 {digests[1]}", highlight=False)


def _be_refused(visitor: _Visitor, study: str, console: Console) -> None:
    try:
        visitor.get_as(visitor.token(Role.CLINICIAN, "dermatology"), f"/studies/{study}/metadata")
    except NotFound:
        console.print("404: to them it does not exist, and the attempt is on record.")
    else:
        raise Unavailable("a clinician of another department could read the study")


def _invite(visitor: _Visitor, study: str, console: Console) -> None:
    until = datetime.now(UTC) + timedelta(days=7)
    share = visitor.post(
        "radiologist",
        "/shares",
        {
            "study_instance_uid": study,
            "invitee": {"person": VISITOR},
            "until": until.isoformat(),
            "reason": "a second opinion, for the tour",
        },
    )
    seen = json.loads(visitor.get_as(visitor.token(Role.CLINICIAN, "dermatology"), "/studies"))
    if [_value(one, _STUDY) for one in seen] != [study]:
        raise Unavailable("an invited clinician does not see exactly the study they were invited to")
    console.print(
        "Now they see this one study and nothing else, until a date; each read shows up for who invited them."
    )
    visitor.post("radiologist", f"/shares/{share['share']}/revoke")
    _be_refused(visitor, study, console)


def _verify(layout: Layout, console: Console) -> None:
    with bootstrap.assemble(load(layout.config_file)) as house:
        operator = Subject("quickstart", Role.OPERATOR, INSTITUTION, "", Door.COMMAND_LINE, "")
        verdict = house.archive.verify.check_ledger(operator)
    if not verdict.sound:
        raise Unavailable("the ledger is not sound")
    console.print(f"sound: {verdict.checked} entries verified")


def _next_steps(layout: Layout, published: Mapping[str, object]) -> str:
    tool = "pacs-secure"
    checkpoints, key = layout.checkpoints, layout.ledger_key
    return "\n".join(
        (
            f"{tool} --config {layout.config_file} store FILE_OR_FOLDER   send your own pictures",
            f"{tool} --config {layout.config_file} token --role clinician  a token for curl or dicomweb-client",
            f"{tool} --config {layout.config_file} verify --deep           open every object and compare",
            f"pacs-audit-verify {checkpoints} --key {key}",
            f"DICOMweb: {published['dicomweb_url']}   {layout.published_file} has the rest",
        )
    )
