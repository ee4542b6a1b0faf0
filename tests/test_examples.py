"""The examples run."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path
from typing import Any

import httpx
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_web_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "memory://")
    service = load("web_service")

    async def talk() -> None:
        transport = httpx.ASGITransport(service.app)
        async with service.keep, httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            ann, bob = {"X-User": "ann"}, {"X-User": "bob"}
            body = {"role": "user", "content": "Hi", "id": "m1"}
            first, again = [
                (await client.post("/sessions/s1/messages", json=body, headers=ann)).json() for _ in range(2)
            ]
            assert [message["content"] for message in first] == ["Hi", "You said: Hi"]
            assert again == first
            resumed = (await client.get("/sessions/s1", headers=ann)).json()
            assert resumed["session"]["counters"] == {"turns": 1}
            assert resumed["messages"] == first
            assert (await client.get("/sessions/s1", headers=bob)).status_code == 404
            assert [item["id"] for item in (await client.get("/sessions", headers=ann)).json()["items"]] == ["s1"]
            assert (await client.get("/sessions", headers=bob)).json()["items"] == []

    asyncio.run(talk())
