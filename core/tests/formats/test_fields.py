"""What stands in the fields of a message that was converted, whichever format it came in."""

from __future__ import annotations

import math
from typing import Any

import agentkeep.sync
import msgspec
import pytest
from agentkeep import InvalidInput, Message, NewMessage, formats

from .samples import ANTHROPIC, CASES, GEMINI, PYDANTIC_AI, RESPONSES, Case, Item

TURNS: dict[str, list[Item]] = {
    "openai": [
        {"role": "user", "content": "Where?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "track", "arguments": '{"id":7}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "van"},
        {"role": "assistant", "content": "Soon."},
    ],
    "openai_responses": [
        {"role": "user", "content": "Where?"},
        {"type": "function_call", "call_id": "c1", "name": "track", "arguments": '{"id":7}'},
        {"type": "function_call_output", "call_id": "c1", "output": "van"},
        {"role": "assistant", "content": "Soon."},
    ],
    "anthropic": [
        {"role": "user", "content": "Where?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "track", "input": {"id": 7}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "van"}]},
        {"role": "assistant", "content": "Soon."},
    ],
    "gemini": [
        {"role": "user", "parts": [{"text": "Where?"}]},
        {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "track", "args": {"id": 7}}}]},
        {"role": "user", "parts": [{"functionResponse": {"id": "c1", "name": "track", "response": {"output": "van"}}}]},
        {"role": "model", "parts": [{"text": "Soon."}]},
    ],
    "langchain": [
        {"type": "human", "data": {"content": "Where?"}},
        {
            "type": "ai",
            "data": {
                "content": "",
                "tool_calls": [{"name": "track", "args": {"id": 7}, "id": "c1", "type": "tool_call"}],
            },
        },
        {"type": "tool", "data": {"content": "van", "tool_call_id": "c1"}},
        {"type": "ai", "data": {"content": "Soon."}},
    ],
    "pydantic_ai": [
        {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": "Where?"}]},
        {
            "kind": "response",
            "parts": [{"part_kind": "tool-call", "tool_name": "track", "tool_call_id": "c1", "args": '{"id":7}'}],
        },
        {
            "kind": "request",
            "parts": [{"part_kind": "tool-return", "tool_name": "track", "tool_call_id": "c1", "content": "van"}],
        },
        {"kind": "response", "parts": [{"part_kind": "text", "content": "Soon."}]},
    ],
}
"""The same turn, as each format says it."""
CALL = {"id": "c1", "type": "function", "function": {"name": "track", "arguments": '{"id":7}'}}


@pytest.mark.parametrize("name", CASES)
def test_a_turn_has_the_same_fields_in_each_format(name: str) -> None:
    asked, called, returned, said = CASES[name].convert(TURNS[name])
    assert (asked.role, asked.content) == ("user", "Where?")
    assert (called.role, called.tool_calls, called.content or None) == ("assistant", [CALL], None)
    assert (returned.role, returned.tool_call_id) == ("tool", "c1")
    assert returned.content in ("van", '{"output":"van"}')
    assert (said.role, said.content) == ("assistant", "Soon.")


@pytest.mark.parametrize("source", CASES)
@pytest.mark.parametrize("target", CASES)
def test_a_turn_goes_from_each_format_to_each(source: str, target: str) -> None:
    made = CASES[target].back([*CASES[source].convert(TURNS[source])])
    wanted = TURNS[target]
    assert len(made) == len(wanted)
    fields = [(m.role, m.tool_calls, m.tool_call_id, m.content or None) for m in CASES[target].convert(made)]
    assert [field[:3] for field in fields] == [
        ("user", None, None),
        ("assistant", [CALL], None),
        ("tool", None, "c1"),
        ("assistant", None, None),
    ]
    assert [field[3] for field in fields][:2] == ["Where?", None]
    assert fields[2][3] in ("van", '{"output":"van"}')
    assert fields[3][3] == "Soon."


@pytest.mark.parametrize("name", CASES)
def test_what_the_fields_say_whole_needs_no_event(name: str) -> None:
    assert [message.event for message in CASES[name].convert(TURNS[name][0])] == [None]


@pytest.mark.parametrize(
    ("name", "item", "text"),
    [
        ("openai", {"role": "assistant", "content": "the red van"}, "red"),
        ("openai", {"role": "assistant", "content": None, "refusal": "I refuse that"}, "refuse"),
        ("openai_responses", RESPONSES[2], "van"),
        ("anthropic", ANTHROPIC[2], "once"),
        ("anthropic", ANTHROPIC[4], "hurry"),
        ("gemini", GEMINI[6], "lost"),
        ("pydantic_ai", PYDANTIC_AI[1], "parcels"),
        ("pydantic_ai", PYDANTIC_AI[4], "place"),
        ("langchain", {"type": "ai", "data": {"content": [{"type": "text", "text": "the red van"}], "id": "7"}}, "red"),
    ],
)
def test_search_finds_the_text_and_no_marker(name: str, item: Item, text: str) -> None:
    with agentkeep.sync.connect("memory://") as keep:
        session = keep.sessions.create()
        keep.messages.append(session.id, CASES[name].convert(item))
        assert len(keep.messages.search(text)) == 1
        for marker in ("tool_calls", "user-prompt", name, "image/png", "c2ln"):
            assert keep.messages.search(marker) == []


def test_search_does_not_read_images() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo"}}
    with agentkeep.sync.connect("memory://") as keep:
        session = keep.sessions.create()
        keep.messages.append(session.id, formats.from_openai({"role": "user", "content": [image]}))
        assert keep.messages.search("iVBORw0KGgo") == []


def redacted(message: Message | NewMessage, **fields: Any) -> Any:
    return msgspec.structs.replace(message, **fields)


