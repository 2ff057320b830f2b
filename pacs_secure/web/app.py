"""Puts the web door together: routes, problems, safe headers, and nothing that anybody did not ask for."""

import re
from collections.abc import Callable

from fastapi import APIRouter, FastAPI

from pacs_secure.archive import Archive
from pacs_secure.archive.revocation import Revocable
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import Authenticator, LoginProvider
from pacs_secure.web import (
    api_boards,
    api_break_glass,
    api_care,
    api_devices,
    api_facts,
    api_notices,
    api_policy,
    api_sessions,
    api_shares,
    health,
    login,
    problems,
)
from pacs_secure.web.api import describe_credentials
from pacs_secure.web.identity import Identification
from pacs_secure.web.multipart import Memory, UploadLimits
from pacs_secure.web.origin import STUDIES_SERVICE
from pacs_secure.web.shield import Shield
from pacs_secure.web.store import Store
from pacs_secure.web.studies import Studies

OPENAPI_URL = "/api/v1/openapi.json"

_STUDY = "/studies/{study}"
_SERIES = _STUDY + "/series/{series}"
_INSTANCE = _SERIES + "/instances/{instance}"

_PARAMETER = re.compile(r"\{(\w+)\}")


def create_app(
    archive: Archive,
    authenticator: Authenticator,
    institution: Institution,
    ready: Callable[[], None],
    limits: UploadLimits | None = None,
    provider: LoginProvider | None = None,
) -> FastAPI:
    """Return the application over one archive.

    ``institution`` is whose ledger hears of callers nobody knows; ``ready`` raises `Unavailable`
    when keys, ledger or index do not work. With a ``provider`` people can log in by their browser.
    """
    limits = limits or UploadLimits()
    revocable = Revocable(authenticator, archive.sessions.revocation)
    origin = None if provider is None else provider.origin
    identification = Identification(archive.guard, revocable, institution, archive.sessions, origin)
    app = FastAPI(
        title="pacs_secure",
        docs_url=None,
        redoc_url=None,
        openapi_url=OPENAPI_URL,
        redirect_slashes=False,  # a redirect would repeat identifiers and trust the Host header
    )
    app.add_middleware(Shield)
    problems.install(app)
    describe_credentials(app)
    app.include_router(health.routes(ready))
    if provider is not None:
        app.include_router(login.routes(archive, identification, provider))
    store = Store(archive, identification, limits, Memory(limits.bytes_in_memory))
    app.include_router(_studies_service(Studies(archive, identification), store), prefix=STUDIES_SERVICE)
    for api in (
        api_boards,
        api_break_glass,
        api_care,
        api_devices,
        api_facts,
        api_notices,
        api_policy,
        api_sessions,
        api_shares,
    ):
        app.include_router(api.routes(archive, identification))
    return app


def _studies_service(studies: Studies, store: Store) -> APIRouter:
    """Route the Studies Service (PS3.18 Table 10.3-1)."""
    router = APIRouter(tags=["Studies Service"])

    def route(method: str, endpoint: Callable[..., object], *paths: str) -> None:
        for path in paths:
            router.add_api_route(path, endpoint, methods=[method], openapi_extra=_path_parameters(path))

    route("POST", store.store, "/studies", _STUDY)
    route("GET", studies.search_studies, "/studies")
    route("GET", studies.search_series, "/series", _STUDY + "/series")
    route("GET", studies.search_instances, "/instances", _STUDY + "/instances", _SERIES + "/instances")
    route("GET", studies.retrieve, _STUDY, _SERIES, _INSTANCE)
    route("GET", studies.metadata, _STUDY + "/metadata", _SERIES + "/metadata", _INSTANCE + "/metadata")
    route("GET", studies.frames, _INSTANCE + "/frames/{frames}")
    route("DELETE", studies.erase, _STUDY, _SERIES, _INSTANCE)
    return router


def _path_parameters(path: str) -> dict[str, object]:
    """Describe the path's parameters for OpenAPI; handlers read them from the path alone."""
    names = _PARAMETER.findall(path)
    described = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    return {"parameters": described} if described else {}
