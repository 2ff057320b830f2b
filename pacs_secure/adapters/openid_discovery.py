"""Finds an OpenID provider's endpoints in its own document (OpenID Connect Discovery 4), and keeps it a while."""

import threading
import time
from collections.abc import Callable, Mapping

from pacs_secure.adapters.https_json import HttpsJson, https_url
from pacs_secure.core.errors import Malformed, Unavailable

FRESH = 600.0
"""Seconds that the document is used without asking again."""
WELL_KNOWN = "/.well-known/openid-configuration"

Document = Mapping[str, object]


class Discovery:
    """One provider's document; what it names is https, and it must name the provider as configured."""

    def __init__(self, issuer: str, https: HttpsJson, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.issuer = https_url(issuer)
        self.https = https
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._held: tuple[float, Document] | None = None

    def endpoint(self, name: str) -> str:
        """Return an endpoint that the provider must have; raises `Unavailable` when it cannot be learnt."""
        found = self.optional(name)
        if found is None:
            raise Unavailable("an identity provider does not say what it must")
        return found

    def optional(self, name: str) -> str | None:
        """Return an endpoint that a provider may have, or None."""
        value = self._document().get(name)
        if value is None:
            return None
        try:
            return https_url(str(value))
        except Malformed:
            raise Unavailable("an identity provider names an address that is no https URL") from None

    def key_set(self) -> Document:
        """Fetch the provider's public keys (RFC 7517 5)."""
        return fetch(self.https, self.endpoint("jwks_uri"))

    def _document(self) -> Document:
        with self._lock:
            now = self._monotonic()
            if self._held is None or now - self._held[0] > FRESH:
                document = fetch(self.https, self.issuer.rstrip("/") + WELL_KNOWN)
                if document.get("issuer") != self.issuer:
                    raise Unavailable("an identity provider gives itself another name than configured")
                self._held = (now, document)
            return self._held[1]


def fetch(https: HttpsJson, url: str) -> Document:
    """Fetch a JSON object that must be there; raises `Unavailable` else."""
    answered = https.get(url)
    if not answered.done:
        raise Unavailable("an identity provider does not answer as it must")
    return answered.body
