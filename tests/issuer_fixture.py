"""Two real OpenID providers that tests log in at: OpenBao's own, and npm's `oidc-provider`."""

import json
import os
import secrets
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

from tests.certificates import Authority
from tests.vault_fixture import RunningVault, free_ports

AUDIENCE = "pacs-secure"
PACKAGE = Path(__file__).parent / "integration" / "oidc_provider"
ROLES = {"doctors": "radiologist", "keepers": "admin", "machines": "technologist"}
SECONDS_TO_INSTALL = 300


class Issuer(Protocol):
    """One real provider, the archive's client at it, and people who have accounts there."""

    name: str
    client_secret: str

    def tables(self, public_url: str) -> str:
        """Return the ``[identity]`` tables that make the archive trust it."""

    def register(self, public_url: str) -> None:
        """Make the archive known as a client."""

    def log_in(self, user: str, authorization_url: str) -> str:
        """Be that user's browser at the provider; return where it is sent back to."""

    def machine_token(self) -> str:
        """Return a JWT for a machine."""


def table(**said: object) -> str:
    """Write one TOML table; a TOML value is written like a JSON one."""
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in said.items() if value is not None)


# --- OpenBao ----------------------------------------------------------------------------------


@dataclass
class OpenBaoIssuer:
    """OpenBao's OIDC provider, with people who log in by a password that nobody chose."""

    vault: RunningVault
    institution: str
    name: str = "openbao"
    passwords: dict[str, str] = field(default_factory=dict)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)

    @property
    def ca_file(self) -> Path:
        return self.vault.ca_file

    @property
    def base(self) -> str:
        return f"{self.vault.address}/v1/identity/oidc"

    def set_up(self) -> None:
        """Make userpass, its people, their groups, and what tokens say of them."""
        said = '{"groups": {{identity.entity.groups.names}}, "department": {{identity.entity.metadata.department}}}'
        machine = '{"role": {{identity.entity.groups.names}}, "department": {{identity.entity.metadata.department}}}'
        self._write("sys/auth/pacs-people", {"type": "userpass"})
        self._write("identity/oidc/key/pacs", {"algorithm": "ES256", "allowed_client_ids": "*"})
        self._write("identity/oidc/scope/pacs", {"template": said})
        self._write("identity/oidc/config", {"issuer": self.vault.address})
        self._write(
            "identity/oidc/role/pacs", {"key": "pacs", "client_id": AUDIENCE, "template": machine, "ttl": "10m"}
        )
        rule = 'path "identity/oidc/token/pacs" { capabilities = ["read"] }\n'
        rule += 'path "identity/oidc/provider/pacs/authorize" { capabilities = ["read", "update"] }\n'
        self._write("sys/policies/acl/pacs-people", {"policy": rule})
        accessor = self._read("sys/auth").text("data", "pacs-people/", "accessor")
        for user, group in (("r.weber", "doctors"), ("k.adler", "keepers"), ("ct-station", "machines")):
            self.passwords[user] = secrets.token_urlsafe(16)
            self._write(
                f"auth/pacs-people/users/{user}",
                {"password": self.passwords[user], "token_policies": "pacs-people"},
            )
            entity = {"name": user, "metadata": {"department": "radiology"}, "policies": []}
            entity_id = self._write("identity/entity", entity).text("data", "id")
            alias = {"name": user, "canonical_id": entity_id, "mount_accessor": accessor}
            self._write("identity/entity-alias", alias)
            self._write("identity/group", {"name": group, "member_entity_ids": [entity_id]})

    def register(self, public_url: str) -> None:
        client = f"identity/oidc/client/pacs-{secrets.token_hex(4)}"
        self._write(
            client,
            {
                "key": "pacs",
                "redirect_uris": [f"{public_url}/auth/callback"],
                "assignments": ["allow_all"],
                "client_type": "confidential",
            },
        )
        made = self._read(client)
        self.client_id, self.client_secret = made.text("data", "client_id"), made.text("data", "client_secret")
        self._write(
            "identity/oidc/provider/pacs",
            {"allowed_client_ids": ["*"], "scopes_supported": ["pacs"], "issuer": self.vault.address},
        )

    def tables(self, public_url: str) -> str:
        people, machines = (
            table(
                issuer=issuer,
                audience=audience,
                algorithm="ES256",
                ca_file=str(self.ca_file),
                token_ids=False,
                institutions=[self.institution],
                institution=self.institution,
                subject_prefix=prefix,
            )
            + f"[identity.issuers.claims]\n{table(role=role)}[identity.issuers.roles]\n{table(**ROLES)}"
            for issuer, audience, prefix, role in (
                (f"{self.base}/provider/pacs", "nobody's", "person:", "groups"),
                (self.base, AUDIENCE, "machine:", "role"),
            )
        )
        login = table(issuer=f"{self.base}/provider/pacs", client_id=self.client_id, public_url=public_url)
        login += table(scopes=["openid", "pacs"], client_secret_file="client-secret")
        return f"[[identity.issuers]]\n{people}[[identity.issuers]]\n{machines}[identity.login]\n{login}"

    def log_in(self, user: str, authorization_url: str) -> str:
        with self._browser() as browser:
            token = self._token(browser, user)
            url = urlsplit(authorization_url)
            asked = f"{self.base}/provider/pacs/authorize?{url.query}"
            answer = browser.get(asked, headers={"X-Vault-Token": token})
            assert answer.status_code == 200, answer.text
            query = dict(httpx.QueryParams(url.query))
            return f"{query['redirect_uri']}?{urlencode({**answer.json()})}"

    def machine_token(self) -> str:
        with self._browser() as browser:
            token = self._token(browser, "ct-station")
            answer = browser.get(f"{self.base}/token/pacs", headers={"X-Vault-Token": token})
            return str(answer.json()["data"]["token"])

    def _token(self, browser: httpx.Client, user: str) -> str:
        url = f"{self.vault.address}/v1/auth/pacs-people/login/{user}"
        answer = browser.post(url, json={"password": self.passwords[user]})
        return str(answer.json()["auth"]["client_token"])

    def _browser(self) -> httpx.Client:
        return httpx.Client(verify=ssl.create_default_context(cafile=str(self.ca_file)), timeout=10)

    def _write(self, path: str, body: Mapping[str, Any]) -> Any:
        with self.vault.administering() as administrator:
            return administrator.post(path, body).demand_done()

    def _read(self, path: str) -> Any:
        with self.vault.administering() as administrator:
            return administrator.get(path).demand_done()


