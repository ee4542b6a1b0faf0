"""One configuration for a program and for the command line.

    keep = agentkeep.from_config()                     # what the environment and agentkeep.toml say

    config = agentkeep.config.load()                   # the same, with the sections for a manager and for retention
    async with config.keep() as keep:
        manager = config.session_manager(keep)

A value comes from the first of these places that has it: an argument of the call; the environment (`AGENTKEEP_URL`,
`AGENTKEEP_MANAGER__WINDOW`); a file (`agentkeep.toml`, `agentkeep.yaml` or the table `[tool.agentkeep]` of
`pyproject.toml`, in the current folder); the default. `[options]` belong to the URL beside them: with a URL from
another place they are not used.

`${NAME}` in a value of a file stands for that environment variable. Its value is shown in no error and no listing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from agentkeep.config._config import Config, Setting
from agentkeep.config._load import Source, load
from agentkeep.config._schema import Manager, json_schema
from agentkeep.keep import Keep
from agentkeep.protocol import PersistenceAdapter

__all__ = ["Config", "Manager", "Setting", "Source", "from_config", "json_schema", "load"]


def from_config(
    source: Source = None,
    *,
    wrap: Iterable[Callable[[PersistenceAdapter], PersistenceAdapter]] = (),
    **given: Any,
) -> Keep:
    """A `Keep` as the configuration says, not open yet. Does no I/O but reading the file.

    `source`: a file; or a mapping, which comes before the environment; or None: the file is looked for in the current
    folder. `given`: values that come before all others, such as `url` or `tenant`. `wrap`: as in `connect`, around the
    wrappers that the configuration names. Raises `ConfigurationError`, `AdapterNotInstalled`.
    """
    return load(source, **given).keep(wrap=wrap)
