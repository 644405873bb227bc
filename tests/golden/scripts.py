"""The scripts. They use the tables `things` and `empty`, which hold no sealed column, and leave them as they were."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

from proxy.wire import messages
from proxy.wire.messages import message
from tests.golden.conversation import FLUSH, SYNC, Script, Step, copy_data, function_call, query
from tests.session.playbook import bind, close, describe, execute, parse

SETUP: Final = """
CREATE TABLE things (id integer PRIMARY KEY, name text, price numeric(10,2), seen timestamptz, data bytea);
INSERT INTO things SELECT n, 'thing ' || n, n * 1.25, '2024-02-29 10:20:30.5+00'::timestamptz + n * interval '1 day',
  decode(lpad(to_hex(n), 4, '0'), 'hex') FROM generate_series(1, 50) n;
CREATE TABLE empty (a integer, b text);
"""
_COPY: Final = "COPY things (id, name) FROM STDIN"
_ALL: Final = "SELECT * FROM things ORDER BY id"


def _simple() -> Script:
    texts = (
        "SELECT 1", "", ";", "  -- nothing", "SELECT 1; SELECT 'two'; SELECT NULL", _ALL, "SELECT * FROM empty",
        "SELECT", "SELEC", "SELECT nothing", "SELECT * FROM missing", "SELECT 1/0", "SELECT 1; SELECT 1/0; SELECT 2",
        "SELECT 'é€', E'\\x41', U&'\\0041', $$a$$", "BEGIN", "SELECT 1/0", "SELECT 1", "COMMIT",
        "BEGIN; INSERT INTO empty VALUES (1, 'a') RETURNING *; UPDATE empty SET b = 'c' RETURNING b; DELETE FROM empty",
        "SAVEPOINT s; SELECT 1/0", "ROLLBACK TO s", "ROLLBACK", "ROLLBACK", "BEGIN", "BEGIN", "END",
        "VALUES (1, 'a'), (2, NULL)", "SHOW server_version", "SELECT ARRAY[1,2], ROW(1, 'x'), '{\"a\": 1}'::jsonb",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) TABLE r",
    )  # fmt: skip
    return [*(Step(query(text)) for text in texts), Step(query("SELECT 1") * 3, times=3)]


def _extended() -> Script:
    by_id = "SELECT id, name, price, seen, data FROM things WHERE id < $1 ORDER BY id"
    whole = parse(by_id) + describe("S") + bind(b"4") + describe("P") + execute() + SYNC
    binary = bind(b"\0\0\0\3", statement="s", portal="p", formats=(1,), results=(1, 0, 1, 1, 0))
    return [
        Step(whole),
        Step(whole, bytewise=True),
        Step(parse(by_id, "s", 23) + SYNC),
        Step(parse(by_id, "s", 23) + SYNC),  # 42P05
        Step(binary + describe("P", "p") + execute("p") + close("P", "p") + SYNC),
        Step(describe("S", "s") + close("S", "s") + close("S", "s") + close("P", "never") + SYNC),
        Step(bind(b"1", statement="s") + SYNC),  # 26000
        Step(describe("S", "s") + SYNC),
        Step(describe("P", "p") + SYNC),
        Step(execute("p") + SYNC),
        Step(parse("SELECT 1; SELECT 2") + SYNC),
        Step(parse("SELECT $1") + bind() + SYNC),  # 08P01: too few parameters
        Step(parse("SELECT $1::int") + bind(b"x") + SYNC),
        Step(parse("SELECT $1::int") + bind(b"1", formats=(7,)) + execute() + SYNC),
        Step(parse("SELECT 1") + bind(results=(1, 1)) + execute() + SYNC),
        Step(parse("") + describe("S") + bind() + describe("P") + execute() + SYNC),
        Step(parse("SELEC") + bind() + execute() + SYNC),
        Step(parse("INSERT INTO empty VALUES ($1, $2)", "i") + describe("S", "i") + SYNC),
        Step(SYNC * 3, times=3),
    ]


def _pipeline() -> Script:
    one = parse("SELECT id FROM things ORDER BY id LIMIT $1") + bind(b"2") + execute()
    return [
        Step((one + SYNC) * 20, times=20),
        Step(one * 20 + SYNC),
        Step(one + parse("SELECT 1/0") + bind() + execute() + one + SYNC + one + SYNC, times=2),
        Step(parse("BEGIN") + bind() + execute() + SYNC + one + SYNC + query("SELECT 1") + one + SYNC, times=4),
        Step(parse("SELECT 1/0") + bind() + execute() + query("SELECT 1") + SYNC + one + SYNC, times=2),
        Step(query("ROLLBACK")),
        Step(parse("SELECT 1", "a") + parse("SELECT 2", "b") + parse("SELECT bad", "c") + SYNC),
        Step(bind(statement="a") + execute() + SYNC),
        Step(parse("SELECT 3", "c") + bind(statement="c") + execute() + SYNC),
        Step(parse("DEALLOCATE ALL") + bind() + execute() + SYNC + bind(statement="c") + execute() + SYNC, times=2),
        Step(parse("SELECT 4", "d") + SYNC + query("DISCARD ALL") + bind(statement="d") + execute() + SYNC, times=3),
        Step(parse("SELECT 5") + bind() + query("SELECT 6") + execute() + SYNC, times=2),
    ]


def _flush() -> Script:
    return [
        Step(parse("SELECT id FROM things ORDER BY id", "s") + FLUSH, until="1"),
        Step(FLUSH + describe("S", "s") + FLUSH, until="T"),
        Step(bind(statement="s", portal="p") + FLUSH, until="2"),
        Step(execute("p", 2) + FLUSH, until="s"),
        Step(execute("p", 3) + execute("p", 1) + FLUSH, until="s", times=2),
        Step(execute("p") + FLUSH, until="C"),
        Step(execute("p") + FLUSH, until="C"),
        Step(close("P", "p") + FLUSH, until="3"),
        Step(SYNC),
        Step(query("BEGIN")),
        Step(bind(statement="s", portal="q") + execute("q", 48) + SYNC),
        Step(execute("q", 10) + SYNC),
        Step(parse("DECLARE c CURSOR FOR SELECT id, name FROM things ORDER BY id") + bind() + execute() + SYNC),
        Step(query("FETCH 2 FROM c; MOVE 3 FROM c; FETCH BACKWARD 1 FROM c")),
        Step(describe("P", "c") + execute("c", 1) + close("P", "c") + SYNC),
        Step(query("COMMIT")),
        Step(execute("q") + SYNC),
    ]


def _copy_in() -> Script:
    rows = copy_data(b"101\ta\n102\t", b"\\N\n10", b"3\tc\n")
    begin, undo = Step(query("BEGIN")), Step(query("ROLLBACK"))
    extended = parse(_COPY) + bind() + execute()
    return [
        begin,
        Step(query(_COPY), until="G"),
        Step(rows + messages.COPY_DONE),
        Step(query(_COPY), until="G"),
        Step(rows + messages.build_copy_fail(b"given up")),
        undo,
        Step(query(_COPY), until="G"),
        Step(copy_data(b"x\ty\n") + messages.COPY_DONE),
        Step(query("SELECT count(*) FROM things")),
        Step(query(_COPY), until="G"),
        Step(copy_data(b"1\tduplicate\n") + messages.COPY_DONE),
        Step(query(_COPY), until="G"),
        Step(SYNC + FLUSH + copy_data(b"201\ta\n") + SYNC + FLUSH + messages.COPY_DONE),
        Step(query("DELETE FROM things WHERE id > 50")),
        begin,
        Step(extended + FLUSH, until="G"),
        Step(rows + messages.COPY_DONE + SYNC),
        undo,
        Step(extended + FLUSH, until="G"),
        Step(messages.build_copy_fail(b"no") + SYNC),
        Step(query("COPY empty FROM STDIN; SELECT 1"), until="G"),
        Step(messages.COPY_DONE),
        Step(copy_data(b"stray") + messages.COPY_DONE + query("SELECT 1")),
        Step(query("COPY things (id, name) FROM STDIN (FORMAT csv, HEADER)"), until="G"),
        Step(copy_data(b'id,name\n301,"a ""b"""\n') + messages.build_copy_fail(b"")),
        Step(query("COPY things (id, name) FROM STDIN (FORMAT binary)"), until="G"),
        Step(copy_data(b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"\xff\xff") + messages.COPY_DONE),
        Step(query("COPY things FROM '/nonexistent'")),
        # Behind questions that are not answered yet.
        Step(query("BEGIN") + query(_COPY) + rows + messages.COPY_DONE + query("ROLLBACK"), times=3),
        begin,
        Step(parse("SELECT 1") + bind() + execute() + extended + rows + messages.COPY_DONE + SYNC),
        undo,
        Step(parse("SELECT 1/0") + bind() + execute() + SYNC + query(_COPY) + messages.build_copy_fail(b""), times=2),
        Step(query("SELECT 1/0") + extended + messages.build_copy_fail(b"") + SYNC, times=2),
    ]


