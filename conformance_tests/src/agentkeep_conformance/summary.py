"""Evidence in short: a small file of each run, to be kept, and the table that a README shows, one row an adapter."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from agentkeep_conformance.clauses import CLAUSES
from agentkeep_conformance.outcomes import sources_hash
from agentkeep_conformance.rendering import cell, totals

_HEAD = ["backend", "server", "clauses proved", "tests", "run", "search", "watch", "an acknowledged write outlives"]
_OUTLIVES = {
    "process": "nothing outside the process",
    "interval": "a crash, but for its last moment",
    "os": "a killed process",
    "fsync": "a power cut",
    "replicated": "a lost host",
}
_DEEP = re.compile(r"(?<=: )[{\[]\n {4}[^\0]*?\n {3}[}\]]")
"""The value of a fact of an adapter, over several lines."""
_BETWEEN = re.compile(r"(<!-- matrix((?: \w+)*) -->\n).*?(<!-- /matrix -->)", flags=re.DOTALL)


def shortened(evidence: dict[str, Any]) -> dict[str, Any]:
    """A run without what differs from run to run: no time, no single test."""
    adapters = {
        name: {key: value for key, value in adapter.items() if key != "tests"}
        for name, adapter in evidence["adapters"].items()
    }
    return evidence | {"adapters": adapters}


def as_file(summary: dict[str, Any]) -> str:
    """JSON with a line for each fact of an adapter, so that a change is a short diff."""
    lines = json.dumps(summary, indent=1, ensure_ascii=False).splitlines()
    text = "\n".join(lines)
    return _DEEP.sub(lambda found: " ".join(found[0].split()), text) + "\n"


def as_summary(evidence: dict[str, Any], names: Sequence[str] = ()) -> str:
    """A Markdown table of the named adapters, or of all.

    A clause counts as proved if tests proved it, or saw an absent capability refused. A run that is older than a clause
    says nothing of it. Raises `KeyError`.
    """
    rows = [_HEAD, ["---"] * len(_HEAD)]
    rows += [_row(name, evidence["adapters"][name]) for name in names or evidence["adapters"]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(name: str, adapter: dict[str, Any]) -> list[str]:
    cells = [cell(adapter, clause) for clause in CLAUSES if clause in adapter["clauses"]]
    applicable = [found for found in cells if found.outcome != "n/a"]
    proved = [found for found in applicable if found.outcome in ("proved", "refused")]
    declared = adapter["declared"]
    return [
        name,
        adapter["server"],
        f"{len(proved)} of {len(applicable)}",
        totals(adapter),
        "of this suite" if adapter["sources"] == sources_hash() else "older than the suite",
        "yes" if declared["search"] else "refused",
        "yes" if declared["watch"] else "refused",
        _OUTLIVES[declared["durability"]],
    ]


def in_readme(page: str, evidence: dict[str, Any]) -> str:
    """The page with a fresh table between `<!-- matrix NAME… -->` and `<!-- /matrix -->`. Raises `KeyError`."""
    return _BETWEEN.sub(lambda found: f"{found[1]}{as_summary(evidence, found[2].split())}\n{found[3]}", page)
