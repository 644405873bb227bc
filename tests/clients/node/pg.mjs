// node-postgres: simple and extended queries, named statements, cursors, streams, COPY, a pool. Settings: PG* variables.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import Cursor from 'pg-cursor'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import QueryStream from 'pg-query-stream'
import { ADA, SCHEMA, batchEmail, copyEmail, errorOf } from './shop.mjs'

pg.types.setTypeParser(pg.types.builtins.DATE, (text) => text) // days, not moments
const ssl = process.env.PGSSLMODE === 'disable' ? false : { rejectUnauthorized: false }
const pool = new pg.Pool({ ssl, max: 4 })
const client = await pool.connect()

// Create: several statements in one simple query.
await client.query(SCHEMA)

// Insert with parameters and with literals.
await client.query('INSERT INTO people VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)', ADA)
const grace = await client.query(
  "INSERT INTO people (id, name, email, born, balance) VALUES (2, 'Grace Canary-Hopper', 'grace.canary@mail.example', '1906-12-09', 12.50) RETURNING id, name, born",
)
assert.deepEqual(grace.rows, [{ id: 2, name: 'Grace Canary-Hopper', born: '1906-12-09' }])

// Select by equality and range; every value comes back as it went.
const found = await client.query({ text: 'SELECT * FROM people WHERE email = $1', values: [ADA[2]], rowMode: 'array' })
assert.deepEqual(found.rows, [ADA])
assert.deepEqual(
  found.fields.map((field) => field.dataTypeID),
  [23, 1043, 1043, 1082, 1700, 23, 1184, 2950, 17, 3802, 25, 25],
)
const ids = async (where, values) =>
  (await client.query(`SELECT id FROM people WHERE ${where}`, values)).rows.map((row) => row.id)
assert.deepEqual(await ids('born BETWEEN $1 AND $2 ORDER BY born DESC', ['1815-12-10', '1950-01-01']), [2, 1])
assert.deepEqual(await ids('token = $1 AND seen >= $2 AND visits > $3', [ADA[7], ADA[6], 4710]), [1])
assert.deepEqual(await ids('email = ANY($1)', [[ADA[2], 'nobody.canary@mail.example']]), [1])
assert.deepEqual(await ids("email IN ('ada.canary@mail.example', 'grace.canary@mail.example') ORDER BY id"), [1, 2])

// Update and join.
const updated = await client.query('UPDATE people SET balance = $1, notes = NULL WHERE email = $2 RETURNING balance', [
  31337.25,
  ADA[2],
])
assert.deepEqual(updated.rows, [{ balance: '31337.25' }])
await client.query('INSERT INTO orders (email, total) VALUES ($1, $2), ($1, $3)', [ADA[2], 10, '20.25'])
const joined = await client.query(
  'SELECT p.name, o.total FROM people p JOIN orders o ON o.email = p.email WHERE o.total > $1',
  [15],
)
assert.deepEqual(joined.rows, [{ name: 'Ada Canary-Lovelace', total: '20.25' }])

// A batch in a transaction: node-postgres sends each when the one before is answered. Named: parsed once.
await client.query('BEGIN')
for (let n = 100; n < 130; n++) {
  const values = [n, batchEmail(n), `2000-01-${String(n - 99).padStart(2, '0')}`]
  await client.query({ name: 'add', text: 'INSERT INTO people (id, email, born) VALUES ($1, $2, $3)', values })
}
await client.query('COMMIT')
const unnested = await client.query('SELECT id FROM people WHERE email = ANY($1::varchar[]) ORDER BY email DESC LIMIT 0', [
  [batchEmail(100)],
]).catch((error) => error)
assert.ok(unnested.rows ? unnested.rows.length === 0 : unnested.code === '0A000', String(unnested))

