"""The project's two set-up commands, and a contributor's daily ones. Needs Python >= 3.11; everything else goes into
the project's own folder: uv into `.tools/`, the packages into `.venv/`.

    python3 dev.py try      set up, then the main job on SQLite with the sample transcripts
    python3 dev.py test     set up, then all tests, side by side (with arguments: pytest and these alone)
    python3 dev.py suite NAME       set up, then the everyday suite on this adapter: a minute
    python3 dev.py suite --whole NAME...    set up, then all that the gate asks of these adapters, side by side
    python3 dev.py check    set up, then style and types
    python3 dev.py evidence [NAME...]   run the suite on these adapters; renew docs/evidence and the tables
    python3 dev.py evidence --of-tests  renew them from the last run of all tests
    python3 dev.py docs     set up, then build the site into .site/
    python3 dev.py lock     resolve the dependencies anew into requirements.lock
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
BIN = "Scripts" if os.name == "nt" else "bin"
UV_HOME = ROOT / ".tools" / "uv"
UV = UV_HOME / BIN / "uv"
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "agentkeep-set-up"
SIDE_BY_SIDE = ["-n", str((os.cpu_count() or 1) * 2)]
"""Two processes a core, as tests of servers wait for about a third of their time: with three on two cores, 1.4 of them
were busy. All tests stay by class and module, so that each server starts once: spread test by test they took 33 minutes
instead of 25, and 16 GB of memory. The suite of one backend is spread (see `conftest.py`)."""
EVIDENCE = ROOT / ".evidence.json"
"""What the last run of all tests saw of each clause on each adapter."""
SECONDS = ROOT / "conformance_tests" / "src" / "agentkeep_conformance" / "seconds.json"
"""What each test of the suite took, by which a minute of it chooses."""
MEMBERS = [
    "core",
    "conformance_tests",
    *sorted(f"adapters/{path.parent.name}" for path in ROOT.glob("adapters/[a-z]*/pyproject.toml")),
]


def run(*command: object, **environment: str) -> None:
    """Run a command in the project's folder; its failure is ours."""
    caches = {"UV_CACHE_DIR": str(ROOT / ".tools" / "cache"), "PIP_CACHE_DIR": str(ROOT / ".tools" / "pip-cache")}
    done = subprocess.run([str(part) for part in command], cwd=ROOT, env=os.environ | caches | environment, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(done.returncode)


def set_up() -> None:
    """Make `.venv` hold exactly what the lock says, and the workspace's packages as they stand here."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file may be run by any Python
        sys.exit(f"Agentkeep needs Python 3.11 or newer; this is {sys.version.split()[0]}")
    wanted = "\n".join(
        [sys.version, LOCK.read_text(), *((ROOT / member / "pyproject.toml").read_text() for member in MEMBERS)]
    )
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    install_uv()
    run(UV, "venv", "--quiet", "--allow-existing", "--python", sys.executable, VENV)
    run(UV, "pip", "sync", "--quiet", "--require-hashes", LOCK, VIRTUAL_ENV=str(VENV))
    editable = [part for member in MEMBERS for part in ("--editable", member)]
    run(UV, "pip", "install", "--quiet", "--no-deps", *editable, VIRTUAL_ENV=str(VENV))
    STAMP.write_text(wanted)


def install_uv() -> None:
    if UV.exists() or UV.with_suffix(".exe").exists():
        return
    try:
        venv.create(UV_HOME, with_pip=True)
    except subprocess.CalledProcessError:
        sys.exit("this Python can't make virtual environments; on Debian: apt-get install python3-venv")
    run(UV_HOME / BIN / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv>=0.9")


def try_it() -> None:
    """Import, list, show, and resume from a second process: what a user does first."""
    set_up()
    with tempfile.TemporaryDirectory(prefix="agentkeep-try-") as folder:
        url = f"sqlite:///{folder}/chat.db"
        for command in (
            "import examples/transcripts.jsonl",
            "sessions",
            "show support-parcel",
            "append support-parcel --role user --content 'Can it be left with my neighbour?'",
            "show support-parcel --tail 2",
            "stats",
        ):
            print(f"\n$ agentkeep {command}", flush=True)
            run(VENV / BIN / "agentkeep", *shlex.split(command), AGENTKEEP_URL=url)
    print("\nThat file is gone. For one of yours: .venv/bin/agentkeep --url sqlite:///chat.db import FILE")


def test(arguments: list[str]) -> None:
    set_up()
    # A shell's background job ignores Ctrl-C, and so would all that it starts; some tests send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    all_tests = [*SIDE_BY_SIDE, "--dist=loadscope", "--conformance-json", EVIDENCE]
    run(VENV / BIN / "python", "-m", "pytest", *(arguments or all_tests))


def suite(names: list[str], *, whole: bool) -> None:
    targets = [f"adapters/{name}/tests/test_conformance.py" for name in names]
    minute = [] if whole else ["--conformance-minute", "--no-loadscope-reorder"]
    test([*SIDE_BY_SIDE, "--dist=loadgroup", *minute, *targets])


def check() -> None:
    set_up()
    run(VENV / BIN / "ruff", "check", ".")
    run(VENV / BIN / "ruff", "format", "--check", ".")
    run(VENV / BIN / "basedpyright")


def evidence(names: list[str]) -> None:
    set_up()
    conformance = VENV / BIN / "agentkeep-conformance"
    kept = ROOT / "docs" / "evidence"
    kept.mkdir(parents=True, exist_ok=True)
    if names == ["--of-tests"]:
        for file in kept.glob("*.json"):
            file.unlink()
        run(conformance, "report", EVIDENCE, "--summary", kept / "all.json", "--seconds", SECONDS)
        names = []
    for name in names:
        run(conformance, "run", name, "--require", "all", "--summary", kept / f"{name}.json")
    for page in (ROOT / "README.md", kept / "README.md"):
        run(conformance, "report", *sorted(kept.glob("*.json")), "--readme", page)


def docs() -> None:
    set_up()
    run(VENV / BIN / "python", "-m", "mkdocs", "build", "--strict", NO_MKDOCS_2_WARNING="1")


def lock() -> None:
    """Without any index's address in it, so that it serves behind a mirror too."""
    install_uv()
    run(UV, "lock", "--quiet", "--upgrade")
    export = ["--all-packages", "--all-groups", "--all-extras", "--no-emit-workspace", "--no-header", "--no-annotate"]
    # langchain-core names it, but its messages work without it. Its pytest plugin slows each test run by 4 seconds.
    export += ["--no-emit-package", "langsmith"]
    run(UV, "export", "--quiet", "--frozen", "--format", "requirements-txt", *export, "--output-file", LOCK)


def main() -> None:
    command, *arguments = sys.argv[1:] or ["--help"]
    if command == "try" and not arguments:
        try_it()
    elif command == "test":
        test(arguments)
    elif command == "suite" and arguments[:1] == ["--whole"] and arguments[1:]:
        suite(arguments[1:], whole=True)
    elif command == "suite" and len(arguments) == 1:
        suite(arguments, whole=False)
    elif command == "check" and not arguments:
        check()
    elif command == "evidence":
        evidence(arguments)
    elif command == "docs" and not arguments:
        docs()
    elif command == "lock" and not arguments:
        lock()
    else:
        print(__doc__)
        sys.exit(0 if command == "--help" else 2)


if __name__ == "__main__":
    main()
