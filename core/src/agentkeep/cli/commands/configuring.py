"""`config`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from agentkeep.cli.commands.about import health_facts
from agentkeep.cli.output import Output, visible_line
from agentkeep.cli.running import opened
from agentkeep.cli.settings import Settings
from agentkeep.config import json_schema


async def config(settings: Callable[[], Settings], out: Output, *, check: bool) -> int:
    """Print what is in force and where each value came from; with `check`, open the database and ask its health."""
    wanted = settings()
    in_force = wanted.config.in_force()
    health = await _health(wanted) if check else None
    if out.as_json:
        values = {key: {"value": value, "from": origin} for key, value, origin in in_force}
        out.record({"file": wanted.config.file, "settings": values} | ({"health": health} if health else {}))
        return 0
    out.table(("KEY", "VALUE", "FROM"), ((key, _cell(value), origin) for key, value, origin in in_force))
    if health is not None:
        warnings = health.pop("warnings")
        out.line()
        out.facts((name, "-" if value is None else value) for name, value in health.items())
        for warning in warnings:
            out.line(f"warning: {visible_line(warning)}", "bold yellow")
    return 0


async def _health(settings: Settings) -> dict[str, Any]:
    """Also makes what only a program uses, the manager's options and the retention policy, so that they are checked."""
    policy = settings.config.retention
    async with opened(settings, create=False) as keep:
        settings.config.session_manager(keep)
        health = health_facts(await keep.health())
    return {"health": "ok", **health, "retention": "none" if policy is None else "set"}


async def schema(out: Output) -> int:
    """Print the JSON Schema of a configuration file."""
    text = msgspec.json.encode(json_schema())
    out.line((text if out.as_json else msgspec.json.format(text)).decode())
    return 0


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
