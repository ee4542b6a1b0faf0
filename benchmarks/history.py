"""The ratios of earlier runs, a line of JSON each. A ratio that grew by more than `ALLOWED` over its median is said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

ALLOWED = 1.3
FEWEST = 5
"""Runs before a median says anything."""

Ratios = Mapping[str, Mapping[str, float]]
"""Of each backend's measures."""


def grown(history: Path, ratios: Ratios) -> list[str]:
    """A sentence for each ratio that is more than `ALLOWED` times the median of the runs in the file."""
    lines = history.read_text().splitlines() if history.exists() else []
    runs = [json.loads(line)["ratios"] for line in lines]
    said: list[str] = []
    for backend, measures in ratios.items():
        for measure, ratio in measures.items():
            earlier = [run[backend][measure] for run in runs if measure in run.get(backend, {})]
            if len(earlier) >= FEWEST and ratio > ALLOWED * median(earlier):
                said.append(
                    f"{backend}, {measure}: {ratio:.2f}, and the median of {len(earlier)} runs is {median(earlier):.2f}"
                )
    return said


def add(history: Path, ratios: Ratios) -> None:
    line = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "ratios": ratios}
    with history.open("a") as file:
        file.write(json.dumps(line) + "\n")
