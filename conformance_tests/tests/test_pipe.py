"""Who reads only the beginning of the command's output, as `| head` does, sees no traceback and waits for nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MODULE = """
import asyncio
from pathlib import Path
from agentkeep_conformance import proves
from agentkeep_conformance.fixtures import Fixtures
from agentkeep_memory import MemoryAdapter

class TestOne(Fixtures):
    def open(self, dsn, namespace, **options):
        return MemoryAdapter(f"{dsn}{namespace}", **options)

    @proves("ORD-1")
    async def test_first(self, keep):
        while not Path(CLOSED).exists():
            await asyncio.sleep(0.01)

    @proves("ORD-1")
    async def test_second(self, keep):
        await asyncio.sleep(600)
"""


def test_a_run_ends_quietly_if_nobody_reads_on(tmp_path: Path) -> None:
    """The first test waits until the reader has gone. Its result is then the output that nobody reads."""
    closed = tmp_path / "closed"
    module = tmp_path / "test_module.py"
    module.write_text(f"CLOSED = {str(closed)!r}\n{MODULE}", encoding="utf-8")
    main = "import sys; from agentkeep_conformance.command import main; sys.exit(main())"
    command = [sys.executable, "-c", main, "run", str(module), "--", "-v", "-n0", "-p", "no:cacheprovider"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert process.stdout.readline()
            process.stdout.close()
            closed.touch()
            assert process.wait(timeout=300) != 0
            assert process.stderr.read() == b""
        finally:
            process.terminate()