@pytest.mark.parametrize(("name", "number"), [("openai", 6), ("anthropic", 3), ("langchain", 2), ("pydantic_ai", 3)])
def test_a_redaction_shows_in_what_comes_back(name: str, number: int) -> None:
    case = CASES[name]
    (message,) = case.convert(case.items[number])
    text = str(message.content)
    (item,) = case.back([redacted(message, content="[removed]")])
    assert "[removed]" in str(item)
    assert text not in str(item)


@pytest.mark.parametrize(
    ("name", "item"),
    [
        ("openai", {"role": "user", "content": 5}),
        ("openai_responses", {"role": "user", "content": 5}),
        ("anthropic", {"role": "user", "content": 5}),
        ("gemini", {"role": "user", "parts": [5]}),
        ("langchain", {"type": "human", "data": {"content": 5}}),
        ("pydantic_ai", {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": 5}]}),
    ],
)
def test_a_redaction_counts_even_if_no_field_could_be_taken_from_there(name: str, item: Item) -> None:
    (message,) = CASES[name].convert(item)
    back = str(CASES[name].back([redacted(message, content="[removed]")]))
    assert "[removed]" in back
    assert "5" not in back


def test_the_arguments_of_a_call_can_be_redacted() -> None:
    (message,) = formats.from_anthropic(ANTHROPIC[2])
    assert message.tool_calls is not None
    calls = [{**call, "function": {**call["function"], "arguments": "{}"}} for call in message.tool_calls]
    (item,) = formats.to_anthropic([redacted(message, tool_calls=calls)])
    assert [block["input"] for block in item["content"] if block["type"] == "tool_use"] == [{}, {}]
    assert len(formats.to_anthropic([redacted(message, tool_calls=None, content=None)])) == 1


def test_anthropic_gets_back_only_what_it_takes() -> None:
    (item,) = formats.to_anthropic(formats.from_anthropic(ANTHROPIC[2]))
    assert item == {"role": "assistant", "content": ANTHROPIC[2]["content"]}


@pytest.mark.parametrize("target", CASES)
def test_images_cross_and_foreign_reasoning_stays(target: str) -> None:
    said = formats.from_anthropic(ANTHROPIC[1:3])
    if target == "anthropic":
        said = formats.from_gemini(GEMINI[2:4])
    made = str(CASES[target].back([*said]))
    assert "iVBORw0KGgo=" in made
    assert ("the van" in made) is (target == "langchain")
    assert "I look." in made


@pytest.mark.parametrize("target", CASES)
def test_an_image_keeps_its_type_and_other_files_are_no_images(target: str) -> None:
    def in_target(kind: str) -> str:
        part = {"inlineData": {"mimeType": kind, "data": "iVBORw0KGgo="}}
        said = formats.from_gemini([{"role": "user", "parts": [part]}])
        return str(CASES[target].back([*said]))

    assert "image/webp" in in_target("image/webp")
    if target != "gemini":
        assert "image" not in in_target("audio/wav").replace("agentkeep", "")


@pytest.mark.parametrize("target", CASES)
def test_several_results_in_one_message_cross(target: str) -> None:
    for said in (formats.from_anthropic(ANTHROPIC[2:5]), formats.from_gemini(GEMINI[5:7])):
        made = CASES[target].convert(CASES[target].back([*said]))
        assert "user" not in {message.role for message in made[1:2]}
        assert "Hurry" in str(made)


_WRONG: list[Any] = [{}, {"text": "Hi"}, "Hi", 7, None, {"role": 7, "content": "Hi"}, [["Hi"]]]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("wrong", _WRONG)
def test_what_is_no_message_is_refused_with_the_right_form(name: str, wrong: Any) -> None:
    with pytest.raises(InvalidInput, match=f"format {name}.* give "):
        CASES[name].convert(wrong)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_json_can_not_say_is_refused_and_never_changed(case: Case) -> None:
    item = {**case.items[0], "x": math.nan}
    with agentkeep.sync.connect("memory://") as keep:
        session = keep.sessions.create()
        with pytest.raises(InvalidInput, match="NaN"):
            keep.messages.append(session.id, case.convert(item))
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"x": math.nan}}
    with pytest.raises(InvalidInput, match="NaN"):
        formats.from_anthropic({"role": "assistant", "content": [call]})


def test_only_messages_are_converted_back() -> None:
    with pytest.raises(InvalidInput, match="type dict: give a Message or NewMessage"):
        formats.to_openai([{"role": "user"}])  # pyright: ignore[reportArgumentType]
    assert formats.to_openai([]) == []


@pytest.mark.parametrize("wrong", [[{"role": "user", "content": "Hi"}], {"role": "user", "content": "Hi"}])
def test_append_of_a_dict_says_how_to_convert_it(wrong: Any) -> None:
    with agentkeep.sync.connect("memory://") as keep:
        session = keep.sessions.create()
        with pytest.raises(InvalidInput, match=r"type dict: give a .*NewMessage; agentkeep\.formats .*from_openai"):
            keep.messages.append(session.id, wrong)


def test_vendors_objects_inside_a_dict_are_converted() -> None:
    """Such as `{"role": "assistant", "content": response.content}`, which Anthropic's pages show."""

    class Block:
        def model_dump(self, *, mode: str, exclude_unset: bool) -> Item:
            assert (mode, exclude_unset) == ("json", True)
            return {"type": "text", "text": "Hi"}

    (message,) = formats.from_anthropic({"role": "assistant", "content": [Block()]})
    assert message.content == [{"type": "text", "text": "Hi"}]
    (message,) = formats.from_gemini({"parts": [{"inline_data": {"data": b"\xff\xfe", "mime_type": "image/png"}}]})
    assert message.content == [{"inline_data": {"data": "//4=", "mime_type": "image/png"}}]
