"""The command `agentkeep-conformance`: runs enrolled adapters, and renders what runs have found."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agentkeep_conformance import corpus
from agentkeep_conformance.clauses import CLAUSES
from agentkeep_conformance.costs import costs_text
from agentkeep_conformance.mutate import command as mutate
from agentkeep_conformance.rendering import as_html, as_markdown, merged
from agentkeep_conformance.selftest import command as selftest
from agentkeep_conformance.summary import as_file, in_readme, shortened

GROUP = "agentkeep.conformance"
"""Entry points of a package that ships its enrolment: an adapter's name to "module:TestClass"."""

USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 all proved, 1 something failed or nothing ran, 2 usage."""
    given = list(sys.argv[1:] if argv is None else argv)
    end = given.index("--") if "--" in given else len(given)
    options = _parser().parse_args(given[:end])
    options.pytest = given[end + 1 :]
    signal.signal(signal.SIGTERM, _end)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        _print_no_more()
        return 1
    return code


def _print_no_more() -> None:
    """Nobody reads our output, as behind `| head`."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end(number: int, frame: object) -> None:
    """As after Ctrl-C, the children end too, and what they left in the temporary folder goes."""
    sys.exit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agentkeep-conformance", description=__doc__)
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser(
        "run", help="run the suite on enrolled adapters", epilog="What comes after -- goes to pytest: -- -x -k append"
    )
    run.add_argument("names", nargs="+", metavar="NAME", help="an enrolled adapter, or the path of its test module")
    run.add_argument("--tier", choices=["everyday", "nightly"], default="everyday")
    run.add_argument("--seed", metavar="N", help="of the random programs, to repeat a run")
    run.add_argument("--clause", metavar="NAME", choices=list(CLAUSES), help="run only the tests of a clause, as ORD-1")
    run.add_argument("--servers", choices=["url", "containers", "native"], help="the only way to get servers")
    run.add_argument("--require", choices=["all"], help="all: a server that is not there fails the run")
    run.add_argument("--json", metavar="FILE", type=Path, help="write the evidence to FILE, each test with its time")
    run.add_argument("--summary", metavar="FILE", type=Path, help="write the evidence's summary to FILE, to be kept")
    run.set_defaults(run=_run)
    report = commands.add_parser(
        "report", help="render evidence, or summaries of it, as a matrix of clauses and adapters"
    )
    report.add_argument("files", nargs="+", metavar="FILE", type=Path)
    report.add_argument("--html", metavar="FILE", type=Path, help="write a page to FILE")
    report.add_argument("--markdown", action="store_true", help="print the matrix as Markdown (the default)")
    report.add_argument("--readme", metavar="FILE", type=Path, help="renew the table between FILE's matrix comments")
    report.add_argument("--summary", metavar="FILE", type=Path, help="write a summary of all of it to FILE, to be kept")
    report.add_argument(
        "--seconds",
        metavar="FILE",
        type=Path,
        help="write what each test costs to FILE, for --conformance-minute",
    )
    report.set_defaults(run=_report)
    own = commands.add_parser("selftest", help="run the suite on planted faults: each must be killed")
    selftest.add_arguments(own)
    own.set_defaults(run=selftest.run)
    changed = commands.add_parser(
        "mutate", help="run the suite on a package with one change each time: which are not seen?"
    )
    mutate.add_arguments(changed)
    changed.set_defaults(run=_mutate)
    stored = commands.add_parser("corpus", help="at a release: keep what it stores, for the releases after it")
    corpus.add_arguments(stored)
    stored.set_defaults(run=corpus.run)
    return parser


