"""Where a value comes from, and how a wrong one is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import agentkeep
import agentkeep.sync
import pytest
from agentkeep import AdapterNotInstalled, ConfigurationError, PersistenceAdapter, config
from agentkeep.retention import RetentionPolicy
from agentkeep.wrappers import Wrapper

TOML = """
url = "sqlite:///file.db"
tenant = "acme"
idle_ttl = "30d"

[options]
synchronous = "NORMAL"

[manager]
agent_name = "support"
window = 50
idle_ttl = 90
auto_save = false
schema_version = 3

[retention]
max_idle = "12h"
max_sessions_per_user = 7
"""
YAML = """
url: sqlite:///file.db
tenant: acme
manager:
  window: 50
"""


def in_force(loaded: config.Config) -> dict[str, tuple[Any, str]]:
    return {key: (value, origin) for key, value, origin in loaded.in_force()}


def test_argument_before_environment_before_file_before_default(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert config.load(default_url="memory://").origin("url") == "default"
    (own_folder / "agentkeep.toml").write_text(TOML)
    found = in_force(config.load(default_url="memory://"))
    assert found["url"] == ("sqlite:///file.db", "agentkeep.toml:2")
    assert found["tenant"] == ("acme", "agentkeep.toml:3")
    assert found["options.synchronous"] == ("NORMAL", "agentkeep.toml:7")
    assert found["manager.window"] == (50, "agentkeep.toml:11")
    assert found["own_loop"] == (False, "default")
    monkeypatch.setenv("AGENTKEEP_TENANT", "globex")
    monkeypatch.setenv("AGENTKEEP_MANAGER__WINDOW", "9")
    found = in_force(config.load(tenant="mine"))
    assert found["tenant"] == ("mine", "argument")
    assert found["manager.window"] == (9, "AGENTKEEP_MANAGER__WINDOW")
    assert in_force(config.load())["tenant"] == ("globex", "AGENTKEEP_TENANT")
    monkeypatch.setenv("AGENTKEEP_TENANT", "")
    assert in_force(config.load())["tenant"] == ("acme", "agentkeep.toml:3")


def test_a_mapping_is_an_argument_and_no_file_is_read(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own_folder / "agentkeep.toml").write_text(TOML)
    monkeypatch.setenv("AGENTKEEP_URL", "sqlite:///environment.db")
    monkeypatch.setenv("AGENTKEEP_IDLE_TTL", "5m")
    loaded = config.load({"url": "memory://", "manager": {"window": 3}, "tenant": None})
    assert (loaded.url, loaded.tenant, loaded.options) == ("memory://", "default", {})
    assert in_force(loaded)["manager.window"] == (3, "argument")
    assert in_force(loaded)["idle_ttl"] == ("5m", "AGENTKEEP_IDLE_TTL")


@pytest.mark.parametrize(
    ("name", "text", "origin"),
    [
        ("agentkeep.toml", TOML, "agentkeep.toml:2"),
        ("agentkeep.yaml", YAML, "agentkeep.yaml:2"),
        ("agentkeep.yml", YAML, "agentkeep.yml:2"),
        (
            "pyproject.toml",
            '[project]\nname = "x"\n\n[tool.agentkeep]\nurl = "sqlite:///file.db"\n',
            "pyproject.toml:5",
        ),
    ],
)
def test_every_kind_of_file(own_folder: Path, name: str, text: str, origin: str) -> None:
    (own_folder / name).write_text(text)
    loaded = config.load()
    assert (loaded.url, loaded.origin("url"), loaded.file) == ("sqlite:///file.db", origin, name)


def test_a_pyproject_without_our_table_is_no_configuration(own_folder: Path) -> None:
    (own_folder / "pyproject.toml").write_text('[project]\nname = "x"\n')
    assert config.load().file is None
    with pytest.raises(ConfigurationError, match="no database is named: give AGENTKEEP_URL"):
        agentkeep.from_config()


def test_a_file_can_be_named(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = own_folder / "elsewhere.toml"
    other.write_text('url = "memory://"\n')
    assert config.load(other).url == "memory://"
    monkeypatch.setenv("AGENTKEEP_CONFIG", str(other))
    assert config.load().origin("url") == f"{other}:1"
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml can't be read: No such file"):
        config.load("nowhere.toml")


def test_options_go_with_the_url_of_their_place(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own_folder / "agentkeep.toml").write_text(TOML)
    assert config.load().options == {"synchronous": "NORMAL"}
    assert config.load(url="memory://").options == {}
    monkeypatch.setenv("AGENTKEEP_OPTIONS__BUSY_TIMEOUT", "3")
    assert config.load().options == {"synchronous": "NORMAL", "busy_timeout": "3"}
    monkeypatch.setenv("AGENTKEEP_URL", "sqlite:///other.db")
    assert config.load().options == {"busy_timeout": "3"}
    config.load().keep()


def test_what_it_makes(own_folder: Path) -> None:
    (own_folder / "agentkeep.toml").write_text(TOML)
    loaded = config.load()
    keep = loaded.keep()
    assert repr(keep) == "<Keep sqlite tenant='acme'>"
    assert loaded.retention == RetentionPolicy(max_idle=timedelta(hours=12), max_sessions_per_user=7)
    assert config.load(url="memory://", source={}).retention is None
    manager = loaded.session_manager(keep)
    assert manager.agent_name == "support"
    assert (manager.settings.window, manager.settings.auto_save, manager.settings.schema_version) == (50, False, 3)
    assert loaded.session_manager(keep, window=2, agent_name="sales").settings.window == 2


@pytest.mark.anyio
async def test_times_to_live_reach_new_sessions(own_folder: Path) -> None:
    (own_folder / "agentkeep.toml").write_text(TOML)
    loaded = config.load()
    async with loaded.keep() as keep:
        assert (await keep.sessions.create()).idle_ttl == timedelta(days=30)
        conversation = await loaded.session_manager(keep).get_or_create("s")
        assert conversation.session.idle_ttl == timedelta(seconds=90)
    async with agentkeep.from_config(tenant="other") as keep:
        assert (await keep.sessions.create()).tenant == "other"


def further(adapter: PersistenceAdapter) -> PersistenceAdapter:
    return Wrapper(adapter)


def test_wrappers_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTKEEP_WRAPPERS", "agentkeep.wrappers:Wrapper, agentkeep.wrappers:Wrapper")
    keep = agentkeep.from_config(url="memory://", wrap=[further])
    assert repr(keep.adapter).startswith("Wrapper(Wrapper(Wrapper(")
    for name, why in (("nothing", "installed one"), ("json:nothing", "can't be imported"), ("no.such:x", "can't be")):
        monkeypatch.setenv("AGENTKEEP_WRAPPERS", name)
        with pytest.raises(ConfigurationError, match=f"AGENTKEEP_WRAPPERS: .*{name}.*{why}"):
            agentkeep.from_config(url="memory://")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'url = "memory://"\ntennant = "x"',
            r"agentkeep\.toml:2: .*'tennant': did you mean 'tenant'\? Keys: url, tenant",
        ),
        ("[manager]\n\nwindw = 3", r"agentkeep\.toml:3: .*'manager\.windw': did you mean 'window'\? Keys of manager: "),
        ("[retentoin]\nmax_age = 3", r"agentkeep\.toml:1: .*did you mean 'retention'"),
        ("manager = 3", r"agentkeep\.toml:1: manager is of type int: give a table"),
        ("[manager]\nwindow = 'many'", r"agentkeep\.toml:2: manager\.window: Expected `int"),
        ("[manager]\nwindow = 0", r"agentkeep\.toml:2: manager\.window: Expected `int` >= 1"),
        ("wrappers = 'x'", r"agentkeep\.toml:1: wrappers: Expected `array`"),
        ("wrappers = [3]", r"agentkeep\.toml:1: wrappers: Expected `str`"),
        ("url = ]", r"agentkeep\.toml is not TOML: .*line 1"),
        ("url = 3", r"agentkeep\.toml:1: url: Expected `str"),
        ("tool = 3\n", r"agentkeep\.toml:1: there is no key 'tool'"),
        ('url = "memory://"\ntenant = ""', r"agentkeep\.toml:2: tenant is empty"),
        ('url = "memory://"\nidle_ttl = "soon"', r"agentkeep\.toml:2: idle_ttl is 'soon': give seconds, or .*30d"),
        ('url = "memory://"\nidle_ttl = 0', r"agentkeep\.toml:2: idle_ttl is 0:00:00: give"),
        (
            'url = "sqlite:///x.db"\n[options]\nsynchronos = 1',
            r"agentkeep\.toml:3: .*no option 'synchronos'; .*synchronous",
        ),
        ('url = "sqlite:///x.db"\n[options]\nsynchronous = "X"', r"agentkeep\.toml:3: synchronous"),
        ('url = "oracle://x"', r"agentkeep\.toml:1: no installed package has an adapter for oracle"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(own_folder: Path, text: str, said: str) -> None:
    (own_folder / "agentkeep.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        agentkeep.from_config()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("url: memory://\nmanager:\n  windw: 3\n", r"agentkeep\.yaml:3: .*'manager\.windw': did you mean 'window'"),
        ("url: [", r"agentkeep\.yaml is not YAML: .*line 1"),
        ("- url", "give keys and values"),
    ],
)
def test_a_wrong_yaml_file_too(own_folder: Path, text: str, said: str) -> None:
    (own_folder / "agentkeep.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        config.load()


def test_an_adapter_that_is_not_installed_is_still_that(own_folder: Path) -> None:
    with pytest.raises(AdapterNotInstalled):
        agentkeep.from_config(url="oracle://x")


def test_yaml_without_its_extra_says_what_to_install(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own_folder / "agentkeep.yaml").write_text(YAML)
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    with pytest.raises(ConfigurationError, match=r'pip install "agentkeep\[yaml\]"'):
        config.load()


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("AGENTKEEP_TENNANT", "did you mean AGENTKEEP_TENANT"),
        ("AGENTKEEP_MANAGER__WINDW", "did you mean AGENTKEEP_MANAGER__WINDOW"),
        ("AGENTKEEP_MANAGER__X", "Keys of manager: agent_name"),
        ("AGENTKEEP_MANAGER", "is not known"),
    ],
)
def test_a_variable_with_a_typing_error_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, said: str) -> None:
    monkeypatch.setenv(variable, "3")
    with pytest.raises(ConfigurationError, match=f"{variable} is not known: .*{said}" if "known" not in said else said):
        config.load()


def test_variables_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTKEEP_REQUIRE", "all")
    monkeypatch.setenv("AGENTKEEP_TEST_SERVERS", "local")
    assert config.load(url="memory://").url == "memory://"


def test_the_sync_face_has_it_too(own_folder: Path) -> None:
    (own_folder / "agentkeep.toml").write_text('url = "memory://"\ntenant = "acme"\n')
    with agentkeep.sync.from_config() as keep:
        assert keep.sessions.create().tenant == "acme"
