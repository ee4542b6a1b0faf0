"""A transport that says what Claude's command line would say to one prompt."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
from claude_agent_sdk import Transport

SESSION = "11111111-1111-4111-8111-111111111111"


class Script(Transport):
    def __init__(self, config: Path, answer: str) -> None:
        self.file = config / "projects" / "p" / f"{SESSION}.jsonl"
        self.answer = answer
        self.requests: list[dict[str, Any]] = []
        self.written = anyio.Event()

    async def connect(self) -> None: ...

    async def write(self, data: str) -> None:
        self.requests += [json.loads(line) for line in data.splitlines()]
        self.written.set()

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        await self.written.wait()
        for request in self.requests:
            if request["type"] == "control_request":
                response: dict[str, Any] = {"subtype": "success", "request_id": request["request_id"], "response": {}}
                yield {"type": "control_response", "response": response}
        usage = {"input_tokens": 7, "output_tokens": 5}
        message = {
            "id": "m1", "role": "assistant", "model": "script", "content": [{"type": "text", "text": self.answer}],
            "usage": usage,
        }  # fmt: skip
        said = {"role": "user", "content": "A window seat to Oslo, please"}
        entries = [
            {"type": "user", "uuid": str(uuid4()), "sessionId": SESSION, "message": said},
            {"type": "assistant", "uuid": str(uuid4()), "sessionId": SESSION, "message": message},
        ]
        yield {"type": "transcript_mirror", "filePath": str(self.file), "entries": entries}
        yield {"type": "assistant", "session_id": SESSION, "message": message}
        yield {
            "type": "result", "subtype": "success", "duration_ms": 1, "duration_api_ms": 1, "is_error": False,
            "num_turns": 1, "session_id": SESSION, "result": self.answer,
        }  # fmt: skip

    async def close(self) -> None: ...

    async def end_input(self) -> None: ...

    def is_ready(self) -> bool:
        return True
