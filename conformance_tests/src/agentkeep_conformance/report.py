"""Evidence, shown: the table at a run's end."""

from __future__ import annotations

from typing import Any


def outcome_table(evidence: dict[str, Any]) -> str:
    """Clause by adapter, with how many tests stand behind each word, then the totals."""
    adapters: dict[str, Any] = evidence["adapters"]
    clauses = list(next(iter(adapters.values()))["clauses"])
    rows = [["clause", *adapters]]
    rows += [[clause, *(_cell(adapter, clause) for adapter in adapters.values())] for clause in clauses]
    rows.append(["tests", *(_totals(adapter["counts"]) for adapter in adapters.values())])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _cell(adapter: dict[str, Any], clause: str) -> str:
    found = adapter["clauses"][clause]
    tests: dict[str, int] = found["tests"]
    count = tests.get(found["outcome"], 0)
    total = sum(tests.values())
    return f"{found['outcome']} {count}" + (f" of {total}" if count != total else "") if total else found["outcome"]


def _totals(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
