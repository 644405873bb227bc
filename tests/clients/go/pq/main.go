// lib/pq over database/sql with sealed columns: unprepared, prepared, binary_parameters, CopyIn, a pool. Settings: PG*.
package main

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/lib/pq"
)

const (
	email = "ada.canary@mail.example"
	token = "c0ffee00-ca9a-4ee1-8000-0123456789ab"
)

var (
	born  = time.Date(1815, 12, 10, 0, 0, 0, 0, time.UTC)
	seen  = time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)
	photo = []byte("\x00canaryphoto\xff")
)

func main() {
	database := must(sql.Open("postgres", os.Getenv("PQ_OPTIONS")))
	must(database.Exec(`
		CREATE TABLE people (
		  id integer PRIMARY KEY, name varchar(80), email varchar(120) UNIQUE, born date, balance numeric(12,2),
		  visits integer, seen timestamptz, token uuid, photo bytea, profile jsonb, notes text, city text);
		CREATE INDEX ON people (born);
		CREATE TABLE orders (id serial PRIMARY KEY, email varchar(120) REFERENCES people (email), total numeric(12,2))`))
	must(database.Exec("INSERT INTO people VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
		1, "Ada Canary-Lovelace", email, born, "98765.43", 4711, seen, token, photo, `{"hobby": "canary breeding"}`,
		"met Mr Babbage at the canary soirée", "London"))
	must(database.Exec(`INSERT INTO people (id, name, email, born, balance) VALUES
		(2, 'Grace Canary-Hopper', 'grace.canary@mail.example', '1906-12-09', 12.50)`))
	selects(database)

	var balance, name, total string
	check(database.QueryRow("UPDATE people SET balance = $1, notes = $2 WHERE email = $3 RETURNING balance",
		31337.25, nil, email).Scan(&balance))
	equal("31337.25", balance)
	must(database.Exec("INSERT INTO orders (email, total) VALUES ($1, $2), ($1, $3)", email, 10, "20.25"))
	check(database.QueryRow("SELECT p.name, o.total FROM people p JOIN orders o USING (email) WHERE o.total > $1", 15).
		Scan(&name, &total))
	equal("Ada Canary-Lovelace 20.25", name+" "+total)

	transaction := must(database.Begin())
	add := must(transaction.Prepare("INSERT INTO people (id, email, born) VALUES ($1, $2, $3)"))
	for n := 100; n < 130; n++ {
		must(add.Exec(n, fmt.Sprintf("batch%d.canary@mail.example", n), born.AddDate(200, 0, n)))
	}
	check(add.Close())
	check(transaction.Commit())

	transaction = must(database.Begin())
	in := must(transaction.Prepare(pq.CopyIn("people", "id", "email", "born")))
	for n := 200; n < 220; n++ {
		must(in.Exec(n, fmt.Sprintf("copy%d.canary@mail.example", n), time.Date(1990, 1, n-199, 0, 0, 0, 0, time.UTC)))
	}
	must(in.Exec())
	check(in.Close())
	check(transaction.Commit())
	byEmail := must(database.Prepare("SELECT id FROM people WHERE email = $1 AND born >= $2"))
	for n := 200; n < 220; n++ {
		equal(fmt.Sprint([]int{n}), fmt.Sprint(ids(byEmail.Query(fmt.Sprintf("copy%d.canary@mail.example", n), born))))
	}
	failures(database)

	binary := must(sql.Open("postgres", "binary_parameters=yes"))
	selects(binary)
	failures(binary)
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/lib/pq" {
			fmt.Println("client: lib/pq", module.Version, info.GoVersion)
		}
	}
}

func selects(database *sql.DB) {
	var id, visits int
	var name, address, balance, uuid, profile, city string
	var day, moment time.Time
	var picture []byte
	var notes sql.NullString
	rows := must(database.Query("SELECT * FROM people WHERE email = $1", email))
	types := must(rows.ColumnTypes())
	equal("VARCHAR DATE NUMERIC BYTEA", strings.Join([]string{types[1].DatabaseTypeName(), types[3].DatabaseTypeName(),
		types[4].DatabaseTypeName(), types[8].DatabaseTypeName()}, " "))
	length, _ := types[1].Length()
	precision, scale, _ := types[4].DecimalSize()
	equal("80 12 2", fmt.Sprint(length, precision, scale))
	rows.Next()
	check(rows.Scan(&id, &name, &address, &day, &balance, &visits, &moment, &uuid, &picture, &profile, &notes, &city))
	check(rows.Close())
	equal("1 Ada Canary-Lovelace ada.canary@mail.example 4711 "+token+` {"hobby": "canary breeding"} London`,
		fmt.Sprint(id, " ", name, " ", address, " ", visits, " ", uuid, " ", profile, " ", city))
	equal(true, day.Equal(born) && moment.Equal(seen) && bytes.Equal(picture, photo))
	equal("[2 1]", fmt.Sprint(ids(database.Query("SELECT id FROM people WHERE born BETWEEN $1 AND $2 ORDER BY born DESC", born, "1950-01-01"))))
	equal("[1]", fmt.Sprint(ids(database.Query("SELECT id FROM people WHERE token = $1 AND seen >= $2 AND visits > $3", token, seen, 4710))))
	equal("[1]", fmt.Sprint(ids(database.Query("SELECT id FROM people WHERE email = ANY($1)", pq.Array([]string{email})))))
	equal("[1 2]", fmt.Sprint(ids(database.Query("SELECT id FROM people WHERE email IN ('ada.canary@mail.example', 'grace.canary@mail.example') ORDER BY id"))))
}

func failures(database *sql.DB) {
	_, err := database.Exec("INSERT INTO people (id, email) VALUES (3, $1)", email)
	equal("people_email_key", failure(err, "23505").Constraint)
	_, err = database.Exec("SELECT id FROM people WHERE notes LIKE $1", "%at the canary soir%")
	equal(true, strings.Contains(failure(err, "0A000").Message, "public.people.notes"))
	_, err = database.Exec("INSERT INTO people (id, name) VALUES (3, $1)", strings.Repeat("Canary-Hopper", 10))
	failure(err, "22001")
	must(database.Exec("INSERT INTO people (id, email) VALUES (3, 'third.canary@mail.example')"))
	count := must(must(database.Exec("DELETE FROM people WHERE email = $1", "third.canary@mail.example")).RowsAffected())
	equal(int64(1), count)
}

func failure(err error, state string) *pq.Error {
	var found *pq.Error
	if !errors.As(err, &found) || string(found.Code) != state {
		panic(fmt.Sprint("not ", state, ": ", err))
	}
	return found
}

func ids(rows *sql.Rows, err error) []int {
	check(err)
	defer rows.Close()
	found := []int{}
	for rows.Next() {
		var id int
		check(rows.Scan(&id))
		found = append(found, id)
	}
	check(rows.Err())
	return found
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func equal(expected, got any) {
	if expected != got {
		panic(fmt.Sprintf("expected %v, got %v", expected, got))
	}
}
