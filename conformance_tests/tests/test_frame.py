"""The suite's frame: what it refuses to collect, and which outcome each kind of test gets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from agentkeep import NewMessage
from agentkeep._validation import MAX_ID_BYTES
from agentkeep.messages import Messages
from agentkeep.sessions import Sessions
from agentkeep_conformance import AdapterConformance, proves
from agentkeep_conformance.clauses import CLAUSES, faults_of
from agentkeep_conformance.command import main
from agentkeep_conformance.families.lifecycle import VERBS
from agentkeep_conformance.families.messages import FULL_MESSAGE
from agentkeep_conformance.rendering import as_html, as_markdown
from agentkeep_conformance.tables import IDS, NOT_IDS, VALUES

HEAD = """
from datetime import date
import pytest
from agentkeep_conformance import KnownFailure, needs_wire, proves
from agentkeep_conformance.fixtures import Fixtures
from agentkeep_conformance.servers import NotRun
from agentkeep_memory import MemoryAdapter

class Toy(Fixtures):
    def open(self, dsn, namespace, **options):
        return MemoryAdapter(f"{dsn}{namespace}", **options)
"""

OUTCOMES = """
def known(expires):
    return KnownFailure("the server rounds", "https://example.org/1", expires)

class TestOne(Toy):
    known_failures = {
        "test_known": known(date(2999, 1, 1)),
        "test_known_but_passing": known(date(2999, 1, 1)),
        "test_known_too_long": known(date(2001, 1, 1)),
    }

    @proves("ORD-1", "FID-5")
    async def test_good(self, keep, twin):
        await keep.sessions.create("s")
        assert (await twin.sessions.get("s")).id == "s"

    @proves("ORD-1")
    async def test_bad(self, keep):
        assert await keep.sessions.count() == 1

    @proves("ORD-2")
    async def test_skipping(self, keep):
        pytest.skip("not here")

    @proves("FLT-2")
    @needs_wire
    async def test_wire(self, keep):
        assert False

    @proves("TTL-1")
    async def test_known(self, keep):
        assert False

    @proves("TTL-1")
    async def test_known_but_passing(self, keep):
        assert True

    @proves("TTL-1")
    async def test_known_too_long(self, keep):
        assert False

class Absent:
    name = "absent"
    address = ("127.0.0.1", 1)
    embedded = False
    @property
    def dsn(self):
        raise NotRun("no such server here")

class TestAbsent(Toy):
    server = Absent()

    @proves("ORD-1")
    async def test_good(self, keep):
        assert await keep.sessions.count() == 0
"""


def nothing_required() -> dict[str, str]:
    """The environment without what the gate asks of all runs: these have absent servers on purpose."""
    return {name: value for name, value in os.environ.items() if name != "AGENTKEEP_REQUIRE"}


def run(tmp_path: Path, text: str, *arguments: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """A run of pytest on a module of its own, and its evidence."""
    (tmp_path / "test_module.py").write_text(HEAD + text, encoding="utf-8")
    evidence = tmp_path / "evidence.json"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_module.py"]
    command += ["--conformance-json", str(evidence), *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=nothing_required(), capture_output=True, text=True, check=False)
    return done, json.loads(evidence.read_text(encoding="utf-8")) if evidence.exists() else {}


def test_each_kind_of_test_gets_its_outcome(tmp_path: Path) -> None:
    done, evidence = run(tmp_path, OUTCOMES)
    one, absent = evidence["adapters"]["one"], evidence["adapters"]["absent"]
    outcomes = {name.partition("::")[2]: test["outcome"] for name, test in one["tests"].items()}
    assert outcomes == {
        "test_good": "proved",
        "test_bad": "FAILED",
        "test_skipping": "FAILED",
        "test_wire": "n/a",
        "test_known": "known",
        "test_known_but_passing": "FAILED",
        "test_known_too_long": "FAILED",
    }
    assert one["clauses"]["ORD-1"] == {"proved": 1, "FAILED": 1}
    assert one["clauses"]["FID-5"] == {"proved": 1}
    assert one["clauses"]["COST-1"] == {}
    assert one["server"] == "this process"
    assert one["declared"]["durability"] == "process"
    assert absent["clauses"]["ORD-1"] == {"NOT RUN": 1}
    assert done.returncode == 1
    assert f"[ORD-1] {CLAUSES['ORD-1']}" in done.stdout
    assert "no such server here" in done.stdout
    page, table = as_html(evidence), as_markdown(evidence)
    assert "✗ 1 of 2" in table
    assert "test_known_too_long" in page
    assert "not run 1" in table


def test_a_test_that_hangs_fails_and_the_run_goes_on(tmp_path: Path) -> None:
    hanging = """
