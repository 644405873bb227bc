// The npm package `postgres`: prepared by default, pipelined, binary for nothing, cursors, COPY. Settings: PG* variables.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import postgres from 'postgres'
import { ADA, SCHEMA, batchEmail, copyEmail, errorOf } from './shop.mjs'

const day = { to: 1082, from: [1082], serialize: (text) => text, parse: (text) => text }
const ssl = process.env.PGSSLMODE === 'disable' ? false : { rejectUnauthorized: false }
const options = { ssl, types: { day }, onnotice: () => {} }
const sql = postgres({ ...options, max: 1 })

// Create.
await sql.unsafe(SCHEMA)

// Insert: the driver asks for the parameters' types (Describe) before it sends values.
const columns = ['id', 'name', 'email', 'born', 'balance', 'visits', 'seen', 'token', 'photo', 'profile', 'notes', 'city']
const ada = Object.fromEntries(columns.map((column, i) => [column, ADA[i]]))
await sql`INSERT INTO people ${sql(ada)}`
const grace = await sql`
  INSERT INTO people (id, name, email, born, balance)
  VALUES (2, 'Grace Canary-Hopper', 'grace.canary@mail.example', '1906-12-09', 12.50) RETURNING id, name, born`
assert.deepEqual([...grace], [{ id: 2, name: 'Grace Canary-Hopper', born: '1906-12-09' }])

// Select by equality and range; every value comes back as it went.
const found = await sql`SELECT * FROM people WHERE email = ${ADA[2]}`
assert.deepEqual([...found], [ada])
assert.deepEqual(found.columns.map((column) => column.type), [23, 1043, 1043, 1082, 1700, 23, 1184, 2950, 17, 3802, 25, 25])
const between = await sql`SELECT id FROM people WHERE born BETWEEN ${'1815-12-10'} AND ${'1950-01-01'} ORDER BY born DESC`
assert.deepEqual(between.map((row) => row.id), [2, 1])
const exact = await sql`SELECT id FROM people WHERE token = ${ADA[7]} AND seen >= ${ADA[6]} AND visits > ${4710}`
assert.deepEqual(exact.map((row) => row.id), [1])
const listed = await sql`SELECT id FROM people WHERE email IN ${sql([ADA[2], 'grace.canary@mail.example'])} ORDER BY id`
assert.deepEqual(listed.map((row) => row.id), [1, 2])
const anyOf = await sql`SELECT id FROM people WHERE email = ANY(${[ADA[2]]})`
assert.deepEqual(anyOf.map((row) => row.id), [1])

// Update and join.
const updated = await sql`UPDATE people SET ${sql({ balance: 31337.25, notes: null })} WHERE email = ${ADA[2]} RETURNING balance`
assert.deepEqual([...updated], [{ balance: '31337.25' }])
await sql`INSERT INTO orders ${sql([{ email: ADA[2], total: 10 }, { email: ADA[2], total: '20.25' }])}`
const joined = await sql`SELECT p.name, o.total FROM people p JOIN orders o USING (email) WHERE o.total > ${15}`
assert.deepEqual([...joined], [{ name: 'Ada Canary-Lovelace', total: '20.25' }])

// A batch in one statement, then one of pipelined statements in a transaction.
const people = Array.from({ length: 30 }, (_, i) => ({
  id: 100 + i,
  email: batchEmail(100 + i),
  born: `2000-01-${String(i + 1).padStart(2, '0')}`,
}))
await sql`INSERT INTO people ${sql(people.slice(0, 10))}`
await sql.begin((tx) => people.slice(10).map((person) => tx`INSERT INTO people ${tx(person)}`))
assert.deepEqual([...(await sql`SELECT id, email, born FROM people WHERE id >= 100 ORDER BY born`)], people)

// The same statement again: prepared; and without preparing.
for (const prepare of [true, false]) {
  const again = prepare ? sql : postgres({ ...options, max: 1, prepare: false })
  const results = await Promise.all(people.map((person) => again`SELECT id FROM people WHERE email = ${person.email}`))
  assert.deepEqual(results.map((rows) => rows[0].id), people.map((person) => person.id))
  if (!prepare) await again.end()
}

// Portals with row limits.
const emails = []
await sql`SELECT email FROM people WHERE id >= ${100} ORDER BY id`.cursor(7, (rows) => emails.push(...rows.map((row) => row.email)))
assert.deepEqual(emails, people.map((person) => person.email))

// COPY in and out.
const lines = []
for (let n = 200; n < 220; n++) lines.push(`${n}\t${copyEmail(n)}\t1990-01-${String(n - 199).padStart(2, '0')}\n`)
await pipeline(Readable.from(lines), await sql`COPY people (id, email, born) FROM STDIN`.writable())
const chunks = []
const copied = sql`COPY (SELECT id, email, born FROM people WHERE id BETWEEN 200 AND 219 ORDER BY id) TO STDOUT`
for await (const chunk of await copied.readable()) chunks.push(chunk)
assert.equal(Buffer.concat(chunks).toString(), lines.join(''))

// Errors, savepoints, and a second try.
await sql.begin(async (tx) => {
  const twice = await errorOf(tx.savepoint((inner) => inner`INSERT INTO people (id, email) VALUES (3, ${ADA[2]})`))
  assert.equal(twice.code, '23505')
  assert.equal(twice.constraint_name, 'people_email_key')
  const refused = await errorOf(
    tx.savepoint((inner) => inner`SELECT id FROM people WHERE notes LIKE ${'%at the canary soir%'}`),
  )
  assert.equal(refused.code, '0A000')
  assert.match(refused.message, /public\.people\.notes/)
  const long = 'Canary-Hopper'.repeat(10)
  assert.equal((await errorOf(tx.savepoint((inner) => inner`INSERT INTO people (id, name) VALUES (3, ${long})`))).code, '22001')
  await tx`INSERT INTO people (id, email) VALUES (3, 'third.canary@mail.example')`
})

// A statement that another connection's DDL made stale: the driver retries by itself or shows PostgreSQL's error.
const star = () => sql`SELECT * FROM people WHERE id = ${3}`
assert.equal((await star())[0].email, 'third.canary@mail.example')
await sql.unsafe('ALTER TABLE people ADD COLUMN "Extra Column" text')
const stale = await star().catch((error) => error)
if (stale instanceof Error) assert.match(stale.message, /cached plan must not change result type/)
else assert.equal(stale[0]['Extra Column'], null)
assert.equal((await sql`DELETE FROM people WHERE email = ${'third.canary@mail.example'}`).count, 1)
await sql.end()
const { version } = JSON.parse(readFileSync(new URL('node_modules/postgres/package.json', import.meta.url)))
console.log(`client: postgres (npm) ${version} node ${process.version}`)
