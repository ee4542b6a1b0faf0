"""Items of each format, as the vendors' APIs and libraries write them, unknown fields included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from agentkeep import Message, NewMessage, formats

Item = dict[str, Any]
PNG = "iVBORw0KGgo="


class Case(NamedTuple):
    convert: Callable[[Any], list[NewMessage]]
    back: Callable[[list[Message | NewMessage]], list[Item]]
    items: list[Item]


def anthropic_back(messages: list[Message | NewMessage]) -> list[Item]:
    return formats.to_anthropic(messages, whole=True)


OPENAI: list[Item] = [
    {"role": "developer", "content": "Be short."},
    {"role": "user", "name": "ann", "content": "Where is my parcel?"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "Read this"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}},
            {"type": "file", "file": {"file_id": "file-1"}},
        ],
    },
    {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "track", "arguments": '{"id": 7}'}, "index": 0},
            {"id": "call_2", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}},
        ],
    },
    {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "in the van"},
    {
        "role": "assistant",
        "content": "Soon.",
        "reasoning_content": "the van",
        "annotations": [],
        "brand_new": {"a": 1.0},
    },
    {"role": "assistant", "content": None, "refusal": "I can't help with that."},
    {"role": "assistant", "content": None, "audio": {"id": "audio_1"}},
    {"role": "function", "name": "track", "content": "legacy"},
]

RESPONSES: list[Item] = [
    {"role": "user", "content": "Where is my parcel?"},
    {
        "type": "message",
        "role": "user",
        "content": [
            {"type": "input_text", "text": "Read this"},
            {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"},
        ],
    },
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "It is in the van"}],
        "encrypted_content": "gAAA",
    },
    {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "track", "arguments": '{"id":7}'},
    {"type": "function_call", "call_id": "call_9", "name": "track", "arguments": "{}"},
    {"type": "custom_tool_call", "id": "ct_1", "call_id": "call_2", "name": "sql", "input": "SELECT 1"},
    {"type": "function_call_output", "call_id": "call_1", "output": "in the van"},
    {"type": "custom_tool_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "1"}]},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "parcel"}},
    {"type": "computer_call_output", "call_id": "c3", "output": {"type": "computer_screenshot", "image_url": "x"}},
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Soon.", "annotations": [], "logprobs": []}],
    },
    {"type": "item_reference", "id": "msg_1"},
]

ANTHROPIC: list[Item] = [
    {"role": "user", "content": "Where is my parcel?"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "Read this", "cache_control": {"type": "ephemeral"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Terms"}, "title": "T"},
        ],
    },
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [
            {"type": "thinking", "thinking": "the van", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "ZGF0YQ=="},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "toolu_1", "name": "track", "input": {"id": 7, "big": 2**70, "f": 1.0}},
            {"type": "text", "text": "And once more."},
            {"type": "tool_use", "id": "toolu_2", "name": "track", "input": {}, "cache_control": None},
            {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "parcel"}},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 9, "output_tokens": 3},
    },
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "in the van"}]},
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "in the van"}]},
            {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": True},
            {"type": "text", "text": "Hurry"},
        ],
    },
    {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_3", "name": "track", "input": {"id": 8}}]},
    {"role": "assistant", "content": []},
]

GEMINI: list[Item] = [
    {"role": "user", "parts": [{"text": "Where is my parcel?"}]},
    {"parts": [{"text": "No role"}]},
    {"role": "user", "parts": [{"text": "Read this"}, {"inlineData": {"mimeType": "image/png", "data": PNG}}]},
    {
        "role": "model",
        "parts": [
            {"text": "the van", "thought": True},
            {"text": "I look."},
            {"functionCall": {"id": "f1", "name": "track", "args": {"id": 7}}, "thoughtSignature": "c2ln"},
            {"functionCall": {"name": "track"}},
        ],
    },
    {"role": "model", "parts": [{"function_call": {"name": "track", "args": {"id": 7}}}]},
    {"role": "user", "parts": [{"functionResponse": {"id": "f1", "name": "track", "response": {"place": "van"}}}]},
    {
        "role": "user",
        "parts": [
            {"functionResponse": {"id": "f1", "name": "track", "response": {"place": "van"}}},
            {"function_response": {"name": "track", "response": {"output": "lost"}, "will_continue": False}},
            {"text": "Hurry"},
        ],
    },
    {
        "role": "model",
        "parts": [{"executableCode": {"language": "PYTHON", "code": "1"}}, {"videoMetadata": {"fps": 1}}],
    },
]

LANGCHAIN: list[Item] = [
    {"type": "human", "data": {"content": "Where is my parcel?"}},
    {"type": "human", "data": {"content": [{"type": "text", "text": "Hi"}], "type": "human", "example": False}},
    {
        "type": "ai",
        "data": {
            "content": "I look.",
            "additional_kwargs": {"refusal": None},
            "response_metadata": {"token_usage": {"total_tokens": 9}},
            "type": "ai",
            "name": None,
            "id": "run-1",
            "tool_calls": [{"name": "track", "args": {"id": 7}, "id": "call_1", "type": "tool_call"}],
            "invalid_tool_calls": [{"name": "track", "args": "{", "id": "call_2", "error": None}],
            "usage_metadata": {"input_tokens": 9, "output_tokens": 0, "total_tokens": 9},
        },
    },
    {"type": "tool", "data": {"content": "van", "tool_call_id": "call_1", "status": "success", "artifact": {"a": [1]}}},
    {"type": "chat", "data": {"content": "hm", "role": "critic"}},
    {"content": "flat", "type": "ai", "id": "run-2", "tool_calls": [], "additional_kwargs": {}},
    {"type": "remove", "data": {"content": "", "id": "run-2"}},
]

PYDANTIC_AI: list[Item] = [
    {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": "Where is my parcel?"}]},
    {
        "kind": "request",
        "instructions": "Be short.",
        "parts": [
            {"part_kind": "system-prompt", "content": "You track parcels.", "timestamp": "2026-01-01T00:00:00Z"},
            {
                "part_kind": "user-prompt",
                "content": ["Read this", {"kind": "image-url", "url": "https://example.com/a.png"}],
                "timestamp": "2026-01-01T00:00:00Z",
            },
        ],
    },
    {
        "kind": "response",
        "model_name": "m",
        "usage": {"input_tokens": 9, "details": {}},
        "parts": [
            {"part_kind": "thinking", "content": "the van", "signature": "c2ln"},
            {"part_kind": "text", "content": "I look."},
            {"part_kind": "tool-call", "tool_name": "track", "args": {"id": 7}, "tool_call_id": "call_1"},
            {"part_kind": "tool-call", "tool_name": "track", "args": '{"id": 7}', "tool_call_id": "call_2"},
            {"part_kind": "tool-call", "tool_name": "track", "args": None, "tool_call_id": "call_3"},
            {"part_kind": "builtin-tool-call", "tool_name": "web_search", "args": {"q": "x"}, "tool_call_id": "b"},
        ],
    },
    {
        "kind": "request",
        "parts": [{"part_kind": "tool-return", "tool_name": "track", "content": "van", "tool_call_id": "call_1"}],
    },
    {
        "kind": "request",
        "parts": [
            {"part_kind": "tool-return", "tool_name": "track", "content": {"place": ["van"]}, "tool_call_id": "call_1"},
            {"part_kind": "tool-return", "tool_name": "track", "content": "7", "tool_call_id": "call_2"},
            {"part_kind": "retry-prompt", "tool_name": "track", "content": [{"loc": ["id"]}], "tool_call_id": "call_3"},
        ],
    },
    {"kind": "request", "parts": [{"part_kind": "retry-prompt", "content": "Again", "tool_name": None}]},
    {"kind": "request", "parts": [], "instructions": "Go on."},
    {"kind": "response", "parts": [{"part_kind": "text", "content": "Soon."}]},
]

CASES = {
    "openai": Case(formats.from_openai, formats.to_openai, OPENAI),
    "openai_responses": Case(formats.from_openai_responses, formats.to_openai_responses, RESPONSES),
    "anthropic": Case(formats.from_anthropic, anthropic_back, ANTHROPIC),
    "gemini": Case(formats.from_gemini, formats.to_gemini, GEMINI),
    "langchain": Case(formats.from_langchain, formats.to_langchain, LANGCHAIN),
    "pydantic_ai": Case(formats.from_pydantic_ai, formats.to_pydantic_ai, PYDANTIC_AI),
}