import asyncio
from agentkeep_conformance import plugin
plugin.HANGS_SECONDS["everyday"] = 0.2

class TestOne(Toy):
    @proves("ORD-1")
    async def test_hangs(self, keep):
        await asyncio.Event().wait()

    @proves("ORD-2")
    async def test_later(self, keep):
        await keep.sessions.create("s")
"""
    _, evidence = run(tmp_path, hanging)
    assert evidence["adapters"]["one"]["counts"] == {"FAILED": 1, "proved": 1}


def test_several_processes_find_what_one_would(tmp_path: Path) -> None:
    _, alone = run(tmp_path, OUTCOMES)
    _, shared = run(tmp_path, OUTCOMES, "-n", "2", "--dist", "load")
    for found in (alone, shared):
        for adapter in found["adapters"].values():
            for test in adapter["tests"].values():
                del test["seconds"]
    assert shared == alone


def test_the_seed_is_in_the_evidence_and_repeats_a_run(tmp_path: Path) -> None:
    _, everyday = run(tmp_path, OUTCOMES)
    done, nightly = run(tmp_path, OUTCOMES, "--conformance-tier", "nightly", "-n", "2")
    _, again = run(tmp_path, OUTCOMES, "--conformance-seed", str(nightly["seed"]))
    assert everyday["seed"] == 0
    assert nightly["seed"] > 0
    assert f"(nightly tier, seed {nightly['seed']})" in done.stdout
    assert again["seed"] == nightly["seed"]


SAMPLED = """
from agentkeep_conformance.families.isolation import Isolation

class TestSome(Toy, Isolation):
    one_in = 10
