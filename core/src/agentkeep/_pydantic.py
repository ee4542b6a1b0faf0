"""Agentkeep's values as pydantic fields, and so as FastAPI's bodies and responses. Imported only by pydantic itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Optional

import msgspec
from pydantic import AfterValidator, AwareDatetime, GetCoreSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from agentkeep.models import Appended, Message, Resumed, Session

_Time = Annotated[AwareDatetime, AfterValidator(lambda time: time.astimezone(UTC))]
_Seconds = Annotated[
    timedelta,
    PlainSerializer(timedelta.total_seconds, return_type=float, when_used="json"),
    WithJsonSchema({"type": "number", "description": "seconds"}),
]
_PLAIN: dict[Any, Any] = {
    datetime: _Time,
    datetime | None: Optional[_Time],  # noqa: UP045 - the type checker refuses Annotated | None
    timedelta: _Seconds,
    timedelta | None: Optional[_Seconds],  # noqa: UP045
}
"""How pydantic is to read and write the types that JSON has not."""


def struct_schema(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    """The schema of a struct, or of a generic one with its argument, such as `Page[Message]`."""
    fields: dict[str, core_schema.TypedDictField] = {}
    for field in msgspec.structs.fields(source):
        schema = handler.generate_schema(_PLAIN.get(field.type, field.type))
        if not field.required:
            default = None if field.default is msgspec.NODEFAULT else field.default
            factory = None if field.default_factory is msgspec.NODEFAULT else field.default_factory
            schema = core_schema.with_default_schema(schema, **_default(default, factory))
        fields[field.name] = core_schema.typed_dict_field(schema, required=field.required)
    cls: type[msgspec.Struct] = getattr(source, "__origin__", source)
    return _schema(cls, source, fields, lambda values: cls(**values))


def appended_schema(cls: type[Appended], handler: GetCoreSchemaHandler) -> CoreSchema:
    types = {"messages": tuple[Message, ...], "version": int, "last_seq": int, "new": int}
    return _schema(cls, cls, _required(types, handler), lambda values: cls(**values))


def resumed_schema(cls: type[Resumed], handler: GetCoreSchemaHandler) -> CoreSchema:
    types = {"session": Session, "messages": list[Message]}
    return _schema(cls, cls, _required(types, handler), lambda values: cls(**values))


def _required(types: dict[str, Any], handler: GetCoreSchemaHandler) -> dict[str, core_schema.TypedDictField]:
    return {name: core_schema.typed_dict_field(handler.generate_schema(kind)) for name, kind in types.items()}


def _default(default: object, factory: Callable[[], Any] | None) -> dict[str, Any]:
    return {"default": default} if factory is None else {"default_factory": factory}


def _schema(
    cls: type[Any], source: Any, fields: dict[str, core_schema.TypedDictField], make: Callable[[dict[str, Any]], Any]
) -> CoreSchema:
    """A value is taken as it is, or made of a mapping; it is written as a mapping."""
    given = core_schema.typed_dict_schema(fields, extra_behavior="forbid")
    made = core_schema.no_info_after_validator_function(make, given)
    return core_schema.json_or_python_schema(
        json_schema=made,
        python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), made], mode="left_to_right"),
        serialization=core_schema.plain_serializer_function_ser_schema(
            lambda value: {name: getattr(value, name) for name in fields}, return_schema=given
        ),
        ref=f"{cls.__module__}.{_name(source)}:{id(cls)}",
    )


def _name(source: Any) -> str:
    arguments = getattr(source, "__args__", ())
    name: str = getattr(source, "__origin__", source).__name__
    return f"{name}[{','.join(getattr(part, '__name__', str(part)) for part in arguments)}]" if arguments else name
