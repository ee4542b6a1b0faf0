"""A report on an agent's conversations, by OpenSearch's own analysis: messages a day, tools used, and what was asked.

    export AGENTKEEP_URL="opensearch://localhost:9200?languages=english"
    agentkeep import transcripts.jsonl
    python opensearch_report.py "delivering parcels"

`languages` is needed when the indices are created: then English words are found in their other forms too.
"""

from __future__ import annotations

import asyncio
import os
import sys

from agentkeep import Keep
from agentkeep.records import Scope
from agentkeep_opensearch import AnalysisQuery, OpenSearchAdapter

URL = "opensearch://localhost:9200?languages=english"


async def report(url: str, text: str) -> None:
    adapter = OpenSearchAdapter.from_url(url)
    async with Keep(adapter):
        everything = AnalysisQuery(counts=("day", "role", "tool", "session"), limit=0)
        result = await adapter.analysis.search(Scope("default"), everything)
        for name, counts in result.counts.items():
            print(f"By {name}:")
            for value, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
                print(f"  {value:20} {count:6,}")
        print(f"Messages about {text!r}:")
        asked = AnalysisQuery(text=text, language="english", match="any", limit=5)
        for hit in (await adapter.analysis.search(Scope("default"), asked)).hits:
            print(f"  {hit.score:5.2f} {hit.session_id}: {' … '.join(hit.highlights)}")


if __name__ == "__main__":
    asyncio.run(report(os.environ.get("AGENTKEEP_URL", URL), " ".join(sys.argv[1:]) or "delivering parcels"))
