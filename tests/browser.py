"""A browser as far as logins go: it keeps cookies, follows where it is sent, and says where a request comes from."""

from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from pacs_secure.web.identity import SESSION_COOKIE


class Web(Protocol):
    """Whatever sends a request and does not follow redirects."""

    def request(self, method: str, url: str, headers: dict[str, str]) -> httpx.Response: ...


@dataclass
class Browser:
    """One browser at the archive; ``log_in_at`` is how its user logs in at the provider."""

    web: Web
    origin: str
    log_in_at: Callable[[str], str]
    cookies: dict[str, str] = field(default_factory=dict)
    set_cookies: dict[str, str] = field(default_factory=dict)
    """The last whole Set-Cookie of each name."""

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.ask("GET", path, {"Sec-Fetch-Site": "same-origin", **headers})

    def post(self, path: str, **headers: str) -> httpx.Response:
        return self.ask("POST", path, {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", **headers})

    def ask(self, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
        if self.cookies:
            headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()), **headers}
        answer = self.web.request(method, path, headers)
        for line in answer.headers.get_list("set-cookie"):
            self._keep(line)
        return answer

    def log_in(self, path: str = "/auth/login") -> httpx.Response:
        """Go through a whole login and return the archive's last answer."""
        return self.come_back(self.log_in_at(self.begin(path)))

    def begin(self, path: str = "/auth/login") -> str:
        """Begin a login; return where the archive sends the browser."""
        answer = self.get(path)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def come_back(self, url: str) -> httpx.Response:
        """Come back from the provider, which is another site."""
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}" == self.origin
        return self.ask(
            "GET", f"{parts.path}?{parts.query}", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        )

    @property
    def logged_in(self) -> bool:
        return SESSION_COOKIE in self.cookies

    def _keep(self, line: str) -> None:
        for name, morsel in SimpleCookie(line).items():
            self.set_cookies[name] = line
            if morsel["max-age"] == "0":
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value
