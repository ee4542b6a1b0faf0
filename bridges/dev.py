"""The bridges' environments: frameworks' packages conflict, so each bridge has its own, in `bridges/NAME/.venv`.

python3 bridges/dev.py test [NAME...] [-- PYTEST...]    set up, then the tests of these bridges, or of all
python3 bridges/dev.py check [NAME...]                  set up, then their types
python3 bridges/dev.py lock [NAME...]                   resolve their dependencies anew
python3 bridges/dev.py faults                           measure what stores lose, and renew FAULTS.md
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BRIDGES = Path(__file__).resolve().parent
sys.path.insert(0, str(BRIDGES.parent))

import dev  # noqa: E402 - the workspace's own, one folder up

NAMES = sorted(page.parent.name for page in BRIDGES.glob("*/pyproject.toml"))
PYTHON = ("src", "tests", "examples", "upstream")
SDISTS = dev.ROOT / ".tools" / "sdists"


def set_up(name: str) -> Path:
    """The Python of the bridge's environment, which holds what its lock says and this workspace's packages."""
    bridge = BRIDGES / name
    environment = bridge / ".venv"
    python, stamp = environment / dev.BIN / "python", environment / "agentkeep-set-up"
    members = [*dev.MEMBERS, f"bridges/{name}"]
    pages = [(dev.ROOT / member / "pyproject.toml").read_text() for member in members]
    wanted = "\n".join([sys.version, (bridge / "requirements.lock").read_text(), *pages])
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    dev.install_uv()
    dev.run(dev.UV, "venv", "--quiet", "--allow-existing", "--python", sys.executable, environment)
    dev.run(
        dev.UV, "pip", "sync", "--quiet", "--require-hashes", bridge / "requirements.lock", VIRTUAL_ENV=str(environment)
    )
    editable = [part for member in members for part in ("--editable", member)]
    dev.run(dev.UV, "pip", "install", "--quiet", "--no-deps", *editable, VIRTUAL_ENV=str(environment))
    stamp.write_text(wanted)
    return python


def upstream_of(name: str) -> str:
    """The unpacked source of the framework, of the version in the lock, if the bridge runs its tests; else ""."""
    if not (BRIDGES / name / "upstream").exists():
        return ""
    lock = (BRIDGES / name / "requirements.lock").read_text()
    found = re.search(rf"^{name}==(\S+)[^#]*?(?=^\S)", lock, flags=re.MULTILINE | re.DOTALL)
    assert found, f"{name} is not in its bridge's lock"
    folder = SDISTS / f"{name.replace('-', '_')}-{found[1]}"
    if not folder.exists():
        SDISTS.mkdir(parents=True, exist_ok=True)
        wanted = SDISTS / f"{name}.txt"
        wanted.write_text(found[0])
        options = ["--quiet", "--no-deps", "--no-binary", ":all:", "--require-hashes"]
        pip = [dev.UV_HOME / dev.BIN / "python", "-m", "pip", "--disable-pip-version-check"]
        dev.run(*pip, "download", *options, "--dest", SDISTS, "--requirement", wanted)
        with tarfile.open(f"{folder}.tar.gz") as source:
            source.extractall(SDISTS, filter="data")
    return str(folder)


def test(name: str, options: list[str], *, alone: bool) -> bool:
    """`alone`: its output is shown as it comes. Else it is shown when the tests have ended."""
    python = BRIDGES / name / ".venv" / dev.BIN / "python"
    environment = os.environ | {"AGENTKEEP_BRIDGE": name, "AGENTKEEP_UPSTREAM": upstream_of(name)}
    command = [python, "-m", "pytest", "-c", BRIDGES / "pytest.ini", "--rootdir", BRIDGES]
    tests = [BRIDGES / name / "tests", BRIDGES / "test_faults.py"]
    done = subprocess.run(  # noqa: S603
        [*map(str, [*command, *tests]), *options],
        env=environment,
        check=False,
        text=True,
        stdout=None if alone else subprocess.PIPE,
        stderr=None if alone else subprocess.STDOUT,
    )
    print(f"{done.stdout or ''}\n== bridge {name}: {'failed' if done.returncode else 'passed'}", flush=True)
    return done.returncode == 0


def test_all(names: list[str], options: list[str]) -> list[str]:
    """Two bridges at once, as tests wait for servers and for processes of their own. Returns those that failed."""
    for name in names:
        print(f"== environment of bridge {name}", flush=True)
        set_up(name)
        upstream_of(name)
    with ThreadPoolExecutor(2) as pool:
        runs = {name: pool.submit(test, name, options, alone=len(names) == 1) for name in names}
    return [name for name, run in runs.items() if not run.result()]


def check(name: str) -> bool:
    """Strict, with the framework's own types. What is left out of `dev.py check` is checked here."""
    print(f"\n== types of bridge {name}", flush=True)
    python = set_up(name)
    dev.set_up()
    bridge = BRIDGES / name
    wanted = {
        "include": [str(bridge / part) for part in PYTHON if (bridge / part).exists()],
        "extraPaths": [str(BRIDGES), str(bridge / "tests"), *map(str, BRIDGES.glob("*/src")), upstream_of(name)],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
    }
    config = bridge / ".venv" / "pyrightconfig.json"
    config.write_text(json.dumps(wanted))
    command = [dev.VENV / dev.BIN / "basedpyright", "--project", config, "--pythonpath", python]
    return subprocess.run([*map(str, command)], check=False).returncode == 0  # noqa: S603