"""


def test_of_a_sampled_enrolment_the_nightly_tier_runs_all(tmp_path: Path) -> None:
    def count(*arguments: str) -> int:
        _, evidence = run(tmp_path, SAMPLED, "-k", "hostile_id", *arguments)
        return sum(evidence["adapters"]["some"]["counts"].values())

    assert 0 < count() < 20
    assert count("--conformance-whole") == count("--conformance-tier", "nightly") > 50


@pytest.mark.parametrize("everyday", [True, False])
def test_a_sample_of_everyday_has_a_test_of_each_clause(tmp_path: Path, everyday: bool) -> None:
    text = SAMPLED + f"    everyday = {everyday}\n"
    _, whole = run(tmp_path, text, "--conformance-whole", "--conformance-require", "all")
    _, sample = run(tmp_path, text, "--conformance-require", "all")
    clauses, sampled = (
        {name for name, counts in evidence["adapters"]["some"]["clauses"].items() if counts}
        for evidence in (whole, sample)
    )
    assert sampled <= clauses
    assert (sampled == clauses) is everyday


def test_a_sample_does_not_rely_on_tests_that_have_nothing_to_act_on(tmp_path: Path) -> None:
    """An embedded database has no wire; the first test of READ-3 needs one."""
    text = "from agentkeep_conformance.families.cost import Cost\n\nclass TestSome(Toy, Cost):\n    one_in = 1000\n"
    _, sample = run(tmp_path, text)
    clauses = sample["adapters"]["some"]["clauses"]
    assert [clauses[name].get("proved") for name in ("READ-3", "COST-1", "COST-2")] == [1, 1, 1]


def test_a_server_that_is_not_there_fails_where_it_is_required(tmp_path: Path) -> None:
    done, evidence = run(tmp_path, OUTCOMES, "-k", "TestAbsent", "--conformance-require", "all")
    assert done.returncode == 1
    assert evidence["adapters"]["absent"]["counts"] == {"FAILED": 1}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("class TestOne(Toy):\n    async def test_bare(self, keep): ...", "TestOne.test_bare names no clause"),
        ('class TestOne(Toy):\n    @proves("ORD-99")\n    async def test_bare(self, keep): ...', "no clause ORD-99"),
        (
            'class TestOne(Toy):\n    known_failures = {"test_gone": None}\n'
            '    @proves("ORD-1")\n    async def test_good(self, keep): ...',
            "known failure test_gone is no test",
        ),
    ],
)
def test_an_unsound_suite_is_not_run(tmp_path: Path, text: str, says: str) -> None:
    done, _ = run(tmp_path, text)
    assert done.returncode not in (0, 1)
    assert says in done.stdout + done.stderr


def test_every_clause_has_a_test_and_every_test_a_clause() -> None:
    assert len(CLAUSES) >= 57
    assert faults_of(AdapterConformance, whole=True) == []


def test_a_clause_without_a_test_and_a_hidden_test_are_faults() -> None:
    class One:
        @proves("ORD-1")
        async def test_same(self) -> None: ...

    class Both(One):
        @proves("ORD-1")
        async def test_same(self) -> None: ...

    faults = faults_of(Both, whole=True)
    assert "clause ORD-2 has no test" in faults
    assert "there are 2 tests test_same: one hides the other" in faults
    with pytest.raises(LookupError):
        proves("ORD-99")


def test_the_loops_over_all_verbs_leave_none_out() -> None:
    verbs = {f"sessions.{name}" for name in vars(Sessions) if not name.startswith("_")}
    verbs |= {f"messages.{name}" for name in vars(Messages) if not name.startswith("_")}
    assert verbs | {"health", "sweep"} == set(VERBS)
    assert {name for name in NewMessage.__struct_fields__ if getattr(FULL_MESSAGE, name) in (None, {}, [])} == set()


def test_the_tables_are_as_long_as_promised_and_their_ids_are_legal() -> None:
    assert len(VALUES) >= 70
    assert len(set(IDS.values())) == len(IDS) >= 40
    assert max(len(value.encode()) for value in IDS.values()) == MAX_ID_BYTES
    assert not set(IDS.values()) & {value for value in NOT_IDS.values() if isinstance(value, str)}


def test_the_command_says_what_it_does_not_know(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["run", "no-such-adapter"]) == 2
    assert "no adapter no-such-adapter" in capfd.readouterr().err
    assert main(["report", str(tmp_path / "absent.json")]) == 2
    for wrong in ("{}", "[]", "[1]", "no JSON"):
        (tmp_path / "wrong.json").write_text(wrong, encoding="utf-8")
        assert main(["report", str(tmp_path / "wrong.json")]) == 2


def test_the_command_runs_reports_and_ends_with_one_line(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AGENTKEEP_REQUIRE", raising=False)
    (tmp_path / "test_module.py").write_text(HEAD + OUTCOMES, encoding="utf-8")
    evidence, page, summary = (tmp_path / name for name in ("evidence.json", "report.html", "summary.json"))
    assert main(["run", f"{tmp_path}/test_module.py", "--json", str(evidence)]) == 1
    assert capfd.readouterr().out.splitlines()[-2:] == ["1 n/a, 1 known, 1 NOT RUN", "1 passed, 4 failed"]
    assert main(["report", str(evidence), "--html", str(page), "--markdown"]) == 1
    assert "| ORD-1 |" in capfd.readouterr().out
    assert "<!doctype html>" in page.read_text(encoding="utf-8")
    assert main(["report", str(evidence), "--summary", str(summary)]) == 1
    assert main(["report", str(summary)]) == 1
    assert "| ORD-1 |" in capfd.readouterr().out
    assert summary.stat().st_size < evidence.stat().st_size
    assert main(["run", f"{tmp_path}/test_module.py::TestOne::test_good"]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == "1 passed, 0 failed"
