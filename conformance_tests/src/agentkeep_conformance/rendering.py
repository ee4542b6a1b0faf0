"""Evidence, shown: one matrix of clauses and adapters, as text, Markdown or a page."""

from __future__ import annotations

import re
from html import escape
from importlib.resources import files
from string import Template
from typing import Any, NamedTuple

from agentkeep_conformance.clauses import CLAUSES
from agentkeep_conformance.outcomes import worst

_CAPABILITY_OF = {"SRCH-1": "search", "WATCH-1": "watch", "WATCH-2": "watch"}
_MARKS = {"proved": "✓", "FAILED": "✗", "known": "known", "NOT RUN": "not run", "n/a": "n/a", "no test": "–"}
_GROUPS = {
    "SES": "Sessions",
    "ORD": "Order and atomicity",
    "IDEM": "Order and atomicity",
    "CNT": "Order and atomicity",
    "READ": "Reading",
    "SRCH": "Reading",
    "WATCH": "Reading",
    "FID": "Fidelity",
    "TTL": "Time to live",
    "ISO": "Isolation",
    "ERR": "Failure",
    "FLT": "Failure",
    "LIFE": "Life cycle",
    "WRAP": "Life cycle",
    "COST": "Cost",
}


class Cell(NamedTuple):
    """What one adapter did with one clause."""

    outcome: str
    """As in the evidence, or "refused": an optional capability that is not declared, and was refused as it must be."""
    proving: int
    total: int

    def text(self) -> str:
        mark = "refused" if self.outcome == "refused" else _MARKS[self.outcome]
        if not self.total:
            return mark
        return f"{mark} {self.proving}" + (f" of {self.total}" if self.proving != self.total else "")


def cell(adapter: dict[str, Any], clause: str) -> Cell:
    tests: dict[str, int] = adapter["clauses"].get(clause, {})
    outcome = worst(tests)
    count = tests.get(outcome, 0)
    total = count if outcome == "n/a" else sum(tests.values()) - tests.get("n/a", 0)
    if outcome == "proved" and _CAPABILITY_OF.get(clause) in adapter["refused"]:
        return Cell("refused", count, total)
    return Cell(outcome, count, total)


def merged(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Several runs as one. An adapter that two runs ran stands once for each, with its server's name."""
    adapters: dict[str, Any] = {}
    for run in runs:
        for name, adapter in run["adapters"].items():
            label = name if name not in adapters else f"{name} ({adapter['server']})"
            while label in adapters:
                label += "'"
            adapters[label] = {"sources": run["sources"], **adapter}
    return runs[0] | {"adapters": adapters}


def grouped() -> dict[str, list[str]]:
    """The clauses under their headings."""
    groups: dict[str, list[str]] = {}
    for clause in CLAUSES:
        groups.setdefault(_GROUPS[clause.partition("-")[0]], []).append(clause)
    return groups


def totals(adapter: dict[str, Any]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in adapter["counts"].items()) or "nothing ran"


def outcome_table(evidence: dict[str, Any]) -> str:
    """Clause by adapter for a terminal, with how many tests stand behind each word."""
    adapters: dict[str, Any] = evidence["adapters"]
    rows = [["clause", *adapters]]
    rows += [[clause, *(_word(cell(adapter, clause)) for adapter in adapters.values())] for clause in CLAUSES]
    rows.append(["tests", *map(totals, adapters.values())])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join(lines + [f"{name}: {why}" for name, row in adapters.items() for why in _absences(row)])


def _absences(adapter: dict[str, Any]) -> list[str]:
    """Why tests were not run, each reason once."""
    reasons = (test.get("why", "") for test in adapter.get("tests", {}).values() if test["outcome"] == "NOT RUN")
    return [why.removeprefix("Skipped: ") for why in dict.fromkeys(reasons)]


def _word(found: Cell) -> str:
    return f"{found.outcome} {found.text().partition(' ')[2]}" if found.total else found.outcome


def as_markdown(evidence: dict[str, Any]) -> str:
    """A table of clauses and adapters, with its legend."""
    adapters: dict[str, Any] = evidence["adapters"]
    lines = [f"| | {' | '.join(adapters)} |", f"|---|{'---|' * len(adapters)}"]
    lines.append(f"| server | {' | '.join(adapter['server'] for adapter in adapters.values())} |")
    for group, clauses in grouped().items():
        lines.append(f"| **{group}** |{' |' * len(adapters)}")
        lines += [
            f"| {clause} | {' | '.join(cell(row, clause).text() for row in adapters.values())} |" for clause in clauses
        ]
    lines.append(f"| tests | {' | '.join(map(totals, adapters.values()))} |")
    return "\n".join([*lines, "", _legend(evidence)])


def _legend(evidence: dict[str, Any]) -> str:
    return (
        "✓ n: proved by n tests. ✗ n of m: n of its m tests failed. "
        f"refused n: optional, not offered, and n tests saw it refused with nothing touched. "
        "n/a: nothing to act on, as an embedded database has no wire to cut. "
        f"Suite {evidence['suite']}, {evidence['tier']} tier, seed {evidence['seed']}."
    )


def as_html(evidence: dict[str, Any]) -> str:
    """A page that needs nothing but itself."""
    adapters: dict[str, Any] = evidence["adapters"]
    page = Template(files("agentkeep_conformance").joinpath("report.html").read_text(encoding="utf-8"))
    return page.substitute(
        adapters="".join(
            f"<th>{escape(name)}<small>{escape(row['server'])}</small></th>" for name, row in adapters.items()
        ),
        rows="".join(_html_group(group, clauses, adapters) for group, clauses in grouped().items()),
        totals="".join(f"<td>{escape(totals(adapter))}</td>" for adapter in adapters.values()),
        facts="".join(_html_facts(name, adapter) for name, adapter in adapters.items()),
        failures="".join(_html_failures(name, adapter) for name, adapter in adapters.items()),
        legend=escape(_legend(evidence)),
    )


def _html_group(group: str, clauses: list[str], adapters: dict[str, Any]) -> str:
    rows = [f'<tr class="group"><th colspan="{len(adapters) + 2}">{escape(group)}</th></tr>']
    for clause in clauses:
        cells = [cell(adapter, clause) for adapter in adapters.values()]
        shown = "".join(f'<td class="{found.outcome.split("/")[0].split()[0]}">{found.text()}</td>' for found in cells)
        rows.append(f"<tr><th>{clause}</th><td class=clause>{_html_text(CLAUSES[clause])}</td>{shown}</tr>")
    return "".join(rows)


def _html_text(text: str) -> str:
    """A clause with its `names` set as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def _html_facts(name: str, adapter: dict[str, Any]) -> str:
    facts = adapter["declared"] | {f"measured {limit}": value for limit, value in adapter["measured"].items()}
    rows = "".join(_row(fact, _fact(value)) for fact, value in facts.items())
    return f"<details><summary>{escape(name)}: what it declares</summary><table>{rows}</table></details>"


def _fact(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _html_failures(name: str, adapter: dict[str, Any]) -> str:
    failed = {
        test: found for test, found in adapter.get("tests", {}).items() if found["outcome"] in ("FAILED", "known")
    }
    if not failed:
        return ""
    rows = "".join(_row(test, ", ".join(found["clauses"]), found.get("why", "")) for test, found in failed.items())
    return f"<h2>{escape(name)}: what failed</h2><table>{rows}</table>"


def _row(head: str, *cells: str) -> str:
    return f"<tr><th>{escape(head)}</th>{''.join(f'<td>{escape(text)}</td>' for text in cells)}</tr>"
