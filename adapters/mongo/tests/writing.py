"""A process that appends until its input ends: `python writing.py URL PREFIX NUMBER`. It prints one line of JSON.

Each try has a text of its own, so the log shows what became of each: what was acknowledged, what is unknown, and what
was said not to be written.
"""

from __future__ import annotations

import asyncio
import json
import sys
from time import monotonic

from agentkeep import Keep, NewMessage, OutcomeUnknown, Unavailable
from agentkeep_mongo import MongoAdapter


async def main(url: str, prefix: str, number: str) -> None:
    told: dict[str, list[str]] = {"acknowledged": [], "unknown": [], "not written": []}
    longest, tries = 0.0, 0
    end = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    async with Keep(MongoAdapter.from_url(url, prefix=prefix)) as keep:
        last = monotonic()
        while not end.done():
            tries += 1
            text = f"{number} {tries}"
            session_id = "shared" if tries % 2 else f"own{number}"
            try:
                await keep.messages.append(session_id, [NewMessage(role="user", content=text)], create={})
            except OutcomeUnknown:
                told["unknown"].append(text)
            except Unavailable:
                told["not written"].append(text)
                await asyncio.sleep(0.05)
            else:
                told["acknowledged"].append(text)
                longest, last = max(longest, monotonic() - last), monotonic()
                if tries == 20:
                    print("ready", flush=True)
    print(json.dumps({**told, "longest": longest}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
