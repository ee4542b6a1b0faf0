"""The `agentkeep` command. Its libraries come with the extra `cli`; the script itself comes with core."""

from __future__ import annotations

import signal
import sys
from importlib.util import find_spec
from typing import cast

_NEEDED = ("typer", "rich", "platformdirs")


def main() -> None:
    """Run the command that `sys.argv` names and exit: 0 done, 1 not found or refused, 2 usage, 3 no database."""
    if any(find_spec(name) is None for name in _NEEDED):
        sys.stderr.write('agentkeep: the command line is an extra of its own: pip install "agentkeep[cli]"\n')
        sys.exit(2)
    if cast("object", sys.stdout) is None:
        # The parent process may have closed it. What we would print must not be lost silently.
        sys.exit("agentkeep: standard output is closed, so nothing can be printed")
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Before the work begins nothing needs to be cleaned up, so Ctrl-C may end the process at once.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Only now, because these modules import what may be missing.
    from agentkeep.cli.app import app

    app(prog_name="agentkeep")
