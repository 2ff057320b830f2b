"""What `pacs-secure quickstart`, `stop` and `status` do."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pacs_secure.core.errors import Unavailable
from pacs_secure.quickstart import processes
from pacs_secure.quickstart.layout import Layout, read_published, sole, withdraw

SECONDS_TO_START = 90.0

console = Console()


def start(data: Path, *, detach: bool, sample: bool, tour: bool) -> None:
    """Start the archive of a directory, or find it running; return when it is ready (``detach``) or has ended."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # for the vault too: a core would hold its keys
    layout = Layout(data)
    layout.prepare()
    if detach:
        _start_detached(layout, sample=sample)
        _tell(layout, tour=tour)
        return
    with sole(layout) as alone:
        if alone:
            _supervise(layout, sample=sample, tour=tour)
            return
    _wait_until_published(layout, None)
    console.print("It is running already.")
    _tell(layout, tour=tour)


def stop(data: Path) -> None:
    """End exactly what the quickstart of the directory started: the supervisor first, then what it left."""
    layout = Layout(data)
    left = processes.remembered(layout)
    for process in left:
        process.end(patience=30.0)
    if left:
        processes.remember(layout, [])
        withdraw(layout)
    console.print("stopped" if left else "nothing was running")


def status(data: Path, *, as_json: bool) -> int:
    """Show the processes of the directory; return 0 when all of them run, else 1."""
    layout = Layout(data)
    states = {process.name: process.alive for process in processes.remembered(layout)}
    ready = bool(states) and all(states.values()) and bool(read_published(layout).get("pids"))
    pids = {process.name: process.pid for process in processes.remembered(layout)}
    if as_json:
        shown = {name: {"pid": pids[name], "running": running} for name, running in states.items()}
        told = {"ready": ready, "data_dir": str(layout.root), "processes": shown}
        told |= {"scrub": _scrub(layout), "backup": _backup(layout)}
        console.print_json(json.dumps(told))
        return 0 if ready else 1
    if not states:
        console.print("nothing is running")
        return 1
    table = Table("process", "pid", "state")
    for name, running in states.items():
        table.add_row(name, str(pids[name]), "running" if running else "[red]not running[/red]")
    console.print(table)
    scrub = _scrub(layout)
    if scrub:
        console.print(f"scrub: {', '.join(f'{name} {value}' for name, value in scrub.items() if value != '')}")
    backup = _backup(layout)
    if backup:
        console.print(f"newest backup: taken {backup['taken_at']}, proven {backup['proven_at'] or 'never'}")
    return 0 if ready else 1


def _backup(layout: Layout) -> dict[str, str | None] | None:
    """Return what the place of the backups says of its newest sets, None before the first."""
    from pacs_secure.safekeeping import known

    newest = known(layout.backups)
    if newest is None:
        return None
    proven = None if newest.proven_at is None else newest.proven_at.isoformat()
    return {"set": newest.name, "taken_at": newest.taken_at.isoformat(), "proven_at": proven}


def _scrub(layout: Layout) -> dict[str, str | int] | None:
    """Return how the last scrub came out, or how far the first has come; None where nobody can say."""
    from pacs_secure import bootstrap, settings

    if not layout.config_file.exists() or not layout.index_file.exists():
        return None
    try:
        newest = bootstrap.last_scrub(settings.load(layout.config_file))
    except (OSError, ValueError, Unavailable):
        return None
    return None if newest is None else newest.told()


def _supervise(layout: Layout, *, sample: bool, tour: bool) -> None:
    from pacs_secure.quickstart.supervisor import Supervisor

    supervisor = Supervisor(layout, _say, sample)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: supervisor.ending.set())
    supervisor.start()
    try:
        _tell(layout, tour=tour)
        console.print("Ctrl-C ends everything.")
    except Exception:
        supervisor.end()
        raise
    supervisor.watch()


def _start_detached(layout: Layout, *, sample: bool) -> None:
    with sole(layout) as alone:
        running = not alone
    if running:
        _wait_until_published(layout, None)
        return
    withdraw(layout)
    command = [sys.executable, "-m", "pacs_secure.cli", "quickstart", "--data", str(layout.root)]
    descriptor = os.open(layout.steps_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        started = subprocess.Popen(  # noqa: S603 - our own program
            [*command, "--sample" if sample else "--no-sample"],
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
    _wait_until_published(layout, started)
    started.returncode = 0  # it outlives this process on purpose


def _wait_until_published(layout: Layout, started: "subprocess.Popen[bytes] | None") -> None:
    """Wait until the archive is ready, passing on what its supervisor says."""
    until = time.monotonic() + SECONDS_TO_START
    shown = 0
    while time.monotonic() < until:
        if started is not None:
            said = _said(layout)
            console.print(said[shown:], end="", markup=False, highlight=False)
            shown = len(said)
        if read_published(layout).get("pids"):
            return
        if started is not None and started.poll() is not None:
            reason = layout.steps_file.read_text().strip().rpartition("\n")[2]
            raise Unavailable(f"the quickstart ended before it was ready: {reason}")
        time.sleep(0.1)
    raise Unavailable("the archive did not get ready in time")


def _said(layout: Layout) -> str:
    """Return the whole lines that a detached supervisor has said about its steps."""
    with suppress(OSError):
        lines = layout.steps_file.read_text().splitlines(keepends=True)
        return "".join(line for line in lines if line.startswith("· ") and line.endswith("\n"))
    return ""


def _say(step: str) -> None:
    console.print(f"· {step}", highlight=False)


def _tell(layout: Layout, *, tour: bool) -> None:
    published = read_published(layout)
    console.print(f"Ready. Everything lies below {layout.root}; {layout.published_file.name} says where its doors are.")
    console.print("Tokens come from the development issuer: [bold]never for real patients[/bold].")
    if tour:
        from pacs_secure.quickstart.tour import show_tour

        show_tour(layout, published, console)
