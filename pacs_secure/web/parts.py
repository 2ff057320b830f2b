"""Packs what is delivered: several parts into one multipart/related body, or a single one alone (PS3.18 8.6.1.2)."""

import secrets
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from pacs_secure.archive.retrieve import Retrieval
from pacs_secure.web.accept import MULTIPART, Offer
from pacs_secure.web.delivery import Delivery


@dataclass(frozen=True, slots=True)
class Part:
    """One instance or frame on its way out; opened when its turn comes."""

    content_type: str
    open: Callable[[], Iterator[bytes]]
    length: int | None = None
    """Bytes, when known beforehand."""


def deliver(stack: ExitStack, retrieval: Retrieval, offer: Offer, parts: Sequence[Part]) -> Delivery:
    """Send the parts as the offer says; ``stack`` holds the Retrieval and is closed when the answer ends."""
    if offer.media_type == MULTIPART:
        boundary = secrets.token_hex(16)
        content_type = f'{MULTIPART}; type="{offer.part_type}"; boundary={boundary}'
        return Delivery(
            stack, retrieval, _multipart(parts, boundary), content_type, _content_length(_total(parts, boundary))
        )
    (part,) = parts
    headers = {"Content-Disposition": "attachment", **_content_length(part.length)}
    return Delivery(stack, retrieval, _alone(part), part.content_type, headers)


def _alone(part: Part) -> Generator[bytes, None, None]:
    yield from part.open()


def _multipart(parts: Sequence[Part], boundary: str) -> Generator[bytes, None, None]:
    for part in parts:
        pieces = part.open()
        first = next(pieces, b"")  # opened before its head is sent: the very first failure still gets a status
        yield _head(part, boundary)
        yield first
        yield from pieces
        yield b"\r\n"
    yield _tail(boundary)


def _head(part: Part, boundary: str) -> bytes:
    return f"--{boundary}\r\nContent-Type: {part.content_type}\r\n\r\n".encode()


def _tail(boundary: str) -> bytes:
    return f"--{boundary}--\r\n".encode()


def _total(parts: Sequence[Part], boundary: str) -> int | None:
    total = len(_tail(boundary))
    for part in parts:
        if part.length is None:
            return None
        total += len(_head(part, boundary)) + part.length + len(b"\r\n")
    return total


def _content_length(length: int | None) -> dict[str, str]:
    return {} if length is None else {"Content-Length": str(length)}
