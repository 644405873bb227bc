<?php
// PDO (pdo_pgsql) with sealed columns: emulated and server-side prepares, COPY, transactions. Settings: PG* variables.

$dsn = sprintf('pgsql:host=%s;port=%s;dbname=%s;sslmode=%s', getenv('PGHOST'), getenv('PGPORT'), getenv('PGDATABASE'), getenv('PGSSLMODE'));
$pdo = new PDO($dsn, getenv('PGUSER'), getenv('PGPASSWORD'), [PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_NUM]);
const EMAIL = 'ada.canary@mail.example';

function check(bool $holds, mixed $got = null): void
{
    if (!$holds) {
        throw new Exception(var_export($got, true));
    }
}

function rows(string $sql, array $values = []): array
{
    global $pdo;
    $statement = $pdo->prepare($sql);
    $statement->execute($values);
    return $statement->fetchAll();
}

function stateOf(string $sql, array $values): PDOException
{
    try {
        rows($sql, $values);
    } catch (PDOException $error) {
        return $error;
    }
    throw new Exception('no error');
}

$pdo->exec('CREATE TABLE people (
    id integer PRIMARY KEY, name varchar(80), email varchar(120) UNIQUE, born date, balance numeric(12,2),
    visits integer, seen timestamptz, token uuid, photo bytea, profile jsonb, notes text, city text);
    CREATE TABLE orders (id serial PRIMARY KEY, email varchar(120) REFERENCES people (email), total numeric(12,2))');
$ada = [1, 'Ada Canary-Lovelace', EMAIL, '1815-12-10', '98765.43', 4711, '2024-05-06 07:08:09.123456+00',
    'c0ffee00-ca9a-4ee1-8000-0123456789ab', "\0canaryphoto\xff", '{"hobby": "canary breeding"}',
    'met Mr Babbage at the canary soirée', 'London'];
$insert = $pdo->prepare('INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
foreach ($ada as $i => $value) {
    $insert->bindValue($i + 1, $value, $i === 8 ? PDO::PARAM_LOB : PDO::PARAM_STR);
}
$insert->execute();
$pdo->exec("INSERT INTO people (id, name, email, born) VALUES (2, 'Grace Canary-Hopper', 'grace.canary@mail.example', '1906-12-09')");

foreach ([false, true] as $emulate) {
    $pdo->setAttribute(PDO::ATTR_EMULATE_PREPARES, $emulate);
    [$row] = rows('SELECT * FROM people WHERE email = ?', [EMAIL]);
    $row[8] = stream_get_contents($row[8]);
    unset($row[6], $row[4]);
    check($row == array_diff_key($ada, [6 => 0, 4 => 0]), $row);
    $between = rows('SELECT id FROM people WHERE born BETWEEN ? AND ? ORDER BY born DESC', ['1815-12-10', '1950-01-01']);
    check($between == [[2], [1]], $between);
    check(rows('SELECT id FROM people WHERE token = ? AND seen >= ? AND visits > ?', [$ada[7], $ada[6], 4710]) == [[1]]);
    check(rows('UPDATE people SET balance = ? WHERE email = ? RETURNING balance', ['31337.25', EMAIL]) == [['31337.25']]);
    check(stateOf('INSERT INTO people (id, email) VALUES (3, ?)', [EMAIL])->getCode() === '23505');
    $refused = stateOf('SELECT id FROM people WHERE notes LIKE ?', ['%at the canary soir%']);
    check($refused->getCode() === '0A000' && str_contains($refused->getMessage(), 'public.people.notes'), $refused->getMessage());
    check(stateOf('INSERT INTO people (id, name) VALUES (3, ?)', [str_repeat('Canary-Hopper', 10)])->getCode() === '22001');
}
$pdo->setAttribute(PDO::ATTR_EMULATE_PREPARES, false);
rows('INSERT INTO orders (email, total) VALUES (?, 10), (?, ?)', [EMAIL, EMAIL, '20.25']);
$joined = rows('SELECT name, total FROM people JOIN orders USING (email) WHERE total > ?', [15]);
check($joined == [['Ada Canary-Lovelace', '20.25']], $joined);

$pdo->beginTransaction();
$add = $pdo->prepare('INSERT INTO people (id, email) VALUES (?, ?)');
for ($n = 100; $n < 130; $n++) {
    $add->execute([$n, "batch$n.canary@mail.example"]);
}
$pdo->commit();
$lines = [];
for ($n = 200; $n < 220; $n++) {
    $lines[] = "$n\tcopy$n.canary@mail.example";
}
check($pdo->pgsqlCopyFromArray('people', $lines, "\t", '\\\\N', 'id, email'));
$out = $pdo->pgsqlCopyToArray('people', "\t", '\\\\N', 'id, email');
check(in_array("219\tcopy219.canary@mail.example\n", $out, true), $out);
check(rows('SELECT count(*) FROM people WHERE email = ?', ['batch129.canary@mail.example']) == [[1]]);
echo 'client: PDO, PHP ', PHP_VERSION, ', ', $pdo->getAttribute(PDO::ATTR_CLIENT_VERSION), " (libpq)\n";
