"""Clients that Debian packages: PHP's PDO, Ruby's pg, psqlODBC."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.clients.conftest import HERE, Harness, fetched, needs

pytestmark = pytest.mark.clients

ODBC_DRIVER = Path("/usr/lib/x86_64-linux-gnu/odbc/psqlodbcw.so")


def test_php_pdo(harness: Harness) -> None:
    needs("php")
    if "pdo_pgsql" not in subprocess.run(["php", "-m"], capture_output=True, text=True, check=True).stdout:
        pytest.skip("PHP has no pdo_pgsql here")
    harness.run("php", HERE / "php" / "shop.php")
    harness.assert_sealed(people=52)


def test_ruby_pg(harness: Harness) -> None:
    needs("ruby")
    if subprocess.run(["ruby", "-e", "require 'pg'"], capture_output=True, check=False).returncode:
        pytest.skip("Ruby has no pg here")
    harness.run("ruby", HERE / "ruby" / "shop.rb")
    harness.assert_sealed(people=52)


@pytest.mark.parametrize("server_side_prepare", ["0", "1"])
def test_odbc(harness: Harness, server_side_prepare: str) -> None:
    needs("gcc", "odbcinst")
    if not ODBC_DRIVER.exists():
        pytest.skip("psqlODBC is not installed here")
    (HERE / ".cache").mkdir(exist_ok=True)
    program = HERE / ".cache" / "odbc_shop"
    fetched(["gcc", "-Wall", "shop.c", "-o", program, "-lodbc"], HERE / "odbc")
    settings = {
        "Driver": str(ODBC_DRIVER),
        "Servername": harness.environment["PGHOST"],
        "Port": harness.environment["PGPORT"],
        "Database": harness.environment["PGDATABASE"],
        "UID": harness.environment["PGUSER"],
        "PWD": harness.environment["PGPASSWORD"],
        "SSLmode": harness.environment["PGSSLMODE"],
        "UseServerSidePrepare": server_side_prepare,
    }
    harness.run(program, "".join(f"{key}={value};" for key, value in settings.items()))
    harness.assert_sealed(people=32)
