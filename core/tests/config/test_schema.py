"""The JSON Schema that is shipped, so that editors complete and check the file."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from typing import Any

import fastjsonschema
import pytest
from agentkeep import config
from agentkeep.config._schema import SECTIONS, keys_of

from .test_places import TOML

SHIPPED: dict[str, Any] = json.loads((files("agentkeep.config") / "agentkeep.schema.json").read_text())
check: Any = fastjsonschema.compile(SHIPPED)  # pyright: ignore[reportUnknownMemberType]


def test_the_shipped_schema_is_the_generated_one() -> None:
    """`agentkeep config --schema` renews it."""
    assert config.json_schema() == SHIPPED


def test_it_accepts_what_the_reader_accepts() -> None:
    check(tomllib.loads(TOML))
    check({"url": "memory://", "wrappers": ["a"], "own_loop": True, "idle_ttl": 3.5, "options": {"anything": 1}})


@pytest.mark.parametrize(
    "wrong",
    [{"urll": "x"}, {"manager": {"windw": 3}}, {"manager": {"window": 0}}, {"idle_ttl": "soon"}, {"retention": 3}],
)
def test_it_refuses_what_the_reader_refuses(wrong: dict[str, Any]) -> None:
    with pytest.raises(fastjsonschema.JsonSchemaValueException):
        check(wrong)


def test_every_key_has_a_description() -> None:
    described = {
        name
        for part in SHIPPED["$defs"].values()
        for name, field in part["properties"].items()
        if "description" in field
    }
    assert {
        name for section in (None, "manager", "retention") for name in keys_of(section)
    } - SECTIONS.keys() <= described
    assert "options" in described
