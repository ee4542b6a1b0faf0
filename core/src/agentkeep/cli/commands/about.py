"""`doctor` and `adapters`."""

from __future__ import annotations

import platform
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import EntryPoint, PackageNotFoundError, version
from typing import Any
from uuid import uuid4

import msgspec

from agentkeep._registry import installed_adapters
from agentkeep.capabilities import Capabilities
from agentkeep.cli.failures import REFUSED, CommandError
from agentkeep.cli.output import Output, visible_line
from agentkeep.cli.running import opened
from agentkeep.cli.settings import Settings
from agentkeep.errors import PersistenceError
from agentkeep.keep import Keep
from agentkeep.models import Health, Message, NewMessage

_LEFT_BEHIND = timedelta(hours=1)
"""Doctor's own session expires after this time, even if doctor was killed."""


async def doctor(settings: Callable[[], Settings], out: Output) -> int:
    """Try what an application needs from the database, on a session made for this."""
    wanted = settings()
    report: dict[str, Any] = {"url": wanted.shown_url, "from": wanted.origin, "tenant": wanted.tenant}
    async with opened(wanted, create=False) as keep:
        health = await keep.health()
        report |= health_facts(health)
        report |= await _exercise(keep)
        report["capabilities"] = msgspec.structs.asdict(keep.capabilities)
    report["versions"] = _versions()
    if out.as_json:
        out.record(report)
    else:
        _print_report(out, report)
    return 0


async def _exercise(keep: Keep) -> dict[str, str]:
    """Write, read back, delete. Raises `CommandError` if it reads something other than it wrote."""
    session = await keep.sessions.create(f"agentkeep-doctor-{uuid4().hex}", ttl=_LEFT_BEHIND)
    try:
        written = await keep.messages.append(session.id, [NewMessage(role="user", content="Zoë says 你好\0\n")])
        read = [message async for message in keep.messages.iterate(session.id)]
        _require_same(list(written), read)
    finally:
        deleted = await keep.sessions.delete(session.id)
    if not deleted or await keep.sessions.find(session.id) is not None:
        raise CommandError("a session that was deleted is still there", REFUSED)
    return {"write": "ok", "read": "ok", "delete": "ok"}


def _require_same(written: list[Message], read: list[Message]) -> None:
    if written != read:
        raise CommandError("a message that was read is not what was written", REFUSED)


def _versions() -> dict[str, str]:
    """Of Python, Agentkeep and every installed adapter's package."""
    packages = {"agentkeep"} | {entry.dist.name for entry in installed_adapters().values() if entry.dist is not None}
    found = {"python": platform.python_version()}
    for name in sorted(packages):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def _print_report(out: Output, report: dict[str, Any]) -> None:
    nested = {name: report.pop(name) for name in ("capabilities", "versions", "warnings")}
    out.facts((name, "-" if value is None else value) for name, value in report.items())
    out.line()
    out.line("capabilities", "bold")
    out.facts((f"  {name}", _shown(value)) for name, value in nested["capabilities"].items())
    out.line("versions", "bold")
    out.facts((f"  {name}", value) for name, value in nested["versions"].items())
    for warning in nested["warnings"]:
        out.line(f"warning: {visible_line(warning)}", "bold yellow")


async def adapters(out: Output) -> int:
    """Print the installed adapters and what each declares."""
    found = {scheme: _declared(entry) for scheme, entry in sorted(installed_adapters().items())}
    if out.as_json:
        for scheme, declared in found.items():
            dist = installed_adapters()[scheme].dist
            told, problem = (declared, None) if isinstance(declared, Capabilities) else (None, str(declared))
            package = dist.name if dist is not None else None
            out.record({"scheme": scheme, "package": package, "capabilities": told, "error": problem})
        return 0
    usable = {scheme: declared for scheme, declared in found.items() if isinstance(declared, Capabilities)}
    rows = [
        (name, *(_shown(getattr(declared, name)) for declared in usable.values()))
        for name in Capabilities.__struct_fields__
    ]
    out.table(("", *(f"{scheme}://" for scheme in usable)), rows)
    for scheme, declared in found.items():
        if not isinstance(declared, Capabilities):
            out.line(visible_line(f"{scheme}: {_why_unknown(declared)}"))
    return 0


def _why_unknown(error: Exception) -> str:
    if isinstance(error, PersistenceError):  # this adapter's URLs need a server
        return "what it offers depends on the server: see agentkeep --url URL doctor"
    return f"it can't be imported: {error}"


def health_facts(health: Health) -> dict[str, Any]:
    """Its fields, with the latency in milliseconds."""
    facts = msgspec.structs.asdict(health)
    facts["latency_ms"] = round(facts.pop("latency").total_seconds() * 1000, 3)
    return facts


def _declared(entry: EntryPoint) -> Capabilities | Exception:
    """What an adapter declares before it is opened, or the error that prevents it."""
    try:
        return entry.load().from_url(f"{entry.name}://").capabilities
    except (ImportError, AttributeError, PersistenceError) as error:
        return error


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
