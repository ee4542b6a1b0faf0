"""The namespaces of tests: new ones, and those that a test used and emptied, which need no new schema."""

from __future__ import annotations

from uuid import uuid4

from agentkeep_conformance.enrolment import Enrolment

_emptied: dict[tuple[type[Enrolment], str], list[str]] = {}
"""By enrolment and dsn."""

NEED_NEW = frozenset(
    {
        "cancellation",
        "cost",
        "cost_reads",
        "crashes",
        "declarations",
        "faults",
        "file_costs",
        "growth",
        "held_commits",
        "lifecycle",
        "loops",
        "power_cuts",
        "prefixes",
        "processes",
        "schema_versions",
        "steps",
        "timeouts",
        "troubles",
        "upgrade",
        "watching_cuts",
    }
)
"""Families that create the schema themselves, measure work, or leave calls that a server may still be running."""


def fresh_namespace() -> str:
    """Short, of [a-z0-9_], a letter first; never the same twice."""
    return f"n{uuid4().hex[:10]}"


def emptied_namespace(enrolment: Enrolment, dsn: str) -> str | None:
    """One that has a schema and no data, None if there is none. Nobody else gets it."""
    free = _emptied.get((type(enrolment), dsn))
    return free.pop() if free else None


async def give_back(enrolment: Enrolment, dsn: str, namespace: str) -> None:
    """Keep a namespace for a later test if the enrolment can empty it, else drop it."""
    if await enrolment.empty(dsn, namespace):
        _emptied.setdefault((type(enrolment), dsn), []).append(namespace)
    else:
        await enrolment.drop(dsn, namespace)
