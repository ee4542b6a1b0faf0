"""A configuration that was read: what it opens, and where its values came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec
from msgspec import UNSET

from agentkeep._registry import adapter_for
from agentkeep.config._files import Key
from agentkeep.config._layers import Layer
from agentkeep.config._schema import DURATION, Settings
from agentkeep.config._wrappers import Wrap, named_wrapper
from agentkeep.errors import AdapterNotInstalled, ConfigurationError, InvalidInput
from agentkeep.keep import Keep, View
from agentkeep.protocol import PersistenceAdapter
from agentkeep.spi.urls import redact

if TYPE_CHECKING:
    from agentkeep.conversations import SessionManager
    from agentkeep.retention import RetentionPolicy

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SECRET_WORDS = ("pass", "secret", "token", "key")


class Setting(NamedTuple):
    """One value that is in force. Secrets are not shown."""

    key: str
    value: Any
    origin: str
    """`argument`, an environment variable, `agentkeep.toml:3`, or `default`."""


class Config:
    """A configuration that was read. Its repr and its errors show no secret."""

    def __init__(self, settings: Settings, given: Layer, secrets: dict[str, str], file: str | None) -> None:
        self._settings = settings
        self._given = given
        self._secrets = secrets
        self.file = file
        """The file that was read, if there is one."""

    def __repr__(self) -> str:
        return (
            f"<Config {', '.join(f'{key}={value!r}' for key, value, origin in self.in_force() if origin != 'default')}>"
        )

    @property
    def url(self) -> str:
        """With its password. Raises `ConfigurationError` if no place names a database."""
        if self._settings.url is None:
            raise ConfigurationError(
                'no database is named: give AGENTKEEP_URL, or in agentkeep.toml: url = "sqlite:///chat.db"'
            )
        return self._settings.url

    @property
    def tenant(self) -> str:
        return self._settings.tenant

    @property
    def options(self) -> dict[str, Any]:
        """Of the adapter."""
        return dict(self._settings.options)

    @property
    def retention(self) -> RetentionPolicy | None:
        """The section `[retention]`; None if it sets no limit. Raises `ConfigurationError`."""
        from agentkeep.retention import RetentionPolicy

        limits: dict[str, Any] = {
            name: value for name, value in msgspec.structs.asdict(self._settings.retention).items() if value is not None
        }
        for name in limits.keys() & {"max_age", "max_idle"}:
            limits[name] = self._duration(("retention", name), limits[name])
        return self._checked(lambda: RetentionPolicy(**limits), "retention") if limits else None

    def origin(self, *key: str) -> str:
        """Where a value came from."""
        return self._given[key].origin if key in self._given else "default"

    def in_force(self) -> list[Setting]:
        """Each value with its origin, defaults included; no secret."""
        found: list[Setting] = []
        for key, value in _flat(self._settings):
            written = self._given[key].written if key in self._given else value
            shown = written if "${" in str(written) else value
            found.append(Setting(".".join(key), _shown(key[-1], shown), self.origin(*key)))
        return found

    def adapter(self, *, create: bool = True, wrap: Iterable[Wrap] = ()) -> PersistenceAdapter:
        """The adapter with its wrappers, not open yet. Without `create` its `open` makes no database.

        Raises `ConfigurationError`, `AdapterNotInstalled`.
        """
        adapter = self._checked(lambda: adapter_for(self.url, self.options, create=create), "options")
        for name in self._settings.wrappers:
            adapter = self._wrapper(name)(adapter)
        for wrapper in wrap:
            adapter = wrapper(adapter)
        return adapter

    def keep(self, *, create: bool = True, wrap: Iterable[Wrap] = ()) -> Keep:
        """A keep that is not open yet. Raises `ConfigurationError`, `AdapterNotInstalled`."""
        settings = self._settings
        adapter = self.adapter(create=create, wrap=wrap)
        idle_ttl = None if settings.idle_ttl is None else self._duration(("idle_ttl",), settings.idle_ttl)
        return self._checked(
            lambda: Keep(adapter, tenant=settings.tenant, idle_ttl=idle_ttl, own_loop=settings.own_loop), None
        )

    def session_manager(self, view: View, **more: Any) -> SessionManager:
        """A manager with the options of the section `[manager]`; `more` comes before them.

        A function such as `migrate`, and `hooks`, can't stand in a configuration: give them here.
        Raises `ConfigurationError`.
        """
        from agentkeep.conversations import SessionManager

        options: dict[str, Any] = msgspec.structs.asdict(self._settings.manager)
        if options["idle_ttl"] is UNSET:
            del options["idle_ttl"]
        else:
            options["idle_ttl"] = self._duration(("manager", "idle_ttl"), options["idle_ttl"])
        return self._checked(lambda: SessionManager(view, **options | more), "manager")

    def _wrapper(self, name: str) -> Wrap:
        """Raises `ConfigurationError`."""
        try:
            return named_wrapper(name)
        except ConfigurationError as error:
            raise ConfigurationError(f"{self.origin('wrappers')}: {self._hidden(str(error))}") from None

    def _duration(self, key: Key, value: float | str) -> timedelta:
        if isinstance(value, str):
            found = re.fullmatch(DURATION, value)
            if found is None:
                raise ConfigurationError(
                    f"{self.origin(*key)}: {'.'.join(key)} is {self._hidden(value)!r}: "
                    "give seconds, or a number with ms, s, m, h, d or w, such as 30d"
                )
            unit = found[2] or "s"
            value = float(value.removesuffix(unit)) * _UNITS[unit]
        try:
            return timedelta(seconds=value)
        except (OverflowError, ValueError) as error:
            raise ConfigurationError(f"{self.origin(*key)}: {'.'.join(key)} is {value} seconds: give fewer") from error

    def _checked(self, make: Callable[[], Any], section: str | None) -> Any:
        """What `make` returns. Its error gets the place of the value that it speaks of, and no secret."""
        try:
            return make()
        except AdapterNotInstalled as error:
            raise AdapterNotInstalled(self._told(str(error), section)) from error
        except (ConfigurationError, InvalidInput) as error:
            raise ConfigurationError(self._told(str(error), section)) from None  # the cause may show a secret

    def _told(self, message: str, section: str | None) -> str:
        spoken_of = (key for key in self._given if key[-1] in message and (key[0] == section or len(key) == 1))
        key = next(spoken_of, ("url",))
        origin = self.origin(*key)
        told = self._hidden(message)
        return told if origin in ("default", "argument") else f"{origin}: {told}"

    def _hidden(self, text: str) -> str:
        for secret, shown in sorted(self._secrets.items(), key=lambda pair: -len(pair[0])):
            text = text.replace(secret, shown)
        return text


def _flat(settings: Settings) -> list[tuple[Key, Any]]:
    found: list[tuple[Key, Any]] = []
    for name, value in msgspec.structs.asdict(settings).items():
        if isinstance(value, msgspec.Struct):
            found += [
                ((name, inner), item) for inner, item in msgspec.structs.asdict(value).items() if item is not UNSET
            ]
        elif name == "options":
            found += [((name, inner), item) for inner, item in cast("dict[str, Any]", value).items()]
        else:
            found.append(((name,), value))
    return found


def _shown(name: str, value: Any) -> Any:
    """A value without secrets (ERR-3): what stands for a password by its name, and the passwords of URLs."""
    if isinstance(value, dict):
        return {key: _shown(key, item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_shown(name, item) for item in cast("list[Any]", value)]
    if value is not None and any(word in name.lower() for word in _SECRET_WORDS):
        return value if re.fullmatch(r"\$\{\w+\}", str(value)) else "***"
    return redact(value) if isinstance(value, str) and "://" in value else value
