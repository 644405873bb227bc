// pgx with sealed columns: every query mode of the driver (cached statements, cached descriptions, exec, simple), binary
// transfer, Batch (pipeline), SendBatch with an error, CopyFrom (binary COPY), a pool. Settings: PG* variables.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	email = "ada.canary@mail.example"
	token = "c0ffee00-ca9a-4ee1-8000-0123456789ab"
)

var (
	ctx   = context.Background()
	born  = time.Date(1815, 12, 10, 0, 0, 0, 0, time.UTC)
	seen  = time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)
	photo = []byte("\x00canaryphoto\xff")
)

func main() {
	connection := must(pgx.Connect(ctx, ""))
	must(connection.Exec(ctx, `
		CREATE TABLE people (
		  id integer PRIMARY KEY, name varchar(80), email varchar(120) UNIQUE, born date, balance numeric(12,2),
		  visits integer, seen timestamptz, token uuid, photo bytea, profile jsonb, notes text, city text);
		CREATE INDEX ON people (born);
		CREATE TABLE orders (id serial PRIMARY KEY, email varchar(120) REFERENCES people (email), total numeric(12,2))`))
	insert(connection)
	selects(connection)
	updateAndJoin(connection)
	batch(connection, 100)
	copies(connection)
	failures(connection)
	check(connection.Close(ctx) == nil, "close")

	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		if mode == pgx.QueryExecModeDescribeExec && os.Getenv("POOLED") == "behind" {
			continue // the unnamed statement is described in one transaction and executed in the next
		}
		config := must(pgx.ParseConfig(""))
		config.DefaultQueryExecMode = mode
		connection := must(pgx.ConnectConfig(ctx, config))
		fmt.Println("mode", mode)
		selects(connection)
		batch(connection, 300)
		failures(connection)
		must(connection.Exec(ctx, "DELETE FROM people WHERE id >= $1", 300))
		check(connection.Close(ctx) == nil, "close")
	}
	pool()
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/jackc/pgx/v5" {
			fmt.Println("client: pgx", module.Version, info.GoVersion)
		}
	}
}

func insert(connection *pgx.Conn) {
	profile := map[string]string{"hobby": "canary breeding"}
	must(connection.Exec(ctx, "INSERT INTO people VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
		1, "Ada Canary-Lovelace", email, born, "98765.43", 4711, seen, token, photo, profile,
		"met Mr Babbage at the canary soirée", "London"))
	var name string
	var day time.Time
	check(connection.QueryRow(ctx, `INSERT INTO people (id, name, email, born, balance) VALUES
		(2, 'Grace Canary-Hopper', 'grace.canary@mail.example', '1906-12-09', 12.50) RETURNING name, born`).Scan(&name, &day) == nil, "returning")
	check(name == "Grace Canary-Hopper" && day.Format(time.DateOnly) == "1906-12-09", name, day)
}

func selects(connection *pgx.Conn) {
	for round := 0; round < 3; round++ {
		rows := must(connection.Query(ctx, "SELECT * FROM people WHERE email = $1", email))
		check(rows.Next(), "a row")
		var id, visits int
		var name, address, city string
		var day, moment time.Time
		var balance pgtype.Numeric
		var uuid pgtype.UUID
		var picture []byte
		var profile map[string]string
		var notes *string
		if err := rows.Scan(&id, &name, &address, &day, &balance, &visits, &moment, &uuid, &picture, &profile, &notes, &city); err != nil {
			panic(err)
		}
		check(id == 1 && name == "Ada Canary-Lovelace" && address == email && day.Equal(born) && visits == 4711, id, name, address, day)
		check(moment.Equal(seen) && uuid.String() == token && bytes.Equal(picture, photo) && city == "London", moment, uuid, picture)
		check(profile["hobby"] == "canary breeding", profile)
		var oids []uint32
		for _, field := range rows.FieldDescriptions() {
			oids = append(oids, field.DataTypeOID)
		}
		check(fmt.Sprint(oids) == "[23 1043 1043 1082 1700 23 1184 2950 17 3802 25 25]", oids)
		check(!rows.Next() && rows.Err() == nil, "one row", rows.Err())
	}
	until := time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC)
	equal(connection, "[2 1]", "SELECT id FROM people WHERE born BETWEEN $1 AND $2 ORDER BY born DESC", born, until)
	equal(connection, "[1]", "SELECT id FROM people WHERE token = $1 AND seen >= $2 AND visits > $3", token, seen, 4710)
	equal(connection, "[1]", "SELECT id FROM people WHERE email = ANY($1)", []string{email, "nobody.canary@mail.example"})
	equal(connection, "[1 2]", "SELECT id FROM people WHERE email IN ('ada.canary@mail.example', $1) ORDER BY id", "grace.canary@mail.example")
}

