"""Where things are and who we are to the platforms: read from the environment, never written anywhere."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from stakazo_pipelines.errors import ConfigError

META_LIVE_URL = "https://graph.facebook.com"


class Settings(BaseSettings):
    """The environment. Secrets are SecretStr: printing the object shows stars."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True)

    home: Path = Field(default=Path(".stakazo"), validation_alias="STAKAZO_HOME")
    policy_file: Path = Field(default=Path("policy.yaml"), validation_alias="STAKAZO_POLICY")
    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    sandbox_url: str | None = Field(default=None, validation_alias="STAKAZO_SANDBOX_URL")
    meta_access_token: SecretStr | None = Field(default=None, validation_alias="META_ACCESS_TOKEN")
    tiktok_access_token: SecretStr | None = Field(default=None, validation_alias="TIKTOK_ACCESS_TOKEN")
    linkedin_access_token: SecretStr | None = Field(default=None, validation_alias="LINKEDIN_ACCESS_TOKEN")
    secret_key: SecretStr | None = Field(default=None, validation_alias="SECRET_KEY")
    meta_base_url: str = Field(default=META_LIVE_URL, validation_alias="META_BASE_URL")

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
        return postgres_url(self.database_url.get_secret_value())


def postgres_url(raw: str) -> URL:
    """`postgres://` and `postgresql://` with the psycopg2 driver named: SQLAlchemy 2.1 would take psycopg 3 otherwise."""
    try:
        url = make_url(raw)
    except ArgumentError:  # the message of the original would show the password
        raise ConfigError("DATABASE_URL is not a URL; expected postgresql://user:password@host:port/name") from None
    if url.drivername in {"postgres", "postgresql", "postgresql+psycopg2"}:
        return url.set(drivername="postgresql+psycopg2")
    if url.get_backend_name() == "sqlite":
        return url
    raise ConfigError(
        f"DATABASE_URL: {url.drivername} is not supported; use postgresql:// or leave it unset for SQLite"
    )
