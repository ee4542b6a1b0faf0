"""The command: changes a package by rule, runs the tests on each mutant, and prints which mutants no test sees."""

from __future__ import annotations

import argparse
import os
import random
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from agentkeep_conformance.mutate import explained
from agentkeep_conformance.mutate.kept import Kept, OfAnotherState
from agentkeep_conformance.mutate.mutants import Mutant, mutants_of
from agentkeep_conformance.mutate.runs import Package, Runner, Unsound, Verdict
from agentkeep_conformance.mutate.sources import state_of

CORE = "core"
"""The name of `agentkeep` itself, tested through the memory adapter. Its command line is no part of the contract."""
WITHOUT = {CORE: ["cli/"]}

Targets = Callable[[str], list[str]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="PACKAGE", help="an enrolled adapter, or core")
    parser.add_argument(
        "--file", action="append", default=[], metavar="PART", help="only files with this in their path"
    )
    parser.add_argument(
        "--rule", action="append", default=[], help="only changes by this rule, such as compare or with"
    )
    parser.add_argument("--sample", type=int, metavar="N", help="test so many of the mutants that nobody has explained")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants at a time")
    parser.add_argument("--list", action="store_true", help="print the mutants and run nothing")
    parser.add_argument(
        "--tests", action="extend", nargs="+", default=[], metavar="PATH", help="more tests to ask, beside the suite"
    )
    parser.add_argument(
        "--suite", metavar="NAME", help="the enrolment to run, a name or a path, if not the package's all"
    )
    parser.add_argument("--keep", type=Path, metavar="FILE", help="go on with what FILE holds, and add what is found")
    parser.add_argument(
        "--limit", type=float, metavar="SECONDS", help="ask no further test of a mutant then: it counts as a survivor"
    )
    parser.add_argument("--explained", type=Path, metavar="FILE", help="survivors that break no promise, with reasons")


def run(arguments: argparse.Namespace, targets: Targets) -> int:
    """0 if every survivor is explained, 1 if not or if the list is stale, 2 if the mutants could not be tested."""
    try:
        package = _package(arguments, targets)
        mutants = mutants_of(package.folder, arguments.file, WITHOUT.get(arguments.name, []))
        mutants = [mutant for mutant in mutants if not arguments.rule or mutant.change.rule in arguments.rule]
        reasons = explained.read(arguments.explained) if arguments.explained else {}
        stale = _unknown(reasons, mutants_of(package.folder, [], []))
        chosen = _sampled(mutants, arguments, reasons)
        if arguments.list:
            print(*(mutant.name for mutant in chosen), sep="\n")
            return 0
        verdicts = _tested(package, chosen, arguments)
    except (Unsound, OfAnotherState, explained.Unreadable) as error:
        print(error)
        return 2
    return _conclude(verdicts, reasons, stale)


def _package(arguments: argparse.Namespace, targets: Targets) -> Package:
    module = "agentkeep" if arguments.name == CORE else f"agentkeep_{arguments.name}"
    spec = find_spec(module)
    tests = targets(arguments.suite or ("memory" if arguments.name == CORE else arguments.name))
    if spec is None or spec.origin is None or not tests:
        raise Unsound(f"no adapter {arguments.name} is enrolled whose package is called {module}")
    return Package(module, Path(spec.origin).parent, [*tests, *arguments.tests])


def _unknown(reasons: dict[str, str], mutants: list[Mutant]) -> list[str]:
    names = {mutant.name for mutant in mutants}
    return [f"is no mutant any more: {name}" for name in reasons if name not in names]


def _sampled(mutants: list[Mutant], arguments: argparse.Namespace, reasons: dict[str, str]) -> list[Mutant]:
    if arguments.sample is None:
        return mutants
    shuffled = random.Random(arguments.seed).sample(mutants, len(mutants))
    return [mutant for mutant in shuffled if mutant.name not in reasons][: arguments.sample]


def _tested(package: Package, mutants: list[Mutant], arguments: argparse.Namespace) -> list[Verdict]:
    verdicts: list[Verdict] = []
    kept = Kept(arguments.keep, state_of(package.folder, package.tests) if arguments.keep else "")
    with Runner(package, kept, jobs=arguments.jobs, limit=arguments.limit) as runner:
        print(f"{len(mutants)} mutants; the tests of the unchanged package took {runner.measure():.0f} s", flush=True)
        for verdict in runner.run(mutants):
            verdicts.append(verdict)
            print(_line(verdict), flush=True)
    return verdicts


def _line(verdict: Verdict) -> str:
    mutant = verdict.mutant
    where = f"{mutant.path}:{mutant.line} {mutant.change.rule} ({verdict.seconds:.0f} s)"
    if not verdict.test:
        how = "not killed by the limit" if verdict.limit else "survived "
        return f"{how} {where}\n{mutant.diff}"
    test = verdict.test.rpartition("::")[2]
    return f"killed    {where} <- {test} [{' '.join(verdict.clauses)}] {verdict.why}"


def _conclude(verdicts: list[Verdict], reasons: dict[str, str], stale: list[str]) -> int:
    killed = [verdict for verdict in verdicts if verdict.test]
    survivors = [verdict.mutant for verdict in verdicts if not verdict.test]
    open_ones = [mutant for mutant in survivors if mutant.name not in reasons]
    names = {mutant.name for mutant in survivors}
    stale += sorted({f"was killed: {v.mutant.name}" for v in killed if v.mutant.name in reasons.keys() - names})
    clauses = Counter(clause for verdict in killed for clause in verdict.clauses)
    print("\nclauses whose tests killed:", ", ".join(f"{name} {count}" for name, count in clauses.most_common()))
    for heading, lines in (
        ("survivors that nobody has explained", [mutant.name for mutant in open_ones]),
        ("explained, but", stale),
    ):
        if lines:
            print(f"\n{heading}:", *lines, sep="\n  ")
    aside = len(survivors) - len(open_ones)
    print(f"\nkilled {len(killed)}/{len(verdicts)} mutants; {len(open_ones)} survived, {aside} more are explained")
    return 1 if open_ones or stale else 0