func updateAndJoin(connection *pgx.Conn) {
	var balance, total pgtype.Numeric
	var name string
	check(connection.QueryRow(ctx, "UPDATE people SET balance = $1, notes = $2 WHERE email = $3 RETURNING balance",
		31337.25, nil, email).Scan(&balance) == nil, "update")
	check(text(balance) == "31337.25", balance)
	must(connection.Exec(ctx, "INSERT INTO orders (email, total) VALUES ($1, $2), ($1, $3)", email, 10, "20.25"))
	check(connection.QueryRow(ctx, "SELECT p.name, o.total FROM people p JOIN orders o USING (email) WHERE o.total > $1", 15).
		Scan(&name, &total) == nil, "join")
	check(name == "Ada Canary-Lovelace" && text(total) == "20.25", name, total)
}

func batch(connection *pgx.Conn, first int) {
	queue := &pgx.Batch{}
	for n := first; n < first+30; n++ {
		queue.Queue("INSERT INTO people (id, email, born) VALUES ($1, $2, $3)", n, batchEmail(n), born.AddDate(200, 0, n))
		queue.Queue("SELECT id FROM people WHERE email = $1", batchEmail(n)).QueryRow(func(row pgx.Row) error {
			var id int
			err := row.Scan(&id)
			check(id == n, id, n)
			return err
		})
	}
	if err := connection.SendBatch(ctx, queue).Close(); err != nil {
		panic(err)
	}
	// One failure takes the whole batch with it: an implicit transaction.
	queue = &pgx.Batch{}
	queue.Queue("INSERT INTO people (id, email) VALUES ($1, $2)", first+50, batchEmail(first+50))
	queue.Queue("INSERT INTO people (id, email) VALUES ($1, $2)", first+51, email)
	queue.Queue("INSERT INTO people (id, email) VALUES ($1, $2)", first+52, batchEmail(first+52))
	check(state(connection.SendBatch(ctx, queue).Close()) == "23505", "a batch with an error")
	equal(connection, "[]", "SELECT id FROM people WHERE id BETWEEN $1 AND $2", first+50, first+52)
}

func copies(connection *pgx.Conn) {
	var people [][]any
	for n := 200; n < 220; n++ {
		people = append(people, []any{n, fmt.Sprintf("copy%d.canary@mail.example", n), time.Date(1990, 1, n-199, 0, 0, 0, 0, time.UTC)})
	}
	count := must(connection.CopyFrom(ctx, pgx.Identifier{"people"}, []string{"id", "email", "born"}, pgx.CopyFromRows(people)))
	check(count == 20, count)
	for _, row := range people {
		equal(connection, fmt.Sprint([]any{row[0]}), "SELECT id FROM people WHERE email = $1 AND born = $2", row[1], row[2])
	}
	var lines strings.Builder
	for _, row := range people {
		fmt.Fprintf(&lines, "%d\t%s\t%s\n", row[0], row[1], row[2].(time.Time).Format(time.DateOnly))
	}
	var out bytes.Buffer
	must(connection.PgConn().CopyTo(ctx, &out, "COPY (SELECT id, email, born FROM people WHERE id BETWEEN 200 AND 219 ORDER BY id) TO STDOUT"))
	check(out.String() == lines.String(), out.String())
}

