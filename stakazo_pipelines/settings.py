"""Where things are and who we are to the platforms: read from the environment, never written anywhere."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from stakazo_pipelines.errors import ConfigError

LIVE_URLS = {
    "meta": "https://graph.facebook.com",
    "tiktok": "https://business-api.tiktok.com",
    "linkedin": "https://api.linkedin.com",
}
SANDBOX_TOKEN = "sandbox"  # noqa: S105 - opens only the simulated world


class Settings(BaseSettings):
    """The environment. Secrets are SecretStr: printing the object shows stars."""

    # The prefix is for the fields' own names: without it `home` would also be read from HOME.
    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True, env_prefix="STAKAZO_")

    home: Path = Field(default=Path(".stakazo"), validation_alias="STAKAZO_HOME")
    policy_file: Path = Field(default=Path("policy.yaml"), validation_alias="STAKAZO_POLICY")
    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    sandbox_url: str | None = Field(default=None, validation_alias="STAKAZO_SANDBOX_URL")
    meta_access_token: SecretStr | None = Field(default=None, validation_alias="META_ACCESS_TOKEN")
    tiktok_access_token: SecretStr | None = Field(default=None, validation_alias="TIKTOK_ACCESS_TOKEN")
    linkedin_access_token: SecretStr | None = Field(default=None, validation_alias="LINKEDIN_ACCESS_TOKEN")
    secret_key: SecretStr | None = Field(default=None, validation_alias="SECRET_KEY")
    meta_base_url: str = Field(default=LIVE_URLS["meta"], validation_alias="META_BASE_URL")
    tiktok_base_url: str = Field(default=LIVE_URLS["tiktok"], validation_alias="TIKTOK_BASE_URL")
    linkedin_base_url: str = Field(default=LIVE_URLS["linkedin"], validation_alias="LINKEDIN_BASE_URL")

    @property
    def lake_root(self) -> Path:
        return self.home / "lake"

    @property
    def dagster_home(self) -> Path:
        return self.home / "dagster"

    @property
    def operations_url(self) -> URL:
        """SQLite in the home, or DATABASE_URL with its driver spelled out."""
        if self.database_url is None or not self.database_url.get_secret_value():
            return make_url(f"sqlite:///{(self.home / 'operations.db').resolve()}")
        return database_url(self.database_url.get_secret_value())

    def base_url(self, platform: str) -> str:
        """Where a platform is reached: the sandbox while one is set, else the live host or its override."""
        if self.sandbox_url is not None:
            return self.sandbox_url
        if platform not in LIVE_URLS:
            raise ConfigError(f"no base URL is known for platform {platform!r}")
        return str(getattr(self, f"{platform}_base_url"))

    def token(self, platform: str) -> SecretStr:
        """The platform's token. A live token never reaches the sandbox. Raises ConfigError where none is set."""
        if self.sandbox_url is not None:
            return SecretStr(SANDBOX_TOKEN)
        found: SecretStr | None = getattr(self, f"{platform}_access_token", None)
        if found is None or not found.get_secret_value():
            raise ConfigError(
                f"{platform}: no token; set {platform.upper()}_ACCESS_TOKEN, "
                f"or take {platform} out of `platforms` in {self.policy_file}"
            )
        return found


def database_url(raw: str) -> URL:
    """`postgres://` and `postgresql://` with the psycopg2 driver named: SQLAlchemy 2.1 would take psycopg 3 otherwise.

    A SQLite URL is taken as it is. Raises ConfigError, without the URL, for anything else.
    """
    try:
        url = make_url(raw)
    except ArgumentError:
        raise ConfigError("DATABASE_URL is not a URL; expected postgresql://user:password@host:port/name") from None
    if url.drivername in {"postgres", "postgresql", "postgresql+psycopg2"}:
        return url.set(drivername="postgresql+psycopg2")
    if url.get_backend_name() == "sqlite":
        return url
    raise ConfigError(
        f"DATABASE_URL: {url.drivername} is not supported; use postgresql:// or leave it unset for SQLite"
    )