def _run(options: argparse.Namespace) -> int:
    targets = {name: _targets(name) for name in options.names}
    unknown = [name for name, found in targets.items() if not found]
    if unknown:
        enrolled = sorted({entry.name for entry in entry_points(group=GROUP)} | {file.parts[1] for file in _own()})
        there = ", ".join(enrolled) or "none"
        print(f"no adapter {', '.join(unknown)} is enrolled (there are: {there}) and no such file", file=sys.stderr)
        return USAGE
    with tempfile.TemporaryDirectory() as scratch:
        file = options.json or Path(scratch, "evidence.json")
        code = _pytest([target for found in targets.values() for target in found], file, options)
        if not file.exists():
            print("the run ended before it wrote its evidence", file=sys.stderr)
            return USAGE
        evidence = json.loads(file.read_text(encoding="utf-8"))
    if options.summary:
        options.summary.write_text(as_file(shortened(evidence)), encoding="utf-8")
    counts = Counter[str](evidence["counts"])
    aside = [f"{count} {what}" for what, count in counts.items() if what not in ("proved", "FAILED")]
    if aside:
        print(", ".join(aside))
    print(f"{counts['proved']} passed, {counts['FAILED']} failed")
    return 0 if code == 0 and counts["proved"] else 1


def _mutate(options: argparse.Namespace) -> int:
    return mutate.run(options, _targets)


def _targets(name: str) -> list[str]:
    """What pytest runs: a path as it is, an enrolled class, or the files of the workspace's own adapter."""
    if Path(name.partition("::")[0]).exists():
        return [name]
    for entry in entry_points(group=GROUP, name=name):
        spec = find_spec(entry.module)
        if spec is not None and spec.origin is not None:
            return [f"{spec.origin}::{entry.attr}"]
    return [str(file) for file in _own() if file.parts[1] == name]


def _own() -> list[Path]:
    """The enrolments of a workspace's adapters, below the current folder."""
    return sorted(Path().glob("adapters/[a-z]*/tests/test_conformance*.py"))


def _pytest(targets: list[str], file: Path, options: argparse.Namespace) -> int:
    """In a process of its own, as pytest must see the suite's modules before anybody else imports them."""
    file.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--tb",
        "short",
        *targets,
        "--conformance-whole",
    ]
    command += ["--conformance-json", str(file), "--conformance-tier", options.tier]
    command += ["--conformance-seed", options.seed] if options.seed else []
    command += ["--conformance-require", options.require] if options.require else []
    command += ["--conformance-clause", options.clause] if options.clause else []
    command += options.pytest
    servers = {"AGENTKEEP_TEST_SERVERS": options.servers} if options.servers else {}
    if sys.stdout.isatty():
        return subprocess.run(command, env=os.environ | servers, check=False).returncode
    return _pass_on(command, os.environ | servers)


def _pass_on(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run it and print what it prints. If nobody reads that any more, as behind `| head`, end it without a word."""
    sys.stdout.flush()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            while part := os.read(process.stdout.fileno(), 65_536):
                os.write(sys.stdout.fileno(), part)
        except BrokenPipeError:
            process.kill()  # an interrupt would print a traceback; the guard ends the servers of the run
            while os.read(process.stdout.fileno(), 65_536):
                pass
            raise
    return process.returncode


def _report(options: argparse.Namespace) -> int:
    try:
        evidence: dict[str, Any] = merged([json.loads(file.read_text(encoding="utf-8")) for file in options.files])
        seconds = costs_text(evidence) if options.seconds else ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"this is not evidence of a run: {error}", file=sys.stderr)
        return USAGE
    if options.html:
        options.html.write_text(as_html(evidence), encoding="utf-8")
    if options.readme:
        options.readme.write_text(in_readme(options.readme.read_text(encoding="utf-8"), evidence), encoding="utf-8")
    if options.summary:
        options.summary.write_text(as_file(shortened(evidence)), encoding="utf-8")
    if options.seconds:
        options.seconds.write_text(seconds, encoding="utf-8")
    if options.markdown or not (options.html or options.readme or options.summary or options.seconds):
        print(as_markdown(evidence))
    failed = any(adapter["counts"].get("FAILED") for adapter in evidence["adapters"].values())
    return 1 if failed else 0
