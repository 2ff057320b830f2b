"""The web door over a whole archive in memory, with a caller for every role."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from fastapi import FastAPI

from pacs_secure.adapters.development_issuer import DevelopmentIssuer
from pacs_secure.adapters.tokens import JoseAuthenticator
from pacs_secure.core.access import Purpose, Role
from pacs_secure.core.errors import Unavailable
from pacs_secure.core.identifiers import Institution
from pacs_secure.ports import LoginProvider
from pacs_secure.web.app import create_app
from pacs_secure.web.multipart import UploadLimits
from tests.builders import ELSEWHERE, HERE, RADIOLOGY
from tests.web_client import WebClient
from tests.web_instances import related
from tests.world import World

HOUR = timedelta(hours=1)
MULTIPART = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b0undary'}


@dataclass
class WebHouse:
    """One archive, its door, and tokens for whoever comes."""

    world: World
    issuer: DevelopmentIssuer
    ready: list[bool] = field(default_factory=lambda: [True])
    doors: dict[tuple[object, ...], FastAPI] = field(default_factory=dict)
    """Each is opened once: describing its hundred routes takes longer than most tests."""

    def app(self, limits: UploadLimits | None = None, provider: LoginProvider | None = None) -> FastAPI:
        def ready() -> None:
            if not self.ready[0]:
                raise Unavailable("not ready")

        place = (id(self.world.archive), limits, id(provider))
        if place not in self.doors:
            authenticator = JoseAuthenticator([self.issuer.trusted([HERE, ELSEWHERE])])
            self.doors[place] = create_app(self.world.archive, authenticator, HERE, ready, limits, provider)
        return self.doors[place]

    def client(
        self,
        role: Role = Role.RADIOLOGIST,
        department: str = RADIOLOGY,
        *,
        of: Institution = HERE,
        purpose: Purpose | None = None,
        limits: UploadLimits | None = None,
        user: str = "r.weber",
    ) -> WebClient:
        token = self.issuer.issue(role, user, department, purpose, of, HOUR)
        return WebClient(self.app(limits), {"Authorization": f"Bearer {token}"})

    def store(self, *parts: bytes) -> None:
        """Store instances as a radiologist would."""
        answer = self.client().post("/dicom-web/studies", related(*parts), MULTIPART)
        assert answer.status_code == 200, answer.text

    def recorded(self) -> list[tuple[str, str]]:
        """Return (action, outcome) of every ledger entry, oldest first."""
        return [(entry["action"], entry["outcome"]) for entry in self.world.entries()]


def open_house(directory: Path, world: World) -> WebHouse:
    return WebHouse(world, DevelopmentIssuer(directory / "issuer.pem", loopback=True))
