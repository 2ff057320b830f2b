"""The keys over HTTP: how they stand, turning the institution's key, and wrapping the shelf anew."""

import time
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter

from pacs_secure.archive import Archive
from pacs_secure.archive.rekey import Stay
from pacs_secure.core.access import Action
from pacs_secure.ports import Shelf
from pacs_secure.web.api import Api, Asked, Body
from pacs_secure.web.identity import Identification

NOTE = {"protocol": "API"}
LONGEST = 10.0
"""Seconds one request goes on wrapping; the archive itself goes on in the background."""


class Kek(Body):
    """The versions of the institution's key."""

    newest: int
    """What everything is wrapped under from now on."""
    least: int
    """The oldest version that still unwraps."""
    made_at: datetime


class OnShelf(Body):
    """One shelf, and how far its newest rewrapping has come."""

    shelf: Shelf
    keys: int
    rewrapped: int
    failed: int
    finished_at: datetime | None


class Keys(Body):
    """How the keys stand."""

    kek: Kek
    pending: bool
    """Whether a rewrapping is not at its end."""
    shelves: list[OnShelf]


class Rewrapping(Body):
    """What one request has done."""

    version: int
    rewrapped: int
    forgotten: int
    failed: int
    older_versions_stay: Stay
    """`nothing` when they are retired; `stopped` when the archive goes on in the background."""


def routes(archive: Archive, identification: Identification) -> APIRouter:
    """Return the endpoints."""
    api, verb = Api(archive, identification, "Keys"), archive.rekey

    def show_keys(asked: Asked[None, None]) -> Keys:
        """Show the versions of the institution's key, and how many keys lie on each shelf."""
        status = verb.status(asked.caller.subject, asked.caller.purpose, details=NOTE)
        kek = Kek(newest=status.kek.newest, least=status.kek.least, made_at=status.kek.made_at)
        shelves = [
            OnShelf(
                shelf=one.shelf,
                keys=one.keys,
                rewrapped=one.row.done if one.row else 0,
                failed=one.row.failed if one.row else 0,
                finished_at=one.row.finished if one.row else None,
            )
            for one in status.shelves
        ]
        return Keys(kek=kek, pending=status.pending, shelves=shelves)

    def rotate_key(asked: Asked[None, None]) -> Kek:
        """Turn the institution's key; everything on the shelf is then wrapped anew."""
        state = verb.rotate(asked.caller.subject, asked.caller.purpose, details=NOTE)
        return Kek(newest=state.newest, least=state.least, made_at=state.made_at)

    def rewrap_keys(asked: Asked[None, None]) -> Rewrapping:
        """Go on wrapping the shelf anew, for ten seconds at most."""
        done = verb.rewrap(asked.caller.subject, asked.caller.purpose, details=NOTE, stop=_after(LONGEST))
        return Rewrapping(
            version=done.version,
            rewrapped=done.done,
            forgotten=done.gone,
            failed=done.failed,
            older_versions_stay=done.stay,
        )

    api.add("GET", "/keys", show_keys, action=Action.KEYS_STATUS, answer=Keys)
    api.add("POST", "/keys/rotations", rotate_key, action=Action.KEYS_ROTATE, answer=Kek, status=HTTPStatus.CREATED)
    api.add("POST", "/keys/rewrappings", rewrap_keys, action=Action.KEYS_REWRAP, answer=Rewrapping)
    return api.router


def _after(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() >= until
