"""Messages of each vendor's own types, with any content: strategies for property tests."""

from __future__ import annotations

from typing import Any

from anthropic.types import Message as AnthropicMessage
from google.genai import types as genai
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from openai.types.chat import ChatCompletionMessage
from openai.types.responses import Response
from pydantic_ai import messages as pai

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
IDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)
_SCALARS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXTS | st.floats(-1e6, 1e6)
JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)
OBJECTS = st.dictionaries(IDS, JSON, max_size=3)
UNKNOWN = st.dictionaries(IDS.map("new_{}".format), JSON, max_size=2)
"""Fields that the vendor has added since."""


def _with(unknown: dict[str, Any], **known: Any) -> dict[str, Any]:
    return {**known, **unknown}


def _items(**fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Items with these fields: strategies, or values that are always the same."""
    strategies: dict[str, st.SearchStrategy[Any]] = {
        name: value if isinstance(value, st.SearchStrategy) else st.just(value) for name, value in fields.items()
    }
    return st.builds(_with, UNKNOWN, **strategies)


# OpenAI chat
_FUNCTION = st.fixed_dictionaries({"name": IDS, "arguments": OBJECTS.map(str) | TEXTS})
_CHAT_CALLS = st.lists(_items(id=IDS, type="function", function=_FUNCTION), max_size=3)
OPENAI = _items(
    role="assistant",
    content=st.none() | TEXTS,
    refusal=st.none() | TEXTS,
    tool_calls=st.none() | _CHAT_CALLS,
    annotations=st.just([]),
).map(ChatCompletionMessage.model_validate)

# OpenAI Responses
_OUTPUT_TEXT = _items(type="output_text", text=TEXTS, annotations=st.just([]))
_OUTPUT = st.one_of(
    _items(type="message", id=IDS, role="assistant", status="completed", content=st.lists(_OUTPUT_TEXT, max_size=3)),
    _items(type="function_call", id=IDS, call_id=IDS, name=IDS, arguments=OBJECTS.map(str) | TEXTS),
    _items(type="custom_tool_call", id=IDS, call_id=IDS, name=IDS, input=TEXTS),
    _items(
        type="reasoning",
        id=IDS,
        summary=st.lists(st.fixed_dictionaries({"type": st.just("summary_text"), "text": TEXTS}), max_size=2),
        encrypted_content=st.none() | IDS,
    ),
    _items(type="web_search_call", id=IDS, status="completed", action=st.just({"type": "search", "query": "parcel"})),
)


def _response(output: list[dict[str, Any]]) -> list[Any]:
    fields = {"id": "r", "created_at": 1, "model": "m", "object": "response", "parallel_tool_calls": True}
    whole = Response.model_validate({**fields, "output": output, "tool_choice": "auto", "tools": []})
    return [*whole.output]


RESPONSES = st.lists(_OUTPUT, max_size=4).map(_response)

# Anthropic
_BLOCKS = st.one_of(
    _items(type="text", text=TEXTS, citations=st.none()),
    _items(type="thinking", thinking=TEXTS, signature=IDS),
    _items(type="redacted_thinking", data=IDS),
    _items(type="tool_use", id=IDS, name=IDS, input=OBJECTS),
    _items(type="server_tool_use", id=IDS, name=st.just("web_search"), input=OBJECTS),
)
ANTHROPIC = _items(
    id=IDS,
    type="message",
    role="assistant",
    model="claude",
    content=st.lists(_BLOCKS, max_size=5),
    stop_reason="tool_use",
    stop_sequence=None,
    usage=st.just({"input_tokens": 1, "output_tokens": 2}),
).map(AnthropicMessage.model_validate)

# Gemini
_BYTES = st.binary(max_size=12)
_PARTS = st.one_of(
    st.builds(genai.Part, text=TEXTS),
    st.builds(genai.Part, text=TEXTS, thought=st.just(True), thought_signature=_BYTES),
    st.builds(genai.Part, inline_data=st.builds(genai.Blob, data=_BYTES, mime_type=st.just("image/png"))),
    st.builds(
        genai.Part,
        function_call=st.builds(genai.FunctionCall, id=st.none() | IDS, name=IDS, args=st.none() | OBJECTS),
        thought_signature=st.none() | _BYTES,
    ),
    st.builds(
        genai.Part,
        function_response=st.builds(genai.FunctionResponse, id=st.none() | IDS, name=IDS, response=OBJECTS),
    ),
)
GEMINI = st.builds(genai.Content, role=st.sampled_from(["user", "model"]), parts=st.lists(_PARTS, max_size=4))

# LangChain
_LC_CONTENT = TEXTS | st.lists(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS})
    | st.fixed_dictionaries({"type": st.just("image_url"), "image_url": st.just({"url": "https://example.com/a.png"})})
    | TEXTS,
    max_size=3,
)
_LC_CALL = st.fixed_dictionaries({"name": IDS, "args": OBJECTS, "id": st.none() | IDS, "type": st.just("tool_call")})
LANGCHAIN: st.SearchStrategy[BaseMessage] = st.one_of(
    st.builds(HumanMessage, content=_LC_CONTENT, name=st.none() | IDS, id=st.none() | IDS),
    st.builds(SystemMessage, content=_LC_CONTENT),
    st.builds(
        AIMessage,
        content=_LC_CONTENT,
        additional_kwargs=OBJECTS,
        response_metadata=OBJECTS,
        tool_calls=st.lists(_LC_CALL, max_size=3),
    ),
    st.builds(ToolMessage, content=_LC_CONTENT, tool_call_id=IDS, artifact=JSON, name=st.none() | IDS),
)

# Pydantic AI
_USER_CONTENT = TEXTS | st.lists(
    TEXTS
    | st.builds(pai.ImageUrl, url=st.just("https://example.com/a.png"))
    | st.builds(pai.BinaryContent, data=_BYTES, media_type=st.just("image/png")),
    max_size=3,
)
_REQUEST_PARTS = st.one_of(
    st.builds(pai.SystemPromptPart, content=TEXTS),
    st.builds(pai.UserPromptPart, content=_USER_CONTENT),
    st.builds(pai.ToolReturnPart, tool_name=IDS, content=JSON, tool_call_id=IDS),
)
_RESPONSE_PARTS = st.one_of(
    st.builds(pai.TextPart, content=TEXTS),
    st.builds(pai.ThinkingPart, content=TEXTS, signature=st.none() | IDS),
    st.builds(pai.ToolCallPart, tool_name=IDS, args=st.none() | OBJECTS | TEXTS, tool_call_id=IDS),
)
PYDANTIC_AI: st.SearchStrategy[pai.ModelMessage] = st.builds(
    pai.ModelRequest, parts=st.lists(_REQUEST_PARTS, max_size=4), instructions=st.none() | TEXTS
) | st.builds(pai.ModelResponse, parts=st.lists(_RESPONSE_PARTS, max_size=4), model_name=st.none() | IDS)