def _copy_out() -> Script:
    return [
        Step(query("COPY things TO STDOUT")),
        Step(query("COPY (SELECT id, seen FROM things WHERE id < 5) TO STDOUT (FORMAT csv, HEADER)")),
        Step(query("COPY things (id, data) TO STDOUT (FORMAT binary)")),
        Step(query("COPY empty TO STDOUT; SELECT 1; COPY empty TO STDOUT")),
        Step(query("COPY (SELECT 1/(3 - id) FROM things ORDER BY id) TO STDOUT")),
        Step(parse("COPY things (name) TO STDOUT") + bind() + describe("P") + execute() + SYNC),
    ]


def _function_calls() -> Script:
    integer = struct.Struct("!i").pack
    text_length, division = 1257, 154  # textlen, int4div
    lo_creat, lo_open, loread, lowrite, lo_close, lo_unlink = 957, 952, 954, 955, 953, 964
    lo_create = 715
    return [
        Step(function_call(text_length, "é1".encode())),
        Step(function_call(text_length, None)),
        Step(function_call(division, integer(7), integer(2))),
        Step(function_call(division, integer(7), integer(0))),
        Step(function_call(division, integer(7))),
        Step(function_call(4_000_000, integer(1))),
        Step(function_call(division, b"7", b"2", binary=False)),
        Step(query("BEGIN")),
        Step(function_call(lo_create, integer(77_001))),
        Step(function_call(lo_open, integer(77_001), integer(0x60000))),
        Step(function_call(lowrite, integer(0), b"large object " * 1000)),
        Step(function_call(lo_close, integer(0))),
        Step(function_call(lo_open, integer(77_001), integer(0x40000))),
        Step(function_call(loread, integer(0), integer(40))),
        Step(function_call(lo_unlink, integer(77_001))),
        Step(function_call(loread, integer(5), integer(40))),
        Step(function_call(lo_creat, integer(-1))),
        Step(query("ROLLBACK")),
    ]


