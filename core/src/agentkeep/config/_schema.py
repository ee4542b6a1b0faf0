"""What a configuration may hold. The JSON Schema for editors is made from this."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

DURATION = r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d|w)?$"
Duration = float | Annotated[str, Meta(extra_json_schema={"pattern": DURATION}, examples=["30d", "12h", "45m"])]
"""Seconds, or a number with a unit."""


class Manager(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of `SessionManager`."""

    agent_name: Annotated[str | None, Meta(description="The agent of new sessions; only its sessions are listed.")] = (
        None
    )
    window: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="How many messages the context for the model has at most.")
    ] = None
    idle_ttl: Annotated[
        Duration | UnsetType, Meta(description="How long a new session lives without a write. Default: as above.")
    ] = UNSET
    auto_save: Annotated[bool, Meta(description="Whether each verb of a conversation writes at once.")] = True
    schema_version: Annotated[
        Annotated[int, Meta(ge=0)] | None, Meta(description="Of the agent's data; it grows when their form changes.")
    ] = None


class Retention(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `agentkeep prune` keeps."""

    max_age: Annotated[Duration | None, Meta(description="Sessions created longer ago are removed.")] = None
    max_idle: Annotated[Duration | None, Meta(description="Sessions last written to longer ago are removed.")] = None
    max_sessions_per_user: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="Of each user, so many newest sessions are kept.")
    ] = None
    max_messages_per_session: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="Of each session, so many newest messages are kept.")
    ] = None


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configuration of Agentkeep."""

    url: Annotated[
        str | None,
        Meta(description="The database.", examples=["sqlite:///chat.db", "postgresql://app:${DB_PASSWORD}@db/chat"]),
    ] = None
    tenant: Annotated[str, Meta(description="The tenant whose data is used.")] = "default"
    idle_ttl: Annotated[
        Duration | None, Meta(description="How long a new session lives without a write. Default: for ever.")
    ] = None
    own_loop: Annotated[bool, Meta(description="Run on an event loop in a thread of its own.")] = False
    wrappers: Annotated[
        list[str],
        Meta(description="Wrappers around the adapter, the innermost first: installed names, or module:attribute."),
    ] = []
    options: Annotated[
        dict[str, Any], Meta(description="Options of the adapter; they are used with the url of the same file alone.")
    ] = {}
    manager: Manager = Manager()
    retention: Retention = Retention()


SECTIONS: dict[str, type[Struct] | None] = {"options": None, "manager": Manager, "retention": Retention}
"""The tables of a configuration. The keys of `options` are known to the adapter alone."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a configuration file, for editors."""
    schema = msgspec.json.schema(Settings)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "agentkeep", **schema}


def keys_of(section: str | None) -> list[str]:
    """All accepted keys of a section; those of `options` depend on the adapter."""
    kind = Settings if section is None else SECTIONS[section]
    return [] if kind is None else list(kind.__struct_fields__)
