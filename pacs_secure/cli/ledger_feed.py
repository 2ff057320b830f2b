"""The command that passes the ledger on as audit messages."""

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from typing import Annotated

import typer

from pacs_secure.archive.feed import Feeding
from pacs_secure.cli.house import archive_of
from pacs_secure.cli.ledger import ledger_app
from pacs_secure.messages import dicom_xml, fhir_event
from pacs_secure.messages.occurrence import Occurrence

LOOK_AGAIN = 0.5
"""Seconds between two looks at the ledger while following it."""


class Format(StrEnum):
    """How entries are written, one a line."""

    ATNA = "atna"
    FHIR = "fhir"


_RENDERINGS: dict[Format, Callable[[Occurrence], str]] = {
    Format.ATNA: dicom_xml.render,
    Format.FHIR: lambda one: json.dumps(fhir_event.render(one), ensure_ascii=False, separators=(",", ":")),
}


@ledger_app.command("feed")
def ledger_feed(
    context: typer.Context,
    as_format: Annotated[
        Format, typer.Option("--format", help="DICOM audit messages (XML), or FHIR AuditEvents (NDJSON).")
    ],
    start: Annotated[int, typer.Option("--from", min=0, help="Ledger index of the first entry.")] = 0,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what is recorded from now on.")] = False,
) -> None:
    """Write entries as audit messages, one a line; names and whatever else is sealed stay sealed."""
    with archive_of(context) as (archive, subject):
        try:
            with archive.feed.begin(subject, None, start, {"format": as_format.value}) as feeding:
                _write(feeding, _RENDERINGS[as_format], None if follow else feeding.size())
        except BrokenPipeError:
            # Whoever read along has gone; the act is on record as aborted.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None


def _write(feeding: Feeding, render: Callable[[Occurrence], str], stop: int | None) -> None:
    """Write pages until the ledger was read to ``stop``; None: until interrupted, which is the end that was meant."""
    with suppress(KeyboardInterrupt):
        while stop is None or feeding.place < stop:
            page = feeding.page()
            if page.next_place == feeding.place:
                if stop is not None:
                    return
                time.sleep(LOOK_AGAIN)
            for one in page.entries:
                sys.stdout.write(render(one) + "\n")
            sys.stdout.flush()
            feeding.passed_on(page)
