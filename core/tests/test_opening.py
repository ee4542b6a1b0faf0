"""Options of a URL and of a caller; databases that are not to be made."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from typing import Any, Self

import pytest
from agentkeep import ConfigurationError, connect
from agentkeep import _registry as registry
from agentkeep_memory import MemoryAdapter


def test_an_object_that_only_a_caller_can_give_is_refused_in_a_url() -> None:
    with pytest.raises(ConfigurationError, match=r"clock can't stand in a URL: .*connect\(url, clock=\.\.\.\)"):
        connect("memory://?clock=x")


class File(MemoryAdapter):
    open_existing: Mapping[str, Any] = {"create": False}
    create: bool

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        adapter = cls()
        adapter.create = options.get("create", True)
        return adapter


@pytest.mark.parametrize("create", [True, False])
def test_a_factory_says_how_no_database_is_made(monkeypatch: pytest.MonkeyPatch, *, create: bool) -> None:
    entry = EntryPoint(name="file", value=f"{__name__}:File", group=registry.GROUP)

    def load(_: EntryPoint) -> type[File]:
        return File

    monkeypatch.setattr(EntryPoint, "load", load)
    monkeypatch.setattr(registry, "installed_adapters", lambda: {"file": entry})
    adapter = registry.adapter_for("file://x", {}, create=create)
    assert isinstance(adapter, File)
    assert adapter.create is create


def test_a_factory_that_makes_no_databases_is_left_alone() -> None:
    assert isinstance(registry.adapter_for("memory://", {}, create=False), MemoryAdapter)
