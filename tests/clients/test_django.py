"""Django: makemigrations, migrate, ORM and admin, through the proxy; over psycopg 3 and psycopg2."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.clients.conftest import HERE, Harness
from tests.clients.test_python_drivers import installed

pytestmark = pytest.mark.clients

WITHOUT_PSYCOPG3 = """
import sys
sys.modules["psycopg"] = None  # Django then takes psycopg2
"""


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_django(harness: Harness, driver: str, tmp_path: Path) -> None:
    for module in ("django", driver):
        installed(module)
    project = tmp_path / "project"
    shutil.copytree(HERE / "python" / "django_shop", project)
    if driver == "psycopg2":
        (project / "sitecustomize.py").write_text(WITHOUT_PSYCOPG3)
    environment = {"PYTHONPATH": str(project)}

    def manage(*arguments: str) -> str:
        command = (sys.executable, project / "manage.py", *arguments)
        return harness.run(*command, cwd=project, environment=environment).stdout

    assert "Create model Person" in manage("makemigrations", "shop")
    assert "Applying shop.0001_initial... OK" in manage("migrate")
    with harness.stack.direct() as direct:
        # The one for LIKE that Django makes on strings that are unique: bytewise, as all of them on sealed columns.
        (index,) = direct.execute(
            "SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'people_email%_like'"
        ).fetchone()
        (log,) = direct.execute(
            "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attname = 'object_repr'"
        ).fetchone()
    assert index.endswith("ON public.people USING btree (email)"), index
    assert log == "sealwire.sealed"
    models = project / "shop" / "models.py"
    text = models.read_text()
    models.write_text(
        text.replace("    notes =", "    nickname = models.CharField(max_length=30, default='')\n    notes =")
    )
    assert "Add field nickname" in manage("makemigrations", "shop")
    assert "Applying shop.0002" in manage("migrate")
    assert "No changes detected" in manage("makemigrations", "--check", "shop")
    manage("migrate", "shop", "0001")
    manage("migrate")
    harness.run(sys.executable, project / "use_shop.py", cwd=project, environment=environment)
    dumped = manage("dumpdata", "shop")
    assert "grace.canary@mail.example" in dumped
    fixture = project / "shop.json"
    fixture.write_text(dumped)
    manage("flush", "--no-input")
    manage("loaddata", str(fixture))
    manage("inspectdb", "people")
    harness.assert_sealed(people=52)
