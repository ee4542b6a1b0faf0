"""What a run of the suite may be told on pytest's command line."""

from __future__ import annotations

import os

import pytest

from agentkeep_conformance.clauses import CLAUSES


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("agentkeep conformance")
    group.addoption("--conformance-json", metavar="FILE", help="write the run's evidence to FILE")
    group.addoption(
        "--conformance-require",
        choices=["all"],
        default=os.environ.get("AGENTKEEP_REQUIRE") or None,
        help="all: a server that is not there fails the run",
    )
    group.addoption(
        "--conformance-tier",
        choices=["everyday", "nightly"],
        default=os.environ.get("AGENTKEEP_TIER") or "everyday",
        help="nightly: longer races, thousands of programs",
    )
    group.addoption(
        "--conformance-whole",
        action="store_true",
        help="all tests of the enrolments of which the everyday tier runs a sample",
    )
    group.addoption(
        "--conformance-minute", action="store_true", help="as much as a minute shows: first one test of each kind"
    )
    group.addoption("--conformance-clause", choices=list(CLAUSES), help="only this clause's tests")
    group.addoption(
        "--conformance-seed",
        metavar="N",
        type=int,
        help="of the random programs (default: 0 every day, a new one every night)",
    )
