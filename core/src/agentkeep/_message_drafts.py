"""Messages and appends as users give them, checked and encoded into what adapters take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypedDict, cast

from agentkeep._adapter_state import AdapterState
from agentkeep._codec import content_key, encode_payload
from agentkeep._drafts import SessionFields, SessionUpdate, only_known, session_changes, session_draft
from agentkeep._validation import check_additions, check_id, check_optional_count, check_time, fresh_id
from agentkeep.capabilities import Capabilities
from agentkeep.errors import InvalidInput, LimitExceeded
from agentkeep.models import Message, NewMessage
from agentkeep.records import Append, MessageDraft, Scope, Stored
from agentkeep.spi.text import fold, message_text

_CONVERTED = "; agentkeep.formats converts the messages of models and frameworks: from_openai(…), from_anthropic(…), …"


class MessageUpdate(TypedDict, total=False):
    """What an update of a message may set; the other fields are kept. A JSON field is replaced whole."""

    role: str
    content: str | list[Any] | None
    name: str | None
    user_id: str | None
    tool_calls: list[Any] | None
    tool_call_id: str | None
    turn_id: str | None
    route: str | None
    step: str | None
    event: Any
    metadata: dict[str, Any]


_TEXTS = ("name", "tool_call_id", "turn_id", "route", "step")
_NO_TEXTS = (None,) * len(_TEXTS)
_USUAL_ROLES = ("user", "assistant", "tool", "system", "developer")


class AppendOptions(TypedDict):
    """The options of `messages.append`, as given."""

    create: SessionFields | None
    update: SessionUpdate | None
    add: dict[str, int] | None
    stored: Stored
    expected_version: int | None
    expected_last_seq: int | None
    truncate_after: int | None
    keep_last: int | None


def plain_append(session_id: str, messages: Sequence[NewMessage], capabilities: Capabilities) -> Append:
    """An append without options. Raises `InvalidInput`, `LimitExceeded`."""
    check_id(session_id, "session_id")
    drafts = _message_drafts(messages, capabilities)
    return Append(session_id=session_id, messages=drafts, may_be_stored=_has_ids(messages))


def append_with_options(
    shared: AdapterState, scope: Scope, session_id: str, messages: Sequence[NewMessage], options: AppendOptions
) -> Append:
    """Raises `InvalidInput`, `LimitExceeded`."""
    check_id(session_id, "session_id")
    capabilities = shared.capabilities
    if options["stored"] not in ("conflict", "skip"):
        raise InvalidInput(f"stored is {options['stored']!r}: give 'conflict' or 'skip'")
    create, update = options["create"], options["update"]
    append = Append(
        session_id=session_id,
        messages=_message_drafts(messages, capabilities),
        may_be_stored=_has_ids(messages),
        create=None if create is None else session_draft(session_id, create, scope, capabilities, shared.idle_ttl),
        stored=options["stored"],
        changes=session_changes(update, scope, capabilities) if update else None,
        add=check_additions(options["add"]),
        expected_version=check_optional_count(options["expected_version"], "expected_version"),
        expected_last_seq=check_optional_count(options["expected_last_seq"], "expected_last_seq"),
        truncate_after=check_optional_count(options["truncate_after"], "truncate_after"),
        keep_last=check_optional_count(options["keep_last"], "keep_last", least=1),
    )
    if append.may_be_stored and not append.is_repeatable:
        raise InvalidInput(
            f"keep_last={append.keep_last} would drop messages of this very call, so a repeated call could not return "
            "what the first one did (IDEM-1): give no ids, or keep as many messages as you append"
        )
    return append


def _has_ids(messages: Sequence[NewMessage]) -> bool:
    for message in messages:  # noqa: SIM110 - any() makes a generator, which costs as much as a draft's check
        if message.id is not None:
            return True
    return False


def _message_drafts(messages: Sequence[NewMessage], capabilities: Capabilities) -> list[MessageDraft]:
    if not isinstance(messages, (list, tuple)):  # `list | tuple` makes a new object at each call
        raise InvalidInput(f"messages is of type {type(messages).__name__}: give a list of NewMessage{_CONVERTED}")
    if len(messages) > capabilities.max_batch:
        raise LimitExceeded("messages of one append", limit=capabilities.max_batch, actual=len(messages))
    drafts = [message_draft(message, capabilities) for message in messages]
    if len(drafts) > 1 and len({draft.id for draft in drafts}) < len(drafts):
        repeated, _ = Counter(draft.id for draft in drafts).most_common(1)[0]
        raise InvalidInput(f"message id {repeated!r} is given more than once in this batch: ids must differ")
    return drafts


def message_draft(message: NewMessage, capabilities: Capabilities) -> MessageDraft:
    """Raises `InvalidInput`, `LimitExceeded`."""
    if not isinstance(message, NewMessage):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidInput(f"a message is of type {type(message).__name__}: give a NewMessage{_CONVERTED}")
    if message.role not in _USUAL_ROLES:
        check_id(message.role, "role")
    check_message_texts(message)
    payload = encode_payload(message)
    if len(payload) > capabilities.max_message_bytes:
        raise LimitExceeded("a message in bytes", limit=capabilities.max_message_bytes, actual=len(payload))
    return MessageDraft(
        id=fresh_id() if message.id is None else check_id(message.id, "message id"),
        role=message.role,
        payload=payload.decode(),
        content_key=content_key(message.role, payload),
        search_text=fold(message_text(message)) if capabilities.search else "",
        created_at=None if message.created_at is None else check_time(message.created_at, "created_at"),
    )


def check_message_texts(message: NewMessage) -> None:
    """The type of the fields that are text; lone surrogates are found when the payload is encoded."""
    if message.user_id is not None:
        check_id(message.user_id, "user_id")
    values = (message.name, message.tool_call_id, message.turn_id, message.route, message.step)
    if values == _NO_TEXTS:
        return
    for name, value in zip(_TEXTS, values, strict=True):
        if not (value is None or isinstance(value, str)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidInput(f"{name} is of type {type(value).__name__}: give a string or None")


def check_update(fields: MessageUpdate) -> None:
    """Raises `InvalidInput`."""
    only_known(fields, MessageUpdate.__annotations__.keys(), "a message update has no field")
    if not fields:
        raise InvalidInput(f"a message update names no field: give some of {', '.join(MessageUpdate.__annotations__)}")


def updated_message(message: Message, fields: MessageUpdate) -> NewMessage:
    """A message with some fields replaced."""
    kept: dict[str, Any] = {name: getattr(message, name) for name in NewMessage.__struct_fields__}
    return NewMessage(**(kept | cast("dict[str, Any]", fields)))