// Binary results, named and not. (The driver reads them as UTF-8 first: only what is ASCII survives, also without a proxy.)
for (let n = 100; n < 108; n++) {
  const query = { name: 'by_email', text: 'SELECT id, email, visits FROM people WHERE email = $1', binary: true }
  const { rows } = await client.query({ ...query, values: [batchEmail(n)] })
  assert.deepEqual(rows, [{ id: n, email: batchEmail(n), visits: null }])
}
const binary = await client.query({ text: 'SELECT visits, email FROM people WHERE id = $1', values: [1], binary: true })
assert.deepEqual(binary.rows, [{ visits: 4711, email: ADA[2] }])

// Portals with row limits: a cursor and a stream.
const cursor = client.query(new Cursor('SELECT email FROM people WHERE id >= $1 ORDER BY id', [100]))
assert.deepEqual((await cursor.read(7)).map((row) => row.email), [100, 101, 102, 103, 104, 105, 106].map(batchEmail))
assert.equal((await cursor.read(100)).length, 23)
await cursor.close()
let streamed = 0
for await (const row of client.query(new QueryStream('SELECT email FROM people WHERE id >= 100', [], { batchSize: 4 }))) {
  assert.ok(row.email.endsWith('.canary@mail.example'))
  streamed++
}
assert.equal(streamed, 30)
const abandoned = client.query(new Cursor('SELECT email FROM people WHERE id >= 100 ORDER BY id'))
await abandoned.read(1)
await abandoned.close()

// COPY in and out.
const lines = []
for (let n = 200; n < 220; n++) lines.push(`${n}\t${copyEmail(n)}\t1990-01-${String(n - 199).padStart(2, '0')}\n`)
await pipeline(Readable.from(lines), client.query(copyFrom('COPY people (id, email, born) FROM STDIN')))
const chunks = []
for await (const chunk of client.query(
  copyTo('COPY (SELECT id, email, born FROM people WHERE id BETWEEN 200 AND 219 ORDER BY id) TO STDOUT'),
)) {
  chunks.push(chunk)
}
assert.equal(Buffer.concat(chunks).toString(), lines.join(''))

// Errors in a transaction, and a second try.
await client.query('BEGIN')
const twice = await errorOf(client.query('INSERT INTO people (id, email) VALUES (3, $1)', [ADA[2]]))
assert.equal(twice.code, '23505')
assert.equal(twice.constraint, 'people_email_key')
assert.equal((await errorOf(client.query('SELECT 1'))).code, '25P02')
await client.query('ROLLBACK')
const refused = await errorOf(client.query('SELECT id FROM people WHERE notes LIKE $1', ['%at the canary soir%']))
assert.equal(refused.code, '0A000')
assert.match(refused.message, /public\.people\.notes/)
assert.ok(refused.hint)
assert.equal((await errorOf(client.query('INSERT INTO people (id, name) VALUES (3, $1)', ['Canary-Hopper'.repeat(10)]))).code, '22001')
await client.query("INSERT INTO people (id, email) VALUES (3, 'third.canary@mail.example')")

// A named statement outlives a change of its table: PostgreSQL's error, then a new name.
const all = { name: 'all', text: 'SELECT * FROM people WHERE id = $1', values: [3] }
assert.equal((await client.query(all)).rows[0].email, 'third.canary@mail.example')
await client.query('ALTER TABLE people ADD COLUMN "Extra Column" text')
const stale = await errorOf(client.query(all))
assert.equal(stale.code, '0A000')
assert.match(stale.message, /cached plan must not change result type/)
assert.equal((await client.query({ ...all, name: 'all again' })).rows[0]['Extra Column'], null)
assert.equal((await client.query('DELETE FROM people WHERE email = $1', ['third.canary@mail.example'])).rowCount, 1)
client.release()

// Several connections at once.
const many = await Promise.all(
  Array.from({ length: 40 }, (_, n) => pool.query('SELECT id FROM people WHERE email = $1', [batchEmail(100 + (n % 30))])),
)
assert.deepEqual(many.map((result) => result.rows[0].id), Array.from({ length: 40 }, (_, n) => 100 + (n % 30)))
await pool.end()
const { version } = JSON.parse(readFileSync(new URL('node_modules/pg/package.json', import.meta.url)))
console.log(`client: node-postgres ${version} node ${process.version}`)
