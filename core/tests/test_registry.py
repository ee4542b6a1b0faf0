"""From a URL to an adapter: the right one, or an error that says what would be right. Passwords never show (ERR-3)."""

from __future__ import annotations

from datetime import timedelta
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from agentkeep import AdapterNotInstalled, ConfigurationError, connect
from agentkeep import _registry as registry
from agentkeep.spi.urls import redact


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "the URL is empty: give one such as sqlite:///chat.db"),
        ("chat.db", "is not a URL"),
        ("://chat.db", "is not a URL"),
        (None, "of type NoneType: give a string"),
        (5, "of type int: give a string"),
        (
            b"memory://",
            "give an engine or client of your own to its adapter: Keep(SQLiteAdapter(engine))",
        ),
        ("memory://a/b", "names no memory database"),
        ("memory://a#b", "names no memory database"),
        ("memory://?colour=red", "no option 'colour'"),
    ],
    ids=str,
)
def test_a_bad_url_is_refused_with_a_better_one(url: Any, says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        connect(url)
    assert says in str(refused.value)


@pytest.mark.parametrize("scheme", ["sqlite", "rediss", "postgresql+asyncpg"])
def test_a_scheme_of_ours_that_is_not_installed_names_its_extra(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "installed_adapters", dict)
    extra = {"sqlite": "sqlite", "rediss": "redis", "postgresql+asyncpg": "postgres"}[scheme]
    with pytest.raises(AdapterNotInstalled) as refused:
        connect(f"{scheme}://user:hunter2@host/db")
    assert f'pip install "agentkeep[{extra}]"' in str(refused.value)


def test_an_unknown_scheme_names_the_known_ones_and_pip() -> None:
    with pytest.raises(AdapterNotInstalled) as refused:
        connect("oracle://scott:tiger@host/db")
    assert "pip install" in str(refused.value)
    assert "sqlite://" in str(refused.value)
    assert "tiger" not in str(refused.value)


def test_an_adapter_whose_driver_is_missing_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint(name="broken", value="no_such_module:Adapter", group=registry.GROUP)
    monkeypatch.setattr(registry, "installed_adapters", lambda: {"broken": entry})
    with pytest.raises(AdapterNotInstalled, match="no_such_module") as refused:
        connect("broken://")
    assert isinstance(refused.value.__cause__, ImportError)


def test_a_strangers_adapter_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint(name="duck", value="agentkeep_memory:MemoryAdapter", group=registry.GROUP)
    monkeypatch.setattr(registry, "installed_adapters", lambda: {"duck": entry})
    assert connect("duck://pond").capabilities.search
    assert connect("duck+quack://pond").capabilities.search


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user:secret@host:5432/db", "postgresql://user:***@host:5432/db"),
        ("postgresql://user:p@ss:w/rd@host/db", "postgresql://user:***@host/db"),
        ("postgresql://user@host/db", "postgresql://user@host/db"),
        ("redis://:secret@host/0", "redis://:***@host/0"),
        ("redis://host/0?password=secret&db=1", "redis://host/0?password=***&db=1"),
        ("mongodb://u:secret@[::1]:27017/db", "mongodb://u:***@[::1]:27017/db"),
        ("postgresql://u:secret@[broken/db", "postgresql://u:***@[broken/db"),
        ("sqlite:///chat.db", "sqlite:///chat.db"),
        ("user:secret@host/db", "user:***@host/db"),
        ("postgresql://u:secret?secret@h/db", "postgresql://u:***@h/db"),
        ("postgresql://u:p@ss?secret@h/db?password=secret", "postgresql://u:***@h/db?password=***"),
        ("postgresql:/u:secret?secret@h/db", ":***@h/db"),
    ],
    ids=str,
)
def test_err_3_no_password_is_shown(url: str, shown: str) -> None:
    assert shown in redact(url)
    assert "secret" not in redact(url)
    assert "p@ss" not in redact(url)


@pytest.mark.parametrize(
    "url", ["memory://u:secret?secret@h/db", "memory://u:se@secret@h", "memory://u:secret?x=1&secret=1@h"]
)
def test_err_3_a_password_that_should_be_encoded_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        connect(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("idle_ttl", [1200, 1200.0, "1200", timedelta(minutes=20)], ids=repr)
def test_idle_ttl_is_seconds_or_a_timedelta(idle_ttl: Any) -> None:
    assert repr(connect({"url": "memory://", "idle_ttl": idle_ttl})).startswith("<Keep memory")


@pytest.mark.parametrize("idle_ttl", [0, -1, "soon", [], 1e20], ids=repr)
def test_a_wrong_idle_ttl_is_refused(idle_ttl: Any) -> None:
    with pytest.raises(ConfigurationError, match="idle_ttl"):
        connect("memory://", idle_ttl=idle_ttl)


def test_a_configuration_needs_a_url() -> None:
    with pytest.raises(ConfigurationError, match="no url"):
        connect({"idle_ttl": 5})


@pytest.mark.parametrize("tenant", ["", "a\nb", "x" * 256, 7], ids=repr)
def test_a_wrong_tenant_is_refused(tenant: Any) -> None:
    with pytest.raises(ConfigurationError, match="tenant"):
        connect("memory://", tenant=tenant)


def test_err_3_a_url_that_does_not_parse_is_a_configuration_error_without_its_password() -> None:
    for url in ("memory://user:s3cret@[::1/d", "memory://user:s3cret@host/d"):
        with pytest.raises(ConfigurationError) as caught:
            connect(url)
        assert "s3cret" not in str(caught.value)
