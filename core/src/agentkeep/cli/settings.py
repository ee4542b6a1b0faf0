"""Which database a command uses: `--url`, else `AGENTKEEP_URL`, else `agentkeep.toml`, else a file in the data folder.

Options in `agentkeep.toml` belong to the URL in it, and are not used with another one.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from platformdirs import user_data_path

from agentkeep._registry import adapter_for
from agentkeep.errors import ConfigurationError
from agentkeep.keep import DEFAULT_TENANT, KEEP_OPTIONS, Keep
from agentkeep.protocol import PersistenceAdapter
from agentkeep.spi.urls import redact

VARIABLE = "AGENTKEEP_URL"
FILE = "agentkeep.toml"
BUILT_IN = "default"
_SECRET_WORDS = ("pass", "secret", "token", "key")


@dataclass(frozen=True, slots=True)
class Settings:
    """The chosen database, and the tenant."""

    url: str
    origin: str
    """`--url`, `AGENTKEEP_URL`, `agentkeep.toml` or `default`."""
    tenant: str
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    """The adapter's options, from the file."""

    def connect(self, *, create: bool = True) -> Keep:
        """A keep that is not open yet; no I/O. Raises `ConfigurationError`.

        Without `create` a database that does not exist is an error when it is opened, except for the default file.
        """
        own = {name: value for name, value in self.options.items() if name in KEEP_OPTIONS}
        return Keep(self.adapter(create=create), **own, tenant=self.tenant)

    def adapter(self, *, create: bool = True) -> PersistenceAdapter:
        """The adapter below the keep, not open yet; no I/O. Raises `ConfigurationError`."""
        options = {name: value for name, value in self.options.items() if name not in KEEP_OPTIONS}
        return adapter_for(self.url, options, create=create or self.origin == BUILT_IN)

    def make_room(self) -> None:
        """Make the folder of the default file, if that is the database. Raises `ConfigurationError`."""
        if self.origin == BUILT_IN:
            _make_folder(default_file().parent)

    def shown_options(self) -> dict[str, Any]:
        """The options without secrets (ERR-3)."""
        return {name: _shown(name, value) for name, value in self.options.items()}


def choose(url: str | None, tenant: str | None) -> Settings:
    """The first that is set of the four. Raises `ConfigurationError`."""
    wanted = DEFAULT_TENANT if tenant is None else tenant
    if url is not None:
        return Settings(url, "--url", wanted)
    from_environment = os.environ.get(VARIABLE)
    if from_environment:
        return Settings(from_environment, VARIABLE, wanted)
    options = _file_options(Path(FILE))
    if options is None:
        return Settings(default_url(), BUILT_IN, wanted)
    own_tenant = options.pop("tenant", DEFAULT_TENANT)
    return Settings(options.pop("url"), FILE, own_tenant if tenant is None else tenant, options)


def candidates(url: str | None) -> list[tuple[str, str | None]]:
    """All four in their order, and the URL of each, without its password."""
    options = _file_options(Path(FILE))
    given = (
        ("--url", url),
        (VARIABLE, os.environ.get(VARIABLE) or None),
        (FILE, None if options is None else str(options["url"])),
        (BUILT_IN, default_url()),
    )
    return [(origin, None if found is None else redact(found)) for origin, found in given]


def default_file() -> Path:
    """The SQLite file that is used if nothing names a database."""
    return user_data_path("agentkeep", appauthor=False) / "agentkeep.db"


def default_url() -> str:
    return f"sqlite:///{quote(default_file().as_posix(), safe='/:')}"


def _file_options(path: Path) -> dict[str, Any] | None:
    """The table `[agentkeep]` of the file, with a `url`. None if there is no such file."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        table: object = tomllib.loads(text).get("agentkeep")
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error
    if table is None:
        raise ConfigurationError(f'{path} has no table [agentkeep]: give it, and below it url = "sqlite:///chat.db"')
    if not isinstance(table, dict):
        raise ConfigurationError(
            f'{path}: [agentkeep] is not a table: give [agentkeep] and below it url = "sqlite:///…"'
        )
    options = cast("dict[str, Any]", table)
    if not isinstance(options.get("url"), str):
        raise ConfigurationError(f'{path}: [agentkeep] names no database: give url = "sqlite:///chat.db"')
    return options


def _shown(name: str, value: Any) -> Any:
    if any(word in name.lower() for word in _SECRET_WORDS):
        return "***"
    if isinstance(value, dict):
        return {key: _shown(key, item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_shown(name, item) for item in cast("list[Any]", value)]
    return redact(value) if isinstance(value, str) and "://" in value else value


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"the folder {folder} for the database can't be made: {error.strerror}") from error
