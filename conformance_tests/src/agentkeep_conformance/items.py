"""What pytest's items are to the suite: tests of a family, run by an enrolment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from agentkeep_conformance.enrolment import Enrolment


def suite_of(item: pytest.Item) -> type[Enrolment] | None:
    """The enrolment that runs the test; None for a test of somebody else."""
    suite = item.cls if isinstance(item, pytest.Function) else None
    return suite if suite is not None and issubclass(suite, Enrolment) else None


def function_of(item: pytest.Item) -> Callable[..., Any]:
    return cast("Any", item).function


def family_of(item: pytest.Item) -> str:
    return function_of(item).__module__.rpartition(".")[2]