# --- npm's oidc-provider ----------------------------------------------------------------------


@dataclass
class NpmIssuer:
    """npm's `oidc-provider`, the kind of provider that Keycloak is: JWT access tokens, sid, back-channel logout."""

    directory: Path
    modules: Path
    institution: str
    name: str = "oidc-provider"
    client_id: str = "pacs"
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    machine_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    _process: "subprocess.Popen[str] | None" = None
    _browsers: dict[str, httpx.Client] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self._port,) = free_ports(1)
        self.authority = Authority(self.directory, "issuer-authority")
        self._pair = self.authority.issue("issuer")
        self.ca_file = self.authority.file

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    def register(self, public_url: str) -> None:
        """Start it: its clients are given when it starts."""
        self.stop()
        told = {
            "issuer": self.url,
            "port": self._port,
            "audience": AUDIENCE,
            "certificate": str(self._pair.certificate),
            "key": str(self._pair.key),
            "people": {
                "r.weber": {"groups": ["doctors", "staff"], "department": "radiology", "amr": ["pwd", "otp"]},
                "k.adler": {"groups": ["keepers"], "department": "it", "amr": ["pwd"]},
                "machine": {"groups": ["machines"], "department": "radiology"},
            },
            "clients": [
                {
                    "client_id": self.client_id,
                    "client_secret": self.client_secret,
                    "redirect_uris": [f"{public_url}/auth/callback"],
                    "post_logout_redirect_uris": [f"{public_url}/"],
                    "grant_types": ["authorization_code"],
                    "id_token_signed_response_alg": "RS256",
                    "backchannel_logout_uri": f"{public_url}/auth/backchannel-logout",
                    "backchannel_logout_session_required": True,
                },
                {
                    "client_id": "machine",
                    "client_secret": self.machine_secret,
                    "redirect_uris": [],
                    "response_types": [],
                    "grant_types": ["client_credentials"],
                },
            ],
        }
        environment = {"PATH": os.environ["PATH"], "NODE_EXTRA_CA_CERTS": str(self.trusted_by_it)}
        self._process = subprocess.Popen(
            ["node", self.modules / "provider.js"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told))
        self._process.stdin.close()
        assert self._process.stdout.readline() == "ready\n"

    @property
    def trusted_by_it(self) -> Path:
        """The authorities that it trusts when it calls back; the archive's own is added by who starts one."""
        return self.directory / "trusted.pem"

    def tables(self, public_url: str) -> str:
        issuer = table(
            issuer=self.url,
            audience=AUDIENCE,
            algorithm="RS256",
            ca_file=str(self.ca_file),
            institutions=[self.institution],
            institution=self.institution,
            second_factor_amr=["otp"],
        )
        issuer += f"[identity.issuers.claims]\n{table(role='groups')}[identity.issuers.roles]\n{table(**ROLES)}"
        login = table(issuer=self.url, client_id=self.client_id, public_url=public_url)
        login += table(client_secret_file="client-secret", after_logout_url=f"{public_url}/")
        return f"[[identity.issuers]]\n{issuer}[identity.login]\n{login}"

    def log_in(self, user: str, authorization_url: str) -> str:
        return self._follow(self.browser(user), authorization_url)

    def browser(self, user: str) -> httpx.Client:
        """Return the user's browser as the provider knows it; it keeps the provider's cookies."""
        if user not in self._browsers:
            context = ssl.create_default_context(cafile=str(self.ca_file))
            self._browsers[user] = httpx.Client(verify=context, timeout=10, headers={"X-Test-User": user})
        return self._browsers[user]

    def log_out(self, user: str, url: str) -> httpx.Response:
        """Go where the archive sends the browser to end the provider's own session, and say yes."""
        browser = self.browser(user)
        page = browser.get(url)
        form = _Form()
        form.feed(page.text)
        return browser.post(f"{self.url}/session/end/confirm", data={**form.fields, "logout": "yes"})

    def machine_token(self) -> str:
        with httpx.Client(verify=ssl.create_default_context(cafile=str(self.ca_file))) as browser:
            form = {"grant_type": "client_credentials", "resource": "urn:pacs", "scope": "pacs"}
            answer = browser.post(f"{self.url}/token", data=form, auth=("machine", self.machine_secret))
            assert answer.status_code == 200, answer.text
            return str(answer.json()["access_token"])

    def stop(self) -> None:
        for browser in self._browsers.values():
            browser.close()
        self._browsers.clear()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def _follow(self, browser: httpx.Client, url: str) -> str:
        for _ in range(10):
            answer = browser.get(url)
            assert answer.status_code in {302, 303}, answer.text
            url = str(httpx.URL(url).join(answer.headers["location"]))
            if not url.startswith(self.url):
                return url
        raise AssertionError("the provider sends its browser round and round")


