"""What an installation decides: one TOML file, frozen, no unknown keys, and no secret with a default.

Every value can be overridden by an environment variable ``PACS_SECURE__SECTION__KEY``. Secrets are
named by the file that holds them, never written here.
"""

from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, StringConstraints, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from pacs_secure.core.access import Role
from pacs_secure.sections import Backup, Clock, Keys, Ledger, Objects, Port, Section, Verification

HttpsUrl = Annotated[str, StringConstraints(pattern=r"^https://[!-~]+$")]
Address = Annotated[str, StringConstraints(pattern=r"^[^@\s<>,;:\"]+@[^@\s<>,;:\"]+$", max_length=254)]
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Vault(Section):
    """Where the keys live."""

    address: str
    ca_file: Path
    credentials_file: Path
    """JSON, mode 0600: role name -> {"role_id", "secret_id"}, or {"role_id", "wrapping_token_file"} where the secret id
    is delivered wrapped: the token in that file is unwrapped once, at the start."""


class Dicom(Section):
    """The DICOM door."""

    host: str = "127.0.0.1"
    port: Port = 2762
    ae_title: Annotated[str, Field(min_length=1, max_length=16)] = "PACS_SECURE"
    certificate_file: Path
    key_file: Path
    ca_file: Path
    revocation_lists: tuple[Path, ...] = ()
    """PEM files with the lists of other authorities in ``ca_file``, kept current by somebody else; the vault's own
    list is fetched from it."""
    revocation_every: Annotated[float, Field(gt=0, le=60)] = 20.0
    """Seconds between two looks at the list of revoked certificates; a minute is what is promised."""


class Web(Section):
    """The HTTP door."""

    host: str = "127.0.0.1"
    port: Port = 8443
    certificate_file: Path
    key_file: Path
    largest_instance: Annotated[int, Field(gt=0)] = 2 << 30
    """Bytes one STOW-RS part may have."""
    metrics_token_file: Path | None = None
    """Mode 0600, at least 32 bytes: what a watcher from elsewhere brings to `/metrics`; None: this machine only."""


class Index(Section):
    """Where index and ledger are kept."""

    file: Path | None = None
    """SQLite database, on a local file system."""
    url: Annotated[str, StringConstraints(pattern=r"^postgresql://[!-~]+$")] | None = None
    """PostgreSQL database; on another machine it is reached by verified TLS only (``sslrootcert=…``)."""
    password_file: Path | None = None
    """Mode 0600; read whenever a connection is made, so that a changed password needs no restart."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (self.url is None):
            raise ValueError("[index] names either file or url")
        if self.password_file is not None and self.url is None:
            raise ValueError("a file needs no password_file")
        if self.url is not None and _holds_password(self.url):
            raise ValueError("a password does not stand in [index] url: name its file in password_file")
        return self

    @property
    def place(self) -> Path | str:
        """Return where the database is."""
        return self.file or self.url or ""


class Tombstones(Section):
    """Where it stands which keys were forgotten."""

    directory: Path | None = None
    """In no backup, for a backup must not take it back; None: ``tombstones`` beside the ledger's directory."""


class Claims(Section):
    """Where an issuer says what of a person, as dotted paths; "" when it does not say."""

    subject: str = "sub"
    role: str = "role"
    department: str = "department"
    institution: str = "institution"
    purpose: str = "purpose"


class Issuer(Section):
    """An OpenID provider, or another issuer of signed tokens (RFC 9068)."""

    issuer: HttpsUrl
    audience: Annotated[str, Field(min_length=1)]
    algorithm: Literal["ES256", "RS256"]
    """Never taken from a token. python-jose knows neither EdDSA nor PS256: configure the provider's other key."""
    jwks_url: HttpsUrl | None = None
    """None: found by discovery below the issuer's own address."""
    ca_file: Path | None = None
    """The only authority trusted for this issuer; None: those that the system trusts."""
    token_ids: bool = True
    """Whether each access token must carry a `jti`. OpenBao's cannot: they are then named by their digest."""
    institutions: Annotated[frozenset[str], Field(min_length=1)]
    """Whose people it may vouch for."""
    institution: str | None = None
    """Everybody's, for an issuer whose tokens do not say."""
    subject_prefix: str = ""
    """Set before names: two issuers of one institution may give two people the same one."""
    claims: Claims = Claims()
    roles: Annotated[dict[str, Role], Field(min_length=1)]
    """The issuer's words for roles or groups -> ours. A person in none, or in two, is refused."""
    second_factor_acr: frozenset[str] = frozenset()
    second_factor_amr: frozenset[str] = frozenset()
    """Values of `acr` and `amr` that say that there was a second factor (ACC-09)."""

    @model_validator(mode="after")
    def _within_its_institutions(self) -> Self:
        if self.institution is not None and self.institution not in self.institutions:
            raise ValueError("an issuer's constant institution must be one that it may vouch for")
        if Role.STRANGER in self.roles.values() or Role.OPERATOR in self.roles.values():
            raise ValueError("no token makes a stranger or the operator of the machine")
        return self


