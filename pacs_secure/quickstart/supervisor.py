"""Starts the processes of a quickstart in order, restarts those that die, and ends them in reverse.

1. tidy       what an earlier supervisor that was killed has left running
2. vault      start it, initialise it once, unseal it
3. provision  mounts, roles, keys, certificates, configuration
4. witnesses  start two that watch the ledger
5. devices    enrol the sample devices
6. archive    start it and wait until it says that it is ready
7. samples    send them once, over TLS DICOM
8. publish    quickstart.json
9. watch      until told to end
"""

import os
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from pacs_secure.adapters.openbao_server import HOST, OpenBaoServer, UnsealSecrets
from pacs_secure.core.errors import Unavailable
from pacs_secure.quickstart import processes
from pacs_secure.quickstart.layout import Layout, Ports, ports, withdraw
from pacs_secure.quickstart.processes import Process, identify
from pacs_secure.quickstart.provision import enrol_devices, open_vault, provision_archive
from pacs_secure.quickstart.publication import publish
from pacs_secure.quickstart.samples import send_samples

LOOK_EVERY = 0.25
REPUBLISH_EVERY = timedelta(minutes=5).total_seconds()
"""So that whoever reads the file has a token of a fresh login, as breaking the glass asks for."""
SECONDS_TO_OPEN = 30.0
LONGEST_PAUSE = 10.0
"""Seconds between two starts of a process that keeps dying."""

Say = Callable[[str], None]


@dataclass(slots=True)
class Supervisor:
    """The one that holds the lock of a directory and answers for its processes."""

    layout: Layout
    say: Say
    sample: bool = True
    ending: threading.Event = field(default_factory=threading.Event)
    _ports: Ports = field(init=False)
    _server: OpenBaoServer = field(init=False)
    _running: dict[str, Process] = field(default_factory=dict)
    _pause: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ports = ports(self.layout)
        self._server = OpenBaoServer(self.layout.vault, self._ports.vault, self._ports.vault_cluster)

    def start(self) -> None:
        """Take every step up to `watch`; whatever was started is ended again when one fails."""
        try:
            self._start()
        except BaseException:
            self.end()
            raise

    def watch(self) -> None:
        """Restart what dies, until told to end; then end everything."""
        published = time.monotonic()
        try:
            while not self.ending.wait(LOOK_EVERY):
                self._revive()
                if time.monotonic() - published > REPUBLISH_EVERY:
                    self._publish()
                    published = time.monotonic()
        finally:
            self.end()

    def end(self) -> None:
        """End the archive, then its witnesses and the vault."""
        withdraw(self.layout)
        for name in self._order:
            process = self._running.pop(name, None)
            if process is not None:
                process.end()
        processes.remember(self.layout, [])

    def _start(self) -> None:
        # 1 tidy
        withdraw(self.layout)
        for left in processes.remembered(self.layout):
            if left.alive and left.pid != os.getpid():
                self.say(f"ending {left.name}, left by an earlier start")
                left.end()
        # 2 vault
        self.say("starting the vault (OpenBao)")
        secrets = self._start_vault()
        # 3 provision
        self.say("provisioning keys, roles and certificates")
        provision_archive(self.layout, self._ports, self._server, secrets)
        # 4 witnesses
        self.say("starting two witnesses of the ledger; under one administration with it they prove little")
        for name in self.layout.witnesses:
            self._start_witness(name)
        # 5 devices
        enrol_devices(self.layout)
        # 6 archive
        self.say("opening the archive")
        self._start_archive()
        self._wait_until_ready()
        # 7 samples
        if self.sample and not self.layout.samples_file.exists():
            self.say("storing sample studies over TLS DICOM")
            send_samples(self.layout, self._ports)
        # 8 publish
        self._publish()

    def _start_vault(self) -> UnsealSecrets:
        self._server.write_config()
        pid = self._server.start()
        self._remember("openbao", pid)
        self._server.wait_until_listening(pid)
        return open_vault(self.layout, self._server)

    def _start_archive(self) -> None:
        self._run("archive", "pacs_secure.cli", "--config", str(self.layout.config_file), "serve")

    def _start_witness(self, name: str) -> None:
        directory, port = str(self.layout.witnesses[name]), str(self._ports.of_witness(name))
        self._run(name, "pacs_secure.witness", "serve", directory, "--host", HOST, "--port", port)

    def _run(self, name: str, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", module, *arguments]
        descriptor = os.open(self.layout.log_of(name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            started = subprocess.Popen(  # noqa: S603 - our own program
                command, stdin=subprocess.DEVNULL, stdout=descriptor, stderr=descriptor, start_new_session=True
            )
        finally:
            os.close(descriptor)
        started.returncode = 0  # reaped by `_reap`, so that the object does not warn when it goes
        self._remember(name, started.pid)

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + SECONDS_TO_OPEN
        context = ssl.create_default_context(cafile=str(self.layout.ca_file))
        url = f"https://{HOST}:{self._ports.web}/readyz"
        while time.monotonic() < until and not self.ending.is_set():
            with suppress(OSError), urllib.request.urlopen(url, timeout=2, context=context):
                return
            if not self._running["archive"].alive:
                raise Unavailable(f"the archive ended at once; {self.layout.log_file} says why")
            time.sleep(0.05)
        raise Unavailable(f"the archive does not get ready; {self.layout.log_file} says why")

    def _revive(self) -> None:
        _reap()
        starts: dict[str, Callable[[], object]] = {"openbao": self._start_vault, "archive": self._start_archive}
        starts |= {name: partial(self._start_witness, name) for name in self.layout.witnesses}
        for name, start in starts.items():
            if self._running[name].alive:
                continue
            pause = self._pause.get(name, 0.0)
            self.say(f"{name} has died; starting it again")
            if self.ending.wait(pause):
                return
            self._pause[name] = min(LONGEST_PAUSE, pause * 2 or 1.0)
            try:
                start()
                self._publish()
            except Unavailable as error:
                self.say(f"{name} did not start: {error}")

    def _publish(self) -> None:
        pids = {name: process.pid for name, process in self._running.items()} | {"supervisor": os.getpid()}
        publish(self.layout, self._ports, self._server, pids)

    @property
    def _order(self) -> tuple[str, ...]:
        """Return in which order processes are ended."""
        return ("archive", *self.layout.witnesses, "openbao")

    def _remember(self, name: str, pid: int) -> None:
        self._running[name] = identify(name, pid)
        order = [self._running[one] for one in self._order if one in self._running]
        processes.remember(self.layout, [identify("supervisor", os.getpid()), *order])


def _reap() -> None:
    """Take leave of children that have died, so that none is mistaken for living."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
