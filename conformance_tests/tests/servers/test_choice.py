"""Which server a test gets, with recipes that start nothing."""

from __future__ import annotations

import pytest
from agentkeep_conformance.servers import EMBEDDED, ChosenServer, NotRun
from agentkeep_conformance.servers.chosen import Running, UrlServer, address_of


class FakeRecipe:
    """Remembers what it was asked for; each way works unless it is named in `absent`."""

    def __init__(self, *absent: str) -> None:
        self.absent = absent
        self.asked: list[str] = []

    def check(self, dsn: str) -> str:
        self._ask("url")
        return f"version of {dsn}"

    def in_container(self) -> Running:
        self._ask("containers")
        return UrlServer("fake://container:1")

    def native(self) -> Running:
        self._ask("native")
        return UrlServer("fake://native:1")

    def _ask(self, way: str) -> None:
        self.asked.append(way)
        if way in self.absent:
            raise NotRun(f"no {way}")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTKEEP_TEST_SERVERS", raising=False)
    monkeypatch.delenv("AGENTKEEP_TEST_FAKE_URL", raising=False)


def test_nothing_is_started_before_the_first_use() -> None:
    recipe = FakeRecipe()
    server = ChosenServer("fake", lambda: recipe)
    assert (server.name, server.embedded, recipe.asked) == ("fake", False, [])


def test_a_url_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTKEEP_TEST_FAKE_URL", "fake://user:secret@given:7")
    recipe = FakeRecipe()
    server = ChosenServer("fake", lambda: recipe)
    assert (server.dsn, server.address, server.source) == ("fake://user:secret@given:7", ("given", 7), "url")
    assert recipe.asked == ["url"]


def test_then_a_container_and_then_a_program_of_this_machine() -> None:
    assert ChosenServer("fake", FakeRecipe).source == "containers"
    assert ChosenServer("fake", lambda: FakeRecipe("containers")).source == "native"


@pytest.mark.parametrize("forced", ["containers", "native"])
def test_one_way_can_be_forced(forced: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTKEEP_TEST_SERVERS", forced)
    monkeypatch.setenv("AGENTKEEP_TEST_FAKE_URL", "fake://given:7")
    assert ChosenServer("fake", FakeRecipe).source == forced
    with pytest.raises(NotRun, match=f"^fake: {forced}: no {forced}$"):
        _ = ChosenServer("fake", lambda: FakeRecipe(forced)).dsn


def test_an_unknown_way_is_no_silent_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTKEEP_TEST_SERVERS", "kubernetes")
    with pytest.raises(ValueError, match="url, containers, native"):
        _ = ChosenServer("fake", FakeRecipe).dsn


def test_a_url_that_does_not_answer_is_not_replaced_by_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(FakeRecipe):
        def check(self, dsn: str) -> str:
            raise ConnectionRefusedError(dsn)

    monkeypatch.setenv("AGENTKEEP_TEST_FAKE_URL", "fake://user:secret@given:7")
    with pytest.raises(NotRun) as caught:
        _ = ChosenServer("fake", Refusing).dsn
    assert "AGENTKEEP_TEST_FAKE_URL: given:7 does not answer (ConnectionRefusedError)" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_absent_says_why_for_each_way_and_is_tried_once() -> None:
    recipe = FakeRecipe("containers", "native")
    server = ChosenServer("fake", lambda: recipe)
    why = "fake: url: AGENTKEEP_TEST_FAKE_URL is not set; containers: no containers; native: no native"
    for _ in range(2):
        with pytest.raises(NotRun) as caught:
            _ = server.dsn
        assert str(caught.value) == why
    assert recipe.asked == ["containers", "native"]


def test_a_missing_client_is_not_run_and_says_what_to_install() -> None:
    def load() -> FakeRecipe:
        raise ModuleNotFoundError("No module named 'client'", name="client")

    with pytest.raises(NotRun, match=r'client is missing: pip install "agentkeep-conformance\[servers\]"'):
        _ = ChosenServer("fake", load).dsn


def test_what_is_not_ours_is_not_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTKEEP_TEST_FAKE_URL", "fake://given:7")
    for server in (ChosenServer("fake", FakeRecipe), EMBEDDED):
        with pytest.raises(NotRun):
            server.kill()
        with pytest.raises(NotRun):
            server.restart()


def test_an_embedded_database_has_no_address() -> None:
    assert EMBEDDED.embedded
    assert EMBEDDED.address is None


@pytest.mark.parametrize(
    ("dsn", "address"),
    [
        ("postgresql://u:p@h:1/db", ("h", 1)),
        ("postgresql+asyncpg://u:p%40@h/db", ("h", 5432)),
        ("redis://:p@[::1]:2/0", ("::1", 2)),
        ("redis://[::1]/0", ("::1", 6379)),
        ("mongodb://a:3,b:4/?replicaSet=r", ("a", 3)),
        ("opensearch://h", ("h", 9200)),
    ],
)
def test_the_address_in_a_url(dsn: str, address: tuple[str, int]) -> None:
    assert address_of(dsn) == address
