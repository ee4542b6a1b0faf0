"""Finds a wrapper by the name that a configuration gives."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from agentkeep.errors import ConfigurationError
from agentkeep.protocol import PersistenceAdapter

GROUP = "agentkeep.wrappers"
"""The entry-point group of wrappers with a name."""
Wrap = Callable[[PersistenceAdapter], PersistenceAdapter]


def named_wrapper(name: str) -> Wrap:
    """The installed wrapper of this name, or the attribute of `module:attribute`. Raises `ConfigurationError`."""
    from importlib.metadata import entry_points  # slow to import

    installed = {entry.name: entry for entry in entry_points(group=GROUP)}
    module, separator, attribute = name.partition(":")
    try:
        if name in installed:
            return cast("Wrap", installed[name].load())
        if separator:
            return cast("Wrap", getattr(import_module(module), attribute))
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"the wrapper {name!r} can't be imported ({type(error).__name__})") from error
    known = ", ".join(sorted(installed)) or "none"
    raise ConfigurationError(
        f"there is no wrapper {name!r}: give module:attribute, or the name of an installed one ({known})"
    )
