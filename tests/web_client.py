"""Speaks to an ASGI application in this process, as an HTTP client would."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import httpx
from fastapi import FastAPI


@dataclass
class WebClient:
    """One client of one application; every request has an event loop of its own."""

    app: FastAPI
    headers: Mapping[str, str] = field(default_factory=dict)
    address: str = "192.0.2.10"

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self.request("GET", url, headers)

    def delete(self, url: str) -> httpx.Response:
        return self.request("DELETE", url)

    def post(self, url: str, content: bytes | AsyncIterator[bytes], headers: Mapping[str, str]) -> httpx.Response:
        return self.request("POST", url, headers, content)

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | AsyncIterator[bytes] | None = None,
    ) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=(self.address, 40_000))
            async with httpx.AsyncClient(transport=transport, base_url="https://pacs.example") as client:
                sent = {**self.headers, **(headers or {})}
                return await client.request(method, url, headers=sent, content=content)

        return asyncio.run(ask())
