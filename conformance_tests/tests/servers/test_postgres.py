"""PostgreSQL and PgBouncer start, answer their own client, and lose nothing when killed."""

from __future__ import annotations

from collections.abc import Callable
from typing import LiteralString

import psycopg
import pytest
from agentkeep_conformance import servers
from agentkeep_conformance.servers import ChosenServer
from agentkeep_conformance.storage.postgres_kept import run_kept

pytestmark = pytest.mark.servers


@pytest.fixture
def postgres(started: Callable[[ChosenServer], ChosenServer]) -> ChosenServer:
    return started(servers.POSTGRES)


@pytest.fixture
def pgbouncer(started: Callable[[ChosenServer], ChosenServer]) -> ChosenServer:
    return started(servers.PGBOUNCER)


def ask(server: ChosenServer, statement: LiteralString) -> object:
    """The first column of the first row; None where a statement has none."""
    with psycopg.connect(server.dsn, autocommit=True, connect_timeout=10) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def test_it_answers_and_says_its_version(postgres: ChosenServer) -> None:
    assert ask(postgres, "SELECT 40 + 2") == 42
    assert int(postgres.version().split(".")[0]) >= 13
    assert str(ask(postgres, "SHOW server_version")).startswith(postgres.version())


def test_it_knows_all_of_unicode(postgres: ChosenServer) -> None:
    assert ask(postgres, "SHOW server_encoding") == "UTF8"


def test_our_own_tells_zones_apart_and_finds_cjk_by_trigrams(postgres: ChosenServer) -> None:
    if postgres.source == "url":
        pytest.skip("NOT RUN: the settings of a server of ours")
    assert ask(postgres, "SHOW timezone") == "Asia/Kathmandu"
    ask(postgres, "CREATE EXTENSION IF NOT EXISTS pg_trgm")
    assert ask(postgres, "SELECT show_trgm('機票改期') <> '{}'") is True


def test_a_kept_connection_is_replaced_once_the_server_ended_it(postgres: ChosenServer) -> None:
    def backend(connection: psycopg.Connection) -> object:
        return connection.execute("SELECT pg_backend_pid()").fetchall()

    def fail(connection: psycopg.Connection) -> None:
        connection.execute("SELECT 1/0")

    first = run_kept(postgres.dsn, backend)
    with pytest.raises(psycopg.errors.DivisionByZero):
        run_kept(postgres.dsn, fail)
    assert run_kept(postgres.dsn, backend) == first
    ask(postgres, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    assert run_kept(postgres.dsn, backend) != first


def test_killed_and_restarted_it_has_what_it_acknowledged(postgres: ChosenServer, killed: Callable[..., None]) -> None:
    dsn = postgres.dsn
    ask(postgres, "DROP TABLE IF EXISTS survivors")
    ask(postgres, "CREATE TABLE survivors AS SELECT generate_series(1, 1000) AS n")
    killed(postgres)
    try:
        with pytest.raises(psycopg.OperationalError):
            ask(postgres, "SELECT 1")
    finally:
        postgres.restart()
    assert postgres.dsn == dsn
    assert ask(postgres, "SELECT sum(n) FROM survivors") == 500500
    ask(postgres, "DROP TABLE survivors")


def test_pgbouncer_pools_transactions_of_the_same_database(postgres: ChosenServer, pgbouncer: ChosenServer) -> None:
    assert pgbouncer.address != postgres.address
    ask(postgres, "DROP TABLE IF EXISTS behind")
    ask(postgres, "CREATE TABLE behind AS SELECT 'here' AS word")
    assert ask(pgbouncer, "SELECT word FROM behind") == "here"
    ask(postgres, "DROP TABLE behind")
    with psycopg.connect(pgbouncer.dsn, autocommit=True) as one, psycopg.connect(pgbouncer.dsn) as other:
        one.execute("SET application_name = 'first'")
        pid = one.execute("SELECT pg_backend_pid()").fetchone()
        assert other.execute("SELECT pg_backend_pid()").fetchone() == pid, "a backend is held for a session"


def test_pgbouncer_comes_back_after_a_kill_and_postgres_never_left(
    postgres: ChosenServer, pgbouncer: ChosenServer, killed: Callable[..., None]
) -> None:
    killed(pgbouncer)
    try:
        with pytest.raises(psycopg.OperationalError):
            ask(pgbouncer, "SELECT 1")
        assert ask(postgres, "SELECT 1") == 1
    finally:
        pgbouncer.restart()
    assert ask(pgbouncer, "SELECT 1") == 1


@pytest.mark.parametrize(
    ("name", "line"), [("POSTGRES_OLDEST", "14"), ("POSTGRES_NEWEST", "18")], ids=["oldest", "newest"]
)
def test_another_line_answers_beside_the_first(
    started: Callable[[ChosenServer], ChosenServer], postgres: ChosenServer, name: str, line: str
) -> None:
    other = started(getattr(servers, name))
    assert other.version().split(".")[0] == line
    assert other.address != postgres.address
    ask(other, "CREATE EXTENSION IF NOT EXISTS pg_trgm")
    assert ask(other, "SELECT show_trgm('機票改期') <> '{}'") is True
