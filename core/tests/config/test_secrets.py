"""`${NAME}` in a configuration: its value is used, and never shown (ERR-3)."""

from __future__ import annotations

from pathlib import Path

import agentkeep
import pytest
from agentkeep import ConfigurationError, config

SECRET = "p@ss/word:hunter2"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", SECRET)


def test_a_password_is_filled_in_and_not_shown(own_folder: Path) -> None:
    (own_folder / "agentkeep.toml").write_text('url = "redis://app:${DB_PASSWORD}@db:6379/0"\n')
    loaded = config.load()
    assert loaded.url == "redis://app:p%40ss%2Fword%3Ahunter2@db:6379/0"
    shown = f"{loaded!r} {loaded.in_force()} {loaded.keep()!r} {loaded.keep().adapter!r}"
    assert "hunter2" not in shown
    assert "redis://app:" in shown


def test_a_whole_url_can_be_a_variable(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "redis://app:hunter2@db:6379/0")
    (own_folder / "agentkeep.toml").write_text('url = "${DATABASE_URL}"\n')
    loaded = config.load()
    assert loaded.url == "redis://app:hunter2@db:6379/0"
    assert loaded.in_force()[0].value == "${DATABASE_URL}"


def test_a_variable_that_is_not_set_is_named_with_the_line(own_folder: Path) -> None:
    (own_folder / "agentkeep.toml").write_text('tenant = "x"\nurl = "redis://app:${NO_SUCH}@db"\n')
    with pytest.raises(
        ConfigurationError, match=r"agentkeep\.toml:2: url names \$\{NO_SUCH\}, and the environment has"
    ):
        config.load()


@pytest.mark.parametrize(
    "text",
    [
        'url = "sqlite:///x.db"\n[options]\nsynchronous = "${DB_PASSWORD}"\n',
        'url = "sqlite:///x.db"\n[options]\n"${DB_PASSWORD}" = 1\n',
        'url = "nodb://app:${DB_PASSWORD}@db"\n',
        'url = "${DB_PASSWORD}"\n',
        'url = "memory://"\nidle_ttl = "${DB_PASSWORD}"\n',
        'url = "memory://"\nown_loop = "${DB_PASSWORD}"\n',
        'url = "memory://"\nwrappers = ["${DB_PASSWORD}"]\n',
    ],
)
def test_no_error_shows_it(own_folder: Path, text: str) -> None:
    (own_folder / "agentkeep.toml").write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        agentkeep.from_config()
    chain: BaseException | None = refused.value
    while chain is not None:
        assert "hunter2" not in str(chain)
        chain = chain.__cause__


def test_a_dollar_is_written_twice_before_a_brace(own_folder: Path) -> None:
    (own_folder / "agentkeep.toml").write_text('url = "memory://"\ntenant = "$${DB_PASSWORD} costs $5"\n')
    assert config.load().tenant == "${DB_PASSWORD} costs $5"


def test_what_a_name_calls_a_secret_is_not_shown() -> None:
    found = config.load({"url": "x://u:hunter2@h", "options": {"api_key": "hunter2", "other": ["x://y:hunter2@z"]}})
    assert "hunter2" not in repr(found)
    assert "hunter2" not in str(found.in_force())