class Login(Section):
    """Login in the browser: code with PKCE, a session on the server, a cookie without meaning (RFC 10017)."""

    issuer: HttpsUrl
    """One of the issuers above."""
    client_id: Annotated[str, Field(min_length=1)]
    client_secret_file: Path | None = None
    """None: a public client, proven by PKCE alone."""
    public_url: HttpsUrl
    """How browsers reach this archive, without a path: callback and Origin check are made from it."""
    scopes: tuple[str, ...] = ("openid",)
    after_logout_url: HttpsUrl | None = None
    """Where the provider sends the browser after a logout; it must know this address."""
    idle_minutes: Annotated[int, Field(ge=1, le=60)] = 15
    longest_hours: Annotated[int, Field(ge=1, le=24)] = 10

    @model_validator(mode="after")
    def _an_origin(self) -> Self:
        parts = urlsplit(self.public_url)
        if parts.path not in {"", "/"} or parts.query:
            raise ValueError("public_url is scheme, host and port only")
        return self


class Identity(Section):
    """Whose tokens are accepted, and how people log in."""

    development_key_file: Path | None = None
    """Key of the built-in development issuer: whoever can read it can be anyone, so it works on loopback only."""
    issuers: tuple[Issuer, ...] = ()
    login: Login | None = None

    @model_validator(mode="after")
    def _somebody_vouches(self) -> Self:
        if self.development_key_file is None and not self.issuers:
            raise ValueError("name an issuer of identities: [[identity.issuers]], or the development issuer's key")
        if len({one.issuer for one in self.issuers}) != len(self.issuers):
            raise ValueError("two issuers have the same name")
        if self.login is not None and self.login.issuer not in {one.issuer for one in self.issuers}:
            raise ValueError("the login's issuer must be one of [[identity.issuers]]")
        return self

    @model_validator(mode="after")
    def _no_two_people_of_one_name(self) -> Self:
        spoken_for = [(institution, one.subject_prefix) for one in self.issuers for institution in one.institutions]
        for (first, one), (second, other) in combinations(spoken_for, 2):
            if first == second and (one.startswith(other) or other.startswith(one)):
                raise ValueError("issuers that vouch for one institution need subject_prefix that begin differently")
        return self


class Access(Section):
    """The times that decisions about access rest on."""

    days_after_treatment: Annotated[int, Field(ge=0)] = 90
    """From the end of a treatment until its studies are for those only whom the policy names (ACC-07)."""
    minutes_of_fresh_login: Annotated[int, Field(gt=0, le=60)] = 5
    """How old a login may be to break the glass (ACC-06)."""
    hours_of_emergency: Annotated[int, Field(gt=0, le=4)] = 4
    """How long a broken glass stays broken at most (ACC-06)."""
    days_of_invitation: Annotated[int, Field(gt=0, le=90)] = 90
    """For how long a share or a board may reach at most."""


class Notices(Section):
    """How the data-protection officer is told at once; with none of it, notices wait to be asked for."""

    webhook_url: HttpsUrl | None = None
    webhook_secret_file: Path | None = None
    """Mode 0600, at least 32 bytes: what the receiver checks signatures with."""
    webhook_ca_file: Path | None = None
    """The only authority trusted for the receiver; None: those that the system trusts."""
    mail_host: str | None = None
    mail_port: Port = 587
    mail_security: Literal["starttls", "tls", "none"] = "starttls"
    mail_from: Address | Literal[""] = ""
    mail_to: tuple[Address, ...] = ()
    mail_user: str = ""
    mail_password_file: Path | None = None
    mail_ca_file: Path | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.webhook_url is None) != (self.webhook_secret_file is None):
            raise ValueError("a webhook needs webhook_url and webhook_secret_file")
        if self.mail_host is not None and not (self.mail_from and self.mail_to):
            raise ValueError("mail needs mail_from and mail_to")
        if self.mail_host is not None and self.mail_security == "none" and self.mail_host not in LOOPBACK:
            raise ValueError("mail goes in clear on loopback only")
        return self


def _holds_password(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.password) or "password" in parse_qs(parts.query)


class Settings(BaseSettings):
    """One installation."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="PACS_SECURE__", env_nested_delimiter="__"
    )

    institution: str
    role: Literal["all"] = "all"
    """Which processes this is; store, serve and keep will be split off by vault role."""
    vault: Vault
    dicom: Dicom
    web: Web
    index: Index
    objects: Objects
    ledger: Ledger
    identity: Identity
    access: Access = Access()
    notices: Notices = Notices()
    clock: Clock = Clock()
    keys: Keys = Keys()
    tombstones: Tombstones = Tombstones()
    verify: Verification = Verification()
    backup: Backup = Backup()
    policy_directory: Path | None = None
    """None: the policy that ships with the package."""

    @property
    def tombstone_directory(self) -> Path:
        """Return where tombstones lie."""
        return self.tombstones.directory or self.ledger.checkpoint_directory.with_name("tombstones")

    @model_validator(mode="after")
    def _development_stays_at_home(self) -> Self:
        if self.identity.development_key_file is not None and not {self.dicom.host, self.web.host} <= LOOPBACK:
            raise ValueError("the development issuer works on loopback only: bind the doors to 127.0.0.1")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the base's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment first, then the file given to `load`."""
        return env_settings, init_settings


def load(file: Path) -> Settings:
    """Read and check one configuration file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no TOML, or something in it is missing, unknown or forbidden.
    """
    return Settings(**TomlConfigSettingsSource(Settings, toml_file=file)())
