"""Runs a command's work and turns its end into an exit code and, at most, one sentence."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import typer

from agentkeep.cli.failures import INTERRUPTED, PIPE_CLOSED, REFUSED, CommandError, exit_code, sentence
from agentkeep.cli.output import Output, say
from agentkeep.cli.settings import Settings
from agentkeep.errors import PersistenceError
from agentkeep.keep import Keep

Work = Callable[[Keep, Output, Settings], Coroutine[Any, Any, int]]
"""What a command does with an open keep; returns the exit code."""


def run_on(settings: Callable[[], Settings], out: Output, work: Work) -> NoReturn:
    """Open the database that `settings` chooses, which must exist; do the work, close it, exit."""

    async def whole() -> int:
        chosen = settings()
        async with opened(chosen, create=False) as keep:
            return await work(keep, out, chosen)

    run(whole)


@asynccontextmanager
async def opened(settings: Settings, *, create: bool) -> AsyncGenerator[Keep, None]:
    """The database that the settings name, open; with `create` it is made if there is none.

    Raises `ConfigurationError`, and what opening raises.
    """
    keep = settings.connect(create=create)
    settings.make_room()
    async with keep:
        yield keep


def run(work: Callable[[], Coroutine[Any, Any, int]]) -> NoReturn:
    """Do the work and exit with its code. Ctrl-C cancels it, which leaves whole appends (FLT-3).

    What `work` does before it returns its coroutine runs without an event loop.
    """
    raise typer.Exit(_code_of(work))


def _code_of(work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code = asyncio.run(work())
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _forget_output()
        return PIPE_CLOSED
    except CommandError as error:
        say(str(error))
        return error.code
    except PersistenceError as error:
        say(sentence(error))
        return exit_code(error)
    except OSError as error:
        # An adapter raises no such error (ERR-1): this comes from our own output, on a full disk for example.
        say(f"the output can't be written: {error.strerror or error}")
        return REFUSED
    return code


def _forget_output() -> None:
    """Discard standard output, so that Python's own flush at the end raises nothing."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
