"""Makes the absolute URLs that answers of DICOMweb (PS3.18 8.2) and FHIR carry."""

import re

from starlette.requests import Request

STUDIES_SERVICE = "/dicom-web"
FHIR_SERVICE = "/fhir"

_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}", re.ASCII)


def base(request: Request, service: str = STUDIES_SERVICE) -> str:
    """Return a service's own URL as the client reached it, without a slash at the end."""
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        host = "localhost"
    return f"{request.url.scheme}://{host}{service}"


def retrieve_url(
    root: str, study_instance_uid: str, series_instance_uid: str | None = None, sop_instance_uid: str | None = None
) -> str:
    """Return where a study, series or instance can be retrieved (Retrieve URL, 0008,1190)."""
    url = f"{root}/studies/{study_instance_uid}"
    if series_instance_uid is not None:
        url += f"/series/{series_instance_uid}"
    if sop_instance_uid is not None:
        url += f"/instances/{sop_instance_uid}"
    return url
