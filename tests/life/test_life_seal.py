"""seal and unseal: every type, every kind of value, and everything that hangs on a column."""

from __future__ import annotations

from proxy.ops.database import connect
from proxy.ops.life.fill import Settings
from proxy.ops.life.recipe import Operation
from proxy.ops.life.run import run
from proxy.ops.schema import install
from tests.life.conftest import Scene

TYPES = """
public.t:
  a_text:    {type: text}
  a_varchar: {type: varchar(40), search: equality}
  a_char:    {type: char(8), search: equality}
  a_small:   {type: smallint, search: order}
  a_int:     {type: integer, search: equality}
  a_big:     {type: bigint, search: order}
  a_number:  {type: numeric, search: equality}
  a_money:   {type: "numeric(12,2)", search: order}
  a_loose:   {type: numeric}
  a_real:    {type: real, search: equality}
  a_double:  {type: double precision, search: order}
  a_bool:    {type: boolean}
  a_date:    {type: date, search: order}
  a_time:    {type: time, search: equality}
  a_stamp:   {type: timestamp, search: order}
  a_moment:  {type: timestamptz(3), search: equality}
  a_uuid:    {type: uuid, search: equality}
  a_json:    {type: json}
  a_jsonb:   {type: jsonb}
  a_bytes:   {type: bytea, search: equality}
  a_words:   {type: "text[]"}
  a_codes:   {type: "char(3)[]"}
"""
COLUMNS = [line.split(":")[0].strip() for line in TYPES.strip().splitlines()[1:]]
NAMES = [f"public.t.{column}" for column in COLUMNS]


def fill_types(scene) -> None:
    kinds = ", ".join(f"{column} {scene.column(f'public.t.{column}').type}" for column in COLUMNS)
    scene.sql.execute(f"CREATE TABLE t (id integer PRIMARY KEY, {kinds})")
    scene.sql.execute(
        """
        INSERT INTO t VALUES
        (1, 'it''s', 'Zoë', 'pad', -7, 2147483647, -9223372036854775808, 1.500, -12.3, 1.500, '-0', 'Infinity', true,
         '2024-02-29', '23:59:59.999999', '0044-03-15 12:00:00 BC', '2024-01-02 03:04:05.678+09',
         '00112233-4455-6677-8899-aabbccddeeff', '{"a":  1, "a": 2}', '{"b": [1, 2.50], "a": null}',
         '\\x00ff', '{a,NULL,"b c"}', '{x,yz}'),
        (2, '', '', '', 0, 0, 0, 0.000, 0, 0.000, 'NaN', '-0', false, 'infinity', '00:00', '-infinity', 'infinity',
         '00000000-0000-0000-0000-000000000000', '""', '""', '', '{}', '{}'),
        (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
         NULL, NULL, NULL, NULL),
        (4, repeat('🦭"\\', 25000), '😀', '''"\\', 32767, -1, 1, 'NaN', 9999999999.99, 123456789.000100, 3.5, 1e-300,
         true, '0001-01-01', '12:00', '2024-01-01', 'epoch', '11111111-1111-1111-1111-111111111111', '[]', '[]',
         decode(repeat('ab', 100000), 'hex'), ARRAY['', '🦭'], '{{a,b},{c,d}}')
        """
    )


async def test_every_type_is_sealed_online_and_comes_back_as_it_was(shop) -> None:
    await there_and_back(shop, in_place=False)


async def test_every_type_is_sealed_in_place_and_comes_back_as_it_was(shop16) -> None:
    await there_and_back(shop16, in_place=True)


async def there_and_back(scene, *, in_place: bool) -> None:
    scene.set_policy(TYPES)
    fill_types(scene)
    text = ", ".join(f"{column}::text" for column in COLUMNS)
    before = scene.rows(f"SELECT id, {text} FROM t ORDER BY id")

    await scene.seal(*NAMES, in_place=in_place)
    assert {
        row[0]
        for row in scene.rows(
            "SELECT DISTINCT format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = 't'::regclass AND attname LIKE 'a\\_%'"
        )
    } == {"sealwire.sealed"}
    assert scene.opened("public.t.a_text")[4] == ('🦭"\\' * 25_000).encode()
    assert scene.opened("public.t.a_text")[2] == b""
    assert scene.opened("public.t.a_text")[3] is None
    assert scene.opened("public.t.a_char")[1] == b"pad"
    assert scene.leftovers() == []

    await scene.unseal(*NAMES, in_place=in_place)
    after = scene.rows(f"SELECT id, {text} FROM t ORDER BY id")
    # Searchable values come back in the one form that equal values share.
    canonical = {("a_number", 1): "1.5", ("a_number", 2): "0", ("a_real", 1): "0", ("a_double", 2): "0"}
    expected = [
        (row[0], *(canonical.get((column, row[0]), cell) for column, cell in zip(COLUMNS, row[1:], strict=True)))
        for row in before
    ]
    assert after == expected
    kinds = scene.rows(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = 't'::regclass AND attname LIKE 'a\\_%'"
    )
    assert dict(kinds) == {column: str(scene.column(f"public.t.{column}").type) for column in COLUMNS}
    assert scene.leftovers() == []


async def test_an_ordinary_role_that_owns_the_table_seals_and_unseals(shop: Scene) -> None:
    role = f"keeper_{shop.database.dbname}"
    shop.set_policy("public.t: {v: {type: text, search: equality}}")
    shop.sql.execute(f"CREATE ROLE {role} LOGIN; DROP SCHEMA sealwire CASCADE")
    shop.sql.execute(f"ALTER DATABASE {shop.database.dbname} OWNER TO {role}")
    dsn = shop.database.server.dsn(shop.database.dbname, user=role)
    try:
        async with connect(dsn) as connection:
            await install(connection)
            await connection.execute("CREATE TABLE t AS SELECT i AS id, 'row ' || i AS v FROM generate_series(1, 9) i")
        settings = Settings(dsn, batch=5)
        for operation in (Operation.SEAL, Operation.UNSEAL):
            _, result = await run(shop.config, shop.order(operation, "public.t.v"), settings)
            assert result is not None
            assert result.rows == 9
        assert shop.rows("SELECT v FROM t WHERE id = 3") == [("row 3",)]
    finally:
        shop.sql.execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}; DROP ROLE {role}")