def _anytime() -> Script:
    return [
        Step(query("LISTEN chan; LISTEN other")),
        Step(query("NOTIFY chan, 'payload'")),
        Step(query("BEGIN; NOTIFY chan; NOTIFY other, 'é'; SELECT 1; COMMIT")),
        Step(parse("SELECT pg_notify('chan', 'x')") + bind() + execute() + SYNC),
        Step(query("SET application_name = 'other'; SET TimeZone = 'Europe/Rome'; SELECT now() IS NOT NULL")),
        Step(query("BEGIN; SET LOCAL DateStyle = 'SQL, DMY'; SELECT seen FROM things WHERE id = 1; COMMIT")),
        Step(query("SELECT seen FROM things WHERE id = 1")),
        Step(query("SET client_encoding = 'LATIN1'; SELECT U&'\\00e9'")),
        Step(messages.build_query("SELECT 'é'".encode("latin-1"))),
        Step(query("RESET client_encoding; SET bytea_output = 'escape'; SELECT data FROM things WHERE id < 3")),
        Step(query("DROP TABLE IF EXISTS no_such_table")),
        Step(query("SET client_min_messages = 'debug1'; SET search_path = public; RESET client_min_messages")),
        Step(query("SELECT pg_catalog.set_config('IntervalStyle', 'iso_8601', false)")),
        Step(query("COMMIT; ROLLBACK; UNLISTEN *")),
        Step(query("SELECT '1 day 02:00'::interval")),
    ]


