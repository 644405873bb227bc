/* libpq with sealed columns: PQexecParams in text and binary, prepared statements, pipeline mode with an error in the
   middle, single-row mode, COPY in both directions. Settings: PG* variables. */

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static PGconn *connection;

#define CHECK(holds) check((holds), #holds, __LINE__)

static void check(int holds, const char *what, int line)
{
    if (!holds) {
        fprintf(stderr, "line %d: %s: %s\n", line, what, connection ? PQerrorMessage(connection) : "");
        exit(1);
    }
}

static PGresult *run(const char *sql, int count, const char *const *values, int format, ExecStatusType expected)
{
    PGresult *result = PQexecParams(connection, sql, count, NULL, values, NULL, NULL, format);
    if (PQresultStatus(result) != expected) {
        fprintf(stderr, "%s: %s", sql, PQresultErrorMessage(result));
        exit(1);
    }
    return result;
}

static void is(PGresult *result, int row, int column, const char *expected)
{
    if (row >= PQntuples(result) || strcmp(PQgetvalue(result, row, column), expected) != 0) {
        fprintf(stderr, "row %d, column %d: expected %s, got %s\n", row, column, expected,
                row < PQntuples(result) ? PQgetvalue(result, row, column) : "no row");
        exit(1);
    }
}

static void pipeline(void)
{
    char id[16], email[64];
    const char *values[] = {id, email};
    CHECK(PQenterPipelineMode(connection));
    CHECK(PQsendPrepare(connection, "add", "INSERT INTO people (id, email) VALUES ($1, $2)", 0, NULL));
    CHECK(PQsendDescribePrepared(connection, "add"));
    for (int n = 100; n < 150; n++) {
        snprintf(id, sizeof id, "%d", n);
        snprintf(email, sizeof email, "batch%d.canary@mail.example", n);
        CHECK(PQsendQueryPrepared(connection, "add", 2, values, NULL, NULL, 0));
        CHECK(PQsendQueryParams(connection, "SELECT id FROM people WHERE email = $1", 1, NULL, &values[1], NULL, NULL, 0));
        if (n % 10 == 9)
            CHECK(PQpipelineSync(connection));
        if (n == 119)
            CHECK(PQsendFlushRequest(connection) && PQflush(connection) >= 0);
    }
    PGresult *result = PQgetResult(connection);
    CHECK(PQresultStatus(result) == PGRES_COMMAND_OK);
    CHECK(PQgetResult(connection) == NULL);
    result = PQgetResult(connection);
    CHECK(PQnparams(result) == 2 && PQparamtype(result, 0) == 23 && PQparamtype(result, 1) == 1043);
    CHECK(PQgetResult(connection) == NULL);
    for (int n = 100; n < 150; n++) {
        result = PQgetResult(connection);
        CHECK(PQresultStatus(result) == PGRES_COMMAND_OK && PQgetResult(connection) == NULL);
        result = PQgetResult(connection);
        snprintf(id, sizeof id, "%d", n);
        is(result, 0, 0, id);
        CHECK(PQgetResult(connection) == NULL);
        if (n % 10 == 9)
            CHECK(PQresultStatus(PQgetResult(connection)) == PGRES_PIPELINE_SYNC);
    }
    /* An error of the server and one of the proxy: what follows up to the next Sync is aborted. */
    const char *twice[] = {"3", "ada.canary@mail.example"};
    const char *pattern[] = {"%at the canary soir%"};
    CHECK(PQsendQueryPrepared(connection, "add", 2, twice, NULL, NULL, 0));
    CHECK(PQsendQueryParams(connection, "SELECT 1", 0, NULL, NULL, NULL, NULL, 0) && PQpipelineSync(connection));
    CHECK(PQsendQueryParams(connection, "SELECT id FROM people WHERE notes LIKE $1", 1, NULL, pattern, NULL, NULL, 0));
    CHECK(PQsendQueryParams(connection, "SELECT 1", 0, NULL, NULL, NULL, NULL, 0) && PQpipelineSync(connection));
    CHECK(PQsendQueryParams(connection, "SELECT 1", 0, NULL, NULL, NULL, NULL, 0) && PQpipelineSync(connection));
    for (const char **state = (const char *[]) {"23505", "0A000", NULL}; *state; state++) {
        result = PQgetResult(connection);
        CHECK(strcmp(PQresultErrorField(result, PG_DIAG_SQLSTATE), *state) == 0 && PQgetResult(connection) == NULL);
        CHECK(PQresultStatus(PQgetResult(connection)) == PGRES_PIPELINE_ABORTED && PQgetResult(connection) == NULL);
        CHECK(PQresultStatus(PQgetResult(connection)) == PGRES_PIPELINE_SYNC);
    }
    is(PQgetResult(connection), 0, 0, "1");
    CHECK(PQgetResult(connection) == NULL && PQresultStatus(PQgetResult(connection)) == PGRES_PIPELINE_SYNC);
    CHECK(PQexitPipelineMode(connection));
}

