// What pgx shows of a statement whose table has changed, once for each query mode: to be compared with and without proxy.
// Settings: PG* variables.
package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func main() {
	ctx := context.Background()
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		config, err := pgx.ParseConfig("")
		check(err)
		config.DefaultQueryExecMode = mode
		connection, err := pgx.ConnectConfig(ctx, config)
		check(err)
		execute := func(sql string) {
			_, err := connection.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
			check(err)
		}
		width := func() string {
			rows, err := connection.Query(ctx, "SELECT * FROM people WHERE id = $1", 1)
			if err == nil {
				for rows.Next() {
					_, err := rows.Values()
					check(err)
				}
				err = rows.Err()
			}
			var failure *pgconn.PgError
			if errors.As(err, &failure) {
				return failure.Code
			}
			check(err)
			return fmt.Sprint(len(rows.FieldDescriptions()))
		}
		execute("CREATE TABLE people (id integer PRIMARY KEY, email varchar(120))")
		execute("INSERT INTO people VALUES (1, 'ada.canary@mail.example')")
		before := width()
		execute("ALTER TABLE people ADD COLUMN extra text")
		fmt.Println(mode, before, width(), width())
		execute("DROP TABLE people")
		check(connection.Close(ctx))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
