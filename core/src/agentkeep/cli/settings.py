"""Which database a command uses: what the configuration says (`agentkeep.config`), else a file in the data folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from platformdirs import user_data_path

from agentkeep.config import Config, load
from agentkeep.errors import ConfigurationError
from agentkeep.keep import Keep
from agentkeep.protocol import PersistenceAdapter
from agentkeep.spi.urls import redact

BUILT_IN = "default"


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration of a command, with `--url` and `--tenant` as its arguments."""

    config: Config

    @property
    def url(self) -> str:
        """With its password."""
        return self.config.url

    @property
    def shown_url(self) -> str:
        """Without a secret."""
        return redact(str(next(value for key, value, _ in self.config.in_force() if key == "url")))

    @property
    def place(self) -> str:
        """The database and the tenant, for a sentence."""
        return f"{self.shown_url}, tenant {self.tenant!r}"

    @property
    def origin(self) -> str:
        """Where the URL came from."""
        return self.config.origin("url")

    @property
    def tenant(self) -> str:
        return self.config.tenant

    def connect(self, *, create: bool = True) -> Keep:
        """A keep that is not open yet; no I/O. Raises `ConfigurationError`.

        Without `create` a database that does not exist is an error when it is opened, except for the default file.
        """
        return self.config.keep(create=create or self.origin == BUILT_IN)

    def adapter(self) -> PersistenceAdapter:
        """The adapter below the keep, not open yet; no I/O. Raises `ConfigurationError`."""
        return self.config.adapter()

    def make_room(self) -> None:
        """Make the folder of the default file, if that is the database. Raises `ConfigurationError`."""
        if self.origin == BUILT_IN:
            _make_folder(default_file().parent)


def choose(url: str | None, tenant: str | None) -> Settings:
    """The configuration that is in force. Raises `ConfigurationError`."""
    return Settings(load(url=url, tenant=tenant, default_url=default_url()))


def default_file() -> Path:
    """The SQLite file that is used if nothing names a database."""
    return user_data_path("agentkeep", appauthor=False) / "agentkeep.db"


def default_url() -> str:
    return f"sqlite:///{quote(default_file().as_posix(), safe='/:')}"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"the folder {folder} for the database can't be made: {error.strerror}") from error
