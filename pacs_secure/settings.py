"""What an installation decides: one TOML file, frozen, no unknown keys, and no secret with a default.

Every value can be overridden by an environment variable ``PACS_SECURE__SECTION__KEY``. Secrets are
named by the file that holds them, never written here.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

Port = Annotated[int, Field(ge=1, le=65535)]
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Section(BaseModel):
    """One table of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Vault(Section):
    """Where the keys live."""

    address: str
    ca_file: Path
    credentials_file: Path
    """JSON, mode 0600: role name -> {"role_id", "secret_id"}."""


class Dicom(Section):
    """The DICOM door."""

    host: str = "127.0.0.1"
    port: Port = 2762
    ae_title: Annotated[str, Field(min_length=1, max_length=16)] = "PACS_SECURE"
    certificate_file: Path
    key_file: Path
    ca_file: Path


class Web(Section):
    """The HTTP door."""

    host: str = "127.0.0.1"
    port: Port = 8443
    certificate_file: Path
    key_file: Path
    largest_instance: Annotated[int, Field(gt=0)] = 2 << 30
    """Bytes one STOW-RS part may have."""


class Index(Section):
    """Where index and ledger are kept."""

    file: Path
    """SQLite database."""


class Objects(Section):
    """Where the sealed objects are kept."""

    directory: Path
    least_free: Annotated[int, Field(ge=0)] = 256 << 20
    """Bytes of free space below which nothing is accepted (0xA700, 503)."""


class Ledger(Section):
    """Where checkpoints are published, and under which name."""

    checkpoint_directory: Path
    origin: str
    public_key_file: Path
    """PEM; what `ledger verify` trusts, so that it also works while the vault is away."""


class Identity(Section):
    """Whose tokens are accepted."""

    development_key_file: Path
    """Key of the built-in development issuer, the only one supported so far; works on loopback only."""


class Access(Section):
    """The times that decisions about access rest on."""

    days_after_treatment: Annotated[int, Field(ge=0)] = 90
    """From the end of a treatment until its studies are for those only whom the policy names (ACC-07)."""
    minutes_of_fresh_login: Annotated[int, Field(gt=0, le=60)] = 5
    """How old a login may be to break the glass (ACC-06)."""
    hours_of_emergency: Annotated[int, Field(gt=0, le=4)] = 4
    """How long a broken glass stays broken at most (ACC-06)."""


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
    policy_directory: Path | None = None
    """None: the policy that ships with the package."""

    @model_validator(mode="after")
    def _development_stays_at_home(self) -> Self:
        if not {self.dicom.host, self.web.host} <= LOOPBACK:
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
