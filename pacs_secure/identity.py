"""Makes what proves who people are, as the settings say: issuers whose tokens are believed."""

import stat
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from pacs_secure.adapters.bound_tokens import BoundTokens
from pacs_secure.adapters.claims import ClaimsMap
from pacs_secure.adapters.development_issuer import Connection, DevelopmentIssuer
from pacs_secure.adapters.https_json import HttpsJson
from pacs_secure.adapters.openid_client import Client, OpenIdClient
from pacs_secure.adapters.openid_discovery import Discovery, fetch
from pacs_secure.adapters.tokens import JoseAuthenticator, Keys, TrustedIssuer, fetched_keys
from pacs_secure.archive.sessions import SessionTerms
from pacs_secure.core.errors import Denied, Unavailable
from pacs_secure.core.identifiers import institution
from pacs_secure.crypto.certificates import read_certificate
from pacs_secure.ports import UsedTokens
from pacs_secure.settings import LOOPBACK, Issuer, Settings


def authenticator(settings: Settings) -> JoseAuthenticator:
    """Return what believes the configured issuers, and the development issuer when its key is named."""
    return JoseAuthenticator(_trusted(settings))


def device_authenticator(settings: Settings, used: UsedTokens) -> BoundTokens:
    """Return what believes the same issuers when they vouch for the person behind a device."""
    return BoundTokens(_trusted(settings), settings.dicom.ae_title, used)


def development_issuer(settings: Settings) -> DevelopmentIssuer:
    """Return the development issuer, which refuses to work where others can reach the archive.

    Raises:
        Denied: it is not configured, or a door is not on loopback.
    """
    key_file = settings.identity.development_key_file
    if key_file is None:
        raise Denied("this installation has no development issuer; tokens come from its identity provider")
    return DevelopmentIssuer(key_file, loopback={settings.web.host, settings.dicom.host} <= LOOPBACK)


def connection(settings: Settings, certificate: bytes) -> Connection:
    """Return between which device, by its certificate (PEM), and this archive a token is to be good."""
    return Connection(settings.dicom.ae_title, read_certificate(certificate).sha256)


def login_provider(settings: Settings) -> OpenIdClient | None:
    """Return where people log in by their browser, or None when nobody does; nothing is asked yet."""
    login = settings.identity.login
    if login is None:
        return None
    (chosen,) = (one for one in settings.identity.issuers if one.issuer == login.issuer)
    client = Client(
        login.client_id,
        None if login.client_secret_file is None else _secret(login.client_secret_file),
        login.public_url.rstrip("/"),
        login.scopes,
        login.after_logout_url,
    )
    trusted = trusted_issuer(chosen, keys_of(chosen), login.client_id)
    return OpenIdClient(trusted, discovery_of(chosen), client)


def session_terms(settings: Settings) -> SessionTerms:
    """Return how long sessions last."""
    login = settings.identity.login
    if login is None:
        return SessionTerms()
    return SessionTerms(timedelta(minutes=login.idle_minutes), timedelta(hours=login.longest_hours))


def trusted_issuer(chosen: Issuer, keys: Keys, audience: str | None = None) -> TrustedIssuer:
    """Return what a verifier needs to know of a configured issuer; ID tokens have an ``audience`` of their own."""
    return TrustedIssuer(
        chosen.issuer,
        audience or chosen.audience,
        chosen.algorithm,
        keys,
        frozenset(institution(one) for one in chosen.institutions),
        _meaning(chosen),
        chosen.token_ids,
    )


def keys_of(chosen: Issuer) -> Keys:
    """Return where an issuer's keys are fetched from; nothing is fetched yet."""
    return fetched_keys(_fetching(chosen), chosen.algorithm)


def discovery_of(chosen: Issuer) -> Discovery:
    """Return what finds an issuer's endpoints."""
    return Discovery(chosen.issuer, HttpsJson(chosen.ca_file))


def _trusted(settings: Settings) -> list[TrustedIssuer]:
    trusted = [trusted_issuer(one, keys_of(one)) for one in settings.identity.issuers]
    if settings.identity.development_key_file is not None:
        trusted.append(development_issuer(settings).trusted([institution(settings.institution)]))
    return trusted


def _secret(file: Path) -> str:
    """Read a client's secret from a file that its owner alone can read."""
    try:
        shared = stat.S_IMODE(file.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO)
        secret = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        raise Unavailable("the client secret cannot be read") from None
    if shared:
        raise Denied("the client secret's file must be readable by its owner only")
    if not secret:
        raise Unavailable("the client secret's file is empty")
    return secret


def _fetching(chosen: Issuer) -> Callable[[], Mapping[str, object]]:
    if chosen.jwks_url is None:
        return discovery_of(chosen).key_set
    https, url = HttpsJson(chosen.ca_file), chosen.jwks_url
    return lambda: fetch(https, url)


def _meaning(chosen: Issuer) -> ClaimsMap:
    claims = chosen.claims
    return ClaimsMap(
        subject=claims.subject,
        subject_prefix=chosen.subject_prefix,
        role=claims.role,
        roles=chosen.roles,
        department=claims.department,
        institution=claims.institution,
        home=None if chosen.institution is None else institution(chosen.institution),
        purpose=claims.purpose,
        acr=chosen.second_factor_acr,
        amr=chosen.second_factor_amr,
    )
