"""A model of Strands that says what it was told to."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from strands.models import Model


class Script(Model):
    def __init__(self, *answers: list[dict[str, Any]], usage: dict[str, int] | None = None) -> None:
        self.answers = list(answers)
        self.usage = usage

    def update_config(self, **_: Any) -> None: ...

    def get_config(self) -> Any:
        return {}

    def structured_output(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    async def stream(self, *_: Any, **__: Any) -> AsyncGenerator[Any, None]:
        yield {"messageStart": {"role": "assistant"}}
        reason = "end_turn"
        for block in self.answers.pop(0):
            if "text" in block:
                yield {"contentBlockStart": {"start": {}}}
                yield {"contentBlockDelta": {"delta": {"text": block["text"]}}}
            else:
                reason = "tool_use"
                yield {"contentBlockStart": {"start": {"toolUse": {"name": block["name"], "toolUseId": "1"}}}}
                yield {"contentBlockDelta": {"delta": {"toolUse": {"input": block["input"]}}}}
            yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": reason}}
        if self.usage is not None:
            yield {"metadata": {"usage": self.usage, "metrics": {"latencyMs": 1}}}
