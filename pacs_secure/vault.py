"""The vault as one process of an installation meets it: a session for each role it was given credentials of."""

import json
import logging
import os
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pacs_secure.adapters.vault_session import TIMEOUT, AppRole, VaultSession
from pacs_secure.adapters.vault_wrapping import unwrap_secret_id
from pacs_secure.core.errors import Tampered, Unavailable
from pacs_secure.ports import Alarm
from pacs_secure.settings import Settings

log = logging.getLogger(__name__)


class Vault:
    """The sessions of one process, each with the rights of one role.

    Secret ids that come wrapped are unwrapped now, and are in memory only.

    Raises:
        Unavailable: the credentials cannot be read, or a wrapped one cannot be unwrapped.
    """

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self._spent: dict[str, Tampered] = {}
        # None: what is told of the role is not understood.
        self._identities = {role: self._identity(role, told) for role, told in self._read().items()}

    def session(self, role: str, timeout: tuple[float, float] = TIMEOUT) -> VaultSession:
        """Return a session that logs in as ``role`` when it is first used, closed with the house.

        Raises:
            Tampered: its secret id was delivered wrapped, and somebody else has unwrapped it.
        """
        return self._open(self.identity(role), timeout)

    def identity(self, role: str) -> AppRole:
        """Return what a role logs in with; raises as `session`, and `Unavailable` for one that was not given."""
        if role in self._spent:
            raise self._spent[role]
        identity = self._identities.get(role)
        if identity is None:
            raise Unavailable(f"the vault credentials lack the role {role}")
        return identity

    def session_if_given(self, role: str, timeout: tuple[float, float] = TIMEOUT) -> VaultSession | None:
        """Return such a session, or None when this process was not given the role, or somebody else was."""
        return None if role in self._spent or role not in self._identities else self.session(role, timeout)

    def anonymous(self) -> VaultSession:
        """Return a session for what needs no login."""
        return self._open(None)

    def demand_whole(self) -> None:
        """Raise `Tampered` when somebody else has unwrapped what was delivered to this process."""
        for error in self._spent.values():
            raise error

    def tell(self, alarm: Alarm) -> None:
        """Raise an alarm for every wrapped secret id that somebody else had unwrapped, at this start or an earlier one.

        Raises:
            Unavailable: it cannot be recorded now; it is kept for the next time.
        """
        for told in self._notes():
            alarm("vault credentials", told)
        with suppress(OSError):
            self._note_file.unlink(missing_ok=True)

    @property
    def _note_file(self) -> Path:
        file = self._settings.vault.credentials_file
        return file.with_name(f"{file.name}.spent")

    def _read(self) -> dict[str, Any]:
        try:
            told = json.loads(self._settings.vault.credentials_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            told = None
        if not isinstance(told, dict):
            raise Unavailable("the vault credentials cannot be read")
        return told

    def _identity(self, role: str, told: object) -> AppRole | None:
        """Return what a role logs in with, None when there is nothing."""
        match told:
            case {"role_id": str(role_id), "secret_id": str(secret_id)}:
                return AppRole(role_id, secret_id)
            case {"role_id": str(role_id), "wrapping_token_file": str(file)}:
                return self._unwrapped(role, role_id, Path(file))
        return None

    def _unwrapped(self, role: str, role_id: str, token_file: Path) -> AppRole | None:
        vault = self._settings.vault
        file = vault.credentials_file.parent / token_file
        try:
            return AppRole(role_id, unwrap_secret_id(vault.address, vault.ca_file, role, file))
        except Tampered as error:
            log.critical("%s", error)
            self._spent[role] = error
            self._note(role)
        return None

    def _note(self, role: str) -> None:
        """Keep for the ledger what cannot be recorded before it is open, and perhaps not at this start at all."""
        line = json.dumps({"role": role, "noticed": datetime.now(UTC).isoformat(timespec="seconds")})
        try:
            descriptor = os.open(self._note_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "a", encoding="utf-8") as file:
                file.write(f"{line}\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            log.error("it cannot be kept for the ledger that a secret id was unwrapped")  # noqa: TRY400 - the words say it

    def _notes(self) -> list[dict[str, str | int]]:
        try:
            lines = self._note_file.read_text(encoding="utf-8").splitlines()
        except OSError:
            return []
        notes: list[dict[str, str | int]] = []
        for line in lines:
            with suppress(ValueError):
                match json.loads(line):
                    case {"role": str(role), "noticed": str(noticed)}:
                        notes.append({"role": role, "noticed": noticed})
        return notes

    def _open(self, identity: AppRole | None, timeout: tuple[float, float] = TIMEOUT) -> VaultSession:
        vault = self._settings.vault
        session = VaultSession(vault.address, vault.ca_file, identity, timeout=timeout)
        self._stack.callback(session.close)
        return session