def _schema() -> Script:
    """What drivers meet after DDL: their plan is stale, and preparing again helps."""
    return [
        Step(query("BEGIN; CREATE TEMP TABLE scratch (a int); INSERT INTO scratch VALUES (1)")),
        Step(query("ALTER TABLE scratch ADD b text DEFAULT 'x'; COMMIT")),
        Step(parse("SELECT a, b FROM scratch WHERE a = $1", "s") + SYNC),
        Step(bind(b"1", statement="s") + execute() + SYNC),
        Step(query("ALTER TABLE scratch ALTER b TYPE varchar(5)")),
        Step(bind(b"1", statement="s") + execute() + SYNC),  # 0A000, RevalidateCachedQuery
        Step(close("S", "s") + parse("SELECT a, b FROM scratch WHERE a = $1", "s") + SYNC),
        Step(bind(b"1", statement="s") + execute() + SYNC),
        Step(query("DROP TABLE scratch")),
        Step(bind(b"1", statement="s") + execute() + SYNC),  # 42P01
        Step(query("PREPARE p(int) AS SELECT id FROM things WHERE id = $1; EXECUTE p(3); EXECUTE p(1, 2)")),
        Step(query("DEALLOCATE p; EXECUTE p(1)")),
        Step(query("BEGIN; DECLARE c CURSOR FOR SELECT 1 / (id - 2) FROM things ORDER BY id; FETCH 1 c; FETCH 2 c")),
        Step(query("ROLLBACK")),
        Step(query("SET search_path = public; EXPLAIN SELECT 1 / 0")),
        Step(query("SET search_path = public; SELECT 1 / 0")),
        Step(query("SET search_path = public; SELECT 1 / (id - 2) FROM things ORDER BY id")),
        Step(query("EXPLAIN (COSTS off) SELECT * FROM things")),
    ]


_UNKNOWN: Final = b"\xff\0\0\0\x04"
_BATCH: Final = parse("SELECT 1") + bind() + describe("P") + execute()


def _malformed() -> Script:
    """Bodies that are not in their form, framed correctly: an error like others."""
    short = message(b"B", b"\0\0\0\1\0\0\0\5")
    bodies = [
        message(b"D", b"X\0"),
        message(b"C", b"X\0"),
        message(b"C", b"P\0xx"),
        message(b"P", b"no end"),
        message(b"E", b"abc\0\0"),
        message(b"E", b"abc\0\0\0\0\0x"),
        short,
    ]
    queries = [message(b"Q", b"abc"), message(b"Q", b"SELECT 1\0x")]
    each = [*(Step(body + SYNC) for body in bodies), *map(Step, queries)]
    return [
        *each,
        Step(query("BEGIN; SELECT 1/0")),
        *each,
        Step(query("ROLLBACK")),
        Step(_BATCH + parse("SELECT 1") + short + execute() + SYNC + query("SELECT 2"), times=2),
        Step(parse("SELEC") + message(b"P", b"no end") + SYNC),
        Step(query("SELECT 1") + message(b"Q", b"abc") + _BATCH + SYNC, times=3),
    ]


def _endings() -> Mapping[str, Script]:
    """The connection ends: by Terminate, and by a violation which PostgreSQL tells. Of a wrong length it tells only its
    log, where the proxy tells the client; that is no script here."""
    return {
        "terminate": [Step(query("SELECT 1")), Step(messages.TERMINATE, until="?")],
        "terminate in a pipeline": [Step(query("SELECT 1") + query("SELECT 2") + messages.TERMINATE, until="?")],
        "an unknown type": [Step(query("SELECT 1")), Step(_UNKNOWN, until="?")],
        "an unknown type behind a query": [Step(query("SELECT 1; SELECT 2") + _UNKNOWN, until="?")],
        "an unknown type behind a batch": [
            Step(_BATCH + SYNC + _BATCH + SYNC + _UNKNOWN + query("SELECT 3"), until="?")
        ],
        "an unknown type in a batch": [Step(_BATCH + _BATCH + _UNKNOWN, until="?")],
        "an unknown type in a failed batch": [Step(_BATCH + parse("SELEC") + _BATCH + _UNKNOWN, until="?")],
        "an unknown type behind a script": [
            Step(
                query("CREATE TEMP TABLE t (a int); INSERT INTO t VALUES (1); SELECT a + 1 FROM t") + _UNKNOWN,
                until="?",
            )
        ],
        "an unknown type behind many rows": [Step(query("SELECT generate_series(1, 20000)") + _UNKNOWN, until="?")],
        "a password out of place": [Step(_BATCH + SYNC + message(b"p", b"x\0"), until="?")],
        "killed": [Step(query("SELECT pg_terminate_backend(pg_backend_pid())"), until="?")],
    }


SCRIPTS: Final[Mapping[str, Script]] = {
    "simple": _simple(),
    "extended": _extended(),
    "pipeline": _pipeline(),
    "flush and row limits": _flush(),
    "copy in": _copy_in(),
    "copy out": _copy_out(),
    "function calls": _function_calls(),
    "at any time": _anytime(),
    "schema changes": _schema(),
    "malformed bodies": _malformed(),
    **_endings(),
}
