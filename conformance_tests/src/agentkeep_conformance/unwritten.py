"""What an author who has only begun is told: which method is not written yet, and which path Python was not given."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

_FIRST = ("open", "__init__")
"""Without these methods no test can run."""
_MISSING = re.compile(r"ModuleNotFoundError: No module named '(\w+)'")


def unwritten(call: pytest.CallInfo[Any]) -> str | None:
    """The method that raised `NotImplementedError`; None if that is not what happened."""
    if call.excinfo is None or not call.excinfo.errisinstance(NotImplementedError):
        return None
    return call.excinfo.traceback[-1].frame.raw.f_code.co_qualname


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    method = unwritten(call)
    if method is not None and report.failed:
        report.longrepr = f"{method} is not written yet"
        if method.rpartition(".")[2] in _FIRST:
            report.longrepr += ": start there"
            item.session.shouldstop = report.longrepr
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    missing = _MISSING.search(str(report.longrepr)) if report.failed else None
    if missing:
        folders = [Path.cwd() / "src", *(parent / "src" for parent in collector.path.parents)]
        source = next((folder for folder in folders if (folder / missing[1]).exists()), None)
        if source is not None:
            report.longrepr = f"Python does not find {missing[1]}, which is in {source}: set PYTHONPATH={source}"
    return report
