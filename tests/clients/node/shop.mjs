// What both programs store and compare: the tables, and one person with a value in every sealed column.

export const SCHEMA = `
  CREATE TABLE people (
    id integer PRIMARY KEY, name varchar(80), email varchar(120) UNIQUE, born date, balance numeric(12,2),
    visits integer, seen timestamptz, token uuid, photo bytea, profile jsonb, notes text, city text);
  CREATE INDEX ON people (born);
  CREATE TABLE orders (id serial PRIMARY KEY, email varchar(120) REFERENCES people (email), total numeric(12,2));`

export const ADA = [
  1,
  'Ada Canary-Lovelace',
  'ada.canary@mail.example',
  '1815-12-10',
  '98765.43',
  4711,
  new Date('2024-05-06T07:08:09.123Z'),
  'c0ffee00-ca9a-4ee1-8000-0123456789ab',
  Buffer.from('\0canaryphoto\xff', 'latin1'),
  { hobby: 'canary breeding' },
  'met Mr Babbage at the canary soirée',
  'London',
]

export const batchEmail = (n) => `batch${n}.canary@mail.example`
export const copyEmail = (n) => `copy${n}.canary@mail.example`

// The rejection of `promise`, which must be one.
export async function errorOf(promise) {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('no error')
}
