"""A chat in the terminal that can be left at any time and resumed.

    pip install "agentkeep[sqlite]"
    python chat_agent.py --session holiday

Without --session it goes on with your latest chat. It uses ./chat.db; `url = "postgresql://…"` in ./agentkeep.toml, or
AGENTKEEP_URL, names another database. With OPENAI_API_KEY set and `pip install openai` a real model answers
(OPENAI_MODEL names it), else a small script does.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Iterator
from typing import Any

from agentkeep import config, sync
from agentkeep.formats import to_openai
from agentkeep.sync import SyncConversation, SyncSessionManager

SYSTEM = "You are a friendly assistant. Answer in a few sentences."


def scripted_model(messages: list[dict[str, Any]]) -> Iterator[str]:
    """Answers in words that come one by one, as a real model's do. It knows your name if you told it, and can count."""
    said = [message["content"] for message in messages if message["role"] == "user"]
    names = [found[1] for text in said if (found := re.search(r"my name is (\w+)", text, re.IGNORECASE))]
    if count := re.search(r"count to (\d+)", said[-1], re.IGNORECASE):
        words = [str(number) for number in range(1, int(count[1]) + 1)]
    elif names:
        words = ["Your", "name", "is", f"{names[-1]}."]
    else:
        words = ["You", "said:", *said[-1].split()]
    for word in words:
        time.sleep(0.02)
        yield f"{word} "


def openai_model(messages: list[dict[str, Any]]) -> Iterator[str]:
    """The answer of a model with OpenAI's chat API, chunk by chunk."""
    from openai import OpenAI

    given: Any = messages
    model = os.environ.get("OPENAI_MODEL", "gpt-5-mini")
    for chunk in OpenAI().chat.completions.create(model=model, messages=given, stream=True):
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


def answer(conversation: SyncConversation, text: str) -> None:
    """One turn: all of it is stored at its end, by one commit; after Ctrl-C, what there is of it."""
    model = openai_model if os.environ.get("OPENAI_API_KEY") else scripted_model
    with conversation.turn(keep_partial=True) as turn:
        question = turn.add("user", text)
        context = [{"role": "system", "content": SYSTEM}, *to_openai([*conversation.context(), question])]
        shown = ""
        try:
            for chunk in model(context):
                shown += chunk
                print(chunk, end="", flush=True)
        finally:
            if shown:
                turn.add("assistant", shown)
            print()


def main() -> None:
    parser = argparse.ArgumentParser(description="Chat; Ctrl-C or Ctrl-D leaves.")
    parser.add_argument("--session", metavar="NAME", help="create or resume this chat (default: your latest one)")
    parser.add_argument("--user", default="me", help="whose chats these are (default: me)")
    arguments = parser.parse_args()
    with sync.over(config.load(default_url="sqlite:///chat.db").keep()) as keep:
        manager = SyncSessionManager(keep, agent_name="chat", user_id=arguments.user, window=40)
        named = arguments.session
        conversation = manager.get_or_create(named) if named else manager.resume_latest()
        for message in conversation.history(6):
            print(f"{'>' if message.role == 'user' else ' '} {message.content}")
        try:
            while True:
                if text := input("> ").strip():
                    answer(conversation, text)
        except (KeyboardInterrupt, EOFError):
            print(f"\nGo on with: python chat_agent.py --session {conversation.id}")


if __name__ == "__main__":
    main()
