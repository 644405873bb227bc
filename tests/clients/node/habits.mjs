// What node-postgres makes of values with `binary: true`: to be compared with and without proxy. Settings: PG* variables.

import pg from 'pg'

const ssl = process.env.PGSSLMODE === 'disable' ? false : { rejectUnauthorized: false }
const client = new pg.Client({ ssl })
await client.connect()
await client.query('CREATE TABLE people (id integer PRIMARY KEY, name varchar(80), token uuid, photo bytea)')
await client.query('INSERT INTO people VALUES (1, $1, $2, $3)', [
  'Ada Canary-Lovelace, née Byron',
  'c0ffee00-ca9a-4ee1-8000-0123456789ab',
  Buffer.from('\0canaryphoto\xff', 'latin1'),
])
const { rows } = await client.query({ text: 'SELECT * FROM people WHERE id = $1', values: [1], binary: true })
console.log(JSON.stringify(rows))
await client.query('DROP TABLE people')
await client.end()
