"""Messages in the format of a model or a framework, to `NewMessage` and back.

    await keep.messages.append(id, from_openai([{"role": "user", "content": "Hi"}]))
    answer = client.chat.completions.create(model=..., messages=to_openai(await keep.messages.tail(id, 50)))
    await keep.messages.append(id, from_openai(answer.choices[0].message))

Each `from_…` takes an item or a list of items: dicts, or the vendor's own objects. Each item becomes one `NewMessage`.
Each `to_…` returns items as dicts, equal to those that came in: nothing is lost, fields that nobody knows yet included.

Whatever the format, these fields mean the same: `role` is system, developer, user, assistant or tool; `content` is
text or a list of parts; `tool_calls` has the form of OpenAI's chat, with the arguments as JSON text; `tool_call_id`
names the call that a result belongs to. What has no field goes to `event` verbatim, with the places from which the
fields were taken. So a field that is changed later (redaction) is changed in what `to_…` returns too.

A message of another format is converted as far as both can say it: text, images, tool calls and results. Another
vendor's reasoning is left out, because no other vendor accepts it (LangChain does). A part that is not known is passed
on as it is.

No vendor's package is needed.
"""

from __future__ import annotations

from agentkeep.formats._anthropic import from_anthropic, to_anthropic
from agentkeep.formats._gemini import from_gemini, to_gemini
from agentkeep.formats._langchain import from_langchain, to_langchain
from agentkeep.formats._openai import from_openai, to_openai
from agentkeep.formats._pydantic_ai import from_pydantic_ai, to_pydantic_ai
from agentkeep.formats._responses import from_openai_responses, to_openai_responses

__all__ = [
    "from_anthropic",
    "from_gemini",
    "from_langchain",
    "from_openai",
    "from_openai_responses",
    "from_pydantic_ai",
    "to_anthropic",
    "to_gemini",
    "to_langchain",
    "to_openai",
    "to_openai_responses",
    "to_pydantic_ai",
]
