"""A small OpenID provider for tests: real TLS, real signatures, real PKCE, and lies when it is told to."""

import hashlib
import json
import secrets
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from pacs_secure.adapters.claims import ClaimsMap
from pacs_secure.adapters.https_json import HttpsJson
from pacs_secure.adapters.openid_client import Client, OpenIdClient
from pacs_secure.adapters.openid_discovery import WELL_KNOWN, Discovery
from pacs_secure.adapters.tokens import TrustedIssuer, fetched_keys
from pacs_secure.core.identifiers import Institution
from tests.json_server import JsonServer, json_server

CLIENT, SECRET = "pacs-browser", "not:a%secret"
KID = "key-1"


def segment(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


@dataclass
class SmallIssuer:
    """Logs in whoever it is told to; ``lies`` change what it says in the ID token (None takes a claim away)."""

    server: JsonServer
    institution: Institution
    user: dict[str, object] = field(
        default_factory=lambda: {"sub": "r.weber", "role": "radiologist", "department": "radiology", "amr": ["otp"]}
    )
    lies: dict[str, object] = field(default_factory=dict)
    header_lies: dict[str, object] = field(default_factory=dict)
    _key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        url, numbers = self.server.url, self._key.public_key().public_numbers()
        x, y = (segment(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        self.server.answers |= {
            WELL_KNOWN: {
                "issuer": url,
                "jwks_uri": f"{url}/keys",
                "authorization_endpoint": f"{url}/authorize?theme=dark",
                "token_endpoint": f"{url}/token",
                "end_session_endpoint": f"{url}/logout",
            },
            "/keys": {"keys": [{"kty": "EC", "crv": "P-256", "kid": KID, "x": x, "y": y, "use": "sig"}]},
            "/token": self._token,
        }

    def client(self, origin: str = "https://pacs.example", secret: str | None = SECRET) -> OpenIdClient:
        """Return the archive's side of it."""
        https = HttpsJson(self.server.authority)
        discovery = Discovery(self.server.url, https)
        meaning = ClaimsMap(home=self.institution, amr=frozenset({"otp"}))
        trusted = TrustedIssuer(
            self.server.url,
            CLIENT,
            "ES256",
            fetched_keys(discovery.key_set, "ES256"),
            frozenset({self.institution}),
            meaning,
        )
        return OpenIdClient(trusted, discovery, Client(CLIENT, secret, origin, after_logout_url=f"{origin}/"))

    def log_in(self, authorization_url: str) -> str:
        """Be browser and provider: return the address that the browser is sent back to."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(authorization_url).query).items()}
        code = secrets.token_urlsafe(8)
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def sign(self, claims: dict[str, object], **header: object) -> str:
        """Sign whatever it is."""
        head = {"alg": "ES256", "kid": KID, **header}
        signed = f"{segment(json.dumps(head).encode())}.{segment(json.dumps(claims).encode())}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(SHA256())))
        return f"{signed}.{segment(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def logout_token(self, **changed: object) -> str:
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": self.server.url,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_hex(8),
            "sub": self.user["sub"],
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        }
        return self.sign({name: value for name, value in (claims | changed).items() if value is not None})

    def _token(self, form: dict[str, str]) -> object:
        asked = self._codes.pop(form.get("code", ""), None)
        challenge = segment(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if asked is None or challenge != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        access_token = secrets.token_urlsafe(16)
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": self.server.url,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "auth_time": now,
            "nonce": asked["nonce"],
            "at_hash": segment(hashlib.sha256(access_token.encode()).digest()[:16]),
            "sid": secrets.token_hex(8),
            **self.user,
        }
        claims = {name: value for name, value in (claims | self.lies).items() if value is not None}
        return {"access_token": access_token, "token_type": "Bearer", "id_token": self.sign(claims, **self.header_lies)}

    def authorization(self) -> str:
        """Return the client and secret that the last exchange was made with."""
        (*_, sent) = (sent["Authorization"] for sent in self.server.headers if "Authorization" in sent)
        return b64decode(sent.removeprefix("Basic ")).decode()


@contextmanager
def small_issuer(directory: Path, institution: Institution) -> Iterator[SmallIssuer]:
    with json_server(directory) as server:
        yield SmallIssuer(server, institution)