def lock(name: str) -> None:
    dev.install_uv()
    bridge = BRIDGES / name
    extras = {"conformance_tests": "[servers]"}
    members = dev.ROOT / ".bridge-members.in"  # relative paths in it start here
    members.write_text("".join(f"-e ./{member}{extras.get(member, '')}\n" for member in dev.MEMBERS))
    page = bridge / "pyproject.toml"
    options = [
        "--quiet",
        "--universal",
        "--python-version",
        "3.11",
        "--generate-hashes",
        "--no-annotate",
        "--no-header",
    ]
    target = bridge / "requirements.lock"
    dev.run(
        dev.UV,
        "pip",
        "compile",
        members,
        page,
        "--upgrade",
        "--group",
        f"{page}:test",
        *options,
        "--output-file",
        target,
    )
    members.unlink()
    lines = target.read_text().splitlines(keepends=True)
    target.write_text("".join(line for line in lines if not line.startswith("-e ")))


OWN = {
    "claude-agent": "none that outlives its process",
    "google-adk": "`SqliteSessionService`",
    "openai-agents": "`SQLiteSession`",
    "pydantic-ai": "none that outlives its process",
    "strands-agents": "`FileSessionManager`",
}
FAULTS = """# What stores lose

`python3 bridges/dev.py faults` makes this table. **killed**: three writers, one after the other, each killed by
`SIGKILL` after some of its items were acknowledged. **racing**: two processes that write 50 items each to one session.
A writer that the framework calls stale reads again and goes on, up to 50 times; what it gives up then is *refused*.
Agentkeep's rows are on SQLite.

| framework | store | fault | acknowledged | lost | doubled | refused | writers out of order |
|---|---|---|---|---|---|---|---|
"""


def faults() -> None:
    lines: list[str] = []
    for name in NAMES:
        command = [str(set_up(name)), str(BRIDGES / "faults.py"), "measure", str(BRIDGES / name / "tests/stores.py")]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)  # noqa: S603
        rows = json.loads(done.stdout)
        if not any(row["store"] == "own" for row in rows):
            lines.append(f"| {name} | {OWN[name]} | | | | | | |")
        for row in rows:
            store = "Agentkeep" if row["store"] == "agentkeep" else OWN[name]
            counts = [row[key] for key in ("acknowledged", "lost", "doubled", "refused", "out_of_order")]
            lines.append(f"| {name} | {store} | {row['scenario']} | {' | '.join(map(str, counts))} |")
    (BRIDGES / "FAULTS.md").write_text(FAULTS + "\n".join(lines) + "\n")


def main() -> None:
    command, *arguments = sys.argv[1:] or ["--help"]
    names = arguments[: arguments.index("--")] if "--" in arguments else arguments
    options = arguments[len(names) + 1 :]
    if command == "faults" and not arguments:
        return faults()
    if command not in ("test", "check", "lock") or not set(names) <= set(NAMES):
        print(f"{__doc__}\nNAME: one of {', '.join(NAMES)}")
        sys.exit(0 if command == "--help" else 2)
    if command == "lock":
        for name in names or NAMES:
            lock(name)
        return
    if command == "test":
        failed = test_all(names or NAMES, options)
    else:
        failed = [name for name in names or NAMES if not check(name)]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
