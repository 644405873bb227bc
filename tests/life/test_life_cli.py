"""The commands as an operator types them."""

from __future__ import annotations

import json

import pytest

from proxy.cli.app import main
from tests.life.conftest import Scene


@pytest.fixture
def line(refusal_scene: Scene, monkeypatch: pytest.MonkeyPatch):
    scene = refusal_scene
    scene.sql.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP TABLE IF EXISTS sealwire.jobs")
    scene.sql.execute("CREATE TABLE t (id integer PRIMARY KEY, e text NOT NULL DEFAULT 'secret default')")
    scene.sql.execute("INSERT INTO t SELECT i, 'secret ' || i FROM generate_series(1, 50) i; ANALYZE t")
    monkeypatch.setenv("SEALWIRE_DSN", scene.database.dsn)

    def run(command: str, *arguments: str) -> int:
        return main([command, *arguments, "--config", str(scene.config_path)])

    run.scene = scene  # type: ignore[attr-defined]
    return run


def test_a_dry_run_names_steps_and_locks_and_changes_nothing(line, capsys) -> None:
    name = line.scene.database.dbname
    assert line("seal", name, "public.t.e", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "ACCESS EXCLUSIVE" in said
    assert "about 50 rows" in said
    line.scene.sql.execute("CREATE INDEX ON t (lower(e))")
    assert line("seal", name, "public.t.e", "--dry-run", "--json") == 2
    plan = json.loads(capsys.readouterr().out)
    assert plan["objections"] == ["public.t.e: index t_lower_idx has it in an expression, which would see other bytes"]
    assert line.scene.leftovers() == []
    assert line.scene.value("SELECT to_regclass('sealwire.jobs')") is None


def test_seal_verify_and_unseal_say_what_they_did_and_never_a_value(line, capsys) -> None:
    name = line.scene.database.dbname
    line.scene.sql.execute("ALTER TABLE t ADD later integer")
    assert line("seal", name, "public.t.e", "--jobs", "1") == 0
    said = capsys.readouterr()
    assert "50 rows" in said.out
    assert said.err.index("last rows and swap: ACCESS EXCLUSIVE") < said.err.index("fill public.t.e")
    assert "public.t.e: stands last in its table afterwards" in said.err
    assert "--in-place" in said.err
    assert "VACUUM FULL" in said.out
    assert line("verify", "public.t.e", "--json", "--jobs", "1") == 1
    verified = capsys.readouterr()
    (column,) = json.loads(verified.out)
    assert (column["rows"], column["opened"], len(column["findings"])) == (50, 50, 1)
    assert line("seal", name, "public.t.e", "--vacuum-full") == 0
    assert "nothing to do" in capsys.readouterr().out
    assert line("verify", "public.t.e", "--jobs", "1") == 0
    table = capsys.readouterr()
    assert "No findings." in table.out
    assert line("unseal", name, "public.t.e", "--jobs", "1", "--json") == 0
    back = capsys.readouterr()
    plan, *_, done = (json.loads(each) for each in back.out.splitlines())
    assert (plan["event"], plan["notes"], done["event"]) == ("plan", [], "done")
    assert "secret" not in "".join((said.out, said.err, verified.out, table.out, back.out, back.err))
    assert line.scene.value("SELECT e FROM t WHERE id = 3") == "secret 3"
    assert line("unseal", name, "public.t.nothing") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_wrong_database_is_not_touched(line, capsys) -> None:
    assert line("seal", "other", "public.t.e") == 2
    assert "leads to database" in capsys.readouterr().err
