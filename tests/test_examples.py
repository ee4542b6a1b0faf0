"""The examples run, as a new user would run them, and the same agent runs unchanged on every backend."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import inspect
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from agentkeep import Message, sync

EXAMPLES = Path(__file__).parents[1] / "examples"


def chat(url: str, lines: str, *arguments: str, **environment: str) -> str:
    """What the chat agent prints for these lines."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / "chat_agent.py", *arguments],
        input=lines,
        env=_environment(url) | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


def _environment(url: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"} | (
        {"AGENTKEEP_URL": url} if url else {}
    )


def test_the_chat_agent_on_every_backend(backend_url: str) -> None:
    """Unchanged: only the URL differs. What is in memory ends with the process."""
    is_shared = backend_url != "memory://"
    if is_shared:
        assert "Your name is Ann." in chat(backend_url, "Hi, my name is Ann\n", "--session", "s1")
        second = chat(backend_url, "What is my name?\n", "--session", "s1")
        assert "> Hi, my name is Ann" in second, "it shows what was said before"
        assert second.count("Your name is Ann.") == 2, "the model got what was said before"
        assert "You said: Hello" in chat(backend_url, "Hello\n", "--session", "s2")
        assert "> Hello" in chat(backend_url, "", "--user", "me"), "without a name it resumes the latest"
        assert "--session s2" in chat(backend_url, "")
        assert "Hello" not in chat(backend_url, "", "--user", "another")
    else:
        assert chat(backend_url, "my name is Ann\nWho am I?\n").count("Your name is Ann.") == 2


def test_one_line_of_configuration_names_another_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTKEEP_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    for content, file in (("", "chat.db"), ('url = "sqlite:///other.db"', "other.db")):
        (tmp_path / "agentkeep.toml").write_text(content)
        assert not (tmp_path / file).exists()
        chat("", "Hi\n")
        assert (tmp_path / file).exists()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/chat.db"


def stored(url: str, session_id: str) -> list[Message]:
    with sync.connect(url) as keep:
        return keep.messages.tail(session_id, 100)


