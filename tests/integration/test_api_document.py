"""The OpenAPI document is true: every answer is one that the document names, and none is a fault of the server."""

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from requests import Request
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from pacs_secure.core.access import Role
from pacs_secure.web.app import OPENAPI_URL
from tests.builders import HERE, RADIOLOGY
from tests.small_issuer import small_issuer
from tests.web_client import WebClient
from tests.web_house import HOUR, open_house
from tests.world import World

ORIGIN = "https://pacs.example"
ROLES = (Role.RADIOLOGIST, Role.CLINICIAN, Role.OFFICER, Role.DPO, Role.ADMIN)
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@schemathesis.serializer("application/dicom", "multipart/related")
def as_it_is(_context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


METHODS = {"get", "put", "post", "delete", "patch"}


@pytest.mark.parametrize(
    ("mode", "examples"), [(GenerationMode.POSITIVE, 8), (GenerationMode.NEGATIVE, 6)], ids=["fitting", "unfitting"]
)
def test_every_operation_answers_what_its_document_says(
    tmp_path: Path, world: World, mode: GenerationMode, examples: int
) -> None:
    web = open_house(tmp_path, world)
    with small_issuer(tmp_path / "issuer", HERE) as issuer:
        app = web.app(provider=issuer.client(ORIGIN))
        tokens = {role: web.issuer.issue(role, "r.weber", RADIOLOGY, None, HERE, HOUR) for role in ROLES}
        client = WebClient(app)
        schema: Any = schemathesis.openapi.from_dict(client.get(OPENAPI_URL).json())
        wrong: dict[str, str] = {}
        asked = 0
        for found in schema.get_all_operations():
            operation = found.ok()
            asked += 1
            try:
                _ask(client, tokens, operation.as_strategy(generation_mode=mode), examples)
            except Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE  # nothing of it can be wrong
            except FailureGroup as failures:
                wrong[operation.label] = " | ".join(f"{one.title}: {one.message}" for one in failures.exceptions)

    assert asked == sum(len(METHODS & set(path)) for path in schema.raw_schema["paths"].values())
    assert not wrong, "\n".join(f"{label}: {what}" for label, what in wrong.items())


def test_every_operation_but_those_before_a_login_says_how_to_prove_who_asks(tmp_path: Path, world: World) -> None:
    with small_issuer(tmp_path / "issuer", HERE) as issuer:
        app = open_house(tmp_path, world).app(provider=issuer.client(ORIGIN))
        paths = WebClient(app).get(OPENAPI_URL).json()["paths"]

    open_to_all = {path for path, item in paths.items() if any("security" not in one for one in item.values())}
    before_a_login = {"/auth/login", "/auth/callback", "/auth/backchannel-logout"}
    assert open_to_all == {"/healthz", "/readyz", "/fhir/metadata"} | before_a_login


def _ask(client: WebClient, tokens: dict[Role, str], cases: st.SearchStrategy[Any], examples: int) -> None:
    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, role=st.sampled_from(ROLES))
    def ask(case: Any, role: Role) -> None:
        sent = Request(**case.as_transport_kwargs(base_url=ORIGIN)).prepare()
        headers = {**dict(sent.headers), "Authorization": f"Bearer {tokens[role]}"}
        headers.pop("Content-Length", None)
        body = sent.body.encode() if isinstance(sent.body, str) else sent.body
        answer = client.request(str(sent.method), str(sent.url), headers, body)
        case.validate_response(answer, checks=CHECKS)

    ask()
