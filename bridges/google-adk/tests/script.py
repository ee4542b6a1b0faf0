"""A model of ADK that says what it was told to."""

from __future__ import annotations

from typing import Any

from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.genai import types


class Script(BaseLlm):
    model: str = "script"
    answers: list[types.Content]

    async def generate_content_async(self, llm_request: LlmRequest, stream: bool = False) -> Any:
        yield LlmResponse(content=self.answers.pop(0))