class Terminal:
    """A chat agent that is running."""

    def __init__(self, url: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, EXAMPLES / "chat_agent.py", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(url),
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def write(self, text: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def read_until(self, text: str) -> str:
        assert self._process.stdout
        read = b""
        while text.encode() not in read:
            more = self._process.stdout.read(1)
            assert more, read
            read += more
        return read.decode()

    def interrupt(self) -> tuple[int, str, str]:
        """Its exit code, and what it still printed, after Ctrl-C."""
        self._process.send_signal(signal.SIGINT)
        out, error = self._process.communicate(timeout=30)
        return self._process.returncode, out.decode(), error.decode()


def test_ctrl_c_loses_nothing(sqlite_url: str) -> None:
    terminal = Terminal(sqlite_url, "--session", "s1")
    terminal.write("Hello\nPlease count to 1000\n")
    terminal.read_until("1 2 3 ")
    code, out, error = terminal.interrupt()
    assert (code, error) == (0, "")
    assert "Go on with: python chat_agent.py --session s1" in out
    hello, answer, question, begun = stored(sqlite_url, "s1")
    assert [hello.content, answer.content, question.content] == ["Hello", "You said: Hello ", "Please count to 1000"]
    assert str(begun.content).startswith("1 2 3 ")
    assert [message.metadata for message in (hello, answer, question, begun)] == [{}, {}, *2 * [{"partial": True}]]
    assert "> Please count to 1000" in chat(sqlite_url, "", "--session", "s1")


def test_ctrl_c_at_the_prompt_leaves(sqlite_url: str) -> None:
    terminal = Terminal(sqlite_url, "--session", "s1")
    terminal.read_until("> ")
    code, out, error = terminal.interrupt()
    assert (code, error) == (0, "")
    assert "Go on with" in out


def test_two_terminals_on_two_sessions(sqlite_url: str) -> None:
    terminals = [Terminal(sqlite_url, "--session", name) for name in ("a", "b")]
    for number, terminal in enumerate(terminals):
        terminal.write(f"I am number {number}\n")
    for number, terminal in enumerate(terminals):
        terminal.read_until(f"You said: I am number {number}")
        terminal.read_until("> ")
    for terminal in terminals:
        assert terminal.interrupt()[0] == 0
    for number, name in enumerate(("a", "b")):
        assert stored(sqlite_url, name)[0].content == f"I am number {number}"
        assert len(stored(sqlite_url, name)) == 2


class _Model(BaseHTTPRequestHandler):
    """Speaks OpenAI's chat API, as far as the example uses it."""

    asked: dict[str, Any]

    def do_POST(self) -> None:
        type(self).asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for text in ("Real ", "answer"):
            delta = {"index": 0, "delta": {"content": text}, "finish_reason": None}
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [delta]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def model_url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Model)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_chat_agent_with_a_model_of_openais_api(sqlite_url: str, model_url: str) -> None:
    pytest.importorskip("openai")
    printed = chat(sqlite_url, "Hi\n", "--session", "s1", OPENAI_API_KEY="key", OPENAI_BASE_URL=model_url)
    assert "Real answer" in printed
    assert [message["content"] for message in _Model.asked["messages"]][1:] == ["Hi"]
    assert [message.content for message in stored(sqlite_url, "s1")] == ["Hi", "Real answer"]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AGENTKEEP_URL", "memory://")
    spec = importlib.util.spec_from_file_location("web_service", EXAMPLES / "web_service.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "web_service", module)  # FastAPI looks there for the annotations
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def client_of(service: Any) -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(service.app)
    async with (
        service.lifespan(service.app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield client


ANN, BOB = {"X-User": "ann"}, {"X-User": "bob"}


def test_the_web_service(service: Any) -> None:
    async def talk() -> None:
        async with client_of(service) as client:
            body = {"text": "Hi", "id": "request-1"}
            first, again = [
                (await client.post("/sessions/s1/messages", json=body, headers=ANN)).json() for _ in range(2)
            ]
            assert [message["content"] for message in first] == ["Hi", "You said: Hi "]
            assert again == first
            assert (await client.get("/sessions/s1/messages", headers=ANN)).json() == first
            for method, path in (("GET", "messages"), ("POST", "messages"), ("GET", "events")):
                answer = await client.request(method, f"/sessions/s1/{path}", json=body, headers=BOB)
                assert (answer.status_code, answer.json()) == (404, {"detail": "no such session"})
            assert [item["id"] for item in (await client.get("/sessions", headers=ANN)).json()["items"]] == ["s1"]
            assert (await client.get("/sessions", headers=BOB)).json()["items"] == []
            assert (await client.delete("/sessions/s1", headers=BOB)).json() is False
            assert (await client.delete("/sessions/s1", headers=ANN)).json() is True

    asyncio.run(talk())


def test_a_question_sent_by_many_at_once_is_stored_once(service: Any) -> None:
    async def talk() -> None:
        async with client_of(service) as client:
            body = {"text": "Hi", "id": "request-1"}
            answers = await asyncio.gather(
                *(client.post("/sessions/s1/messages", json=body, headers=ANN) for _ in range(8))
            )
            assert [answer.json() for answer in answers] == [answers[0].json()] * 8
            assert len((await client.get("/sessions/s1/messages", headers=ANN)).json()) == 2

    asyncio.run(talk())


def test_the_web_services_events(service: Any) -> None:
    async def talk() -> None:
        async with client_of(service) as client:

            async def ask(number: int) -> None:
                body = {"text": f"q{number}", "id": f"request-{number}"}
                assert (await client.post("/sessions/s1/messages", json=body, headers=ANN)).status_code == 200

            await ask(1)
            async with events(service, last_event_id=1) as received:
                assert await anext(received) == {"id": "2", "content": "You said: q1 "}
                await ask(2)
                assert await anext(received) == {"id": "3", "content": "q2"}
                assert await anext(received) == {"id": "4", "content": "You said: q2 "}
                await client.delete("/sessions/s1", headers=ANN)
                assert await anext(received) == {"event": "end"}

    asyncio.run(asyncio.wait_for(talk(), 20))


@asynccontextmanager
async def events(service: Any, last_event_id: int) -> AsyncGenerator[AsyncIterator[dict[str, str]]]:
    """The events of session s1 as they come; httpx's transport would wait for the last one."""
    sent: asyncio.Queue[bytes] = asyncio.Queue()
    is_gone = asyncio.Event()

    async def receive() -> dict[str, str]:
        await is_gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        await sent.put(message.get("body", b""))

    headers = [(b"x-user", b"ann"), (b"last-event-id", str(last_event_id).encode())]
    scope = {"type": "http", "method": "GET", "path": "/sessions/s1/events", "query_string": b"", "headers": headers}
    serving = asyncio.create_task(service.app(scope, receive, send))

    async def received() -> AsyncIterator[dict[str, str]]:
        while True:
            text = (await sent.get()).decode()
            if event := re.match(r"id: (\d+)\ndata: (.*)\n\n$", text):
                yield {"id": event[1], "content": json.loads(event[2])["content"]}
            elif event := re.match(r"event: (\w+)\n", text):
                yield {"event": event[1]}

    yield received()
    is_gone.set()
    await serving


def test_the_tests_of_an_agent() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", EXAMPLES / "testing", "."],
        cwd=EXAMPLES / "testing",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_the_notebook(sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each cell is run in the order of the page, in a running event loop, as a notebook does."""
    monkeypatch.setenv("AGENTKEEP_URL", sqlite_url)
    cells = json.loads((EXAMPLES / "notebook.ipynb").read_text())["cells"]
    assert not any(cell.get("outputs") for cell in cells), "outputs are not kept in the repository"
    names: dict[str, Any] = {}

    async def run() -> None:
        for cell in cells:
            if cell["cell_type"] == "code":
                code = compile("".join(cell["source"]), "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                result = eval(code, names)  # noqa: S307 - our own notebook
                if inspect.isawaitable(result):
                    await result

    asyncio.run(run())
    printed = capsys.readouterr().out.splitlines()
    assert printed == [
        "1 user Where is my parcel?",
        "2 assistant It is on its way.",
        "{'topic': 'parcel'}",
        "0.000400000",
        "1",
    ]