func failures(connection *pgx.Conn) {
	transaction := must(connection.Begin(ctx))
	attempt := func(sql string, arguments ...any) error {
		savepoint := must(transaction.Begin(ctx))
		_, err := savepoint.Exec(ctx, sql, arguments...)
		check(savepoint.Rollback(ctx) == nil, "rollback")
		return err
	}
	check(state(attempt("INSERT INTO people (id, email) VALUES (3, $1)", email)) == "23505", "unique")
	var refused *pgconn.PgError
	err := attempt("SELECT id FROM people WHERE notes LIKE $1", "%at the canary soir%")
	check(errors.As(err, &refused) && refused.Code == "0A000" && refused.Hint != "", err)
	check(strings.Contains(refused.Message, "public.people.notes"), refused)
	long := strings.Repeat("Canary-Hopper", 10)
	check(state(attempt("INSERT INTO people (id, name) VALUES (3, $1)", long)) == "22001", "too long")
	must(transaction.Exec(ctx, "INSERT INTO people (id, email) VALUES (3, 'third.canary@mail.example')"))
	check(transaction.Commit(ctx) == nil, "commit")

	// A table that changes under a cached statement: one error at most, then the driver has forgotten it.
	width := func() (int, error) {
		rows, err := connection.Query(ctx, "SELECT * FROM people WHERE id = $1", 3)
		if err != nil {
			return 0, err
		}
		for rows.Next() {
			must(rows.Values())
		}
		return len(rows.FieldDescriptions()), rows.Err()
	}
	check(must(width()) == 12, "before")
	if os.Getenv("POOLED") == "" { // a pooler may keep what it has prepared for good
		must(connection.Exec(ctx, "ALTER TABLE people ADD COLUMN extra text"))
		got, err := width()
		if err != nil { // PostgreSQL's: a cached plan whose result type changed, or one format too few for a cached description
			check(strings.Contains("0A000 08P01", state(err)), err)
			got, err = width()
		}
		check(err == nil && got == 13, err, got)
		must(connection.Exec(ctx, "ALTER TABLE people DROP COLUMN extra"))
		width()
	}
	tag := must(connection.Exec(ctx, "DELETE FROM people WHERE email = $1", "third.canary@mail.example"))
	check(tag.RowsAffected() == 1, tag)
}

func pool() {
	connections := must(pgxpool.New(ctx, ""))
	defer connections.Close()
	answers := make(chan error)
	for n := 0; n < 40; n++ {
		go func() {
			var id int
			err := connections.QueryRow(ctx, "SELECT id FROM people WHERE email = $1", batchEmail(100+n%30)).Scan(&id)
			if err == nil && id != 100+n%30 {
				err = fmt.Errorf("%d instead of %d", id, 100+n%30)
			}
			answers <- err
		}()
	}
	for n := 0; n < 40; n++ {
		if err := <-answers; err != nil {
			panic(err)
		}
	}
	// A deadline cancels the statement on the server, and the pool goes on.
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	_, err := connections.Exec(short, "SELECT pg_sleep(30)")
	check(err != nil, "cancelled")
	must(connections.Exec(ctx, "SELECT 1"))
}

func batchEmail(n int) string { return fmt.Sprintf("batch%d.canary@mail.example", n) }

func text(number pgtype.Numeric) string { return fmt.Sprint(must(number.Value())) }

func equal(connection *pgx.Conn, expected, sql string, arguments ...any) {
	rows, err := connection.Query(ctx, sql, arguments...)
	if err != nil {
		panic(fmt.Sprint(sql, err))
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	check(err == nil && fmt.Sprint(ids) == expected, sql, err, ids)
}

func state(err error) string {
	var failure *pgconn.PgError
	if errors.As(err, &failure) {
		return failure.Code
	}
	return fmt.Sprint(err)
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func check(holds bool, details ...any) {
	if !holds {
		panic(fmt.Sprint(details...))
	}
}