static void copies(void)
{
    char line[128];
    CHECK(PQresultStatus(PQexec(connection, "COPY people (id, email, born) FROM STDIN")) == PGRES_COPY_IN);
    for (int n = 200; n < 220; n++) {
        int length = snprintf(line, sizeof line, "%d\tcopy%d.canary@mail.example\t1990-01-%02d\n", n, n, n - 199);
        for (int i = 0; i < length; i += 7) /* rows split anywhere */
            CHECK(PQputCopyData(connection, line + i, length - i < 7 ? length - i : 7) == 1);
    }
    CHECK(PQputCopyEnd(connection, NULL) == 1 && PQresultStatus(PQgetResult(connection)) == PGRES_COMMAND_OK);
    CHECK(PQgetResult(connection) == NULL);
    CHECK(PQresultStatus(PQexec(connection, "COPY people (id, email) FROM STDIN")) == PGRES_COPY_IN);
    CHECK(PQputCopyData(connection, "999\tgone.canary@mail.example\n", 29) == 1);
    CHECK(PQputCopyEnd(connection, "changed my mind") == 1);
    CHECK(strcmp(PQresultErrorField(PQgetResult(connection), PG_DIAG_SQLSTATE), "57014") == 0);
    CHECK(PQgetResult(connection) == NULL);
    const char *out = "COPY (SELECT id, email, born FROM people WHERE id BETWEEN 200 AND 219 ORDER BY id) TO STDOUT";
    CHECK(PQresultStatus(PQexec(connection, out)) == PGRES_COPY_OUT);
    for (int n = 200; n < 220; n++) {
        char *row;
        CHECK(PQgetCopyData(connection, &row, 0) > 0);
        snprintf(line, sizeof line, "%d\tcopy%d.canary@mail.example\t1990-01-%02d\n", n, n, n - 199);
        CHECK(strcmp(row, line) == 0);
        PQfreemem(row);
    }
    char *end;
    CHECK(PQgetCopyData(connection, &end, 0) == -1 && PQresultStatus(PQgetResult(connection)) == PGRES_COMMAND_OK);
    CHECK(PQgetResult(connection) == NULL);
}

int main(void)
{
    connection = PQconnectdb("");
    CHECK(PQstatus(connection) == CONNECTION_OK);
    PGresult *result = PQexec(connection,
        "CREATE TABLE people (id integer PRIMARY KEY, name varchar(80), email varchar(120) UNIQUE, born date, "
        "balance numeric(12,2), visits integer, seen timestamptz, token uuid, photo bytea, profile jsonb, notes text, "
        "city text); CREATE TABLE orders (id serial PRIMARY KEY, email varchar(120) REFERENCES people (email), "
        "total numeric(12,2))");
    CHECK(PQresultStatus(result) == PGRES_COMMAND_OK);
    const char *ada[] = {"1", "Ada Canary-Lovelace", "ada.canary@mail.example", "1815-12-10", "98765.43", "4711",
        "2024-05-06 07:08:09.123456+00", "c0ffee00-ca9a-4ee1-8000-0123456789ab", "\\x0063616e61727970686f746fff",
        "{\"hobby\": \"canary breeding\"}", "met Mr Babbage at the canary soir\u00e9e", "London"};
    run("INSERT INTO people VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)", 12, ada, 0, PGRES_COMMAND_OK);
    result = PQexec(connection, "INSERT INTO people (id, name, email, born) VALUES "
        "(2, 'Grace Canary-Hopper', 'grace.canary@mail.example', '1906-12-09') RETURNING born");
    is(result, 0, 0, "1906-12-09");

    result = run("SELECT * FROM people WHERE email = $1", 1, &ada[2], 0, PGRES_TUPLES_OK);
    for (int column = 0; column < 12; column++)
        if (column != 6) /* depends on TimeZone */
            is(result, 0, column, ada[column]);
    result = run("SELECT visits, token, born FROM people WHERE email = $1", 1, &ada[2], 1, PGRES_TUPLES_OK);
    CHECK(PQfformat(result, 0) == 1 && PQftype(result, 1) == 2950);
    CHECK((int) ntohl(*(uint32_t *) PQgetvalue(result, 0, 0)) == 4711);
    CHECK(memcmp(PQgetvalue(result, 0, 1), "\xc0\xff\xee\x00", 4) == 0);
    CHECK((int32_t) ntohl(*(uint32_t *) PQgetvalue(result, 0, 2)) == -67227); /* days before 2000-01-01 */

    uint32_t visits = htonl(4710); /* a binary parameter of a declared type */
    const char *binary[] = {(const char *) &visits};
    result = PQexecParams(connection, "SELECT id FROM people WHERE visits > $1", 1, (Oid[]) {23}, binary, (int[]) {4}, (int[]) {1}, 0);
    is(result, 0, 0, "1");
    const char *range[] = {"1815-12-10", "1950-01-01"};
    result = run("SELECT id FROM people WHERE born BETWEEN $1 AND $2 ORDER BY born DESC", 2, range, 0, PGRES_TUPLES_OK);
    is(result, 0, 0, "2");
    is(result, 1, 0, "1");
    const char *change[] = {"31337.25", ada[2]};
    is(run("UPDATE people SET balance = $1 WHERE email = $2 RETURNING balance", 2, change, 0, PGRES_TUPLES_OK), 0, 0, "31337.25");
    run("INSERT INTO orders (email, total) VALUES ($2, 10), ($2, $1)", 2, (const char *[]) {"20.25", ada[2]}, 0, PGRES_COMMAND_OK);
    is(run("SELECT name FROM people JOIN orders USING (email) WHERE total > $1", 1, (const char *[]) {"15"}, 0, PGRES_TUPLES_OK),
       0, 0, ada[1]);
    pipeline();
    copies();

    CHECK(PQsendQuery(connection, "SELECT email FROM people WHERE id >= 100 ORDER BY id") && PQsetSingleRowMode(connection));
    int rows = 0;
    while ((result = PQgetResult(connection)) != NULL)
        rows += PQresultStatus(result) == PGRES_SINGLE_TUPLE && strstr(PQgetvalue(result, 0, 0), ".canary@mail.example") != NULL;
    CHECK(rows == 70);
    printf("client: libpq %d\n", PQlibVersion());
    PQfinish(connection);
    return 0;
}