class _Form(HTMLParser):
    """The hidden fields of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "input" and said.get("type") == "hidden":
            self.fields[str(said["name"])] = str(said["value"])


def installed() -> Path:
    """Install the provider once for a machine and return its directory; skip where there is no npm."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm's oidc-provider: node and npm are not installed")
    pinned = b"".join((PACKAGE / name).read_bytes() for name in ("package.json", "package-lock.json"))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or gettempdir()) / f"pacs-secure-oidc-provider-{os.getuid()}"
    place = cache / sha256(pinned).hexdigest()[:16]
    if not (place / "node_modules").is_dir():
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        assert cache.stat().st_uid == os.getuid(), "somebody else's cache: what lies in it would be run"
        draft = cache / secrets.token_hex(8)
        shutil.copytree(PACKAGE, draft, ignore=shutil.ignore_patterns("node_modules"))
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=draft, capture_output=True, text=True, timeout=SECONDS_TO_INSTALL, check=False,
        )  # fmt: skip
        if done.returncode:
            shutil.rmtree(draft)
            pytest.skip("npm's oidc-provider: it cannot be installed from here")
        try:
            draft.rename(place)
        except OSError:  # another run was faster
            shutil.rmtree(draft)
    shutil.copy2(PACKAGE / "provider.js", place / "provider.js")
    return place


@contextmanager
def npm_issuer(directory: Path, institution: str) -> Iterator[NpmIssuer]:
    issuer = NpmIssuer(directory, installed(), institution)
    try:
        yield issuer
    finally:
        issuer.stop()
