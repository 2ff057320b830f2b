"""Secret ids that come wrapped: a token that opens once, so that whoever took it on the way is noticed.

Between whoever administers the vault and the process that logs in, a secret id passes through files and tools. So it
may be delivered wrapped (``bao write -wrap-ttl=5m -f auth/approle/role/store/secret-id``): the vault gives it out
once, to whoever brings the token first. A second one learns that it is too late, and that is an alarm.
"""

import stat
from contextlib import suppress
from pathlib import Path

from pacs_secure.adapters.vault_session import Token, VaultSession
from pacs_secure.core.errors import Tampered, Unavailable


def unwrap_secret_id(address: str, ca_file: Path, role: str, token_file: Path) -> str:
    """Return the secret id of a role, once; the spent token's file is removed.

    Raises:
        Tampered: the token was unwrapped already or is too old, or it wraps something else.
        Unavailable: the vault is out of reach, or there is no token to read that others cannot.
    """
    session = VaultSession(address, ca_file, Token(_read(role, token_file)))
    try:
        return _unwrap(session, role, token_file)
    finally:
        session.close()


def _read(role: str, token_file: Path) -> str:
    try:
        token = token_file.read_text(encoding="ascii").strip()
        shared = stat.S_IMODE(token_file.stat().st_mode) & 0o077
    except (OSError, ValueError):
        token, shared = "", 0
    if not token:
        raise Unavailable(f"the wrapping token of the vault role {role} is missing: have another one delivered")
    if shared:
        raise Unavailable(f"the wrapping token of the vault role {role} may be read by others")
    return token


def _unwrap(session: VaultSession, role: str, token_file: Path) -> str:
    found = session.post("sys/wrapping/lookup", {})
    if not found.done:
        raise _spent(role)
    # Whoever opened it first could wrap a secret id of their own anew: the vault says what this one was made for.
    if found.text("data", "creation_path") != f"auth/approle/role/{role}/secret-id":
        raise Tampered(f"what is delivered to the vault role {role} was not wrapped for it: somebody has exchanged it")
    unwrapped = session.post("sys/wrapping/unwrap", {})
    if not unwrapped.done:
        raise _spent(role)
    with suppress(OSError):  # it opens nothing any more
        token_file.unlink()
    return unwrapped.text("data", "secret_id")


def _spent(role: str) -> Tampered:
    return Tampered(
        f"the wrapping token of the vault role {role} was unwrapped already, or is too old: somebody else may hold its "
        "secret id; have that destroyed and another one delivered"
    )
