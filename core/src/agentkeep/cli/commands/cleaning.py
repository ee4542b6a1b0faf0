"""`sweep` and `prune`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agentkeep.cli.commands.changing import agreed, require_terminal
from agentkeep.cli.failures import REFUSED, CommandError
from agentkeep.cli.output import Output, counted
from agentkeep.cli.settings import Settings
from agentkeep.keep import Keep
from agentkeep.retention import Pruned, RetentionPolicy
from agentkeep.retention import prune as prune_by

_STEP = 1_000


async def sweep(keep: Keep, out: Output, settings: Settings) -> int:
    """Remove all that has expired, of all tenants, in steps, and print how much that was."""
    removed = 0
    while step := await keep.sweep(_STEP):
        removed += step
    if out.as_json:
        out.record({"removed": removed})
    else:
        out.line(f"{counted(removed, 'expired session')} removed from {settings.shown_url}")
    return 0


async def prune(keep: Keep, out: Output, settings: Settings, *, given: dict[str, Any], dry_run: bool, yes: bool) -> int:
    """Remove what the policy does not keep, and print how much that was."""
    policy = replace(settings.config.retention or RetentionPolicy(), **given)
    if policy == RetentionPolicy():
        raise CommandError("nothing says what to remove: give --max-idle 90d, or [retention] in agentkeep.toml")
    if not yes and not dry_run:
        require_terminal()
    found = await prune_by(keep, policy, dry_run=True)
    if not dry_run and found != Pruned():
        if not yes and not agreed(f"Remove {_sentence(found)} from {settings.place}?"):
            return REFUSED
        found = await prune_by(keep, policy)
    if out.as_json:
        out.record({"sessions": found.sessions, **found.to_dict(), "removed": not dry_run})
    else:
        out.line(f"{_sentence(found)} {'would be ' if dry_run else ''}removed")
    return 0


def _sentence(found: Pruned) -> str:
    messages = f" and {counted(found.messages, 'message')} of others" if found.messages else ""
    return counted(found.sessions, "session") + messages
