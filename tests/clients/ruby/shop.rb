# Ruby's pg with sealed columns: exec_params, prepared, binary, COPY, pipeline mode. Settings: PG* variables.

require 'pg'

EMAIL = 'ada.canary@mail.example'
connection = PG.connect
connection.exec(<<~SQL)
  CREATE TABLE people (
    id integer PRIMARY KEY, name varchar(80), email varchar(120) UNIQUE, born date, balance numeric(12,2),
    visits integer, seen timestamptz, token uuid, photo bytea, profile jsonb, notes text, city text);
  CREATE TABLE orders (id serial PRIMARY KEY, email varchar(120) REFERENCES people (email), total numeric(12,2))
SQL

def check(expected, got)
  raise "expected #{expected.inspect}, got #{got.inspect}" unless expected == got
end

def error_of(kind)
  yield
  raise 'no error'
rescue kind => e
  e
end

ada = ['1', 'Ada Canary-Lovelace', EMAIL, '1815-12-10', '98765.43', '4711', '2024-05-06 07:08:09.123456+00',
       'c0ffee00-ca9a-4ee1-8000-0123456789ab', '\x0063616e61727970686f746fff', '{"hobby": "canary breeding"}',
       'met Mr Babbage at the canary soirée', 'London']
connection.exec_params("INSERT INTO people VALUES (#{(1..12).map { |n| "$#{n}" }.join(', ')})", ada)
connection.exec("INSERT INTO people (id, name, email, born) VALUES (2, 'Grace Canary-Hopper', 'grace.canary@mail.example', '1906-12-09')")

row = connection.exec_params('SELECT * FROM people WHERE email = $1', [EMAIL]).values.first
check(ada.values_at(0..5, 7..11), row.values_at(0..5, 7..11))
between = 'SELECT id FROM people WHERE born BETWEEN $1 AND $2 ORDER BY born DESC'
check([['2'], ['1']], connection.exec_params(between, %w[1815-12-10 1950-01-01]).values)
binary = connection.exec_params('SELECT visits, token FROM people WHERE email = $1', [EMAIL], 1)
check([[[4711].pack('N'), ['c0ffee00ca9a4ee180000123456789ab'].pack('H*')]], binary.values)
update = 'UPDATE people SET balance = $1 WHERE email = $2 RETURNING balance'
check([['31337.25']], connection.exec_params(update, ['31337.25', EMAIL]).values)
connection.exec_params('INSERT INTO orders (email, total) VALUES ($1, 10), ($1, $2)', [EMAIL, '20.25'])
joined = 'SELECT name, total FROM people JOIN orders USING (email) WHERE total > $1'
check([['Ada Canary-Lovelace', '20.25']], connection.exec_params(joined, [15]).values)

connection.prepare('add', 'INSERT INTO people (id, email) VALUES ($1, $2)')
connection.transaction { (100...130).each { |n| connection.exec_prepared('add', [n, "batch#{n}.canary@mail.example"]) } }
connection.copy_data('COPY people (id, email) FROM STDIN') do
  (200...220).each { |n| connection.put_copy_data("#{n}\tcopy#{n}.canary@mail.example\n") }
end
lines = []
connection.copy_data('COPY (SELECT id, email FROM people WHERE id >= 200 ORDER BY id) TO STDOUT') do
  while (line = connection.get_copy_data)
    lines << line
  end
end
check((200...220).map { |n| "#{n}\tcopy#{n}.canary@mail.example\n" }, lines)

connection.enter_pipeline_mode
(100...110).each { |n| connection.send_query_params('SELECT id FROM people WHERE email = $1', ["batch#{n}.canary@mail.example"]) }
connection.pipeline_sync
(100...110).each do |n|
  check([[n.to_s]], connection.get_result.values)
  check(nil, connection.get_result)
end
check(PG::PGRES_PIPELINE_SYNC, connection.get_result.result_status)
connection.exit_pipeline_mode

error_of(PG::UniqueViolation) { connection.exec_prepared('add', [3, EMAIL]) }
refused = error_of(PG::FeatureNotSupported) { connection.exec_params('SELECT id FROM people WHERE notes LIKE $1', ['%at the canary soir%']) }
check(true, refused.message.include?('public.people.notes'))
error_of(PG::StringDataRightTruncation) { connection.exec_params('INSERT INTO people (id, name) VALUES (3, $1)', ['Canary-Hopper' * 10]) }
connection.exec_prepared('add', [3, 'third.canary@mail.example'])
check(1, connection.exec_params('DELETE FROM people WHERE email = $1', ['third.canary@mail.example']).cmd_tuples)
puts "client: pg (Ruby) #{PG::VERSION}, Ruby #{RUBY_VERSION}, libpq #{PG.library_version}"
